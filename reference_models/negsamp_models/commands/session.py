"""The environment of a command: processes, console, and error messages."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import IO, Any

import torch
import typer
from rich.console import Console
from rich.markup import escape
from typer.core import TyperCommand

from negsamp import NegSampError
from negsamp_models.commands.option_names import with_option_names
from negsamp_models.display.warnings_as_text import warnings_as_text
from negsamp_models.processes import Processes, RunStoppedError, joined_processes

__all__ = ["Command", "errors_reported", "joined_session"]

_NO_OPTIONS: Mapping[str, str] = MappingProxyType({})


class Command(TyperCommand):
    """A command that reports errors as :func:`errors_reported` does."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        names = {each.name: each.opts[0] for each in self.params if each.name is not None}
        options = {name: option for name, option in names.items() if option.startswith("--")}
        with errors_reported(options):
            return super().invoke(ctx)


class LastingConsole(Console):
    """A console that turns quiet on a broken pipe, so that the run continues."""

    def on_broken_pipe(self) -> None:
        """Discard all further output."""
        self.quiet = True
        _discard(self.file)


@contextmanager
def joined_session() -> Iterator[tuple[Processes, Console]]:
    """Join the processes of a run.

    Yields
    ------
    Processes, Console
        The console of rank 0 prints; those of other ranks are quiet.
    """
    with joined_processes() as processes:
        yield processes, LastingConsole(quiet=processes.rank > 0)


@contextmanager
def errors_reported(options: Mapping[str, str] = _NO_OPTIONS) -> Iterator[None]:
    """Report errors and warnings of negsamp as one line each, without a traceback.

    The exit status is 2 after an error, and 128 + signal after a run that a signal stopped. Errors
    about settings name the option: `options` are those of the command, see `with_option_names`.
    """
    rank = int(os.environ.get("RANK", "0"))
    who = f"process {rank}: " if rank else ""
    console = Console(stderr=True, highlight=False, soft_wrap=True)

    def warn(text: str) -> None:
        if rank == 0:
            console.print(f"[yellow]warning:[/] {escape(text)}")

    try:
        with warnings_as_text(warn):
            yield
    except RunStoppedError as stopped:
        if rank == 0:
            console.print(
                f"{escape(str(stopped))}. Continue with:\n\n    {escape(_resume_command())}\n"
            )
        raise typer.Exit(stopped.exit_status) from None
    except BrokenPipeError:
        _discard(sys.stdout)
        raise typer.Exit(1) from None
    except (NegSampError, OSError) as error:
        message = with_option_names(_message(error), options)
        console.print(f"[red]error:[/] {who}{escape(message)}")
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        console.print(f"{who}interrupted")
        raise typer.Exit(130) from None
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        what = escape(str(error).strip().split("\n")[0])
        console.print(
            f"[red]error:[/] {who}out of memory ({what}). Use a smaller --hidden-size, "
            "--batch-size or --max-length, or free memory that other programs use"
        )
        raise typer.Exit(2) from None


def _message(error: Exception) -> str:
    """Return the message of an error, without the errno of an `OSError`."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _is_out_of_memory(error: Exception) -> bool:
    """Whether memory ran out; for host memory, torch raises a plain `RuntimeError`."""
    is_typed = isinstance(error, MemoryError | torch.OutOfMemoryError)
    return is_typed or "DefaultCPUAllocator" in str(error)


def _discard(stream: IO[str]) -> None:
    """Discard all further output of a stream, including the flush at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


def _resume_command() -> str:
    """Return the command that resumes the run of this command."""
    arguments = [each for each in sys.argv[1:] if each not in ("--resume", "--overwrite")]
    size = int(os.environ.get("WORLD_SIZE", "1"))
    here = int(os.environ.get("LOCAL_WORLD_SIZE", size))
    nodes = [] if here == size else ["--nnodes", str(size // here)]
    program = (
        ["torchrun", *nodes, "--nproc-per-node", str(here), "-m", "negsamp_models"]
        if size > 1
        else ["negsamp"]
    )
    return shlex.join([*program, *arguments, "--resume"])

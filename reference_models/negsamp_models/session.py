"""What surrounds a command: its processes, its console, and how its errors are shown."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import torch
import typer
from rich.console import Console
from rich.markup import escape

from negsamp import NegSampError
from negsamp_models.distributed import Processes, joined_processes
from negsamp_models.interruption import RunStoppedError
from negsamp_models.told_warnings import warnings_told

__all__ = ["complaints", "joined_session"]


class LastingConsole(Console):
    """A console that falls silent when nobody reads it any more, while the work goes on."""

    def on_broken_pipe(self) -> None:
        """Write to nowhere from now on."""
        self.quiet = True
        _to_nowhere(self.file)


@contextmanager
def joined_session() -> Iterator[tuple[Processes, Console]]:
    """Join the processes of a run, and show errors as :func:`complaints` does.

    Yields
    ------
    Processes, Console
        The console of any process but the first is mute.
    """
    with complaints(), joined_processes() as processes:
        yield processes, LastingConsole(quiet=processes.rank > 0)


@contextmanager
def complaints() -> Iterator[None]:
    """Show errors and warnings of ours as a line each.

    An error leaves with status 2, a run that was stopped with 128 + signal.
    """
    rank = int(os.environ.get("RANK", "0"))
    who = f"process {rank}: " if rank else ""
    console = Console(stderr=True, highlight=False, soft_wrap=True)

    def warn(text: str) -> None:
        if rank == 0:
            console.print(f"[yellow]warning:[/] {escape(text)}")

    try:
        with warnings_told(warn):
            yield
    except RunStoppedError as stopped:
        if rank == 0:
            console.print(f"{escape(str(stopped))}. Go on with:\n\n    {escape(_command())}\n")
        raise typer.Exit(stopped.exit_status) from None
    except BrokenPipeError:
        _to_nowhere(sys.stdout)
        raise typer.Exit(1) from None
    except (NegSampError, OSError) as error:
        console.print(f"[red]error:[/] {who}{escape(_told(error))}")
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        console.print(f"{who}interrupted")
        raise typer.Exit(130) from None
    except (MemoryError, RuntimeError) as error:
        if not _is_want_of_memory(error):
            raise
        what = escape(str(error).strip().split("\n")[0])
        console.print(
            f"[red]error:[/] {who}the memory does not suffice ({what}). Less is needed with a "
            "smaller --hidden-size, --batch-size or --max-length, or without other work beside it"
        )
        raise typer.Exit(2) from None


def _told(error: Exception) -> str:
    """Return what is wrong in words, without the number that the system has for it."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _is_want_of_memory(error: Exception) -> bool:
    """Tell whether memory was asked for in vain; of the host's, torch has no type for it."""
    of_a_type = isinstance(error, MemoryError | torch.OutOfMemoryError)
    return of_a_type or "DefaultCPUAllocator" in str(error)


def _to_nowhere(stream: IO[str]) -> None:
    """Let what is still written to a stream go nowhere, at the end of the program too."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _command() -> str:
    """Return the command that resumes the run of this one."""
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

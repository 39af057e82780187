"""Run the command in child processes, alone or as the ranks of one run."""

from __future__ import annotations

import multiprocessing
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

from negsamp_models.command_line import main

CONTEXT = multiprocessing.get_context("forkserver")
_SLOW_IMPORTS = ["negsamp_models.commands.application", "torch._dynamo"]
CONTEXT.set_forkserver_preload(_SLOW_IMPORTS)


def run_command(arguments: Sequence[str], output: Path, environment: Mapping[str, str]) -> None:
    """Run the command with its output in a file."""
    with output.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.update(environment)  # the fork server has the environment of its own start
    sys.argv = ["negsamp", *arguments]
    main()


def start(arguments: Sequence[str], output: Path) -> BaseProcess:
    """Start the command."""
    output.write_text("")
    process = CONTEXT.Process(target=run_command, args=(list(arguments), output, dict(os.environ)))
    process.start()
    return process


def start_ranks(arguments: Sequence[str], output: Path, size: int = 2) -> list[BaseProcess]:
    """Start the command as torchrun does, with the same environment, once for each rank."""
    return start_each([arguments] * size, output)


def start_each(arguments: Sequence[Sequence[str]], output: Path) -> list[BaseProcess]:
    """Start the ranks of one run, each with its own arguments."""
    output.write_text("")
    processes: list[BaseProcess] = [
        CONTEXT.Process(target=run_command, args=(list(own), output, {**os.environ, **environment}))
        for own, environment in zip(arguments, environments(len(arguments)), strict=True)
    ]
    for process in processes:
        process.start()
    return processes


def environments(size: int) -> list[dict[str, str]]:
    """Return the environment variables that torchrun sets for each rank."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    shared |= {"WORLD_SIZE": str(size), "LOCAL_WORLD_SIZE": str(size)}
    return [shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(size)]


def finish(*processes: BaseProcess) -> list[int | None]:
    """Wait for processes, and return their exit statuses."""
    for process in processes:
        process.join()
    return [process.exitcode for process in processes]


def newest(folder: Path) -> str:
    """Return the name of the newest checkpoint of a run, "" if there is none."""
    return max((path.stem for path in folder.glob("checkpoints/[0-9]*.json")), default="")


def wait_for_checkpoint(process: BaseProcess, folder: Path, after: str = "") -> None:
    """Wait until a run has a checkpoint newer than `after`, or has ended."""
    while process.is_alive() and newest(folder) <= after:
        process.join(0.001)

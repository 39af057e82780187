"""Signals that come more than once: what ends a run at once, and what is the same wish again."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from negsamp_models.checkpoints import Saver
from negsamp_models.processes import StopSignals
from tests.models.children import CONTEXT, environments, finish, newest, run_command
from tests.models.made_up import write_data

INT, TERM = signal.SIGINT, signal.SIGTERM


@pytest.fixture
def unheeded() -> Iterator[list[int]]:
    """Return the list of the signals that come to what handled them before."""
    came: list[int] = []
    before = {
        each: signal.signal(each, lambda number, _: came.append(number)) for each in (INT, TERM)
    }
    yield came
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("sent", "under_torchrun", "ends"),
    [
        ([TERM, TERM, TERM], False, []),
        ([INT, TERM, TERM], False, []),
        ([TERM, INT], False, []),
        ([INT, INT], False, [INT]),
        ([TERM, INT, TERM, INT], False, [INT]),
        ([INT, INT], True, []),
    ],
)
def test_only_ctrl_c_pressed_twice_ends_a_run_at_once(
    unheeded: list[int],
    monkeypatch: pytest.MonkeyPatch,
    sent: list[int],
    under_torchrun: bool,
    ends: list[int],
) -> None:
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    if under_torchrun:
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    with StopSignals() as stop:
        for number in sent:
            signal.raise_signal(number)
        assert stop.received == sent[-1 - len(ends)]
    assert unheeded == ends
    for number in (INT, TERM):
        signal.raise_signal(number)
    assert unheeded == [*ends, INT, TERM]


def run_signalled(arguments: Sequence[str], output: Path, environment: Mapping[str, str]) -> None:
    """Run the command, and send it SIGTERM whenever it is about to be saved."""
    save = Saver.save

    def signalled(*of_save: Any) -> bool:
        signal.raise_signal(TERM)
        return save(*of_save)

    Saver.save = signalled  # type: ignore[assignment, method-assign]
    run_command(arguments, output, environment)


@pytest.mark.parametrize("size", [1, 2])
def test_sigterm_again_does_not_cut_off_the_save(tmp_path: Path, size: int) -> None:
    """The first comes with the checkpoint of the second batch, the next as the run is stopped."""
    write_data(tmp_path / "Tiny.txt", [[1, 2, 3, 4, user % 5 + 5] for user in range(1, 31)])
    arguments = ["train", "--dataset", "Tiny", "--data-dir", str(tmp_path), "--device", "cpu"]
    arguments += ["--hidden-size", "8", "--batch-size", "5", "--checkpoint-batches", "2"]
    arguments += ["-o", str(tmp_path / "run")]
    printed = tmp_path / "run.txt"
    ranks = [
        CONTEXT.Process(target=run_signalled, args=(arguments, printed, {**os.environ, **each}))
        for each in environments(size)
    ]
    for process in ranks:
        process.start()
    assert finish(*ranks) == [143] * size
    assert "after batch 3; the run is saved. Continue with:" in printed.read_text()
    assert newest(tmp_path / "run") == "000000-000003"

"""What people see of a pre-training."""

from __future__ import annotations

import io
import re

from rich.console import Console

from negsamp_models.display.pretraining import PretrainingDisplay
from negsamp_models.s3rec import PretrainingRecord
from negsamp_models.settings import OBJECTIVES

LOSSES = dict(zip(OBJECTIVES, (123.456, 0.6931, 98.765, 0.7), strict=True))


def display_on(terminal: bool) -> tuple[PretrainingDisplay, io.StringIO]:
    written = io.StringIO()
    console = Console(file=written, force_terminal=terminal, width=80)
    return PretrainingDisplay("S3-Rec on Tiny", 150, console), written


def test_the_bar_shows_all_four_losses_in_80_columns() -> None:
    display, written = display_on(terminal=True)
    with display:
        display.on_batch(149, 1198, 1503, LOSSES)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.getvalue())
    assert "epoch 150/150" in text
    assert "AAP 123 MIP 0.693 MAP 98.8 SP 0.7" in text
    assert "…" not in text


def test_an_epoch_is_a_line() -> None:
    display, written = display_on(terminal=False)
    with display:
        display.on_epoch(PretrainingRecord(2, LOSSES, 61.25, 0.5))
        display.on_epoch(PretrainingRecord(3, LOSSES, 61.25, 0.5))
    rest = "AAP 123.4560  MIP 0.6931  MAP 98.7650  SP 0.7000  61.2 s (0.5 s sampling)\n"
    assert written.getvalue() == "".join(
        f"S3-Rec on Tiny  epoch   {epoch}  {rest}" for epoch in (3, 4)
    )


def test_what_goes_on_says_so() -> None:
    display, written = display_on(terminal=False)
    display.on_start([])
    assert written.getvalue() == ""
    display.on_start([PretrainingRecord(0, LOSSES, 1.0, 0.1)])
    assert written.getvalue() == "S3-Rec on Tiny  resumes after epoch 1\n"

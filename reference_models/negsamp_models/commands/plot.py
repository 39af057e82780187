"""The command ``negsamp plot``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from negsamp_models.display.curves import labelled, read_curves
from negsamp_models.display.plots import plot_runs
from negsamp_models.files.pictures import picture_path
from negsamp_models.files.writing import check_writable
from negsamp_models.records import CHOSEN_BY
from negsamp_models.wording import plural

__all__ = ["plot_command"]


def plot_command(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Folders of runs, finished or not; folders of such folders; or files."),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The picture: .png, .svg or .pdf.")
    ] = Path("negsamp-curves.png"),
    metric: Annotated[
        str, typer.Option(help="Validation metric: HR or NDCG at 5, 10 or 20, as in HR@5.")
    ] = CHOSEN_BY,
) -> None:
    """Plot the curves of runs side by side, during or after training.

    Shows validation over epochs and over training time, loss, alpha, beta, the entropy of the
    negatives' law (how spread out they are, in nats; it falls as they get harder), and the speed of
    sampling and its share of the time. A dot marks the epoch whose weights are kept.

    For example `negsamp compare` and then `negsamp plot negsamp-compare`.
    """
    picture = picture_path(output)
    found = labelled(read_curves(runs))
    check_writable(picture.parent)
    plot_runs(found, picture, ", ".join(map(str, runs)), metric)
    text = f"Written: {output} ({plural(len(found), 'run')})"
    Console().print(text, highlight=False, markup=False)

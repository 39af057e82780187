"""The command ``negsamp law``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from negsamp_models.checkpoints import CheckpointError
from negsamp_models.commands.options import DataDirOption
from negsamp_models.display.names import describe_sampler
from negsamp_models.files.pictures import picture_path
from negsamp_models.files.writing import check_writable, write_json
from negsamp_models.law.picture import draw_law
from negsamp_models.law.study import LawRequest, LawStudy, study_law
from negsamp_models.runs.finished import finished_run
from negsamp_models.training.snapshots import read_snapshots

__all__ = ["law_command"]


def law_command(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run of `negsamp train`.")],
    data_dir: DataDirOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="The picture: .png, .svg or .pdf. Default: law.png in RUN."
        ),
    ] = None,
    length: Annotated[
        int, typer.Option(min=1, help="Take the first user with this many training positions.")
    ] = LawRequest.length,
) -> None:
    """Plot the distribution of one user's negatives, along the sequence and over training.

    Uses the weights that a finished run kept: the best, and those after the epochs of
    `--keep-weights`:

        negsamp train --dataset Beauty --keep-weights 0,1,5,20 -o runs/genni

        negsamp law runs/genni

    Writes the picture, and beside it the numbers as JSON.
    """
    picture = run / "law.png" if output is None else picture_path(output)
    result, trainer = finished_run(run, data_dir)
    _check_numbers(picture.with_suffix(".json"))
    check_writable(picture.parent)
    study = study_law(trainer, result, read_snapshots(run / "weights"), LawRequest(length))
    write_json(picture.with_suffix(".json"), study.to_json())
    negatives = describe_sampler(result.sampler, result.settings)
    draw_law(study, picture, f"User {study.user} of {result.dataset}: {negatives}")
    console = Console(highlight=False)
    numbers = picture.with_suffix(".json").name
    console.print(f"Written: {picture}, {numbers}", markup=False)
    if len(study.stages) == 1:
        console.print("The run kept only its best weights; train with --keep-weights to keep more.")


def _check_numbers(path: Path) -> None:
    """Refuse to overwrite a file that is not the numbers of such a picture."""
    try:
        LawStudy.from_json(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        pass
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise CheckpointError(
            f"the numbers are written to {path}, but that file holds something else: name another "
            "--output"
        ) from error

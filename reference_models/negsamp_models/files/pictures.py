"""Picture files: allowed suffixes, and atomic writing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from negsamp import InvalidInputError
from negsamp_models.files.writing import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["picture_path", "save_picture"]

SUFFIXES = (".png", ".svg", ".pdf")


def picture_path(path: str | Path) -> Path:
    """Check the suffix of a picture's path, before any work is done for it.

    Raises
    ------
    InvalidInputError
        If it ends in anything but .png, .svg or .pdf.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise InvalidInputError(
            f"the name of a picture must end in .png, .svg or .pdf; got {path.name!r}"
        )
    return path


def save_picture(figure: Figure, path: Path, dpi: float) -> None:
    """Write a figure in the format of the suffix, completely or not at all."""
    write_whole(path, lambda target: figure.savefig(target, dpi=dpi))

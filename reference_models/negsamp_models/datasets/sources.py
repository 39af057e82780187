"""Find a data set by its name: in a folder of the user, in the cache, or on the web."""

from __future__ import annotations

import difflib
import hashlib
import os
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from negsamp_models.datasets.dataset import Dataset, DatasetError
from negsamp_models.datasets.files import read_dataset
from negsamp_models.datasets.synthetic import generate_synthetic

__all__ = ["DATASETS", "DATA_URL", "PublishedDataset", "full_name", "load_dataset", "short_name"]

DATA_URL = "https://raw.githubusercontent.com/RUCAIBox/CIKM2020-S3Rec/master/data/"
"""Where the authors of S3-Rec publish the four data sets."""

_SYNTHETIC = "synthetic"
_FOLDER_VARIABLE = "NEGSAMP_DATA"
_CACHE = "the cache"
_TIMEOUT_SECONDS = 30
_NAMES_SHOWN = 20
"""File names listed in an error message, at most."""


@dataclass(frozen=True)
class PublishedDataset:
    """A data set that is published under a fixed name with fixed content.

    Attributes
    ----------
    name : str
        The stem of its file names.
    alias : str or None
        A shorter name for it.
    description : str
        One sentence on where the data come from.
    sequences_sha256, attributes_sha256 : str
        SHA-256 of the two files, in hexadecimal digits.
    """

    name: str
    alias: str | None
    description: str
    sequences_sha256: str
    attributes_sha256: str

    @property
    def checksums(self) -> dict[str, str]:
        """SHA-256 by file name, the sequence file first."""
        return {
            f"{self.name}.txt": self.sequences_sha256,
            f"{self.name}_item2attributes.json": self.attributes_sha256,
        }


DATASETS = (
    PublishedDataset(
        "Beauty",
        None,
        "Amazon reviews, category Beauty: users and items with five actions or more.",
        "226cce9c3105299ca0db9615d7d3fb32b3175e90da43100ae352599f0f0107b8",
        "129e40f67486f6877eff0f5318cfa8530ee8ac23d8b0d1de04e1bb7a2ba0b2d4",
    ),
    PublishedDataset(
        "Sports_and_Outdoors",
        "Sports",
        "Amazon reviews, category Sports and Outdoors: users and items with five actions or more.",
        "2a095e0648872beb9982408958290f5d655db5be2911c3756b5446de9f0b8de2",
        "7fb10733ac4f1811384a52144cdefa7fcc7536fa80a7232c5da9bd789155c34b",
    ),
    PublishedDataset(
        "Toys_and_Games",
        "Toys",
        "Amazon reviews, category Toys and Games: users and items with five actions or more.",
        "176c680c688d497598c4a89a03b402c0fe78d795e5db335c2e78dd5f2d778a3f",
        "d371acd25101eedac04afc727626464b7acec770c4eda708705d51eb76eb1ad0",
    ),
    PublishedDataset(
        "Yelp",
        None,
        "Yelp reviews: users and places with five actions or more.",
        "724b219106b81dd2349027da997334ddb6da9fe2f152ad6e0d97a93170f7caed",
        "f25acd5e1e680e0b22fd4e3f4fb6be4b2a7461e9222610616e3e1ee6702dd58d",
    ),
)
"""The four data sets of the paper, as the authors of S3-Rec prepared them."""


def load_dataset(
    name: str,
    data_dir: str | Path | None = None,
    *,
    attributes: bool = False,
    verify: bool = True,
    base_url: str = DATA_URL,
) -> Dataset:
    """Load a data set by its name.

    ``"synthetic"`` is made by `generate_synthetic` with its default parameters. Any other name
    means the files ``NAME.txt`` and, for the attributes, ``NAME_item2attributes.json``. They are
    read from `data_dir` if it is given, else from the folder in the environment variable
    ``NEGSAMP_DATA`` if it is set, else from the user's cache folder, into which those of the four
    published data sets are downloaded when they are not there.

    Parameters
    ----------
    name : str
        Beauty, Sports_and_Outdoors (or Sports), Toys_and_Games (or Toys), Yelp, synthetic, or the
        name of files of your own.
    data_dir : str or Path, optional
        The only folder to look in.
    attributes : bool
        Whether to read the item attributes too. The synthetic data set always has them.
    verify : bool
        Whether a file with a published name must have the published SHA-256. Pass False to use
        files of your own under such a name. Downloads are always verified.
    base_url : str
        Where to download from, for a mirror.

    Returns
    -------
    Dataset

    Raises
    ------
    DatasetError
        If the name is unknown; if a file is missing from the given folder, or from the cache and
        cannot be downloaded; if a checksum differs; if `read_sequences` or `read_attributes`
        refuses a file.

    Examples
    --------
    >>> load_dataset("synthetic").name
    'synthetic'
    """
    if name == _SYNTHETIC:
        return generate_synthetic()
    published = _published(name)
    folder, origin = _folder(data_dir)
    stem = published.name if published else name
    sequences = folder / f"{stem}.txt"
    if published is None and (Path(name).name != name or not sequences.is_file()):
        raise _unknown_name(name, folder, origin)
    wanted = [sequences, folder / f"{stem}_item2attributes.json"][: 1 + attributes]
    for path in wanted:
        if path.is_file():
            if published and verify:
                _check_sha256(path, published.checksums[path.name])
        elif published and origin == _CACHE:
            _download(path, published.checksums[path.name], base_url)
        else:
            names = [each.name for each in folder.iterdir()] if folder.is_dir() else []
            remedy = "put the file there"
            if published:
                remedy += f", or leave data_dir and {_FOLDER_VARIABLE} unset to download it"
            raise DatasetError(
                f"{path} is missing: {_searched(folder, origin, names, 'file')}; {remedy}"
            )
    return read_dataset(*wanted, name=stem, description=published.description if published else "")


def full_name(name: str) -> str:
    """Return the full name of a data set, given its name or alias.

    Examples
    --------
    >>> full_name("Toys"), full_name("mine")
    ('Toys_and_Games', 'mine')
    """
    published = _published(name)
    return name if published is None else published.name


def short_name(name: str) -> str:
    """Return the alias of a data set that has one, else its name.

    Examples
    --------
    >>> short_name("Toys_and_Games"), short_name("mine")
    ('Toys', 'mine')
    """
    published = _published(name)
    return name if published is None else published.alias or published.name


def _published(name: str) -> PublishedDataset | None:
    return next((each for each in DATASETS if name in (each.name, each.alias)), None)


def _folder(data_dir: str | Path | None) -> tuple[Path, str]:
    """Return the folder to search, and the source of its path for messages."""
    if data_dir is not None:
        return Path(data_dir).expanduser(), "data_dir"
    if variable := os.environ.get(_FOLDER_VARIABLE):
        return Path(variable).expanduser(), _FOLDER_VARIABLE
    return Path(_pooch().os_cache("negsamp")), _CACHE


def _pooch() -> Any:
    """Import pooch, which is needed only for the cache folder and downloads."""
    try:
        import pooch  # type: ignore[import-untyped]  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise DatasetError(
            "the package pooch, needed for the cache and downloads, is not installed: pip install "
            f'"negsamp[models]", or set {_FOLDER_VARIABLE} to the folder with the files'
        ) from error
    return pooch


def _unknown_name(name: str, folder: Path, origin: str) -> DatasetError:
    files = folder.glob("*.txt") if folder.is_dir() else []
    own = [path.stem for path in files if path.is_file()]
    known = [key for each in DATASETS for key in (each.name, each.alias) if key] + [_SYNTHETIC]
    by_lower = {key.casefold(): key for key in [*own, *known]}
    nearest = difflib.get_close_matches(name.casefold(), by_lower, n=1)
    hint = f"did you mean {by_lower[nearest[0]]!r}? " if nearest else ""
    elsewhere = "" if origin == "data_dir" else "; name another folder by data_dir (--data-dir)"
    if Path(name).suffix in (".csv", ".tsv", ".txt"):
        elsewhere += f"; negsamp prepare {name} makes a data set of a log of actions"
    return DatasetError(
        f"unknown data set {name!r}: {hint}known are {', '.join(known)}; your own data have the "
        f"name of their file without .txt, but {_searched(folder, origin, own, 'data set')}"
        f"{elsewhere}"
    )


def _searched(folder: Path, origin: str, names: Iterable[str], kind: str) -> str:
    """Describe the folder that was searched, and what it contains."""
    if not folder.is_dir():
        return f"{origin} is {folder}, which is not a folder"
    names = sorted(names)
    shown = ", ".join(names[:_NAMES_SHOWN]) or f"no {kind}"
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return f"{origin} is {folder}, which holds {shown}{more}"


def _check_sha256(path: Path, expected: str) -> None:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != expected:
        raise DatasetError(
            f"{path} is not the published file: its SHA-256 is {found}, expected {expected}; "
            "delete it and fetch it again, rename a file of your own, or pass verify=False"
        )


def _download(path: Path, sha256: str, base_url: str) -> None:
    """Download a file; it is moved into place after its checksum has been verified."""
    pooch = _pooch()
    url = f"{base_url.rstrip('/')}/{path.name}"
    by_hand = (
        f"{path} is missing; get the file from {DATA_URL} by hand and put it there, or into a "
        f"folder named by data_dir or {_FOLDER_VARIABLE}"
    )
    try:
        with closing(_DownloadBar(path.name)) as bar:
            pooch.retrieve(
                url,
                known_hash=f"sha256:{sha256}",
                fname=path.name,
                path=path.parent,
                downloader=pooch.HTTPDownloader(
                    progressbar=bar, chunk_size=1 << 16, timeout=_TIMEOUT_SECONDS
                ),
            )
    except OSError as error:
        raise DatasetError(f"cannot download {url}: {error}; {by_hand}") from error
    except ValueError as error:
        raise DatasetError(f"{url} is not the published file: {error} {by_hand}") from error


class _DownloadBar:
    """A progress bar of rich with the interface that pooch expects."""

    def __init__(self, title: str) -> None:
        from rich.console import Console  # noqa: PLC0415
        from rich.progress import Progress  # noqa: PLC0415

        self._progress = Progress(console=Console(stderr=True))
        self._task = self._progress.add_task(title, total=None)

    @property
    def total(self) -> float | None:
        return self._progress.tasks[0].total

    @total.setter
    def total(self, total: float) -> None:
        self._progress.update(self._task, total=total)
        self._progress.start()

    def update(self, count: float) -> None:
        self._progress.advance(self._task, count)

    def reset(self) -> None:
        self._progress.reset(self._task)

    def close(self) -> None:
        self._progress.stop()

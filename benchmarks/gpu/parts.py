"""The parts of a run: what each does and needs, and about how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

from benchmarks.gpu import draws, epochs
from benchmarks.gpu.arithmetic import Rates, measure_rates
from benchmarks.gpu.contenders import ARITHMETIC
from benchmarks.gpu.device import Device
from benchmarks.gpu.records import NOT_MEASURED, PartResult
from benchmarks.gpu.suite import run_tests
from benchmarks.settings import Draw, Epoch

__all__ = ["PARTS", "Part", "Run", "missing_packages"]

CONTRACT = (
    "tests/samplers/test_contract.py",
    "tests/samplers/test_bad_input.py",
    "tests/samplers/test_cuda.py",
)
TRAINING = ("tests/models/test_cuda_training.py",)
LAWS = ("tests/samplers/test_laws.py", "tests/samplers/test_stream.py")
QUICK_TESTS = "golden or anything"
"""The few tests of a quick run, as an expression of pytest's ``-k``."""


@dataclass(frozen=True)
class Run:
    """Arguments common to the parts of a run.

    Attributes
    ----------
    device : Device
        The device.
    quick : bool
        Whether this is only a check with small sizes and few tests.
    deadline : float
        In ``time.monotonic()``; what would start later is skipped.
    tell : callable
        Called with lines of text about the progress.
    """

    device: Device
    quick: bool
    deadline: float
    tell: Callable[[str], None]

    def conditions(self, **more: Any) -> dict[str, Any]:
        """Return the conditions of the figures of a part; those of a quick run are marked."""
        marks: dict[str, Any] = {"quick": self.quick}
        if self.quick:
            marks["note"] = f"a quick run on {self.device.name}, {NOT_MEASURED}"
        return self.device.conditions() | marks | more


@dataclass(frozen=True)
class Part:
    """A part that can be selected.

    Attributes
    ----------
    name, about : str
        Its name for ``--only``, and a description.
    needs : tuple of str
        Packages needed besides NumPy and PyTorch, by import name.
    minutes : float
        About how long it takes on an H100.
    run : callable
        The function that runs it.
    files : tuple of str
        Test files, if it runs tests.
    """

    name: str
    about: str
    needs: tuple[str, ...]
    minutes: float
    run: Callable[[Run], PartResult]
    files: tuple[str, ...] = ()


def missing_packages(part: Part) -> list[str]:
    """Return the packages that a part needs and that are not installed."""
    return [name for name in part.needs if find_spec(name) is None]


def table(run: Run) -> PartResult:
    """Measure draws beside peers and references."""
    settings: Sequence[Draw] = draws.SETTINGS
    if run.quick:
        settings = tuple(dict.fromkeys(each.quick() for each in settings))
    rates = _rates(run)
    measurements, whole = draws.measure_draws(run.device, rates, settings, run.deadline, run.tell)
    conditions = run.conditions(rates=None if rates is None else asdict(rates))
    return PartResult("table", conditions, measurements, whole=whole)


def _rates(run: Run) -> Rates | None:
    """Measure the rates of the arithmetic alone; the draws are measured without them too."""
    try:
        return measure_rates(run.device)
    except Exception as error:  # noqa: BLE001
        run.tell(f"{ARITHMETIC}: failed, {type(error).__name__}: {error}")
        return None


def one_epoch(run: Run) -> PartResult:
    """Time an epoch with each sampler, packed and as CUDA graphs."""
    settings: Sequence[Epoch] = epochs.SETTINGS
    if run.quick:
        settings = tuple(each.quick() for each in settings)
    measurements, whole = epochs.measure_epochs(run.device, settings, run.deadline, run.tell)
    return PartResult("epochs", run.conditions(), measurements, whole=whole)


def _tested(name: str, files: tuple[str, ...], run: Run) -> PartResult:
    """Run tests on the device."""
    seconds, only = run.deadline - time.monotonic(), QUICK_TESTS if run.quick else ""
    tests, whole = run_tests(files, run.device, seconds, run.tell, only)
    return PartResult(name, run.conditions(), tests=tests, whole=whole)


PARTS = (
    Part(
        "contract",
        "the contract suite, by Hypothesis, and what must be refused",
        ("pytest", "hypothesis"),
        4.0,
        partial(_tested, "contract", CONTRACT),
        CONTRACT,
    ),
    Part(
        "laws",
        "the laws by enumeration and chi-square, and the golden draws",
        ("pytest", "hypothesis", "scipy"),
        1.0,
        partial(_tested, "laws", LAWS),
        LAWS,
    ),
    Part(
        "training",
        "steps of training as CUDA graphs beside the same steps without",
        ("pytest", "hypothesis", "safetensors"),
        1.0,
        partial(_tested, "training", TRAINING),
        TRAINING,
    ),
    Part("table", "draws beside their peers and references, and their memory", (), 2.0, table),
    Part(
        "epochs",
        "an epoch of SASRec on Beauty with each sampler, packed and as CUDA graphs; reads the "
        "folder in NEGSAMP_DATA",
        ("safetensors",),
        2.0,
        one_epoch,
    ),
)

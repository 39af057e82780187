"""The order of missing runs, and an estimate of the time that they take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from negsamp_models.records import RunResult
from negsamp_models.reproduction.grids import Grid
from negsamp_models.reproduction.planned import PlannedRun
from negsamp_models.reproduction.pretraining import PlannedPretraining
from negsamp_models.wording import duration, plural

__all__ = ["Outlook", "by_need", "expected_seconds"]


def by_need(grids: Iterable[Grid], results: Mapping[str, RunResult]) -> list[PlannedRun]:
    """Return the runs that can be made now, each once: seed 0 of all, then seed 1, ...

    Within a seed they are in the order of the grids. Runs that depend on a choice by validation are
    included once it is made.
    """
    return _each_once(run for grid in grids for cell in grid.cells for run in cell.missing(results))


def expected_seconds(run: PlannedRun, results: Mapping[str, RunResult]) -> float | None:
    """Estimate how long a run takes, validation included, from similar runs; None without any.

    The estimate is the median over the most similar runs of the same hidden size: those that differ
    only in the seed, else those with the same data set and sampler, else those with the same
    sampler, else all. Pre-training is not included.
    """
    kind = run.sampler["sampler"]
    likes: list[Callable[[PlannedRun], bool]] = [
        lambda other: other.slug == run.slug and other.dataset == run.dataset,
        lambda other: (other.dataset, other.sampler["sampler"]) == (run.dataset, kind),
        lambda other: other.sampler["sampler"] == kind,
        lambda _: True,
    ]
    made = [
        (PlannedRun.of(result), result)
        for result in results.values()
        if result.settings["hidden_size"] == run.settings.hidden_size
    ]
    for is_like in likes:
        if known := [_seconds(result, run) for planned, result in made if is_like(planned)]:
            return median(known)
    return None


@dataclass(frozen=True)
class Outlook:
    """The runs that are left, and the time that they take.

    Attributes
    ----------
    runs : list of PlannedRun
        All missing runs, in order; before validation has chosen, those of the first choice stand
        for those of the chosen one.
    pretrainings : list of PlannedPretraining
        Pre-trainings needed by these runs, each once.
    times : list of float or None
        Expected seconds of each of them; None if there is no similar run.
    """

    runs: list[PlannedRun]
    pretrainings: list[PlannedPretraining]
    times: list[float | None]

    @classmethod
    def of(cls, grids: Iterable[Grid], results: Mapping[str, RunResult], folder: Path) -> Outlook:
        """Return what is missing from grids; `results` are those below `folder`."""
        runs = _each_once(
            run for grid in grids for cell in grid.cells for run in cell.left(results)
        )
        steps = {step.key: step for step in (run.first_step(folder) for run in runs)}
        first = [step for step in steps.values() if isinstance(step, PlannedPretraining)]
        times = [expected_seconds(run, results) for run in runs]
        return cls(runs, first, times + [each.expected_seconds(folder) for each in first])

    def time(self, jobs: int = 1) -> str:
        """Return the total, such as "2 h 20 min", with "+ ?" if some times are unknown."""
        known = [seconds for seconds in self.times if seconds is not None]
        parts = [duration(sum(known) / jobs)] if known else []
        return " + ".join([*parts, *(["?"] if len(known) < len(self.times) else [])])

    def words(self, jobs: int = 1) -> str:
        """Return a summary, such as "12 runs and 1 pre-training left, about 2 h 20 min"."""
        numbers = [plural(len(self.runs), "run")]
        if self.pretrainings:
            numbers.append(plural(len(self.pretrainings), "pre-training"))
        number = f"{' and '.join(numbers)} left"
        if not self.runs:
            return number
        if self.times.count(None) == len(self.times):
            return f"{number}; the time can be estimated after the first"
        return f"{number}, about {self.time(jobs)}"


def _each_once(runs: Iterable[PlannedRun]) -> list[PlannedRun]:
    """Return runs by seed without duplicates, preferring the one that requests the law."""
    found: dict[str, PlannedRun] = {}
    for run in runs:
        if run.key not in found or found[run.key].law is None:
            found[run.key] = run
    return sorted(found.values(), key=lambda run: run.settings.seed)


def _seconds(result: RunResult, run: PlannedRun) -> float:
    """Return the seconds of a result, limited to the `max_epochs` of another run."""
    epochs = min(len(result.epochs), run.settings.max_epochs)
    validation = median(record.evaluation_seconds for record in result.epochs)
    return epochs * (result.seconds_per_epoch + validation)

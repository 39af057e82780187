"""Which run is made next, and how long all that are left will take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from negsamp_models.records import RunResult
from negsamp_models.reproduction.grids import Grid
from negsamp_models.reproduction.planned import PlannedRun
from negsamp_models.wording import duration, plural

__all__ = ["Outlook", "by_need", "expected_seconds"]


def by_need(grids: Iterable[Grid], results: Mapping[str, RunResult]) -> list[PlannedRun]:
    """Return the runs that can be made now, each once: the first seed of all, then the second, ...

    Within a seed they come in the order of the grids. Runs that wait for a choice are not there
    before it is made.
    """
    return _each_once(run for grid in grids for cell in grid.cells for run in cell.missing(results))


def expected_seconds(run: PlannedRun, results: Mapping[str, RunResult]) -> float | None:
    """Return how long runs like it took, validation included; None if there is none at all.

    Those are the runs that differ from it in nothing but the seed, else those of the same data set
    and sampler, else those of the sampler, else all; the median of them.
    """
    kind = run.sampler["sampler"]
    likes: list[Callable[[PlannedRun], bool]] = [
        lambda other: other.slug == run.slug and other.dataset == run.dataset,
        lambda other: (other.dataset, other.sampler["sampler"]) == (run.dataset, kind),
        lambda other: other.sampler["sampler"] == kind,
        lambda _: True,
    ]
    made = [(PlannedRun.of(result), result) for result in results.values()]
    for is_like in likes:
        if known := [_seconds(result, run) for planned, result in made if is_like(planned)]:
            return median(known)
    return None


@dataclass(frozen=True)
class Outlook:
    """What is left to be made.

    Attributes
    ----------
    runs : list of PlannedRun
        All of it, in order; where validation has not chosen, the first choice stands for the one
        that will be.
    seconds : float or None
        One after the other; None if nothing like them was ever run.
    """

    runs: list[PlannedRun]
    seconds: float | None

    @classmethod
    def of(cls, grids: Iterable[Grid], results: Mapping[str, RunResult]) -> Outlook:
        """Look at what grids lack."""
        runs = _each_once(
            run for grid in grids for cell in grid.cells for run in cell.left(results)
        )
        known = [expected_seconds(run, results) for run in runs]
        times = [seconds for seconds in known if seconds is not None]
        return cls(runs, sum(times) if len(times) == len(runs) else None)

    def words(self, jobs: int = 1) -> str:
        """Return, for instance, "12 runs left, about 2 h 20 min"."""
        number = f"{plural(len(self.runs), 'run')} left"
        if not self.runs:
            return number
        if self.seconds is None:
            return f"{number}; how long they take is known after the first"
        return f"{number}, about {duration(self.seconds / jobs)}"


def _each_once(runs: Iterable[PlannedRun]) -> list[PlannedRun]:
    """Return runs by seed, those of one key as one: the one that asks for the law, if any does."""
    found: dict[str, PlannedRun] = {}
    for run in runs:
        if run.key not in found or found[run.key].law is None:
            found[run.key] = run
    return sorted(found.values(), key=lambda run: run.settings.seed)


def _seconds(result: RunResult, run: PlannedRun) -> float:
    """Return what a run took, or would have with as few epochs as another is allowed."""
    epochs = min(len(result.epochs), run.settings.max_epochs)
    validation = median(record.evaluation_seconds for record in result.epochs)
    return epochs * (result.seconds_per_epoch + validation)

"""Made-up results, a made-up grid, and a listener that keeps what it is told."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from negsamp_models.records import EpochRecord, RunResult
from negsamp_models.reproduction.planned import PlannedRun, Step
from negsamp_models.reproduction.running import Outcome
from negsamp_models.reproduction.worker import Event, Notice

METRICS = ("HR@5", "NDCG@5", "HR@10", "NDCG@10", "HR@20", "NDCG@20")


def result_of(run: PlannedRun, test: float, validation: float = 1.0) -> RunResult:
    """Return a made-up result whose metrics are all equal."""
    epoch = EpochRecord(0, 1.0, None, None, 4.0, 1.0, 1.0, dict.fromkeys(METRICS, validation))
    return RunResult(
        dataset=run.dataset,
        sampler=dict(run.sampler),
        settings=asdict(run.settings),
        best_epoch=0,
        validation=dict.fromkeys(METRICS, validation),
        test=dict.fromkeys(METRICS, test),
        test_unmasked=dict.fromkeys(METRICS, test + (1 if run.dataset == "Yelp" else -1)),
        epochs=[epoch],
        environment={"device": "cpu (test)", "threads": 2, "torch": "2"},
    )


@dataclass
class Told:
    """A listener that keeps what it is told."""

    started: list[Step] = field(default_factory=list)
    events: list[Event | Notice] = field(default_factory=list)
    ended: list[tuple[Step, Outcome]] = field(default_factory=list)

    def on_start(self, step: Step) -> None:
        self.started.append(step)

    def on_event(self, event: Event | Notice) -> None:
        self.events.append(event)

    def on_end(self, step: Step, outcome: Outcome) -> None:
        self.ended.append((step, outcome))

    @property
    def notices(self) -> list[Notice]:
        return [event for event in self.events if isinstance(event, Notice)]

    @property
    def failures(self) -> list[str]:
        return [str(outcome) for _, outcome in self.ended if isinstance(outcome, BaseException)]


TINY = """
title = "Tiny"
datasets = ["synthetic"]
seeds = 1
metrics = ["HR@5"]

[rows.uniform]
sampler = "uniform"
settings = { max_epochs = 2, hidden_size = 8, num_layers = 1 }

[rows.wrong]
sampler = "uniform"
settings = { max_epochs = 2, hidden_size = 8, learning_rate = 1e30 }
"""

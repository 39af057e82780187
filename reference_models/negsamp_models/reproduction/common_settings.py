"""Default settings of all runs in words, and the runs that reached the limit on epochs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from textwrap import fill

from negsamp_models.records import CHOSEN_BY, RunResult
from negsamp_models.reproduction.planned import PlannedRun
from negsamp_models.settings import TrainingSettings

__all__ = ["capped_line", "common_settings"]


def common_settings() -> str:
    """Return a paragraph about the default settings and the source of each."""
    plain = TrainingSettings()
    words = (
        f"Unless a row says otherwise, runs have one negative, the {plain.loss.upper()} loss, Adam "
        f"with a learning rate of {plain.learning_rate:g}, batches of {plain.batch_size}, and stop "
        f"after {plain.patience} epochs without a better validation {CHOSEN_BY}: so far section "
        f"5.1.4. It prints neither the hidden size, {plain.hidden_size} here, nor dropout, "
        f"{plain.dropout:g}, nor the longest input, {plain.max_length} items, nor what it chose "
        f"of layers and heads, {plain.num_layers} and {plain.num_heads}: those are of the S3-Rec "
        f"authors' code. That there are {plain.max_epochs} epochs at most is a choice of ours."
    )
    return fill(words, 100) + "\n"


def capped_line(results: Mapping[str, RunResult]) -> Iterator[str]:
    """Yield a line that names the runs that reached `max_epochs` before their patience ran out."""
    capped = []
    for result in results.values():
        run = PlannedRun.of(result)
        waited = len(result.epochs) - 1 - result.best_epoch
        if len(result.epochs) == run.max_epochs and waited < run.settings.patience:
            best = f"best epoch {result.best_epoch + 1} of {run.max_epochs}"
            capped.append(f"{run.dataset} {run.slug}, seed {run.settings.seed} ({best})")
    if capped:
        yield (
            f"- Ended by the cap on epochs, where more might have done better: "
            f"{'; '.join(sorted(capped))}."
        )

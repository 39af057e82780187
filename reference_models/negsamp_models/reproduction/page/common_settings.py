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
        f"Unless a row says otherwise, runs use one negative, the {plain.loss.upper()} loss, Adam "
        f"with a learning rate of {plain.learning_rate:g}, batches of {plain.batch_size}, and "
        f"early stopping after {plain.patience} epochs without a better validation {CHOSEN_BY}, as "
        "in section 5.1.4. That section does not report the metric of early stopping, the hidden "
        "size, dropout, the maximum input length, or the tuned numbers of layers and heads. The "
        f"first is our choice; the others are {plain.hidden_size}, "
        f"{plain.dropout:g}, {plain.max_length}, {plain.num_layers} and {plain.num_heads}, from "
        f"the S3-Rec authors' code. The maximum of {plain.max_epochs} epochs is our choice."
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
            "- Stopped by the limit on epochs, so that more epochs might have done better: "
            f"{'; '.join(sorted(capped))}."
        )

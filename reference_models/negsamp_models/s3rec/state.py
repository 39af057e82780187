"""The progress of pre-training, and its conversion to and from checkpoints."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from negsamp import NegSampError, Sampler
from negsamp_models.checkpoints import Checkpoint, CheckpointError
from negsamp_models.checkpoints.trained_parts import TrainedParts
from negsamp_models.s3rec.records import PretrainingRecord
from negsamp_models.settings import OBJECTIVES

__all__ = ["PretrainingState", "pack_state", "unpack_state"]


@dataclass
class PretrainingState:
    """The progress of pre-training.

    Attributes
    ----------
    epoch, batch : int
        The position: `batch` batches of epoch `epoch` are done.
    sums, counts : list of float, list of int
        By objective, over these batches: the summed loss, and the number of its terms.
    seconds, sampling_seconds : float
        Time spent on these batches, and on sampling within it.
    records : list of PretrainingRecord
        The finished epochs.
    """

    epoch: int = 0
    batch: int = 0
    sums: list[float] = field(default_factory=lambda: [0.0] * len(OBJECTIVES))
    counts: list[int] = field(default_factory=lambda: [0] * len(OBJECTIVES))
    seconds: float = 0.0
    sampling_seconds: float = 0.0
    records: list[PretrainingRecord] = field(default_factory=list)

    @property
    def means(self) -> dict[str, float]:
        """The means of the epoch so far, by objective."""
        means = (total / max(n, 1) for total, n in zip(self.sums, self.counts, strict=True))
        return dict(zip(OBJECTIVES, means, strict=True))

    def add(self, losses: list[float], counts: list[int]) -> None:
        """Add a batch: by objective, the summed loss and the number of its terms."""
        self.sums = [total + loss for total, loss in zip(self.sums, losses, strict=True)]
        self.counts = [total + count for total, count in zip(self.counts, counts, strict=True)]

    def after_epoch(self) -> PretrainingState:
        """Return the state at the beginning of the next epoch."""
        record = PretrainingRecord(self.epoch, self.means, self.seconds, self.sampling_seconds)
        return PretrainingState(self.epoch + 1, records=[*self.records, record])


def pack_state(
    state: PretrainingState,
    parts: TrainedParts,
    samplers: tuple[Sampler, ...],
) -> Checkpoint:
    """Return the state of a pre-training run as a checkpoint."""
    plain = {name: value for name, value in asdict(state).items() if name not in ("epoch", "batch")}
    plain["samplers"] = [sampler.state_dict() for sampler in samplers]
    return Checkpoint(state.epoch, state.batch, parts.tensors(), plain)


def unpack_state(
    checkpoint: Checkpoint,
    parts: TrainedParts,
    samplers: tuple[Sampler, ...],
) -> PretrainingState:
    """Restore a run from a checkpoint; all later steps are those of an uninterrupted run.

    Raises
    ------
    CheckpointError
        If the content does not match what :func:`pack_state` stores for these objects.
    """
    plain: dict[str, Any] = dict(checkpoint.state)
    try:
        parts.restore(checkpoint.tensors)
        for sampler, content in zip(samplers, plain.pop("samplers"), strict=True):
            sampler.load_state_dict(content)
        records = [PretrainingRecord(**record) for record in plain.pop("records")]
        return PretrainingState(checkpoint.epoch, checkpoint.batch, records=records, **plain)
    except (KeyError, IndexError, TypeError, RuntimeError, ValueError, NegSampError) as error:
        raise CheckpointError(
            f"the checkpoint {checkpoint.name} does not fit this negsamp: {error}"
        ) from error

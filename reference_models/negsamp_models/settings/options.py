"""Options of a run that do not affect its results."""

from __future__ import annotations

from dataclasses import dataclass

from negsamp.validation import as_count, as_number
from negsamp_models.settings.errors import TrainingSettingsError

__all__ = ["RunOptions"]


@dataclass(frozen=True)
class RunOptions:
    """How a run is executed, saved and logged; results change by no more than noise.

    Attributes
    ----------
    resume : bool
        Resume from the last checkpoint, if there is one.
    checkpoint_seconds : float
        Save within an epoch when the last checkpoint is this old. A checkpoint is saved after
        every epoch too, unless saving takes more than 5 % of the time.
    checkpoint_batches : int, optional
        Save after this many batches of an epoch, and after every epoch, whatever it costs.
    tensorboard : bool
        Write logs for TensorBoard.
    keep_weights : tuple of int
        Keep the weights after these numbers of epochs; 0 is before training.
    sharded_items : bool
        With several processes, let each score one slice of the items for the sampler.
    cuda_graphs : bool
        Run each step as one CUDA graph.
    overwrite : bool
        Remove the files of an earlier run from the folder; not with `resume`.
    """

    resume: bool = False
    checkpoint_seconds: float = 300.0
    checkpoint_batches: int | None = None
    tensorboard: bool = False
    keep_weights: tuple[int, ...] = ()
    sharded_items: bool = False
    cuda_graphs: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.resume and self.overwrite:
            raise TrainingSettingsError(
                "overwrite", True, "False with resume, which needs the files that overwrite removes"
            )
        if as_number("checkpoint_seconds", self.checkpoint_seconds) <= 0:
            raise TrainingSettingsError("checkpoint_seconds", self.checkpoint_seconds, "> 0")
        if self.checkpoint_batches is not None:
            as_count("checkpoint_batches", self.checkpoint_batches)
        for epochs in self.keep_weights:
            as_count("keep_weights", epochs, low=0)

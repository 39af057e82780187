"""A Keras callback that updates a sampler's schedules during training."""

from __future__ import annotations

from typing import Any

import keras

from negsamp.errors import ConfigError
from negsamp_tensorflow.graph_sampler import GraphSampler

__all__ = ["SamplerCallback"]


class SamplerCallback(keras.callbacks.Callback):  # type: ignore[misc]
    """Call the sampler's ``set_epoch`` at each epoch's start, and ``update`` after each batch.

    Parameters
    ----------
    sampler : GraphSampler
        The sampler that the model's ``train_step`` draws from.
    loss : str
        The key of the batch's loss in what ``train_step`` returns.

    Raises
    ------
    ConfigError
        If `sampler` is not a GraphSampler; during training, if a schedule needs the loss and there
        is none of this name.

    Notes
    -----
    Keras's own loss tracker, as made by ``compile(loss=...)``, holds the mean since the epoch
    began. For ``LossDriven``, return the loss of the batch itself from ``train_step``. The loss is
    read, and so waited for, only if a schedule needs it.
    """

    def __init__(self, sampler: GraphSampler, loss: str = "loss") -> None:
        super().__init__()
        if not isinstance(sampler, GraphSampler):
            raise ConfigError(
                f"SamplerCallback takes a GraphSampler; got {type(sampler).__name__}: a train_step "
                "is traced, and what it draws from must keep its state in variables"
            )
        self._sampler, self._loss = sampler, loss
        self._needed = any(each.needs_loss for each in sampler.sampler.schedules.values())

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Move the schedules to the epoch."""
        self._sampler.set_epoch(epoch)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Pass on the loss, if a schedule needs it."""
        if not self._needed:
            return
        if not logs or self._loss not in logs:
            raise ConfigError(
                f"no {self._loss!r} among what train_step returns, {sorted(logs or {})}: a "
                "schedule of the sampler needs the loss of each batch"
            )
        self._sampler.update(logs[self._loss])

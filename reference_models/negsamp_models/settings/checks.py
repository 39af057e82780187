"""Ranges of the settings that training and pre-training share."""

from __future__ import annotations

from typing import Protocol

from negsamp.validation import as_count, as_number
from negsamp_models.sasrec import check_heads
from negsamp_models.settings.errors import TrainingSettingsError

__all__ = ["check_common"]


class CommonSettings(Protocol):
    """The settings of the model, of Adam and of its batches."""

    @property
    def batch_size(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def max_length(self) -> int: ...
    @property
    def hidden_size(self) -> int: ...
    @property
    def num_layers(self) -> int: ...
    @property
    def num_heads(self) -> int: ...
    @property
    def dropout(self) -> float: ...
    @property
    def seed(self) -> int: ...


def check_common(settings: CommonSettings) -> None:
    """Refuse settings out of their range.

    Raises
    ------
    ConfigError, InvalidInputError, TrainingSettingsError
        The message names the setting, its value and what is allowed.
    """
    for name in ("batch_size", "hidden_size", "num_layers", "num_heads"):
        as_count(name, getattr(settings, name))
    check_heads(settings.hidden_size, settings.num_heads)
    if as_count("max_length", settings.max_length) == 1:
        raise TrainingSettingsError("max_length", 1, ">= 2, as one item is not a sequence")
    as_count("seed", settings.seed, low=0, high=2**63 - 1)
    if as_number("learning_rate", settings.learning_rate) <= 0:
        raise TrainingSettingsError("learning_rate", settings.learning_rate, "> 0")
    if not 0 <= as_number("dropout", settings.dropout) < 1:
        raise TrainingSettingsError("dropout", settings.dropout, "in [0, 1)")

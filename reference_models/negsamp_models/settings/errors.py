"""The error of settings out of their range."""

from __future__ import annotations

from typing import Any

from negsamp import NegSampError

__all__ = ["TrainingSettingsError"]


class TrainingSettingsError(NegSampError, ValueError):
    """A setting is out of its range."""

    def __init__(self, name: str, value: Any, allowed: str) -> None:
        super().__init__(name, value, allowed)

    def __str__(self) -> str:
        name, value, allowed = self.args
        return f"{name} must be {allowed}; got {value!r}"

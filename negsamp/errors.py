"""The errors of negsamp; all derive from :class:`NegSampError`."""

from __future__ import annotations

__all__ = [
    "BackendNotInstalledError",
    "ConfigError",
    "InvalidInputError",
    "InvalidScoresError",
    "NegSampError",
    "NoNegativesError",
]


class NegSampError(Exception):
    """Base class of all errors that negsamp raises on purpose."""


class ConfigError(NegSampError, ValueError):
    """A sampler, schedule or configuration was given an invalid value or name."""


class InvalidInputError(NegSampError, ValueError):
    """An argument of a call does not fit: its shape, its dtype, or an id or user in it."""


class NoNegativesError(NegSampError, ValueError):
    """A row has no admissible item, or without replacement too few."""


class InvalidScoresError(NegSampError, ValueError):
    """A score is NaN or +inf, overflows float32 when multiplied by alpha, or is not repeated."""


class BackendNotInstalledError(NegSampError, ImportError):
    """The requested backend or its framework is not installed or cannot be imported."""

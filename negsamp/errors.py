"""What can go wrong, by name; every error derives from :class:`NegSampError`."""

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
    """A sampler, schedule or configuration was given a value or a name that it does not allow."""


class InvalidInputError(NegSampError, ValueError):
    """An argument of a call does not fit: a shape, a dtype, an id or a user out of range."""


class NoNegativesError(NegSampError, ValueError):
    """A row has no admissible item, or fewer than it needs when none may repeat."""


class InvalidScoresError(NegSampError, ValueError):
    """A score is NaN or +inf, or so large that alpha times the score overflows float32."""


class BackendNotInstalledError(NegSampError, ImportError):
    """A backend was asked for whose framework is not installed or cannot be imported."""

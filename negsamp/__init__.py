"""Negative samplers for retrieval and sequence models: uniform, popularity and GenNi.

Build a sampler once and call it in the training loop. It takes the positives, and for
:class:`GenNi` the model's scores, and returns negatives with their log-probabilities, in the
framework and on the device of the arrays that it is given.
"""

from negsamp.backend import available_backends
from negsamp.config import from_config
from negsamp.errors import (
    BackendNotInstalledError,
    ConfigError,
    InvalidInputError,
    InvalidScoresError,
    NegSampError,
    NoNegativesError,
)
from negsamp.genni import GenNi
from negsamp.interactions import Interactions
from negsamp.negatives import Negatives
from negsamp.popularity import Popularity
from negsamp.sampler import Sampler
from negsamp.schedules import Exponential, Linear, LossDriven
from negsamp.scores import DotProduct, Scorer
from negsamp.uniform import Uniform
from negsamp.warning import NegSampWarning

__version__ = "0.1.0"

__all__ = [
    "BackendNotInstalledError",
    "ConfigError",
    "DotProduct",
    "Exponential",
    "GenNi",
    "Interactions",
    "InvalidInputError",
    "InvalidScoresError",
    "Linear",
    "LossDriven",
    "NegSampError",
    "NegSampWarning",
    "Negatives",
    "NoNegativesError",
    "Popularity",
    "Sampler",
    "Scorer",
    "Uniform",
    "available_backends",
    "from_config",
]

"""How TensorFlow is kept from rewriting the kernels while it traces them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar, cast

import tensorflow as tf

__all__ = ["as_written"]

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


def as_written(function: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """Trace a function and what it calls as they are: loops and branches are spelled out there."""

    @wraps(function)
    def unconverted(*arguments: _Parameters.args, **named: _Parameters.kwargs) -> _Result:
        done = tf.autograph.experimental.do_not_convert(function)(*arguments, **named)
        return cast(_Result, done)

    return unconverted

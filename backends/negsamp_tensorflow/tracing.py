"""How the kernels are run: as they are written, and with no gradient recorded."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

import tensorflow as tf
from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext

__all__ = ["as_written", "in_xla", "unrecorded"]

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


def as_written(function: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """Trace a function and what it calls as they are: loops and branches are spelled out there."""

    @wraps(function)
    def unconverted(*arguments: _Parameters.args, **named: _Parameters.kwargs) -> _Result:
        done = tf.autograph.experimental.do_not_convert(function)(*arguments, **named)
        return cast(_Result, done)

    return unconverted


def in_xla() -> bool:
    """Return whether what is traced is for XLA to compile."""
    if tf.executing_eagerly():
        return False
    return bool(GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph()))


def unrecorded() -> AbstractContextManager[Any]:
    """Return a context in which no tape of eager mode keeps what is computed.

    A graph needs none: it keeps what a gradient needs, and none goes through a sampler.
    """
    return tf.init_scope() if tf.executing_eagerly() else nullcontext()

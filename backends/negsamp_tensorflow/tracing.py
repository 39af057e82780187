"""Tracing of the kernels: without AutoGraph, and without a gradient tape."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

import tensorflow as tf
from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext

__all__ = ["in_xla", "no_autograph", "unrecorded"]

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


def no_autograph(function: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """Trace a function and its callees without AutoGraph: they use TensorFlow's own loops."""

    @wraps(function)
    def unconverted(*arguments: _Parameters.args, **named: _Parameters.kwargs) -> _Result:
        done = tf.autograph.experimental.do_not_convert(function)(*arguments, **named)
        return cast(_Result, done)

    return unconverted


def in_xla() -> bool:
    """Return whether the function being traced is compiled by XLA."""
    if tf.executing_eagerly():
        return False
    return bool(GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph()))


def unrecorded() -> AbstractContextManager[Any]:
    """Return a context in which no gradient tape of eager mode records operations.

    A graph needs none: it keeps only what a gradient needs, and none flows through a sampler.
    """
    return tf.init_scope() if tf.executing_eagerly() else nullcontext()

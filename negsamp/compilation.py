"""What ``torch.compile`` and TensorFlow's AutoGraph are to leave alone."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

__all__ = ["not_compiled"]

P = ParamSpec("P")
R = TypeVar("R")


def not_compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Have a function run as it is where a compiler meets it.

    One that goes into a sampler finds what it cannot read. ``torch.compile`` breaks the graph
    around the function; AutoGraph traces it unconverted, and says no more than what is raised.
    Nothing of PyTorch or TensorFlow is imported here.
    """
    disabled: list[Callable[P, R]] = []

    @functools.wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        compiler: Any = sys.modules.get("torch._dynamo")
        if compiler is None or not hasattr(compiler, "disable"):  # not, or not wholly, imported
            return function(*args, **kwargs)
        if not disabled:
            compiler.eval_frame.skip_code(frame.__code__)
            disabled.append(compiler.disable(function))
        return disabled[0](*args, **kwargs)

    frame: Any = called
    frame.autograph_info__ = {}  # the mark that do_not_convert sets
    return called

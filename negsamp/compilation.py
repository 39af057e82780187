"""Keeping ``torch.compile`` and TensorFlow's AutoGraph out of sampling."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

__all__ = ["not_compiled"]

P = ParamSpec("P")
R = TypeVar("R")


def not_compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Exclude a function from compilation: no compiler can compile a sampler.

    ``torch.compile`` breaks the graph around the function; AutoGraph traces it unconverted and
    adds nothing to its errors. This imports neither PyTorch nor TensorFlow.
    """
    disabled: list[Callable[P, R]] = []

    @functools.wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        compiler: Any = sys.modules.get("torch._dynamo")
        if compiler is None or not hasattr(compiler, "disable"):  # not imported, or only in part
            return function(*args, **kwargs)
        if not disabled:
            compiler.eval_frame.skip_code(wrapper.__code__)
            disabled.append(compiler.disable(function))
        return disabled[0](*args, **kwargs)

    wrapper: Any = called
    wrapper.autograph_info__ = {}  # the attribute that AutoGraph's do_not_convert sets
    return called

"""The TensorFlow backend inside a traced function, as in a training step."""

from __future__ import annotations

from functools import partial
from typing import Any

from benchmarks.checks import wrong_draws
from benchmarks.contenders.ours import build_sampler
from benchmarks.contenders.tensorflow_matrix import load_tensorflow
from benchmarks.problems import Problem
from benchmarks.work import Contender, Work
from negsamp import DotProduct

__all__ = ["COMPILED", "CONTENDERS", "GRAPH"]

GRAPH = "negsamp tensorflow, traced"
COMPILED = "negsamp tensorflow, XLA"


def prepare(problem: Problem, jit_compile: bool) -> Work:
    """Prepare one call of a traced function that draws."""
    tf = load_tensorflow()
    from negsamp_tensorflow import GraphSampler  # noqa: PLC0415  (imports TensorFlow)

    sampler = GraphSampler(build_sampler(problem, "tensorflow"))
    users = None
    if problem.setting.exclude == "interactions":
        users = tf.constant(problem.users)
    arrays = [tf.constant(each) for each in (problem.targets, problem.queries, problem.items)]

    @tf.function(autograph=False, jit_compile=jit_compile)  # type: ignore[untyped-decorator]
    def draw(targets: Any, queries: Any, items: Any) -> Any:
        return sampler.sample(targets, score=DotProduct(queries, items), users=users).item_ids

    return Work(lambda: draw(*arrays), partial(wrong_draws, problem))


CONTENDERS = tuple(
    Contender(name, "ours", ("genni",), partial(prepare, jit_compile=jit_compile), note)
    for name, jit_compile, note in (
        (
            GRAPH,
            False,
            "a GraphSampler in a tf.function; its memory is that of the first call, which traces",
        ),
        (
            COMPILED,
            True,
            "the same with jit_compile=True; its memory is that of the first call, which compiles",
        ),
    )
)

"""The usual way in TensorFlow: the matrix of all scores, and ``tf.random.categorical``."""

from __future__ import annotations

import os
from functools import cache, partial
from importlib import import_module
from typing import Any

from benchmarks.checks import wrong_draws
from benchmarks.problems import Problem
from benchmarks.work import Contender, Work

__all__ = ["CATEGORICAL", "CONTENDERS", "load_tensorflow"]

CATEGORICAL = "TensorFlow categorical"


@cache
def load_tensorflow() -> Any:
    """Import TensorFlow, and limit it to the number of threads of the case."""
    tensorflow = import_module("tensorflow")
    threads = int(os.environ["OMP_NUM_THREADS"])
    tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
    tensorflow.config.threading.set_inter_op_parallelism_threads(threads)
    return tensorflow


def categorical(problem: Problem) -> Work:
    """Draw from the score matrix, in one traced function."""
    tf = load_tensorflow()
    setting = problem.setting
    queries, items = tf.constant(problem.queries), tf.constant(problem.items)
    rows, excluded = (tf.constant(each) for each in problem.excluded)
    all_ids = tf.range(1, setting.num_items + 1, dtype=tf.int64)

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def draw() -> Any:
        if setting.beta == 1:
            chosen, row, place = all_ids, rows, excluded - 1
            scores = tf.matmul(queries, items[1:], transpose_b=True)
        else:
            chosen = tf.random.shuffle(all_ids)[: setting.num_candidates]
            column = tf.tensor_scatter_nd_update(
                tf.fill((setting.num_items + 1,), tf.constant(-1, tf.int64)),
                chosen[:, None],
                tf.range(setting.num_candidates, dtype=tf.int64),
            )
            place = tf.gather(column, excluded)
            row, place = rows[place >= 0], place[place >= 0]
            scores = tf.matmul(queries, tf.gather(items, chosen), transpose_b=True)
        never = tf.fill(tf.shape(place), -float("inf"))
        scores = tf.tensor_scatter_nd_update(scores, tf.stack([row, place], 1), never)
        return tf.gather(chosen, tf.random.categorical(scores, setting.num_negatives))

    return Work(draw, partial(wrong_draws, problem))


CONTENDERS = (
    Contender(
        CATEGORICAL,
        "peer",
        ("genni",),
        categorical,
        "tf.matmul and tf.random.categorical in a tf.function",
        holds_scores=True,
    ),
)

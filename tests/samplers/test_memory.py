"""The matrix of all rows by all items never exists."""

from __future__ import annotations

import subprocess
import sys

import pytest

NUM_ROWS, NUM_ITEMS, MEGABYTE = 4000, 60_000, 1 << 20
TENSORFLOW = ["tensorflow", "tensorflow-traced", "tensorflow-xla"]
MATRIX = NUM_ROWS * NUM_ITEMS * 4

CHILD = """
import ctypes
from contextlib import nullcontext
from pathlib import Path
import numpy as np
from negsamp import DotProduct, GenNi
random = np.random.default_rng(0)
arrays = [
    random.integers(0, {items}, {rows}),
    random.normal(size=({rows}, 8)).astype(np.float32),
    random.normal(size=({items}, 8)).astype(np.float32),
]
sampler = GenNi({items}, {negatives}, alpha=1.0, beta={beta}, backend="{backend}".partition("-")[0])
sample = sampler.sample
if "{backend}" == "torch":
    import torch
    arrays = [torch.from_numpy(array) for array in arrays]
if "{backend}".startswith("tensorflow"):
    import tensorflow as tf
    from negsamp_tensorflow import GraphSampler
    arrays = [tf.constant(array) for array in arrays]
if "-" in "{backend}":
    graph_sampler, jit_compile = GraphSampler(sampler), "{backend}".endswith("xla")
    signature = None
    if "{backend}".endswith("unknown"):  # number of rows
        floats = [tf.TensorSpec([size, 8], tf.float32) for size in (None, {items})]
        signature = [tf.TensorSpec([None], tf.int64), *floats]

    @tf.function(jit_compile=jit_compile, input_signature=signature)
    def draw(targets, queries, items):
        def score(ids):
            return tf.matmul(queries, tf.gather(items, ids), transpose_b=True)
        return graph_sampler.sample(
            targets, score=score if {called} else DotProduct(queries, items)
        )

    def sample(targets, score):
        return draw(targets, score.queries, score.items)

def score(rows):
    if {taped} or ({called} and "{backend}" == "tensorflow"):
        queries, items = tf.Variable(arrays[1][:rows]), tf.Variable(arrays[2])
        return lambda ids: tf.nn.relu(tf.matmul(queries, tf.gather(items, ids), transpose_b=True))
    dot_product = DotProduct(arrays[1][:rows], arrays[2])
    return dot_product.__call__ if {called} and "-" not in "{backend}" else dot_product

sample(arrays[0][:2], score=score(2))
if "-" in "{backend}":  # what compiling takes is not what a draw takes
    sample(arrays[0], score=score({rows}))

def kilobytes(name):
    status = Path("/proc/self/status").read_text()
    return int(status.partition(name + ":")[2].split()[0])

ctypes.CDLL(None).malloc_trim(0)  # what is free would not be seen to be taken again
Path("/proc/self/clear_refs").write_text("5")  # the peak starts from what is held now
before = kilobytes("VmRSS")
if {whole}:
    np.ones(({rows}, {items}), np.float32)
with tf.GradientTape() if {taped} else nullcontext():
    sample(arrays[0], score=score({rows}))
print((kilobytes("VmHWM") - before) * 1024)
"""


pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="reads the peak from /proc"
)


def peak_above_inputs(
    backend: str,
    beta: float = 1.0,
    *,
    rows: int = NUM_ROWS,
    items: int = NUM_ITEMS,
    negatives: int = 1,
    whole: bool = False,
    called: bool = False,
    taped: bool = False,
) -> int:
    """Return the bytes by which a draw raises the peak of a fresh process."""
    code = CHILD.format(
        rows=rows,
        items=items,
        negatives=negatives,
        backend=backend,
        beta=beta,
        whole=whole,
        called=called,
        taped=taped,
    )
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(child.stdout)


@pytest.mark.parametrize("beta", [1.0, 0.5])
@pytest.mark.parametrize("name", ["numpy", "numba", "torch", *TENSORFLOW])
def test_memory_is_bounded_by_tiles(name: str, beta: float) -> None:
    framework = name.partition("-")[0]
    pytest.importorskip(framework, reason=f"{framework} is not installed")
    assert peak_above_inputs(name, beta) < 64 * MEGABYTE < MATRIX / 10


@pytest.mark.parametrize("name", ["numpy", "numba", "torch"])
def test_a_callable_costs_the_sums_of_its_blocks_and_no_copy_of_them(name: str) -> None:
    pytest.importorskip(name, reason=f"{name} is not installed")
    rows, items = 2000, 400_000
    sums = 8 * rows * items / 128
    assert peak_above_inputs(name, rows=rows, items=items, called=True) < sums + 32 * MEGABYTE


def test_many_negatives_are_drawn_for_few_rows_at_once() -> None:
    """All rows at once would be 600 MB: a draw takes some 100 bytes, and 12 of its result."""
    pytest.importorskip("torch", reason="PyTorch is not installed")
    assert peak_above_inputs("torch", rows=1000, items=1000, negatives=5000) < 300 * MEGABYTE


@pytest.mark.parametrize("name", ["tensorflow", "tensorflow-traced", "tensorflow-unknown"])
def test_many_negatives_by_a_callable_hold_no_block_for_each(name: str) -> None:
    """They would be 440 MB; all scores, with what is computed from them, as much."""
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    peak = peak_above_inputs(name, rows=3000, items=6000, negatives=300, called=True)
    assert peak < 256 * MEGABYTE


def test_a_tape_keeps_nothing_of_a_callable() -> None:
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    assert peak_above_inputs("tensorflow", rows=2000, items=20_000, taped=True) < 64 * MEGABYTE


EXCLUDING = """
import resource, sys
import numpy as np
import tensorflow as tf
from negsamp import Uniform
from negsamp_tensorflow import GraphSampler
random = np.random.default_rng(0)
mode, rows, count = sys.argv[1], 512, 400
sampler = Uniform(100_000, count)
draw = sampler.sample
if mode != "eager":
    draw = tf.function(GraphSampler(sampler).sample, jit_compile=mode == "xla")
ids = tf.constant(random.integers(0, 100_000, (rows, 1 + count)))
targets, exclude = ids[:, 0], ids[:, 1:]
draw(targets[:8], exclude=exclude[:8])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
draw(targets, exclude=exclude)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


@pytest.mark.parametrize("mode", ["eager", "xla"])
def test_what_is_excluded_is_not_held_for_each_draw(mode: str) -> None:
    """512 rows x 400 draws x 400 excluded would be 650 MB."""
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    command = [sys.executable, "-c", EXCLUDING, mode]
    child = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(child.stdout) < 128 * MEGABYTE


def test_a_matrix_would_be_noticed() -> None:
    assert peak_above_inputs("numpy", whole=True) > MATRIX * 0.9

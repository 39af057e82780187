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
from pathlib import Path
import numpy as np
from negsamp import DotProduct, GenNi
random = np.random.default_rng(0)
arrays = [
    random.integers(0, {items}, {rows}),
    random.normal(size=({rows}, 8)).astype(np.float32),
    random.normal(size=({items}, 8)).astype(np.float32),
]
sampler = GenNi({items}, alpha=1.0, beta={beta}, backend="{backend}".partition("-")[0])
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

    @tf.function(jit_compile=jit_compile)
    def draw(targets, queries, items):
        return graph_sampler.sample(targets, score=DotProduct(queries, items))

    def sample(targets, score):
        return draw(targets, score.queries, score.items)

def score(rows):
    dot_product = DotProduct(arrays[1][:rows], arrays[2])
    return dot_product.__call__ if {called} else dot_product

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
    whole: bool = False,
    called: bool = False,
) -> int:
    """Return the bytes by which a draw raises the peak of a fresh process."""
    code = CHILD.format(
        rows=rows, items=items, backend=backend, beta=beta, whole=whole, called=called
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


def test_a_matrix_would_be_noticed() -> None:
    assert peak_above_inputs("numpy", whole=True) > MATRIX * 0.9

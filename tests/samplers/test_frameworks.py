"""Arrays of one framework and a backend of another: refused, and told how to mend it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from negsamp import DotProduct, GenNi, Interactions, InvalidInputError, Uniform
from negsamp.backend import framework_of

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")

SEEN = Interactions.from_sequences([[1], [2]])
TENSORS: dict[str, Any] = {"torch": torch.tensor, "tensorflow": tf.constant}
FOREIGN = [
    ("numpy", "torch"),
    ("numpy", "tensorflow"),
    ("numba", "tensorflow"),
    ("torch", "tensorflow"),
    ("tensorflow", "torch"),
]


@pytest.mark.parametrize("argument", ["targets", "users", "mask", "exclude", "queries", "items"])
@pytest.mark.parametrize(("name", "framework"), FOREIGN)
def test_no_backend_converts_the_tensors_of_another(
    name: str, framework: str, argument: str
) -> None:
    given: dict[str, Any] = {
        "targets": [1, 2],
        "users": [0, 1],
        "mask": [True, True],
        "exclude": [[-1], [3]],
        "queries": np.ones((2, 3), np.float32),
        "items": np.ones((5, 3), np.float32),
    }
    given[argument] = TENSORS[framework](given[argument])
    score = DotProduct(given.pop("queries"), given.pop("items"))
    refused = rf"backend '{name}' takes .*; got \w*Tensor of {framework}: use backend='auto'"
    with pytest.raises(InvalidInputError, match=refused):
        GenNi(5, backend=name, interactions=SEEN).sample(score=score, **given)


@pytest.mark.parametrize(("name", "framework"), FOREIGN)
def test_a_backend_that_the_environment_names_is_said_to_be(
    monkeypatch: pytest.MonkeyPatch, name: str, framework: str
) -> None:
    monkeypatch.setenv("NEGSAMP_BACKEND", name)
    with pytest.raises(
        InvalidInputError, match=r"unset the .* NEGSAMP_BACKEND, which names it, or"
    ):
        Uniform(5).sample(TENSORS[framework]([1, 2]))


@pytest.mark.parametrize(
    ("name", "targets", "queries", "returned"),
    [
        ("auto", "numpy", "numpy", "numpy"),
        ("auto", "numpy", "torch", "torch"),
        ("auto", "numpy", "tensorflow", "tensorflow"),
        ("auto", "torch", "torch", "torch"),
        ("numba", "numpy", "torch", "torch"),
        ("torch", "numpy", "numpy", "torch"),
        ("tensorflow", "numpy", "numpy", "tensorflow"),
        ("tensorflow", "tensorflow", "numpy", "tensorflow"),
    ],
)
def test_what_comes_back(name: str, targets: str, queries: str, returned: str) -> None:
    make = TENSORS | {"numpy": np.asarray}
    score = DotProduct(make[queries](np.ones((2, 3), np.float32)), np.ones((5, 3), np.float32))
    sampler = GenNi(5, backend=name)
    law = sampler.probabilities(make[targets]([1, 2]), score=score)
    negatives = sampler.sample(make[targets]([1, 2]), score=score)
    for each in (law, negatives.item_ids, negatives.log_q):
        assert framework_of(each) == returned

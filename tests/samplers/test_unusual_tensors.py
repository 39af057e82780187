"""Tensors that are no plain arrays, or of dtypes that are not computed with: refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from negsamp import (
    ConfigError,
    DotProduct,
    GenNi,
    Interactions,
    InvalidInputError,
    Popularity,
    Uniform,
)

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

TARGETS = torch.tensor([1, 2])
QUERIES, ITEMS = torch.ones(2, 4), torch.ones(5, 4)
SEEN = Interactions.from_sequences([[1], [2]])
EIGHT_BITS = [torch.float8_e4m3fn, torch.float8_e5m2]
SPARSE: dict[str, Any] = {
    "coo": lambda tensor: tensor.to_sparse(),
    "csr": lambda tensor: tensor.to_sparse_csr(),
}
BACKENDS = ["numba", "torch"]


def nested(values: list[list[Any]], layout: Any) -> Any:
    return torch.nested.nested_tensor([torch.tensor(each) for each in values], layout=layout)


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("dtype", EIGHT_BITS)
def test_scores_have_16_bits_or_more(name: str, dtype: Any) -> None:
    sampler = GenNi(5, backend=name)
    bits = "of 16, 32 or 64 bits"
    for queries, items, what in (
        (QUERIES.to(dtype), ITEMS, "queries"),
        (QUERIES, ITEMS.to(dtype), "item embeddings"),
    ):
        with pytest.raises(
            InvalidInputError, match=f"{what} must be .*{bits} .*; got dtype {dtype}"
        ):
            sampler.sample(TARGETS, score=DotProduct(queries, items))
    with pytest.raises(InvalidInputError, match=f"callable returned dtype {dtype}; .*{bits}"):
        sampler.sample(TARGETS, score=lambda ids: torch.ones(2, len(ids)).to(dtype))


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("sparse", SPARSE.values(), ids=SPARSE)
def test_sparse_tensors_are_refused(name: str, sparse: Any) -> None:
    refused = "must be a dense array; got a sparse Tensor: convert"
    with pytest.raises(InvalidInputError, match=f"item embeddings {refused}"):
        GenNi(5, backend=name).sample(TARGETS, score=DotProduct(QUERIES, sparse(ITEMS)))
    with pytest.raises(InvalidInputError, match=f"what the score callable returns {refused}"):
        GenNi(5, backend=name).sample(TARGETS, score=lambda ids: sparse(torch.ones(2, len(ids))))
    with pytest.raises(InvalidInputError, match=f"targets {refused}"):
        Uniform(5, backend=name).sample(sparse(torch.ones(2, 2, dtype=torch.int64)))


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors is in prototype stage")
@pytest.mark.parametrize("name", ["auto", *BACKENDS])
@pytest.mark.parametrize("layout", [torch.strided, torch.jagged])
def test_nested_tensors_are_refused(name: str, layout: Any) -> None:
    ragged = nested([[1, 2], [3]], layout)
    refused = r"must be a dense array; got a nested \w*Tensor: convert or pad it"
    with pytest.raises(InvalidInputError, match=f"targets {refused}"):
        Uniform(5, backend=name).sample(ragged)
    for argument in ("users", "mask", "exclude"):
        with pytest.raises(InvalidInputError, match=f"{argument} {refused}"):
            Uniform(5, backend=name, interactions=SEEN).sample(
                TARGETS, **{"users": TARGETS - 1, argument: ragged}
            )
    queries = nested([[[1.0, 2.0]], [[3.0, 4.0], [5.0, 6.0]]], layout)
    with pytest.raises(InvalidInputError, match=f"queries {refused}"):
        GenNi(5, backend=name).sample(TARGETS, score=DotProduct(queries, ITEMS))


TRANSFORMS: dict[str, Any] = {
    "vmap": lambda function: torch.func.vmap(function)(QUERIES[None]),
    "grad": lambda function: torch.func.grad(lambda queries: function(queries).sum())(QUERIES),
}


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
def test_tensors_inside_of_transforms_are_refused(name: str, transform: Any) -> None:
    sampler, refused = GenNi(5, backend=name), r"a transform of torch\.func, such as vmap or grad"
    for score in (
        lambda queries: DotProduct(queries, ITEMS),
        lambda queries: lambda ids: queries @ ITEMS[ids].T,
    ):
        with pytest.raises(InvalidInputError, match=refused):
            transform(lambda queries, of=score: sampler.sample([1, 2], score=of(queries)).log_q)
    with pytest.raises(InvalidInputError, match=f"targets .* {refused}"):
        transform(lambda queries: Uniform(5, backend=name).sample(queries[:, 0].long()).log_q)


@pytest.mark.parametrize("name", BACKENDS)
def test_tensors_without_elements_are_refused(name: str) -> None:
    sampler, queries, items = GenNi(5, backend=name), QUERIES.to("meta"), ITEMS.to("meta")
    refused = "got a tensor on the device 'meta', which has a shape but no elements"
    with pytest.raises(InvalidInputError, match=f"item embeddings .* {refused}"):
        sampler.sample(TARGETS, score=DotProduct(QUERIES, items))
    with pytest.raises(InvalidInputError, match=refused):
        sampler.sample([1, 2], score=DotProduct(queries, items))
    with pytest.raises(InvalidInputError, match=f"callable returns .* {refused}"):
        sampler.sample(TARGETS, score=lambda ids: torch.ones(2, len(ids), device="meta"))


def test_ragged_and_sparse_tensors_of_tensorflow_are_refused() -> None:
    tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    unusual = {"ragged": tf.ragged.constant([[1, 2], [3]]), "sparse": tf.sparse.from_dense([[1]])}
    for kind, tensor in unusual.items():
        refused = rf"must be a dense array; got a {kind} \w+Tensor: convert or pad it"
        with pytest.raises(InvalidInputError, match=f"targets {refused}"):
            Uniform(5).sample(tensor)
        with pytest.raises(InvalidInputError, match=f"exclude {refused}"):
            Uniform(5).sample(tf.constant([1, 2]), exclude=tensor)
        with pytest.raises(InvalidInputError, match=f"item embeddings {refused}"):
            GenNi(5).sample(tf.constant([1, 2]), score=DotProduct(tf.ones((2, 4)), tensor))
    eight = tf.cast(np.ones((5, 4), np.float32), tf.dtypes.experimental.float8_e4m3fn)
    with pytest.raises(InvalidInputError, match=r"item embeddings must be .* 16, 32 or 64 bits"):
        GenNi(5).sample(tf.constant([1, 2]), score=DotProduct(tf.ones((2, 4)), eight))


def test_counts_that_gradients_flow_to_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"counts must be numbers, one per item id: .*detach"):
        Popularity(torch.ones(3, requires_grad=True))


def backwards(array: Any) -> Any:
    """Return the same numbers, laid out from the last to the first."""
    return np.flip(np.flip(array).copy())


@pytest.mark.parametrize("name", BACKENDS)
def test_numpy_arrays_beside_tensors_may_run_backwards(name: str) -> None:
    table = np.random.default_rng(3).normal(size=(5, 4))
    products = QUERIES.numpy() @ table.T

    def draw(like: Any) -> list[Any]:
        sampler = GenNi(5, 9, interactions=SEEN, backend=name)
        given = {"users": like(np.array([0, 1])), "exclude": like(np.array([[3], [4]]))}
        dot_product, called = DotProduct(QUERIES, like(table)), lambda ids: like(products[:, ids])
        return [
            sampler.sample(like(TARGETS.numpy()), score=dot_product, **given).item_ids,
            sampler.sample(TARGETS, score=called, **given).item_ids,
        ]

    for mine, its in zip(draw(backwards), draw(np.array), strict=True):
        assert isinstance(mine, torch.Tensor)
        np.testing.assert_array_equal(mine, its)


@pytest.mark.parametrize("name", BACKENDS)
def test_a_callable_may_answer_in_numpy(name: str) -> None:
    sampler = GenNi(5, backend=name)
    law = sampler.probabilities(TARGETS, score=lambda ids: np.zeros((2, len(ids))))
    assert isinstance(law, torch.Tensor)
    np.testing.assert_allclose(law.sum(dim=-1), 1.0)
    drawn = sampler.sample(TARGETS, score=lambda ids: np.zeros((2, len(ids)))).item_ids
    assert drawn.shape == (2, 1)


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("dtype", [object, np.longdouble, "U1"])
def test_arrays_that_no_tensor_can_hold_are_refused(name: str, dtype: Any) -> None:
    given = TARGETS.numpy().astype(dtype)
    with pytest.raises(InvalidInputError, match="cannot make an array of a ndarray: can't convert"):
        GenNi(5, backend=name).sample(given, score=DotProduct(QUERIES, ITEMS))


@pytest.mark.parametrize("name", ["numpy", "numba"])
def test_what_cannot_be_read_is_refused(name: str) -> None:
    """As an answer on a device of its own, which says why."""

    class Far:
        shape, dtype = (2, 5), np.dtype(np.float32)

        def __array__(self, *_: Any, **__: Any) -> Any:
            raise TypeError("copy it to the host first")

    with pytest.raises(InvalidInputError, match="cannot make an array of a Far: copy it to the"):
        GenNi(5, backend=name).sample([1, 2], score=lambda _: Far())
    with pytest.raises(InvalidInputError, match="cannot make an array of a list: Can't call numpy"):
        Uniform(5, backend=name).sample([torch.ones(2, requires_grad=True)])

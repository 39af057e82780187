"""Checks and conversions of arguments, for samplers and backends.

Shapes and dtypes are read through ``.shape`` and ``.dtype`` alone, which every framework has; an
axis whose length is unknown while a graph is traced is None. The backends check the values of ids,
users and scores, and raise the errors of :mod:`negsamp.row_errors`.
"""

from __future__ import annotations

import math
import operator
import sys
from typing import Any

import numpy as np

from negsamp.errors import ConfigError, InvalidInputError
from negsamp.interactions import Interactions
from negsamp.scores import DotProduct

__all__ = [
    "as_catalogue",
    "as_count",
    "as_native",
    "as_number",
    "callable_per_row",
    "check_dense",
    "check_exclude",
    "check_interactions",
    "check_mask",
    "check_queries",
    "check_returned",
    "check_score",
    "check_targets",
    "check_users",
    "no_array",
]

MAX_ITEMS = 2**31 - 1
"""Exclusive upper bound of item ids."""

_INTEGERS = {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
_FLOATS = {"float16", "bfloat16", "float32", "float64"}
_KINDS = {
    "int": ("integers", _INTEGERS),
    "bool": ("booleans", {"bool"}),
    "float": ("floating-point numbers of 16, 32 or 64 bits", _FLOATS),
    "score": ("floating-point numbers of 16, 32 or 64 bits, or integers", _FLOATS | _INTEGERS),
}
"""For each kind of array: how errors describe the allowed dtypes, and the names of these."""

_SCATTERED = {"RaggedTensor": "ragged", "SparseTensor": "sparse"}
"""TensorFlow's types that are not dense arrays, and what errors call them."""


def as_count(name: str, value: Any, low: int = 1, high: int | None = None) -> int:
    """Return `value` as an int in [low, high], or raise ConfigError."""
    allowed = f"an integer >= {low}" if high is None else f"an integer in [{low}, {high}]"
    try:
        count = operator.index(value)
    except TypeError:
        raise ConfigError(f"{name} must be {allowed}; got {value!r}") from None
    if isinstance(value, bool | np.bool_) or count < low or (high is not None and count > high):
        raise ConfigError(f"{name} must be {allowed}; got {value!r}")
    return count


def as_number(name: str, value: Any, allowed: str = "a number") -> float:
    """Return `value` as a finite float, or raise ConfigError."""
    if isinstance(value, bool | np.bool_ | str | bytes):
        raise ConfigError(f"{name} must be {allowed}; got {value!r}")
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ConfigError(f"{name} must be {allowed}; got {value!r}") from None
    except OverflowError:
        raise ConfigError(f"{name} must be finite; got a number of over 308 digits") from None
    if not math.isfinite(number):
        raise ConfigError(f"{name} must be finite; got {number}")
    return number


def as_catalogue(ids: Any) -> range:
    """Return the catalogue as a range of ids, or raise ConfigError."""
    name = "items (a range of ids, or their number)"
    if np.iterable(ids) and not isinstance(ids, range | str):
        raise ConfigError(
            f"{name} must be without gaps; got a {type(ids).__name__}: number the items first, as "
            "by np.unique(ids, return_inverse=True)[1]"
        )
    items: range = ids if isinstance(ids, range) else range(as_count(name, ids, low=0))
    if items.step != 1:
        raise ConfigError(f"items must be a range of step 1; got {items}")
    if not items:
        raise ConfigError(f"the catalogue is empty: items = {items}")
    if items.start < 0 or items.stop > MAX_ITEMS:
        raise ConfigError(f"ids must be in [0, 2**31 - 1); got items = {items}")
    return items


def check_interactions(interactions: Any, items: range) -> None:
    """Raise ConfigError unless these are Interactions with items of the catalogue, or None."""
    if interactions is None:
        return
    if not isinstance(interactions, Interactions):
        raise ConfigError(
            f"interactions must be an Interactions; got {type(interactions).__name__}: "
            "see Interactions.from_sequences, from_pairs and from_csr"
        )
    ids = interactions.item_ids
    if ids.size and (int(ids.min()) < items.start or int(ids.max()) >= items.stop):
        worst = int(ids.min()) if int(ids.min()) < items.start else int(ids.max())
        raise ConfigError(f"interactions contain item {worst}, outside the catalogue {items}")


def check_targets(targets: Any) -> None:
    """Refuse targets that are not integers."""
    _check_dtype("targets", targets, "int", "item ids")


def check_mask(mask: Any, targets: Any) -> None:
    """Refuse a mask that is not bool or not of the shape of the targets."""
    _check_dtype("mask", mask, "bool", "which rows to sample, as in mask=targets != 0")
    if not _agree(tuple(mask.shape), tuple(targets.shape)):
        raise InvalidInputError(
            f"mask has shape {tuple(mask.shape)}; it must have that of targets, "
            f"{tuple(targets.shape)}"
        )


def check_users(users: Any, targets: Any) -> None:
    """Refuse users that do not broadcast over the trailing axes of the targets."""
    _check_dtype("users", users, "int", "user numbers")
    shape, whole = tuple(users.shape), tuple(targets.shape)
    if not _agree(shape, whole[: len(shape)]):
        raise InvalidInputError(
            f"users has shape {shape}; it must be that of targets, {whole}, or its leading part, "
            f"such as {whole[:1]}"
        )


def check_exclude(exclude: Any, targets: Any) -> None:
    """Refuse exclusions without one list per row."""
    _check_dtype("exclude", exclude, "int", "item ids, -1 for none")
    shape, whole = tuple(exclude.shape), tuple(targets.shape)
    if len(shape) != len(whole) + 1 or not _agree(shape[:-1], whole):
        hint = "; repeat a list that is the same for all rows" if len(shape) == 1 else ""
        raise InvalidInputError(
            f"exclude has shape {shape}; it must be targets.shape + (num_excluded,), "
            f"here {whole} + (num_excluded,){hint}"
        )


def check_score(score: Any, targets: Any, catalogue: range) -> None:
    """Refuse a score that cannot be called, or a dot product whose shapes do not fit."""
    if not callable(score):
        hint = ""
        if hasattr(score, "shape"):
            hint = "; of a matrix, pass a callable that returns the columns of the ids"
        raise InvalidInputError(
            "score must be a DotProduct or a callable of item ids; got "
            f"{type(score).__name__}{hint}"
        )
    if not isinstance(score, DotProduct):
        return
    for name, array in (("queries", score.queries), ("item embeddings", score.items)):
        check_dense(name, array)
        if not hasattr(array, "shape") or not hasattr(array, "dtype"):
            held = [each for each in ("weight", "embeddings") if hasattr(array, each)]
            hint = f"; pass its .{held[0]}" if held else ""
            raise InvalidInputError(f"{name} must be an array; got {type(array).__name__}{hint}")
        _check_dtype(name, array, "float", "embeddings")
    check_queries(score.queries, tuple(targets.shape))
    queries, items = tuple(score.queries.shape), tuple(score.items.shape)
    if len(items) != 2 or not _agree(items[1:], queries[-1:]):
        raise InvalidInputError(
            f"item embeddings have shape {items}; they must be (num_embeddings, {queries[-1]}), "
            "the last axis as in the queries"
        )
    if items[0] is not None and items[0] < catalogue.stop:
        raise InvalidInputError(
            f"{items[0]} item embeddings do not cover the ids of {catalogue}: row i is the "
            f"embedding of item id i, so at least {catalogue.stop} rows are needed"
        )


def check_queries(queries: Any, whole: tuple[int | None, ...]) -> None:
    """Refuse queries that are not one for each target."""
    shape = tuple(queries.shape)
    if len(shape) != len(whole) + 1 or not _agree(shape[:-1], whole):
        leads = len(shape) <= len(whole) and _agree(shape[:-1], whole[: len(shape) - 1])
        hint = "; repeat a query that several targets share" if leads else ""
        raise InvalidInputError(
            f"queries have shape {shape}; they must be targets.shape + (dim,), "
            f"here {whole} + (dim,){hint}"
        )
    if shape[-1] == 0:
        raise InvalidInputError(f"queries have shape {shape}: their last axis must not be empty")


def check_returned(scores: Any, num_rows: int | None, num_scored: int) -> None:
    """Refuse what a score callable returned unless it is an array of one score per row and id."""
    check_dense("what the score callable returns", scores)
    wanted = f"(targets.size, number of ids) = ({num_rows}, {num_scored})"
    if not hasattr(scores, "shape") or not hasattr(scores, "dtype"):
        raise InvalidInputError(
            f"the score callable returned a {type(scores).__name__} for {num_scored} item ids; it "
            f"must return an array of shape {wanted}"
        )
    if not _agree(tuple(scores.shape), (num_rows, num_scored)):
        shape = tuple(scores.shape)
        hint = "; reshape it to (-1, number of ids)" if len(shape) > 2 else ""
        raise InvalidInputError(
            f"the score callable returned shape {shape} for {num_scored} item ids; it must be "
            f"{wanted}{hint}"
        )
    allowed, names = _KINDS["score"]
    if _name_of(scores.dtype) not in names:
        raise InvalidInputError(
            f"the score callable returned dtype {scores.dtype}; scores must be {allowed}"
        )


def _agree(shape: tuple[int | None, ...], other: tuple[int | None, ...]) -> bool:
    """Return whether two shapes are equal; None, an unknown length, equals any."""
    return len(shape) == len(other) and all(
        one == two or one is None or two is None for one, two in zip(shape, other, strict=True)
    )


def check_dense(name: str, array: Any) -> None:
    """Refuse sparse, ragged, nested, distributed, meta and functorch tensors."""
    kind = _SCATTERED.get(type(array).__name__)
    if "sparse" in str(getattr(array, "layout", "")):
        kind = "sparse"
    elif getattr(array, "is_nested", False):
        kind = "nested"
    if kind is not None:
        raise InvalidInputError(
            f"{name} must be a dense array; got a {kind} {type(array).__name__}: convert or pad it"
        )
    if hasattr(array, "placements"):
        raise InvalidInputError(
            f"{name} must be a dense array; got a {type(array).__name__}, which is sharded over "
            "processes: pass its .full_tensor(), or, for item embeddings, use a "
            "negsamp_torch.ShardedDotProduct"
        )
    if getattr(getattr(array, "device", None), "type", None) == "meta":
        raise InvalidInputError(
            f"{name} must be a dense array; got a tensor on the device 'meta', which has a shape "
            "but no elements: sample once the model is on a real device"
        )
    if _is_transformed(array):
        raise InvalidInputError(
            f"{name} must be a dense array; got a tensor inside a transform of torch.func, such "
            "as vmap or grad: draw outside, and pass the ids in"
        )


def _is_transformed(array: Any) -> bool:
    """Return whether a tensor is a functorch wrapper, as inside ``torch.func.vmap``."""
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(array, torch.Tensor):
        return False
    return bool(torch._C._functorch.is_functorch_wrapped_tensor(array))


def _check_dtype(name: str, array: Any, kind: str, meaning: str) -> None:
    """Refuse a dtype that is not of a kind ("int", "bool" or "float")."""
    allowed, names = _KINDS[kind]
    if _name_of(array.dtype) not in names:
        raise InvalidInputError(f"{name} must be {allowed} ({meaning}); got dtype {array.dtype}")


def _name_of(dtype: Any) -> str:
    """Return the name of a dtype without its framework: "int64"."""
    return str(getattr(dtype, "name", dtype)).rpartition(".")[2]


def as_native(array: Any) -> Any:
    """Return a NumPy array in native byte order without negative strides, others unchanged.

    The other frameworks read no other byte order and no negative strides.
    """
    if not isinstance(array, np.ndarray):
        return array
    if array.dtype.isnative and min(array.strides, default=0) >= 0:
        return array
    return array.astype(array.dtype.newbyteorder("="), order="C")


def no_array(values: Any, error: Exception) -> Exception:
    """Return the error for a value that cannot be made an array."""
    return InvalidInputError(f"cannot make an array of a {type(values).__name__}: {error}")


def callable_per_row() -> Exception:
    """Return the error for a callable that would have to score a subset of its own for each row."""
    return InvalidInputError(
        'candidates="query" with beta < 1 needs a DotProduct: a callable scores the same items '
        'for all rows; use candidates="batch"'
    )

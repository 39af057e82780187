"""The arguments of a call as arrays of its backend."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from negsamp import validation
from negsamp.backend import Backend
from negsamp.errors import InvalidInputError

__all__ = ["Arguments"]


class Arguments(NamedTuple):
    """The arguments of :meth:`negsamp.Sampler.sample` that are arrays of the backend.

    Shapes and dtypes are checked; ids and users are for the backend's ``rows`` to check, which
    takes these in their order.

    Attributes
    ----------
    targets : int, any shape
    users : int, shape of `targets` or a leading part of it, or None
        None if the sampler has no interactions.
    mask : bool, shape of `targets`, or None
    exclude : int, shape targets.shape + (num_excluded,), or None
    """

    targets: Any
    users: Any
    mask: Any
    exclude: Any

    @classmethod
    def of(
        cls,
        backend: Backend,
        targets: Any,
        users: Any,
        mask: Any,
        exclude: Any,
        *,
        like: Any,
        needs_users: bool,
    ) -> Arguments:
        """Convert what was passed, on the device of `like` if given, and check it.

        Raises
        ------
        InvalidInputError
            If shapes or dtypes do not fit, or users are needed and missing.
        """
        targets = _as_array("targets", backend, targets, like)
        validation.check_targets(targets)
        if not needs_users:
            users = None
        elif users is None:
            raise InvalidInputError("the sampler was given interactions: sample() needs users=")
        else:
            users = _as_array("users", backend, users, targets)
            validation.check_users(users, targets)
        if mask is not None:
            mask = _as_array("mask", backend, mask, targets, np.bool_)
            validation.check_mask(mask, targets)
        if exclude is not None:
            exclude = _as_array("exclude", backend, exclude, targets)
            validation.check_exclude(exclude, targets)
        return cls(targets, users, mask, exclude)


def _as_array(name: str, backend: Backend, values: Any, like: Any, dtype: type = np.int64) -> Any:
    """Convert an argument to the backend's array; an empty list, read as float, gets `dtype`."""
    validation.check_dense(name, values)
    try:
        array = backend.asarray(values, like=like)
    except InvalidInputError as error:
        listed = name == "exclude" and isinstance(values, list | tuple)
        hint = "; pad lists of different lengths with -1" if listed else ""
        raise InvalidInputError(f"{name}: {error}{hint}") from None
    if 0 in array.shape and "float" in str(array.dtype):
        return backend.asarray(np.empty(tuple(array.shape), dtype), like=array)
    return array

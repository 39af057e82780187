"""Detect, on a CPU, operations that would make the host wait for a device, and record all."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class NothingForTheHost(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Refuses operations that would wait for a device, or copy to one, if run there."""

    REFUSED = ("_local_scalar_dense", "nonzero", "unique", "repeat_interleave", "lift_fresh")

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = operation.overloadpacket.__name__
        if name.startswith(self.REFUSED):
            raise AssertionError(f"{name} waits")
        if name == "index" and any(
            each is not None and each.dtype == torch.bool for each in args[1]
        ):
            raise AssertionError("a boolean index waits")
        return operation(*args, **kwargs or {})


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records the names of all operations."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: set[str] = set()

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        self.names.add(operation.overloadpacket.__name__)
        return operation(*args, **kwargs or {})

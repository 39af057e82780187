"""Loads of cache lines ahead of their use, for kernels that jump about in large arrays."""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.np.arrayobj import make_array

from negsamp_numba.compiling import instruction

__all__ = ["prefetch"]

_FOR_READING, _ALL_CACHES, _DATA = 0, 3, 1
_BYTE = ir.IntType(8).as_pointer()
_NUMBER = ir.IntType(32)
_KIND = ir.FunctionType(ir.VoidType(), [_BYTE, _NUMBER, _NUMBER, _NUMBER])


@instruction
def prefetch(_context: Any, array: Any, _index: Any) -> Any:
    """Start to load the cache line of array[index] without waiting; do nothing if it is None.

    A hint that changes no result: the index may be outside the array, which is read as contiguous.
    """

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        if isinstance(array, types.Array):
            given = make_array(array)(context, builder, arguments[0])  # type: ignore[no-untyped-call]
            address = builder.bitcast(builder.gep(given.data, [arguments[1]]), _BYTE)
            llvm = builder.module.declare_intrinsic("llvm.prefetch", [_BYTE], _KIND)
            hints = [_NUMBER(number) for number in (_FOR_READING, _ALL_CACHES, _DATA)]
            builder.call(llvm, [address, *hints])
        return context.get_dummy_value()

    return types.none(array, types.int64), generate

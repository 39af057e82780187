"""Powers of two in float32 and their sums, in arithmetic that the compiler can vectorise.

2**x is split into an integer power, made of its exponent bits, and a polynomial of the rest in
[-1/2, 1/2]: a library exp2 would not be vectorised.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from numba import types

from negsamp.blocks import BLOCK
from negsamp_numba.compiling import instruction, part

__all__ = ["highest_of", "mass_of", "power_of_two"]

Floats = npt.NDArray[np.float32]

_ROUND: Final = np.float32(1.5 * 2**23 + 127)  # adding it rounds, and leaves exponent bits below
_LOWEST: Final = np.float32(-125)
_MANTISSA_BITS: Final = np.int32(23)
_MAGNITUDE: Final = np.int32(0x7FFFFFFF)
_SIGN_BIT: Final = np.int32(31)
_MINUS_INFINITY: Final = np.float32(-np.inf)
_LEAST_INT32: Final = np.int32(-(2**31))
_ZERO: Final = np.float32(0)
_ONE: Final = np.float32(1)
_C1, _C2, _C3, _C4, _C5 = (
    np.float32(c)
    for c in (0.6931469776, 0.2402224209, 0.05550733743, 0.009671512657, 0.001326472722)
)
"""2**x = 1 + c1 x + ... + c5 x**5 on [-1/2, 1/2], minimax: relative error at most 9.1e-8."""


@part("contract", "nsz")
def power_of_two(exponent: np.float32) -> np.float32:
    """Return 2**exponent for exponents up to 126, to a relative 2e-7; 0 below 2**-125; NaN for NaN.

    Rounding by adding and subtracting a constant is correct only without "reassoc".
    """
    rounded = exponent + _ROUND
    rest = exponent - (rounded - _ROUND)
    power = _C5
    power = power * rest + _C4
    power = power * rest + _C3
    power = power * rest + _C2
    power = power * rest + _C1
    power = power * rest + _ONE
    whole = _float_of(_bits_of(rounded) << _MANTISSA_BITS)
    scaled: np.float32 = power * whole  # by a product, which is NaN whatever the bits of a NaN
    return _ZERO if exponent < _LOWEST else scaled


@part("reassoc", "contract", "nsz")
def mass_of(block: Floats, shift: np.float32, factor: np.float32) -> np.float32:
    """Return the sum of 2**(factor * (score - shift)) over the BLOCK scores of a block."""
    mass = _ZERO
    for column in range(BLOCK):
        mass += power_of_two((block[column] - shift) * factor)
    return mass


@part()
def highest_of(block: Floats) -> np.float32:
    """Return the largest of the BLOCK scores of a block; 0 if that is -inf or NaN.

    The bits of floats compare like integers once those of negative ones are inverted. Integer
    comparisons vectorise; those of floats would only under the assumption that there are no NaN.
    """
    highest = _LEAST_INT32
    for column in range(BLOCK):
        bits: np.int32 = _bits_of(block[column])
        highest = max(highest, bits ^ ((bits >> _SIGN_BIT) & _MAGNITUDE))
    score: np.float32 = _float_of(highest ^ ((highest >> _SIGN_BIT) & _MAGNITUDE))
    return score if score > _MINUS_INFINITY else _ZERO


@instruction
def _bits_of(_context: Any, _number: Any) -> Any:
    """Reinterpret the bits of a float32 as int32."""
    return types.int32(types.float32), _bitcast_to(types.int32)


@instruction
def _float_of(_context: Any, _bits: Any) -> Any:
    """Reinterpret the bits of an int32 as float32."""
    return types.float32(types.int32), _bitcast_to(types.float32)


def _bitcast_to(wanted: Any) -> Callable[..., Any]:
    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(wanted))

    return generate

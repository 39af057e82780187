"""The random stream: Philox4x32-10 words as a pure function of their position.

Philox is counter-based: it maps a 64-bit key and a 128-bit counter to four 32-bit words, and has no
state. The key is the seed, and the counter holds the numbers of the call and of the draw. The words
of a draw are therefore the same on every backend, in any order, chunking or sharding.

The functions here use only ``*``, ``+``, ``&``, ``^`` and ``>>`` on values of at most 64 bits, and
mask every shift. They therefore give the same words for Python integers, for NumPy int64 arrays
and for torch int64 tensors, whose products wrap modulo 2**64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

__all__ = [
    "CANDIDATES",
    "MAX_CALLS",
    "NEGATIVES",
    "Stream",
    "below",
    "philox4x32",
    "spawn_key",
]

NEGATIVES: Final = 0
"""`use` of the words that draw negatives; part of the counter, so that uses share no words."""
CANDIDATES: Final = 1
"""`use` of the words that pre-select candidates."""
SPAWN: Final = 2
"""`use` of the words that form the key of a spawned stream."""

MAX_CALLS: Final = 2**56
"""Number of calls of a stream: 56 bits of the counter hold the number of the call."""

_MASK: Final = 0xFFFFFFFF
_MULTIPLIERS: Final = (0xD2511F53, 0xCD9E8D57)
_KEY_STEPS: Final = (0x9E3779B9, 0xBB67AE85)
_ROUNDS: Final = 10


def philox4x32(counter: tuple[Any, Any, Any, Any], key: tuple[int, int]) -> tuple[Any, ...]:
    """Return the four 32-bit words of Philox4x32-10 for a counter and a key.

    Parameters
    ----------
    counter : tuple of four
        32-bit values: Python integers, or int64 arrays that broadcast together.
    key : tuple of two int
        32-bit values.

    Returns
    -------
    tuple of four
        The words, each in [0, 2**32), in the type of the counter.

    References
    ----------
    Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

    Examples
    --------
    >>> [f"{word:08x}" for word in philox4x32((0, 0, 0, 0), (0, 0))]
    ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(_ROUNDS):
        even, odd = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c1 = ((odd >> 32) & _MASK) ^ c1 ^ k0, odd & _MASK
        c2, c3 = ((even >> 32) & _MASK) ^ c3 ^ k1, even & _MASK
        k0, k1 = (k0 + _KEY_STEPS[0]) & _MASK, (k1 + _KEY_STEPS[1]) & _MASK
    return c0, c1, c2, c3


def below(high: Any, low: Any, bound: Any) -> Any:
    """Turn two words into an integer below a bound: ``floor((2**32 high + low) * bound / 2**64)``.

    Each value has probability ``1 / bound`` up to 2**-64, with no rejection. This is the upper half
    of a 64 x 64-bit product, put together from products of 32-bit halves.

    Parameters
    ----------
    high, low : int or int64 array
        32-bit words.
    bound : int or int64 array
        Exclusive upper bound, 1 <= bound < 2**63.

    Returns
    -------
    int or int64 array
        In [0, bound).
    """
    bound_high, bound_low = bound >> 32, bound & _MASK
    high_low, low_high = high * bound_low, low * bound_high
    carry = ((low * bound_low >> 32) & _MASK) + (high_low & _MASK) + (low_high & _MASK)
    middle = ((high_low >> 32) & _MASK) + ((low_high >> 32) & _MASK)
    return high * bound_high + middle + (carry >> 32)


@dataclass(frozen=True)
class Stream:
    """The random words of one call of a sampler.

    Block b of the call has the counter (low half of b, high half of b, low half of the call's
    number, use and high bits of the call's number). Draw s takes words 2s and 2s + 1 of the
    concatenated blocks, so two draws share a block. A draw's number is
    ``row * num_negatives + draw``, which depends neither on chunks of rows nor on a mask.

    Attributes
    ----------
    key : int
        64 bits: the seed, or the key of a spawned stream.
    call : int, or int64 array of no dimensions
        Number of the call, in [0, 2**56).
    """

    key: int
    call: Any

    @property
    def key_words(self) -> tuple[int, int]:
        """The key as two 32-bit words, low half first."""
        return self.key & _MASK, self.key >> 32

    def counter_tail(self, use: int) -> tuple[Any, Any]:
        """Return the upper two words of the counter for a use, such as :data:`NEGATIVES`."""
        return self.call & _MASK, use << 24 | self.call >> 32

    def words(self, use: int, draws: Any) -> tuple[Any, Any]:
        """Return the two words of each draw.

        Parameters
        ----------
        use : int
            :data:`NEGATIVES` or :data:`CANDIDATES`.
        draws : int or int64 array
            Numbers of the draws.

        Returns
        -------
        tuple of two
            Words 2s and 2s + 1 of each draw s, in the type and shape of `draws`.
        """
        block, second_half = draws >> 1, draws & 1
        c2, c3 = self.counter_tail(use)
        word = philox4x32((block & _MASK, (block >> 32) & _MASK, c2, c3), self.key_words)
        return (
            word[0] + (word[2] - word[0]) * second_half,
            word[1] + (word[3] - word[1]) * second_half,
        )


def spawn_key(key: int, index: int) -> int:
    """Return the 64-bit key of the `index`-th stream spawned from `key`."""
    low, high, *_ = philox4x32(
        (index & _MASK, index >> 32, 0, SPAWN << 24), Stream(key, 0).key_words
    )
    return int(high << 32 | low)

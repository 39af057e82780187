"""Growth of times along an axis, and where peers are faster, in words."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.reporting.growth import AXES, Growth
from benchmarks.reporting.tables import HEADS, three_digits

__all__ = ["growth_words"]


def growth_words(growths: dict[str, list[Growth]]) -> list[str]:
    """Return the lines of a Markdown list: one per axis, with the comparison to peers below."""
    lines = []
    for axis, each in growths.items():
        lines.append(f"- {_cost(axis, each)}")
        lines += [f"  - {line}" for line in _peers(each)]
    return lines


def _cost(axis: str, growths: Sequence[Growth]) -> str:
    """State the ratio of the times at the last and the first point for each contender.

    For one that was not measured at both, its own end points are named.
    """
    first = min(each.values[0] for each in growths)
    last = max(each.values[-1] for each in growths)
    factors = ", ".join(
        f"by {three_digits(each.seconds[-1] / each.seconds[0])} for {each.contender}"
        + ("" if each.values[0] == first and each.values[-1] == last else f" ({_ends(each)})")
        for each in growths
    )
    name = AXES.get(axis, axis)
    return (
        f"{name[0].upper()}{name[1:]}: from {first:,.0f} to {last:,.0f} the time of a call is "
        f"multiplied {factors}."
    )


def _ends(growth: Growth) -> str:
    return f"from {growth.values[0]:,.0f} to {growth.values[-1]:,.0f}"


def _peers(growths: Sequence[Growth]) -> list[str]:
    """List the points at which a peer is faster than one of ours, and by what factor."""
    ours, peers = ([g for g in growths if g.role == role] for role in ("ours", "peer"))
    pairs = [(peer, each, _faster(peer, each)) for peer in peers for each in ours]
    lines = [
        f"{peer.contender} is faster than {each.contender} at "
        f"{HEADS.get(peer.axis, peer.axis)} = {points}."
        for peer, each, points in pairs
        if points
    ]
    return lines or (["No peer is faster at any point."] if pairs else [])


def _faster(peer: Growth, ours: Growth) -> str:
    theirs = dict(zip(peer.values, peer.seconds, strict=True))
    return ", ".join(
        f"{value:,.0f} ({three_digits(seconds / theirs[value])} times)"
        for value, seconds in zip(ours.values, ours.seconds, strict=True)
        if value in theirs and theirs[value] < seconds
    )

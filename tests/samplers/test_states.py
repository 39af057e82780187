"""A state goes into a sampler of its own configuration, or is refused and changes nothing."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from negsamp import (
    ConfigError,
    GenNi,
    Interactions,
    LossDriven,
    Popularity,
    Sampler,
    Uniform,
    popularity,
)

ITEMS = range(1, 11)
SEEN = Interactions.from_sequences([[1, 2], [3]])
OTHERS = Interactions.from_sequences([[1], [2, 3]])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sampler": "GenNi"}, "sampler = 'GenNi', this sampler has 'Uniform'"),
        ({"items": [1, 12]}, r"items = \[1, 12\], this sampler has \[1, 11\]"),
        ({"version": 1}, "the state has version 1; this negsamp reads version 2"),
        ({"call": -1}, "the state's call must be an integer"),
        ({"spawned": 3}, "the state's spawned must be a list; got 3"),
        ({"values": {"alpha": 1.0}}, "the state has values"),
        ({"epoch": 0.5}, "the state's epoch must be an integer"),
        ({"extra": 1}, "a sampler's state has the keys"),
        ({3: 1}, "a sampler's state has the keys .* got \\[3, 'call'"),
    ],
)
def test_a_foreign_state_is_refused_and_changes_nothing(
    changes: dict[Any, Any], message: str
) -> None:
    sampler = Uniform(ITEMS, seed=3)
    before = sampler.state_dict()
    with pytest.raises(ConfigError, match=message):
        sampler.load_state_dict(before | {"seed": 8} | changes)
    assert sampler.state_dict() == before


def test_a_state_may_come_back_with_tuples_for_lists() -> None:
    sampler, state = Uniform(ITEMS), Uniform(ITEMS, seed=3).spawn(4).state_dict()
    sampler.load_state_dict(state | {"items": tuple(state["items"]), "spawned": (4,)})
    assert sampler.state_dict() == state


NEIGHBOURS: list[tuple[Sampler, Sampler, str]] = [
    (Uniform(ITEMS), Uniform(ITEMS, replacement=False), "has replacement = True, this"),
    (Uniform(ITEMS, interactions=SEEN), Uniform(ITEMS), "has interactions, unlike"),
    (Uniform(ITEMS), Uniform(ITEMS, interactions=SEEN), "has no interactions, unlike"),
    (
        Uniform(ITEMS, interactions=SEEN),
        Uniform(ITEMS, interactions=OTHERS),
        "has other interactions",
    ),
    (Popularity([1] * 11, 0.5, ITEMS), Popularity([1] * 11, 0.75, ITEMS), "has gamma = 0.5, this"),
    (
        Popularity(range(11), 1, ITEMS),
        Popularity(range(11, 0, -1), 1, ITEMS),
        "has other counts",
    ),
    (GenNi(ITEMS, candidates="query"), GenNi(ITEMS), "has candidates = 'query', this"),
]


@pytest.mark.parametrize(("one", "other", "message"), NEIGHBOURS)
def test_a_state_of_another_law_is_refused(one: Sampler, other: Sampler, message: str) -> None:
    with pytest.raises(ConfigError, match=f"the state {message}.*for others build a sampler"):
        other.load_state_dict(json.loads(json.dumps(one.state_dict())))


def test_a_state_fits_where_the_last_digits_of_a_power_differ(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on a processor with other vector instructions: NumPy's exp and log then differ."""
    there = Popularity(range(11), 0.25, ITEMS, seed=3)
    weights_here = popularity._integer_weights

    def weights_there(counts: Any, gamma: float) -> Any:
        return weights_here(counts, gamma) + np.arange(len(counts)) % 2

    monkeypatch.setattr(popularity, "_integer_weights", weights_there)
    here = Popularity(range(11), 0.25, ITEMS)
    here.load_state_dict(there.state_dict())
    assert here.state_dict() == there.state_dict()


def test_a_state_knows_the_counts_as_they_were() -> None:
    counts = np.arange(1.0, 12.0)
    sampler = Popularity(counts, 0.5, ITEMS)
    expected = Popularity(counts, 0.5, ITEMS).state_dict()
    counts[:] = 1
    assert sampler.state_dict() == expected


def test_a_state_without_a_law_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"the state has law = 3, this sampler has .'repl"):
        Uniform(ITEMS).load_state_dict(Uniform(ITEMS).state_dict() | {"law": 3})


def test_a_value_outside_its_schedule_is_refused() -> None:
    sampler = GenNi(ITEMS, alpha=LossDriven(high=2.0))
    state = sampler.state_dict()
    with pytest.raises(ConfigError, match=r"alpha = 5.0; .* in \[0.0, 2.0\]"):
        sampler.load_state_dict(state | {"values": {"alpha": 5.0, "beta": 1.0}})


def test_another_number_for_alpha_is_refused_and_can_be_written_into_the_state() -> None:
    state = GenNi(ITEMS, alpha=2.5, seed=3).state_dict()
    sampler = GenNi(ITEMS, alpha=3.0)
    message = r"alpha = 2\.5; this sampler keeps it at 3\.0: .* into state\['values'\]\['alpha'\]"
    with pytest.raises(ConfigError, match=message):
        sampler.load_state_dict(state)
    state["values"]["alpha"] = 3.0
    sampler.load_state_dict(state)
    assert (sampler.alpha, sampler.key) == (3.0, 3)

"""Samplers from configuration files."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from negsamp import (
    ConfigError,
    DotProduct,
    Exponential,
    GenNi,
    Interactions,
    LossDriven,
    Popularity,
    Uniform,
    from_config,
)

TOML = """
sampler = "genni"
items = [1, 101]
num_negatives = 2
candidates = "query"
seed = 5
beta = { schedule = "exponential", m = 20, initial = 0.1 }

[alpha]
schedule = "loss_driven"
initial = 1.5
"""


def test_a_toml_file_is_the_constructor(tmp_path: Path) -> None:
    path = tmp_path / "negatives.toml"
    path.write_text(TOML)
    built = GenNi(
        range(1, 101),
        2,
        alpha=LossDriven(initial=1.5),
        beta=Exponential(m=20, initial=0.1),
        candidates="query",
        seed=5,
    )
    score = DotProduct(np.ones((4, 3), np.float32), np.ones((101, 3), np.float32))
    for source in (path, str(path)):
        read = from_config(source)
        assert read.state_dict() == built.state_dict()
        assert repr(read) == repr(built)
        np.testing.assert_array_equal(
            read.sample([1, 2, 3, 4], score=score).item_ids,
            GenNi(range(1, 101), 2, alpha=1.5, beta=0.1, candidates="query", seed=5)
            .sample([1, 2, 3, 4], score=score)
            .item_ids,
        )


def test_a_json_file_is_the_constructor(tmp_path: Path) -> None:
    path = tmp_path / "negatives.JSON"
    path.write_text(json.dumps(tomllib.loads(TOML)))
    (tmp_path / "negatives.toml").write_text(TOML)
    for source in (path, str(path)):
        read, expected = from_config(source), from_config(tmp_path / "negatives.toml")
        assert read.state_dict() == expected.state_dict()
        assert repr(read) == repr(expected)


def test_a_file_may_begin_with_a_mark_of_its_encoding(tmp_path: Path) -> None:
    for name, text in (("a.toml", TOML), ("a.json", json.dumps(tomllib.loads(TOML)))):
        (tmp_path / name).write_text(text, encoding="utf-8-sig")
        assert isinstance(from_config(tmp_path / name), GenNi)


def test_arguments_override_and_complete() -> None:
    sampler = from_config(
        {"sampler": "popularity", "gamma": 0.5, "seed": 1}, counts=[0, 2, 3], seed=2
    )
    assert isinstance(sampler, Popularity)
    assert sampler.gamma == 0.5
    assert sampler.state_dict()["seed"] == 2
    assert isinstance(from_config({"sampler": "uniform", "items": 7}), Uniform)


def test_what_is_not_the_default_is_shown() -> None:
    assert repr(Uniform(5, 2)) == "Uniform(items=range(0, 5), num_negatives=2, seed=0)"
    popularity = Popularity(
        [1, 2], interactions=Interactions.from_sequences([[1]]), backend="numpy"
    )
    assert repr(popularity) == (
        "Popularity(items=range(0, 2), num_negatives=1, gamma=0.75, "
        "interactions=Interactions(num_users=1, num_interactions=1), backend='numpy', seed=0)"
    )
    genni = GenNi(9, candidates="query", replacement=False, validate="now", seed=3)
    assert repr(genni) == (
        "GenNi(items=range(0, 9), num_negatives=1, alpha=1, beta=1, candidates='query', "
        "replacement=False, validate='now', seed=3)"
    )
    assert repr(Uniform(5, 2).spawn(4).spawn(1)) == f"{Uniform(5, 2)!r}.spawn(4).spawn(1)"


def test_a_mapping_is_left_as_it_was() -> None:
    config = {"sampler": "genni", "items": [1, 5], "alpha": {"schedule": "loss_driven"}}
    from_config(config)
    assert config == {"sampler": "genni", "items": [1, 5], "alpha": {"schedule": "loss_driven"}}


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the configuration .*No such file"):
        from_config(tmp_path / "nothing.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("sampler = ")
    with pytest.raises(ConfigError, match=r"broken\.toml is not valid TOML: [^;]*$"):
        from_config(broken)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", "{", r"a\.json is not valid JSON: [^;]*$"),
        ("a.json", "[1, 2]", r"a\.json must hold a mapping; it holds a list"),
        ("a.yaml", "sampler: genni", r"a\.yaml is not valid TOML: .*; .* pass the mapping$"),
        ("a", b"\xff", r"a is not valid TOML: .*utf-8.*; .* pass the mapping$"),
    ],
)
def test_files_that_are_something_else(
    tmp_path: Path, name: str, text: str | bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError, match=message):
        from_config(path)


@pytest.mark.parametrize("config", [None, 3, [("sampler", "uniform")]])
def test_what_is_no_configuration(config: Any) -> None:
    with pytest.raises(ConfigError, match="is a mapping or the path of a file; got "):
        from_config(config)

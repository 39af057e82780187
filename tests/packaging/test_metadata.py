"""pyproject.toml, the constraints and the other files that name a version agree."""

from __future__ import annotations

import re
import tomllib
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import negsamp

CHECKOUT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
METADATA = PROJECT["project"]
EXTRAS: dict[str, list[str]] = METADATA["optional-dependencies"]
RUNS_ON = ("numba", "torch", "tensorflow", "models", "watch")
"""The extras that hold what negsamp runs on, not what it is tested or documented with."""


def requirements(*extras: str) -> dict[str, Requirement]:
    """Return what the core and some extras need, by name, without what refers to extras."""
    lines = METADATA["dependencies"] + [line for extra in extras for line in EXTRAS[extra]]
    parsed = (Requirement(line) for line in lines)
    return {canonicalize_name(each.name): each for each in parsed if each.name != "negsamp"}


def pins(name: str) -> dict[str, str]:
    """Return the versions of a constraints file, each of whose lines must be NAME==VERSION."""
    lines = (CHECKOUT / name).read_text(encoding="utf-8").splitlines()
    parsed = [line.split("==") for line in lines if not line.startswith("#")]
    assert all(len(pin) == 2 and canonicalize_name(pin[0]) == pin[0] for pin in parsed)
    assert len({pin[0] for pin in parsed}) == len(parsed)
    return {pin[0]: pin[1] for pin in parsed}


def test_the_version_is_the_same_everywhere() -> None:
    citation = (CHECKOUT / "CITATION.cff").read_text(encoding="utf-8")
    changelog = (CHECKOUT / "CHANGELOG.md").read_text(encoding="utf-8")
    version = METADATA["version"]
    assert negsamp.__version__ == version
    assert re.findall(r"^version: (.+)$", citation, re.MULTILINE) == [version]
    assert re.findall(r"^## \[(\d.+?)\]", changelog, re.MULTILINE)[0] == version


def test_the_core_needs_numpy_alone() -> None:
    assert set(requirements()) == {"numpy"}


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_has_lower_bounds_and_names_extras_that_exist(extra: str) -> None:
    for line in EXTRAS[extra]:
        requirement = Requirement(line)
        if requirement.name == "negsamp":
            assert requirement.extras <= EXTRAS.keys() - {extra}
            assert not requirement.specifier
        else:
            assert [each.operator for each in requirement.specifier] == [">="]


def test_constraints_pin_what_every_extra_asks_for() -> None:
    pinned = pins("constraints.txt")
    for name, requirement in requirements(*EXTRAS).items():
        assert requirement.specifier.contains(pinned[name]), name


def test_lowest_constraints_are_the_lower_bounds_of_what_negsamp_runs_on() -> None:
    lowest = {name: requirement.specifier for name, requirement in requirements(*RUNS_ON).items()}
    lowest["tensorflow-cpu"] = lowest["tensorflow"]  # the build that the tests are run on
    pinned = pins("constraints-lowest.txt")
    assert {name: SpecifierSet(f">={version}") for name, version in pinned.items()} == lowest


def test_every_package_of_the_wheel_is_typed() -> None:
    folders = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert [folder for folder in folders if not (CHECKOUT / folder / "py.typed").is_file()] == []


@pytest.mark.parametrize("name", METADATA["entry-points"]["negsamp.backends"])
def test_a_backend_is_installed_under_its_name(name: str) -> None:
    (point,) = entry_points(group="negsamp.backends", name=name)
    assert point.value == METADATA["entry-points"]["negsamp.backends"][name]
    assert point.load().__module__.startswith(point.module)


def test_the_command_line_exists() -> None:
    module, _, function = METADATA["scripts"]["negsamp"].partition(":")
    assert callable(getattr(import_module(module), function))

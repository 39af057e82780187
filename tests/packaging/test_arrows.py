"""Imports run one way: between the packages, and between the parts of each."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BACKENDS = sorted((ROOT / "backends").glob("negsamp_*"))
MODELS = ROOT / "reference_models" / "negsamp_models"


def imports(file: Path) -> Iterator[str]:
    """Yield the modules that a file imports, and the names it takes from them as if they were."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)


def parts(package: Path) -> dict[str, set[str]]:
    """Return for each file or folder of a package the others that it imports."""
    found: dict[str, set[str]] = defaultdict(set)
    for file in package.rglob("*.py"):
        own = file.relative_to(package).parts[0].removesuffix(".py")
        for name in imports(file):
            first, _, rest = name.partition(".")
            part = rest.partition(".")[0]
            if first == package.name and part not in ("", own) and own != "__init__":
                found[own].add(part)
    return found


def order(arrows: Mapping[str, set[str]]) -> list[str]:
    """Return the parts from the ground up."""
    return list(TopologicalSorter(arrows).static_order())


@pytest.mark.parametrize("package", [ROOT / "negsamp", *BACKENDS, MODELS], ids=lambda p: p.name)
def test_no_two_parts_of_a_package_import_each_other(package: Path) -> None:
    assert order(parts(package))


def test_a_circle_is_found(tmp_path: Path) -> None:
    package = tmp_path / "negsamp_circle"
    package.mkdir()
    (package / "laws.py").write_text("from negsamp_circle.draws import draw")
    (package / "draws.py").write_text("import negsamp_circle.laws")
    with pytest.raises(CycleError):
        order(parts(package))


def test_a_backend_imports_neither_models_nor_other_backends_than_numpy() -> None:
    for package in BACKENDS:
        allowed = {"negsamp", "negsamp_numpy", package.name}
        for file in package.rglob("*.py"):
            found = {name.split(".")[0] for name in imports(file) if name.startswith("negsamp")}
            assert found <= allowed, file


def test_the_heart_imports_nothing_of_its_house() -> None:
    for file in (ROOT / "negsamp").rglob("*.py"):
        found = {name.split(".")[0] for name in imports(file) if name.startswith("negsamp")}
        assert found <= {"negsamp"}, file

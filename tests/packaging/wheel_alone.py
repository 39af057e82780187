"""Install a wheel with only NumPy, outside the checkout, and check that it samples there.

python tests/packaging/wheel_alone.py dist/negsamp-0.1.0-py3-none-any.whl -c constraints.txt
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import tomllib
import venv
import zipfile
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
CHECK = Path(__file__).with_name("numpy_alone.py")


def main() -> None:
    """Check the files of the wheel, then install it in a new environment and run the check."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("-c", dest="constraints", type=Path, metavar="CONSTRAINTS")
    arguments = parser.parse_args()
    if problem := problem_of(arguments.wheel):
        raise SystemExit(f"{arguments.wheel}: {problem}")
    with tempfile.TemporaryDirectory(prefix="negsamp-wheel-") as folder:
        environment = Path(folder) / "environment"
        venv.create(environment, with_pip=True)
        python = environment / ("Scripts" if sys.platform == "win32" else "bin") / "python"
        constrain = ["-c", arguments.constraints.resolve()] if arguments.constraints else []
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", *constrain]
        for command in ([*install, arguments.wheel.resolve()], ["-I", CHECK]):
            if subprocess.run([python, *command], cwd=folder, check=False).returncode != 0:
                raise SystemExit(f"{arguments.wheel} fails where NumPy is the only other package")
    print(f"{arguments.wheel} works with NumPy alone")


def problem_of(wheel: Path) -> str:
    """Return what is wrong with the files of the wheel; empty if nothing is."""
    configuration = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    folders = configuration["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    packages = {Path(folder).name for folder in folders}
    files = zipfile.ZipFile(wheel).namelist()
    found = {name.partition("/")[0] for name in files}
    found -= {name for name in found if name.endswith(".dist-info")}
    if found != packages:
        return f"holds {sorted(found)}; the packages are {sorted(packages)}"
    if untyped := {name for name in packages if f"{name}/py.typed" not in files}:
        return f"has no py.typed in {sorted(untyped)}"
    if not any(name.endswith(".dist-info/licenses/LICENSE") for name in files):
        return "has no LICENSE"
    return ""


if __name__ == "__main__":
    main()

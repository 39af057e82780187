"""The command ``python -m benchmarks.gpu``; ``make gpu`` runs it on an installed wheel."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from benchmarks.gpu.bars import all_lines
from benchmarks.gpu.device import Device, check_kernels, check_wheel
from benchmarks.gpu.parts import PARTS, Part, Run, missing_packages
from benchmarks.gpu.records import PartResult
from benchmarks.gpu.report import write_report

RESULTS = Path("results/gpu")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, 1 if a part failed or was skipped, or 2 if nothing can run."""
    chosen = _parser().parse_args(arguments)
    try:
        parts = _select(chosen.only)
        if chosen.list:
            for part in parts:
                _tell(f"{part.name}: {part.about} (about {part.minutes:g} min)")
            return 0
        if chosen.report:
            _tell(write_report(chosen.output or RESULTS))
            return 0
        folder = _folder(chosen)
        check_wheel()
        if chosen.device == "cuda":
            check_kernels()
        return _run(parts, chosen, folder)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu",
        allow_abbrev=False,
        description="Run the tests of contract, laws and training, and measure draws and epochs, "
        "on a GPU. Writes one JSON file per part. Needs no network.",
    )
    names = ",".join(part.name for part in PARTS)
    parser.add_argument("--only", metavar="PARTS", default="", help=f"some of {names}")
    parser.add_argument(
        "--minutes", type=float, default=10.0, help="time limit of all parts; the rest is skipped"
    )
    parser.add_argument("--list", action="store_true", help="list the parts and stop")
    parser.add_argument(
        "--report", action="store_true", help="measure nothing; report existing results"
    )
    parser.add_argument(
        "--output", "-o", type=Path, metavar="FOLDER", help=f"for the results; default: {RESULTS}"
    )
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu: a dry run")
    parser.add_argument(
        "--quick", action="store_true", help="small sizes, for a check; needs --output"
    )
    return parser


def _select(only: str) -> list[Part]:
    """Return the parts that are named, or all, in the order of PARTS."""
    names = [name.strip() for name in only.split(",") if name.strip()]
    known = [part.name for part in PARTS]
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"unknown part {unknown[0]!r}; known: {', '.join(known)}")
    return [part for part in PARTS if not names or part.name in names]


def _folder(chosen: argparse.Namespace) -> Path:
    """Return the folder of the results; raise if the options cannot be run."""
    if chosen.device == "cpu" and not chosen.quick:
        raise ValueError("--device cpu is a dry run: add --quick and --output FOLDER")
    if chosen.device == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            f"no CUDA device (PyTorch {torch.__version__}); nothing measured, nothing written"
        )
    folder: Path = chosen.output or RESULTS
    if chosen.quick and folder.resolve() == RESULTS.resolve():
        raise ValueError(f"a quick run must not write to {RESULTS}: add --output FOLDER")
    return folder


def _run(parts: Sequence[Part], chosen: argparse.Namespace, folder: Path) -> int:
    started, expected = time.monotonic(), sum(part.minutes for part in parts)
    share = 0.0
    results: list[PartResult] = []
    for part in parts:
        share += part.minutes / expected  # time that a part does not use goes to the next
        end = started + share * chosen.minutes * 60
        if missing := missing_packages(part):
            _tell(f"{part.name}: skipped; not installed: {', '.join(missing)}. {_REMEDY}")
            continue
        if time.monotonic() > end:
            _tell(f"{part.name}: skipped; the {chosen.minutes:g} minutes are over")
            continue
        _tell(f"{part.name}: {part.about}")
        try:
            result = part.run(Run(Device(chosen.device), chosen.quick, end, _tell))
        except Exception as error:  # noqa: BLE001  (the other parts continue)
            _tell(f"{part.name}: failed, {type(error).__name__}: {error}")
            continue
        lines = [] if chosen.quick else all_lines([part.name], [result])
        for line in lines:
            met = {None: "", True: ": met", False: ": MISSED"}[line.met]
            _tell(f"  {line.text}: {line.bound}; {line.reached}{met}")
        _tell(f"  written: {result.write(folder, [asdict(line) for line in lines])}")
        results.append(result)
    if not chosen.quick and results:
        write_report(folder)
    return 0 if len(results) == len(parts) and all(each.passed for each in results) else 1


_REMEDY = (
    "On a machine with network access, run `python3 -m pip download --only-binary=:all: "
    "--python-version 3.12 --platform manylinux_2_28_x86_64 -d wheels NAME ...`, copy the folder "
    "here, and add WHEELS=wheels to `make gpu`"
)


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

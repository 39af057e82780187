"""The command ``python -m benchmarks``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.cases import Case, all_cases, select
from benchmarks.contenders.ours import BACKENDS
from benchmarks.machine import surroundings
from benchmarks.measuring.session import Session
from benchmarks.measuring.timing import Policy
from benchmarks.reporting.report import write_report

RESULTS = Path("results/benchmarks")

application = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@application.command()
def run(
    only: Annotated[
        list[str] | None,
        typer.Option(help="A case, or a pattern such as 'genni-*'; may be given several times."),
    ] = None,
    backend: Annotated[
        str,
        typer.Option(help="The backend of the bars; it is measured in every case."),
    ] = "numba",
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Small sizes, for a check; the figures mean nothing."),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of the results. Default: results/benchmarks."),
    ] = None,
    report: Annotated[
        bool,
        typer.Option("--report", help="Measure nothing; report existing results."),
    ] = False,
    show: Annotated[bool, typer.Option("--list", help="List the cases and stop.")] = False,
) -> None:
    """Measure draws, epochs and memory, beside peers and bare references.

    Writes one JSON file per case, then a report on all files of the folder: bars, tables and
    pictures. Beauty is read from the folder in NEGSAMP_DATA.
    """
    folder = output or (RESULTS / "quick" if quick else RESULTS)
    whole = True
    try:
        if backend not in BACKENDS:
            raise ValueError(f"unknown backend {backend!r}; known: {', '.join(BACKENDS)}")
        cases = [case for case in select(all_cases(backend), only or []) if case.pairs()]
        if show:
            for case in cases:
                typer.echo(f"{case.key}: {case.about}")
            return
        if not report:
            policy = Policy()
            if quick:
                policy = Policy.quick()
                cases = list({case.key: case for case in map(Case.quick, cases)}.values())
            cores = len(os.sched_getaffinity(0))
            for case in [case for case in cases if case.threads > cores]:
                typer.echo(f"{case.key}: skipped; it needs {case.threads} cores, there are {cores}")
                cases.remove(case)
            conditions = surroundings() | {"backend": backend, "quick": quick}
            whole = Session(folder, policy, conditions, typer.echo).run(cases)
        typer.echo(write_report(folder))
    except (ValueError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
    if not whole:
        raise typer.Exit(1)


if __name__ == "__main__":
    application(prog_name="python -m benchmarks")

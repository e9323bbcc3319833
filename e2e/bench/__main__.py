"""`python -m e2e.bench`: every figure beside its goal, on stdout and in build/bench.json."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from e2e.bench import available, command_line, fleet, release
from e2e.bench.bench_site import BenchSite, site
from e2e.bench.report import FILE, Figure, keep, lines_of, machine, table
from e2e.cluster import ClusterError
from e2e.cluster.progress import say, step
from e2e.kube import KubeError, TooLate

Bench = Callable[..., list[Figure]]

BENCHES: dict[str, Bench] = {"available": available.run, "cli": command_line.run, "fleet": fleet.run, "release": release.run}


def command(
    only: Annotated[list[str] | None, typer.Option(help=f"One of {', '.join(BENCHES)}; again for another. All when left out.")] = None,
    quick: Annotated[bool, typer.Option(help="Fewer runs and fewer services, to see whether it works.")] = False,
    name: Annotated[str, typer.Option("--name", envvar="CLUSTER", help="The cluster.")] = "bench",
) -> None:
    """Measure. What was measured earlier and is not measured now stays in the file, with the commit it belongs to."""
    unknown = sorted(set(only or ()) - BENCHES.keys())
    if unknown:
        raise ClusterError(f"there is no bench {', '.join(unknown)}: take {', '.join(BENCHES)}")
    lines: list[dict[str, Any]] = []
    with site(name) as found:
        for bench in only or BENCHES:
            lines += measure(bench, found, quick=quick)
    described = " · ".join(f"{key} {value}" for key, value in machine().items())
    print(f"{described}\noperator: a process of this machine with its own account's rights\n\n{table(lines)}")
    say(f"kept in {FILE}")


def measure(bench: str, found: BenchSite, *, quick: bool) -> list[dict[str, Any]]:
    """One bench, kept at once: what comes later may fail."""
    with step(f"bench {bench}"):
        figures = BENCHES[bench](found, quick=quick)
    lines = lines_of(bench, figures, quick=quick, load=os.getloadavg()[1])
    keep(lines)
    return lines


def main() -> None:
    """The program: what a person can do something about is one line, and exit status 1."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(command)
    try:
        app()
    except (ClusterError, KubeError, TooLate) as error:
        say(f"error: {error}")
        sys.exit(1)


if __name__ == "__main__":
    main()

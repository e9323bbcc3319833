"""What was measured: figures with their goals, as a table for people and as a file for the documentation."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from e2e.figures import ROOT, commit

FILE = ROOT / "build" / "bench.json"


@dataclass(frozen=True)
class Figure:
    """One number. goal: what it should be at most; None where it is there to be compared with."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """`met`, `missed`, or nothing where there is no goal."""
        if self.goal is None:
            return ""
        return "met" if self.value <= self.goal else "missed"


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    names = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    memory = int(Path("/proc/meminfo").read_text().split("MemTotal:")[1].split()[0])
    return {
        "cpu": names[0] if names else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**20, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def lines_of(bench: str, figures: Iterable[Figure], *, quick: bool, load: float) -> list[dict[str, Any]]:
    """The figures of one bench as they are stored. load: how many processes wanted to run, on average, while it ran."""
    common = {"commit": commit(), "at": datetime.now(UTC).isoformat(timespec="seconds"), "quick": quick, "load": round(load, 1)}
    return [{"bench": bench, **asdict(f), "value": round(f.value, 3), "verdict": f.verdict, **common} for f in figures]


def keep(lines: Sequence[dict[str, Any]], file: Path = FILE) -> None:
    """Puts the figures of one bench in the place of its earlier ones. The file is there whole or not at all."""
    known = json.loads(file.read_text())["figures"] if file.exists() else []
    replaced = {line["bench"] for line in lines}
    document = {
        "commit": commit(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "figures": [*(line for line in known if line["bench"] not in replaced), *lines],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(document, indent=1) + "\n")
    partial.replace(file)


def table(lines: Iterable[dict[str, Any]]) -> str:
    """The figures as text, one line each, in columns."""
    rows = [("bench", "figure", "value", "goal", "", "")]
    rows += [(str(line["bench"]), str(line["name"]), _amount(line), _goal(line), str(line["verdict"]), str(line["note"])) for line in lines]
    widths = [max(len(row[i]) for row in rows) for i in range(5)] + [0]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def _amount(line: dict[str, Any]) -> str:
    return f"{line['value']:g} {line['unit']}".rstrip()


def _goal(line: dict[str, Any]) -> str:
    return "" if line["goal"] is None else f"≤ {line['goal']:g} {line['unit']}".rstrip()

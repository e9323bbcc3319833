"""Figures that tests measure, kept with the commit they were measured on."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILE = Path(os.environ.get("HARDENED_FIGURES", ROOT / "build" / "figures.jsonl"))


def commit() -> str:
    """The short hash of the checked-out commit, with `+` where the tree differs from it; "" outside a checkout."""
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--abbrev=12"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return found.stdout.strip()


def figures(name: str, **values: float | str | None) -> None:
    """Appends one line of figures and shows it."""
    rounded = {key: round(value, 3) if isinstance(value, float) else value for key, value in values.items()}
    line = {"name": name, "commit": commit(), "at": datetime.now(UTC).isoformat(timespec="seconds"), **rounded}
    FILE.parent.mkdir(parents=True, exist_ok=True)
    with FILE.open("a") as file:
        file.write(json.dumps(line) + "\n")
    print(json.dumps(line))

"""What a user of the API server did, as the server itself recorded it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from e2e.rig import ACCOUNT, SYSTEM

USER = f"system:serviceaccount:{SYSTEM}:{ACCOUNT}"
WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})


class Since:
    """The operator's requests from a moment on. The server begins a new file when one has become large, and renames the old one."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._read = {file.stat().st_ino: file.stat().st_size for file in self._files()}

    def _files(self) -> list[Path]:
        return sorted(self._log.parent.glob(f"{self._log.stem}*{self._log.suffix}"))

    def calls(self) -> Counter[tuple[str, str]]:
        """How often which (verb, resource) was asked for, `resource/subresource` where there is one."""
        return sum((self._calls(file) for file in self._files()), Counter[tuple[str, str]]())

    def _calls(self, file: Path) -> Counter[tuple[str, str]]:
        found: Counter[tuple[str, str]] = Counter()
        mark = f'"username":"{USER}"'.encode()
        with file.open("rb") as lines:
            lines.seek(self._read.get(file.stat().st_ino, 0))
            for line in lines:
                if mark in line and line.endswith(b"\n"):
                    event = json.loads(line)
                    of = event.get("objectRef") or {}
                    found[event["verb"], "/".join(filter(None, (of.get("resource", ""), of.get("subresource"))))] += 1
        return found

    def writes(self) -> int:
        """How many of them were to change something."""
        return sum(count for (verb, _), count in self.calls().items() if verb in WRITES)

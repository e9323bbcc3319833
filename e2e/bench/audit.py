"""What a user of the API server did, as the server itself recorded it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from e2e.rig import ACCOUNT, SYSTEM

USER = f"system:serviceaccount:{SYSTEM}:{ACCOUNT}"
WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})


@dataclass
class Since:
    """The operator's requests from a moment on."""

    log: Path
    offset: int = field(init=False)

    def __post_init__(self) -> None:
        self.offset = self.log.stat().st_size

    def calls(self) -> Counter[tuple[str, str]]:
        """How often which (verb, resource) was asked for, `resource/subresource` where there is one."""
        found: Counter[tuple[str, str]] = Counter()
        mark = f'"username":"{USER}"'.encode()
        with self.log.open("rb") as lines:
            lines.seek(self.offset)
            for line in lines:
                if mark in line and line.endswith(b"\n"):
                    event = json.loads(line)
                    of = event.get("objectRef") or {}
                    found[event["verb"], "/".join(filter(None, (of.get("resource", ""), of.get("subresource"))))] += 1
        return found

    def writes(self) -> int:
        """How many of them were to change something."""
        return sum(count for (verb, _), count in self.calls().items() if verb in WRITES)

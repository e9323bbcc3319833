"""What users of the API server did, as the server itself recorded it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from e2e.kube import Body
from e2e.rig import ACCOUNT, SYSTEM

OPERATOR = f"system:serviceaccount:{SYSTEM}:{ACCOUNT}"
WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
#: What is written of a service that nothing happens to, and is no child of it.
NO_CHILDREN = frozenset({"hardenedservices", "events", "leases"})


class Since:
    """The requests from a moment on. The server begins a new file when one has become large, and renames the old one."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._read = {file.stat().st_ino: file.stat().st_size for file in self._files()}

    def _files(self) -> list[Path]:
        return sorted(self._log.parent.glob(f"{self._log.stem}*{self._log.suffix}"))

    def requests(self, mark: str) -> Iterator[Body]:
        """The audit events whose line holds this text. A line ends at a newline alone: other separators may stand inside a string."""
        for file in self._files():
            with file.open("rb") as lines:
                lines.seek(self._read.get(file.stat().st_ino, 0))
                for line in lines:
                    if mark.encode() in line and line.endswith(b"\n"):
                        yield json.loads(line)

    def of_the_operator(self) -> Iterator[Body]:
        return self.requests(f'"username":"{OPERATOR}"')

    def calls(self) -> Counter[tuple[str, str]]:
        """How often the operator asked for which (verb, resource), `resource/subresource` where there is one."""
        found: Counter[tuple[str, str]] = Counter()
        for event in self.of_the_operator():
            of = event.get("objectRef") or {}
            found[event["verb"], "/".join(filter(None, (of.get("resource", ""), of.get("subresource"))))] += 1
        return found

    def children_written(self, namespace: str) -> Counter[str]:
        """How often the operator wrote which child in a namespace, as `resource/name`. A refused write wrote nothing."""
        found: Counter[str] = Counter()
        for event in self.of_the_operator():
            of = event.get("objectRef") or {}
            is_write = event["verb"] in WRITES and event.get("responseStatus", {}).get("code", 0) < 300
            if is_write and of.get("namespace") == namespace and of["resource"] not in NO_CHILDREN:
                found[f"{of['resource']}/{of.get('name', '')}"] += 1
        return found

    def writes(self) -> int:
        """How many of them were to change something."""
        return sum(count for (verb, _), count in self.calls().items() if verb in WRITES)

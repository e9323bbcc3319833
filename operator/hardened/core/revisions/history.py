"""The revisions that a service keeps, and which of them may go."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hardened.api import names
from hardened.core.manifest import ChildKey, Manifest
from hardened.core.revisions.marks import marks_of
from hardened.core.revisions.revision import number_of, revision_of

#: How many revisions are kept only because they were rejected: what is forgotten would be released again.
REJECTED_LIMIT = 100


@dataclass(frozen=True)
class Kept:
    """The ControllerRevisions of a service, oldest first."""

    revisions: tuple[Manifest, ...]

    @classmethod
    def of(cls, children: Iterable[Manifest]) -> "Kept":
        """The revisions among a service's own children."""
        found = [c for c in children if c["kind"] == "ControllerRevision" and not c["metadata"].get("deletionTimestamp")]
        return cls(tuple(sorted(found, key=lambda c: (number_of(c), c["metadata"]["name"]))))

    def named(self, revision: str) -> Manifest | None:
        """The object that stores this revision."""
        return next((r for r in self.revisions if revision_of(r) == revision), None)

    def number_for(self, revision: str) -> int:
        """The stored number of a revision, or the next free one."""
        live = self.named(revision)
        if live:
            return number_of(live)
        return 1 + max((number_of(r) for r in self.revisions), default=0)

    def surplus(self, in_use: frozenset[str], limit: int) -> list[Manifest]:
        """What may go: the oldest beyond the limit, never one that is in use. Rejected ones do not count, and have a limit of their own."""
        rejected = [r for r in self.revisions if marks_of(r, revision_of(r)).rejections]
        others = [r for r in self.revisions if r not in rejected]
        spare = [r for r in others if revision_of(r) not in in_use][: max(0, len(others) - limit)]
        return spare + [r for r in rejected if revision_of(r) not in in_use][: max(0, len(rejected) - REJECTED_LIMIT)]


def revision_label(live: Mapping[str, Any]) -> str:
    """The revision that an object belongs to, or ""."""
    return str((live["metadata"].get("labels") or {}).get(names.REVISION_LABEL, ""))


def entries(kept: Kept, before: Iterable[Mapping[str, Any]], limit: int) -> list[Manifest]:
    """`status.history`, oldest first: what is stored, and what status says was stored but somebody deleted.

    A revision that the operator removed itself is not missing: it removes one only when more than the limit are kept.
    """
    present = {revision_of(r): _entry(r) for r in kept.revisions}
    lost = [
        {**entry, "missing": True}
        for entry in before
        if isinstance(entry, Mapping) and entry.get("revision") not in present and len(kept.revisions) < limit
    ]
    known = sorted([*lost, *present.values()], key=lambda e: str(e.get("createdAt", "")))
    return known[-limit:]


def _entry(live: Manifest) -> Manifest:
    data = live.get("data")
    fields = data.get("fields") if isinstance(data, Mapping) else None
    return {
        "revision": revision_of(live),
        "image": str(fields.get("image", ""))[:512] if isinstance(fields, Mapping) else "",
        "createdAt": live["metadata"].get("creationTimestamp", ""),
    }


def files_key(revision: Manifest) -> ChildKey:
    """The ConfigMap that goes with a stored revision: it has the same name."""
    return ChildKey("ConfigMap", revision["metadata"]["name"])

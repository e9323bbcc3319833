"""The revisions that a service keeps, and which of them may go."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

from hardened.api import names
from hardened.core.model.annotations import MESSAGE_LIMIT, annotations_of
from hardened.core.model.manifest import ChildKey, Manifest
from hardened.core.model.state import Rejection
from hardened.core.revisions.revision import number_of, revision_of

#: How many revisions are kept only because they were rejected: what is forgotten would be released again.
REJECTED_LIMIT = 100
#: How many bytes the revisions of a service may have together, as JSON; a usual one has 3,000. Above it, the oldest go first.
BYTES_LIMIT = 2 * 1024 * 1024


@dataclass(frozen=True)
class History:
    """The ControllerRevisions of a service, oldest first."""

    revisions: tuple[Manifest, ...]
    problem: Callable[[Manifest], str] = field(default=lambda _: "", compare=False)
    """Why one of them is not to be used, "" for those that may be."""

    @classmethod
    def of(cls, children: Iterable[Manifest], problem: Callable[[Manifest], str] = lambda _: "") -> "History":
        """The revisions among a service's own children."""
        found = [c for c in children if c["kind"] == "ControllerRevision" and not c["metadata"].get("deletionTimestamp")]
        return cls(tuple(sorted(found, key=lambda c: (number_of(c), c["metadata"]["name"]))), problem)

    def named(self, revision: str) -> Manifest | None:
        """The object that stores this revision. One that is not to be used stores none."""
        return next((r for r in self.usable if revision_of(r) == revision), None)

    @cached_property
    def usable(self) -> tuple[Manifest, ...]:
        """Those that may be used."""
        return tuple(r for r in self.revisions if not self.problem(r))

    @cached_property
    def unusable(self) -> dict[str, str]:
        """Those that are not to be used, by the name of the object, each with why."""
        return {str(r["metadata"]["name"]): why for r in self.revisions if (why := self.problem(r))}

    def number_for(self, revision: str) -> int:
        """The stored number of a revision, or the next free one."""
        live = self.named(revision)
        if live:
            return number_of(live)
        return 1 + max((number_of(r) for r in self.usable), default=0)

    def surplus(self, in_use: frozenset[str], limit: int) -> list[Manifest]:
        """What may go: the oldest beyond the limit, never one that is in use. Rejected ones do not count, and have a limit of their own.

        All of them together have BYTES_LIMIT: beyond it go those that are not to be used, then the oldest, whether rejected or not.
        """
        rejected = [r for r in self.usable if annotations_of(r, revision_of(r)).rejections]
        others = [r for r in self.usable if r not in rejected]
        spare = [r for r in others if revision_of(r) not in in_use][: max(0, len(others) - limit)]
        spare += [r for r in rejected if revision_of(r) not in in_use][: max(0, len(rejected) - REJECTED_LIMIT)]
        return spare + self._too_large(in_use, spare)

    def _too_large(self, in_use: frozenset[str], spare: list[Manifest]) -> list[Manifest]:
        """The first to go of those that would stay, as long as they have more bytes together than they may."""
        staying = [(r, size) for r, size in zip(self.revisions, self._sizes, strict=True) if r not in spare]
        surplus = sum(size for _, size in staying) - BYTES_LIMIT
        found = []
        for revision, size in sorted(staying, key=lambda of: of[0]["metadata"]["name"] not in self.unusable):
            if surplus > 0 and (revision_of(revision) not in in_use or revision["metadata"]["name"] in self.unusable):
                found.append(revision)
                surplus -= size
        return found

    def has_room(self, limit: int) -> bool:
        """Whether one more could be kept, as large as the largest of these."""
        return len(self.usable) < limit and sum(self._sizes) + max(self._sizes, default=0) <= BYTES_LIMIT

    @cached_property
    def _sizes(self) -> tuple[int, ...]:
        return tuple(map(_size, self.revisions))


def _size(live: Manifest) -> int:
    """The bytes of what a revision stores, as JSON."""
    return len(json.dumps(live.get("data"), ensure_ascii=False, separators=(",", ":")))


def revision_label(live: Mapping[str, Any]) -> str:
    """The revision that an object belongs to, or ""."""
    return str((live["metadata"].get("labels") or {}).get(names.REVISION_LABEL, ""))


def entries(
    kept: History,
    before: Iterable[Mapping[str, Any]],
    limit: int,
    taken: Mapping[str, Manifest] = MappingProxyType({}),
    pinned_key: str = "",
) -> list[Manifest]:
    """`status.history`, oldest first: what is stored, and what status says was stored but somebody deleted.

    A revision that the operator removed itself is not missing: it removes one only where there is no room for it. taken: by revision, what
    was backed up before it is replaced; what status remembers of that stays. pinned_key: see RevisionAnnotations.rejection.
    """
    known = {entry["revision"]: entry for entry in before if isinstance(entry, Mapping) and isinstance(entry.get("revision"), str)}
    backups = {name: entry["backup"] for name, entry in known.items() if isinstance(entry.get("backup"), Mapping)} | dict(taken)
    present = {revision_of(r): _entry(r, backups.get(revision_of(r)), pinned_key) for r in kept.usable}
    lost = [{**entry, "missing": True} for name, entry in known.items() if name not in present and kept.has_room(limit)]
    found = sorted([*lost, *present.values()], key=lambda e: str(e.get("createdAt", "")))
    return found[-limit:]


def _entry(live: Manifest, backup: Mapping[str, Any] | None, pinned_key: str) -> Manifest:
    data, revision = live.get("data"), revision_of(live)
    fields = data.get("fields") if isinstance(data, Mapping) else None
    rejection = annotations_of(live, revision).rejection(pinned_key)
    return {
        "revision": revision,
        "image": str(fields.get("image", ""))[:512] if isinstance(fields, Mapping) else "",
        "createdAt": live["metadata"].get("creationTimestamp", ""),
        **({"backup": dict(backup)} if backup else {}),
        **({"rejection": _rejection(rejection)} if rejection else {}),
    }


def _rejection(rejection: Rejection) -> Manifest:
    found = {"reason": str(rejection.reason), "message": rejection.message[:MESSAGE_LIMIT]}
    return found | ({"afterCutover": True} if rejection.after_cutover else {})


@dataclass(frozen=True)
class RevisionBackup:
    """The snapshot of the data as it was before a revision was replaced."""

    name: str
    """Of the backup."""
    snapshot: str
    """Its id."""
    at: str
    """When its dump began, in RFC 3339."""


def backup_of(status: Mapping[str, Any], revision: str) -> RevisionBackup | None:
    """What `status.history` names for a revision; None for nothing."""
    found = status.get("history")
    entries = [entry for entry in found if isinstance(entry, Mapping)] if isinstance(found, list) else []
    match next((entry.get("backup") for entry in entries if entry.get("revision") == revision), None):
        case {"name": str(name), "snapshot": str(snapshot), "at": str(at)}:
            return RevisionBackup(name, snapshot, at)
        case _:
            return None


def files_key(revision: Manifest) -> ChildKey:
    """The ConfigMap that goes with a stored revision: it has the same name."""
    return ChildKey("ConfigMap", revision["metadata"]["name"])

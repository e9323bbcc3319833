"""What is remembered on a stored revision: that it was promoted, and that it was rejected. Status is made anew from these annotations."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from hardened.api import names
from hardened.core.model.reasons import Reason
from hardened.core.model.state import Rejection

#: Rejections that are kept of one revision, the newest last, and the length of each message: an annotation is not to grow for ever.
LIMIT = 8
#: Of a promotion's number. More were never written by us: Python reads no more than 4,300, and an API server's numbers have 19.
_DIGITS = 15
MESSAGE_LIMIT = 512


@dataclass(frozen=True)
class BegunMigration:
    """That a migration was begun."""

    release: str
    """Which one ran it."""
    within: timedelta
    """How long either may take."""
    undo: tuple[str, ...] = ()
    """The command that undoes it, () for none."""
    undoes_late: bool = False
    """After the cutover, too."""
    since: int = 0
    """The promotion of what was stable by then, 0 for nothing, or not known."""


@dataclass(frozen=True)
class RevisionAnnotations:
    """What is remembered on a stored revision."""

    promotion: int = 0
    """0 for never, else higher than that of every revision promoted before."""
    rejections: tuple[Rejection, ...] = ()
    """At most LIMIT, the newest last."""
    migrated: BegunMigration | None = None
    """The last migration that was begun for this revision."""
    left_by: str = ""
    """The last release that gave it up from its cutover on, without rejecting it."""
    promoted_key: str = ""
    """What it was promoted under the last time that it passed checks, "" where that is not known."""

    def promoted(self, number: int, key: str = "") -> "RevisionAnnotations":
        """Promoted, as the number-th of all. key: see ReleaseState; "" for by hand, which passes no checks."""
        return replace(self, promotion=number, promoted_key=key or self.promoted_key)

    def rejected(self, rejection: Rejection) -> "RevisionAnnotations":
        """Rejected under one more key, or anew under a known one."""
        others = [known for known in self.rejections if known.key != rejection.key]
        return replace(self, rejections=(*others, replace(rejection, message=rejection.message[:MESSAGE_LIMIT]))[-LIMIT:])

    def cleared(self, key: str) -> "RevisionAnnotations":
        """Without the rejection under this key."""
        return replace(self, rejections=tuple(known for known in self.rejections if known.key != key))

    def rejection(self, pinned_key: str = "") -> Rejection | None:
        """The last one that still counts; None for none, and where it has passed since.

        Of a revision that was promoted only those count under the checks that it was promoted with, and under those that the spec asks for
        now. pinned_key: what the spec's revision is rejected under, "" for nothing.
        """
        counted = [r for r in self.rejections if not self.promoted_key or r.key in (self.promoted_key, pinned_key)]
        return counted[-1] if counted else None

    def written(self) -> dict[str, str]:
        """As they are written on the ControllerRevision."""
        found = {names.PROMOTION_ANNOTATION: str(self.promotion)} if self.promotion else {}
        if self.promoted_key:
            found[names.PROMOTED_KEY_ANNOTATION] = self.promoted_key
        if self.rejections:
            entries = [_entry(rejection) for rejection in self.rejections]
            found[names.REJECTED_ANNOTATION] = _text(entries)
        if self.migrated:
            found[names.MIGRATION_ANNOTATION] = _text(_migration(self.migrated))
        if self.left_by:
            found[names.EPOCH_ANNOTATION] = self.left_by
        return found


#: Of a revision that was neither promoted nor rejected.
NO_ANNOTATIONS = RevisionAnnotations()


def annotations_of(live: Mapping[str, Any], revision: str) -> RevisionAnnotations:
    """The annotations on a ControllerRevision of this revision. What cannot be read is no mark."""
    annotations = live["metadata"].get("annotations") or {}
    promotion = str(annotations.get(names.PROMOTION_ANNOTATION, "0"))
    return RevisionAnnotations(
        int(promotion) if promotion.isdecimal() and len(promotion) <= _DIGITS else 0,
        _rejections(annotations.get(names.REJECTED_ANNOTATION, "[]"), revision),
        _migrated(annotations.get(names.MIGRATION_ANNOTATION)),
        str(annotations.get(names.EPOCH_ANNOTATION, "")),
        str(annotations.get(names.PROMOTED_KEY_ANNOTATION, "")),
    )


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _entry(rejection: Rejection) -> dict[str, Any]:
    found = {"key": rejection.key, "reason": str(rejection.reason), "message": rejection.message}
    return {**found, "afterCutover": True} if rejection.after_cutover else found


def _rejections(text: Any, revision: str) -> tuple[Rejection, ...]:
    try:
        entries = json.loads(text)
        found = ((e["key"], Reason(e["reason"]), e["message"], e.get("afterCutover") is True) for e in entries)
        return tuple(Rejection(revision, str(key), reason, str(message), late) for key, reason, message, late in found)[-LIMIT:]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return ()


def _migration(migrated: BegunMigration) -> dict[str, Any]:
    found = {
        "release": migrated.release,
        "seconds": migrated.within.total_seconds(),
        "undo": list(migrated.undo),
        "since": migrated.since,
    }
    return {**found, "afterCutover": True} if migrated.undoes_late else found


def _migrated(text: Any) -> BegunMigration | None:
    try:
        found = json.loads(text)
        undo = tuple(str(word) for word in found["undo"])
        within, since = timedelta(seconds=found["seconds"]), int(found.get("since", 0))
        return BegunMigration(str(found["release"]), within, undo, found.get("afterCutover") is True, since)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None

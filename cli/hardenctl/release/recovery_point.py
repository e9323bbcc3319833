"""The snapshots that a service's status tells of: which one somebody means, and the moment that its data is of."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from hardenctl.output.moments import age, moment
from hardenctl.output.outcome import CommandEnd, Exit, ResultWord, usage
from hardenctl.output.program import PROG
from hardenctl.release.hold import SHORT
from hardenctl.release.verdict import Live, status

LATEST = "latest"
_ID = re.compile(r"[0-9a-f]{8,64}")


@dataclass(frozen=True)
class RecoveryPoint:
    """A snapshot to go back to."""

    snapshot: str
    """Its id, whole where status knows it."""
    at: datetime | None = None
    """When its dump began, None where only the repository knows."""
    is_known: bool = True
    """The status names it."""

    def text(self, now: datetime) -> str:
        """Example: "snapshot 1f2e3d4c, of 2026-01-02 03:30:00 UTC (8h ago)"."""
        when = f"of {self.at:%Y-%m-%d %H:%M:%S} UTC ({age(self.at, now)} ago)" if self.at else "whose time only the repository knows"
        return f"snapshot {self.snapshot[:SHORT]}, {when}"

    def data(self, now: datetime) -> dict[str, Any]:
        """For scripts."""
        shown = f"{self.at:%Y-%m-%dT%H:%M:%SZ}" if self.at else None
        return {"snapshot": self.snapshot, "at": shown, "ageSeconds": int((now - self.at).total_seconds()) if self.at else None}


def chosen(session_flags: str, live: Live, backup: str, text: str) -> RecoveryPoint:
    """The snapshot of a backup that somebody means by `latest`, its id, or the beginning of one.

    session_flags: those of a next command. Raises CommandEnd for what is no id, and where no good snapshot is known that `latest` could be.
    """
    if text == LATEST:
        newest = _newest(_told(live, backup))
        if newest is None:
            meta = live["metadata"]
            step = f"{PROG} backup verify {meta['name']} {backup} -n {meta['namespace']}{session_flags}"
            message = f"the status knows no good snapshot of backup {backup}: find the repository's newest by `backup verify`, or name one"
            raise CommandEnd(message, result=ResultWord.REFUSED, code=Exit.REFUSED, next_step=step)
        return newest
    if not _ID.fullmatch(text):
        known = f"{PROG} backup list {live['metadata']['name']}"
        raise usage(f"--snapshot {text!r} is not a snapshot", f"it is {LATEST}, or 8 to 64 hex digits, as `{known}` shows the newest")
    found = {each.snapshot: each for each in _known(live, backup) if each.snapshot.startswith(text)}
    return next(iter(found.values())) if len(found) == 1 else RecoveryPoint(text, is_known=False)


def of_revision(live: Live, revision: str) -> tuple[str, RecoveryPoint] | None:
    """The backup, and its snapshot, that was taken when this revision was about to be replaced; None where there is none."""
    entry = next((e for e in _mappings(status(live).get("history")) if e.get("revision") == revision), {})
    found = entry.get("backup")
    point = _point(found)
    return (str(found.get("name") or ""), point) if isinstance(found, Mapping) and point else None


def _newest(told: Mapping[str, Any]) -> RecoveryPoint | None:
    """The last good one; in a cluster that has made none yet, the one of its repository that was verified last."""
    verified = told.get("lastVerification")
    is_good = isinstance(verified, Mapping) and verified.get("result") == "Succeeded"
    found = _point(verified) if is_good else None
    # The moment of a verification is when it ended: nobody here knows when its snapshot was made.
    return _point(told.get("lastSuccess")) or (replace(found, at=None) if found else None)


def _known(live: Live, backup: str) -> Iterator[RecoveryPoint]:
    told = _told(live, backup)
    yield from filter(None, (_point(told.get("lastSuccess")), _newest(told)))
    for entry in _mappings(status(live).get("history")):
        found = entry.get("backup")
        point = _point(found)
        if isinstance(found, Mapping) and found.get("name") == backup and point:
            yield point


def _told(live: Live, backup: str) -> Mapping[str, Any]:
    return next((each for each in _mappings(status(live).get("backups")) if each.get("name") == backup), {})


def _point(found: Any) -> RecoveryPoint | None:
    if not isinstance(found, Mapping) or not _ID.fullmatch(str(found.get("snapshot") or "")):
        return None
    return RecoveryPoint(str(found["snapshot"]), moment(found, "at"))


def _mappings(found: Any) -> list[Mapping[str, Any]]:
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []

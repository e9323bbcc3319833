"""What a run says at its end: JSON that always fits into a termination message."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from hardened.runner.failures import Failed

#: Bytes that the kubelet keeps of a termination message.
LIMIT = 4096
#: Characters that each message may have, tried in turn until all of it fits.
_MESSAGE_LIMITS = (1500, 700, 300, 100, 0)


@dataclass(frozen=True)
class Outcome:
    """How one step ended. result: Succeeded, Failed or Skipped; reason: "" unless Failed."""

    result: str
    reason: str = ""
    message: str = ""

    @staticmethod
    def of(failed: Failed) -> "Outcome":
        return Outcome("Failed", failed.reason, failed.message)


SUCCEEDED = Outcome("Succeeded")
SKIPPED = Outcome("Skipped")


@dataclass(frozen=True)
class Report:
    """What came of a run.

    snapshot: the one that was stored or read; bytes, files: what it holds; seconds: how long all took; dumped_at: when the dump began;
    forget, prune, drop: of a backup; before: of a restore, the snapshot of what was there; written: of one, whether it may have
    changed data.
    """

    kind: str
    outcome: Outcome
    seconds: float = 0.0
    snapshot: str | None = None
    bytes: int = 0
    files: int = 0
    dumped_at: datetime | None = None
    forget: Outcome | None = None
    prune: Outcome | None = None
    drop: Outcome | None = None
    before: str | None = None
    written: bool = False


def rendered(report: Report) -> bytes:
    """The report as ASCII JSON, at most 4096 bytes: messages are cut until it fits, all others are short."""
    for limit in _MESSAGE_LIMITS:
        text = json.dumps(_document(report, limit), separators=(",", ":")).encode("ascii")
        if len(text) <= LIMIT:
            break
    return text


def stamp(moment: datetime) -> str:
    """A moment as RFC 3339 in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _document(report: Report, limit: int) -> dict[str, Any]:
    document: dict[str, Any] = {"kind": report.kind, **_outcome(report.outcome, limit)}
    if report.kind != "dump":
        document |= {"snapshot": report.snapshot, "bytes": report.bytes, "files": report.files}
    document |= {"seconds": round(report.seconds, 1), "dumped_at": stamp(report.dumped_at) if report.dumped_at else None}
    if report.kind == "restore":
        document |= {"before": report.before, "written": report.written}
    steps = {"forget": report.forget, "prune": report.prune, "drop": report.drop}
    return document | {name: _outcome(step, limit) for name, step in steps.items() if step}


def _outcome(outcome: Outcome, limit: int) -> dict[str, str]:
    cut = replace(outcome, message=outcome.message[:limit])
    return {"result": cut.result, "reason": str(cut.reason), "message": cut.message}

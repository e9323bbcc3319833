"""Which changes of status are worth an Event."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from hardened.core.model.hold import HoldPhase, hold_of
from hardened.core.model.run import Record, Verification
from hardened.core.runs.judgement import SHORT_ID
from hardened.core.runs.record import records_of
from hardened.shell.recorder import EventType

#: A condition's type -> whether its being true is bad news.
_TOLD = {"Ready": False, "Stalled": True, "Drifted": True, "BackedUp": False}
#: Why a service may not be Ready, and all is well.
_NO_NEWS = ("RollingOut", "WaitingForDependencies")


class StatusEvent(NamedTuple):
    """One Event: its type, reason and message."""

    type: EventType
    reason: str
    message: str


def status_events(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[StatusEvent]:
    """An Event for each told condition whose status or reason changed, for each turn of a release and of a restore, and for each end of a
    backup and of its verification.

    A new service has one when it is Ready, and for what goes wrong until then. A repeated look at an unchanged world announces nothing.
    """
    found = [*_conditions(before, after), *_release(before, after), *_hold(before, after), *_backups(before, after)]
    return list(dict.fromkeys(found))


def _conditions(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[StatusEvent]:
    known = {c["type"]: (c["status"], c["reason"]) for c in before.get("conditions") or ()}
    for condition in after.get("conditions") or ():
        kind, state = condition["type"], (condition["status"], condition["reason"])
        if kind not in _TOLD or known.get(kind) == state or (kind not in known and condition["status"] == "False"):
            continue
        is_true = condition["status"] == "True"
        if not is_true and _TOLD[kind]:
            continue  # that something bad has ended is told by Ready
        is_warning = is_true if _TOLD[kind] else not is_true and condition["reason"] not in _NO_NEWS
        yield StatusEvent("Warning" if is_warning else "Normal", condition["reason"], condition["message"])


def _release(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[StatusEvent]:
    old, new = before.get("release") or {}, after.get("release") or {}
    stable = after.get("stable") or {}
    if new and new.get("startedAt") != old.get("startedAt") and new.get("rollback"):
        yield StatusEvent("Warning", "RollingBack", f"rolling back to revision {new['revision']} ({new['color']})")
    elif new and new.get("startedAt") != old.get("startedAt") and before.get("conditions"):
        yield StatusEvent("Normal", "ReleaseStarted", f"revision {new['revision']} starts in {new['color']}")
    if new.get("cutoverAt") and new.get("cutoverAt") != old.get("cutoverAt") and not new.get("rollback"):
        yield StatusEvent("Normal", "SwitchedOver", f"revision {new['revision']} in {new['color']} takes the requests and is watched")
    if new.get("step") == "SwitchBack" != old.get("step"):
        yield StatusEvent("Warning", "SwitchingBack", f"traffic is being switched back from revision {new['revision']} in {new['color']}")
    if stable.get("promotion", 0) > (before.get("stable") or {}).get("promotion", 0) > 0:
        yield StatusEvent(
            "Normal",
            "Promoted",
            f"revision {stable['revision']} in {stable['color']} is stable: later releases that fail roll back to it",
        )


def _hold(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[StatusEvent]:
    """How far a restore has come. That one begins, fails or has ended is told by Ready."""
    old, new = hold_of(before), hold_of(after)
    if old is None or new is None or new.service or (old.uid, old.phase) == (new.uid, new.phase):
        return
    what = f"snapshot {new.snapshot[:SHORT_ID]} of backup {new.backup}"
    if new.phase is HoldPhase.RESTORING:
        yield StatusEvent("Normal", "DataReplacing", f"nobody uses the data any more: it is replaced by {what}")
    if new.phase is HoldPhase.STARTING:
        yield StatusEvent("Normal", "DataReplaced", f"the data is that of {what}, and revision {new.revision} alone starts on it")


def _backups(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[StatusEvent]:
    known = records_of(before)
    for name, found in records_of(after).items():
        old = known.get(name, Record(name))
        if found.success and found.success.id != (old.success.id if old.success else ""):
            success, beside = found.success, f"; {found.success.message}" if found.success.message else ""
            text = f"backup {name}: snapshot {success.id[:SHORT_ID]} of {success.bytes} bytes in {success.seconds} s{beside}"
            yield StatusEvent("Warning" if beside else "Normal", "BackupSucceeded", text)
        if found.failure and found.failure.at != (old.failure.at if old.failure else None):
            yield StatusEvent("Warning", "BackupFailed", f"backup {name}: {found.failure.reason}: {found.failure.message}")
        if found.verification and found.verification != old.verification:
            yield _verification(name, found.verification)


def _verification(name: str, found: Verification) -> StatusEvent:
    which = f"backup {name}: snapshot {found.snapshot[:SHORT_ID]}" if found.snapshot else f"backup {name}"
    if found.has_failed:
        return StatusEvent("Warning", "VerificationFailed", f"{which}: {found.reason}: {found.message}")
    said = f": {found.message}" if found.message else ""
    return StatusEvent("Normal", "VerificationSucceeded", f"{which} was restored in {found.seconds} s{said}")

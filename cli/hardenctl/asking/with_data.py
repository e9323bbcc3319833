"""What a rollback with data brings back: whether it can be, and what is told of it at the end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hardenctl.asking.consent import source_of
from hardenctl.asking.request import ActionOutcome
from hardenctl.cluster.session import Session
from hardenctl.output import moments
from hardenctl.output.duration import shown
from hardenctl.output.moments import moment
from hardenctl.output.outcome import CommandEnd, Exit, ResultWord
from hardenctl.output.program import PROG
from hardenctl.release.hold import SHORT, hold_of
from hardenctl.release.recovery_point import RecoveryPoint
from hardenctl.release.state import serving_of
from hardened.core.model.manifest import Manifest


@dataclass(frozen=True)
class RevisionData:
    """What comes back with a revision: a backup as the spec has it, and its snapshot."""

    backup: Mapping[str, Any]
    point: RecoveryPoint


def restorable(session: Session, live: Manifest, revision: str, data: RevisionData) -> None:
    """Raises CommandEnd where the operator would refuse it, before anybody is asked to agree."""
    name, flags = live["metadata"]["name"], session.cluster_flags
    backup, stops = data.backup["name"], data.backup.get("stops") or "Self"
    restore = f"{PROG} restore {name} --backup {backup} --snapshot {data.point.snapshot[:SHORT]} -n {session.namespace}{flags}"
    if revision == serving_of(live) and hold_of(live) is None:
        raise _refused(f"revision {revision} already serves: its data alone is brought back by a restore", restore)
    if source_of(data.backup)[0] == "command":
        text = f"backup {backup} is made by a command of the application, and is restored by hand: roll back without --with-data"
        raise _refused(text, f"{PROG} rollback {name} --to-revision {revision} -n {session.namespace}{flags}")
    if stops != "Self":
        text = (
            f"backup {backup} has stops: {stops}, so that the revision to be left would run on the restored data: roll back without "
            "--with-data, and restore its snapshot then"
        )
        raise _refused(text, f"{PROG} rollback {name} --to-revision {revision} -n {session.namespace}{flags} && {restore}")


def _refused(text: str, step: str) -> CommandEnd:
    return CommandEnd(text, result=ResultWord.REFUSED, code=Exit.REFUSED, next_step=step)


def restored(point: RecoveryPoint, outcome: ActionOutcome | None) -> tuple[Sequence[str], Mapping[str, Any]]:
    """The moment that the data is of, and how long it took: for people, and for scripts. outcome: None where it was not waited for."""
    now = moments.now()
    if outcome is None:
        return (), {"recoveryPoint": point.data(now), "seconds": None}
    # The status knows when the dump began, the repository only when the snapshot was made of it.
    made = replace(point, at=point.at or moment(outcome.result, "recoveryPoint"))
    took = f"; it took {shown(outcome.seconds)}" if outcome.seconds is not None else ""
    return [f"recovery point: {made.text(now)}{took}"], {"recoveryPoint": made.data(now), "seconds": outcome.seconds}

"""The door of a restore: its Job is made suspended, and let go by a write of its own, once status knows the Job and nobody uses the data.

So a request to make the Job that comes late, of a process that was paused or killed, never restores anything: nothing lets it go that
status does not know. As long as it was not let go, the restore can be given up; and one of which no container has begun is taken back where
somebody else has come to use the data.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from hardened.api import names
from hardened.core.actions.log import LogEntry
from hardened.core.actions.restores import hand_run
from hardened.core.actions.seeking import is_restore
from hardened.core.model.hold import Hold, HoldPhase
from hardened.core.model.manifest import ChildKey
from hardened.core.model.run import Active, Run
from hardened.core.observe.facts import Facts
from hardened.core.runs.backups import hand_job_key


@dataclass(frozen=True)
class LetGo:
    """Let this Job go, if it is still this one, in this state."""

    key: ChildKey
    uid: str
    resource_version: str


def run_of(facts: Facts, hold: Hold) -> Run | None:
    """The run of the Job of a hold; None where that is not there."""
    entry = LogEntry(hold.action, hold.uid, "", "", "", hold.since, backup=hold.backup, snapshot=hold.snapshot)
    name = hand_job_key(facts, hand_run(entry)).name
    return next((run for run in facts.runs if run.is_by_hand and run.job == name), None)


def is_let_go(facts: Facts, hold: Hold | None, entries: Iterable[LogEntry]) -> bool:
    """Whether the Job of a hold may have begun. entries: as status has them: what it does not know was not let go."""
    if hold is None or hold.phase is not HoldPhase.RESTORING:
        return False
    run = run_of(facts, hold)
    known = next((entry for entry in entries if entry.uid == hold.uid), None)
    return not run.is_closed if run else known is None or known.job != "" or known.phase != "Running"


def is_at_work(facts: Facts, hold: Hold | None, entries: Iterable[LogEntry]) -> bool:
    """Whether the Job of a hold was let go, and is at work: not as long as its pod cannot be made, or waits, or was taken from its node."""
    run = run_of(facts, hold) if hold else None
    return is_let_go(facts, hold, entries) and (run is None or run.is_running or not isinstance(run.outcome, Active))


def let_go(facts: Facts, run: Run | None) -> LetGo | None:
    """What lets a run go; None where it was, or is not there."""
    if run is None or not run.is_closed:
        return None
    key = ChildKey("Job", run.job)
    live = facts.observed.children.get(key)
    if live is None or key in facts.observed.refused:
        return None
    return LetGo(key, live["metadata"]["uid"], live["metadata"]["resourceVersion"])


def left_over(facts: Facts, entries: Iterable[LogEntry]) -> frozenset[ChildKey]:
    """Jobs that were not let go, and never will be: nobody waits for what they restore. entries: as this look leaves them."""
    wanted = {hand_job_key(facts, hand_run(entry)).name for entry in entries if is_restore(entry)}
    closed = (run for run in facts.runs if run.is_by_hand and run.work == names.RESTORE and run.is_closed)
    return frozenset(ChildKey("Job", run.job) for run in closed if isinstance(run.outcome, Active) and run.job not in wanted)

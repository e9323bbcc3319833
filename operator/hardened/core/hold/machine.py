"""What becomes of a hold in one look: it begins with a restore, and ends with it, or once somebody gives it up.

It is written down before anything follows from it: that it is there before pods are stopped, that nobody uses the data any more before the
Job is made, and that it is over before pods are started. So it comes to the same end wherever a process is killed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from hardened.core.actions.log import LogEntry
from hardened.core.actions.restores import NO_IMAGE, hand_run, is_given_up, replacing
from hardened.core.hold.dependents import late_dependents, leader, still_led
from hardened.core.hold.door import LetGo, let_go, run_of
from hardened.core.hold.starting import lacks_target, starting
from hardened.core.hold.users import all_stopped, users, writers
from hardened.core.model.hold import Hold, HoldPhase
from hardened.core.model.manifest import ChildKey
from hardened.core.model.question import ListMounts, Question
from hardened.core.model.run import Active, Restoration, Run
from hardened.core.observe.facts import Facts
from hardened.core.runs.backups import hand_job_key
from hardened.failures import EXCEEDED_QUOTA

#: Nobody tells when a pod of somebody else ends.
_LOOK_AGAIN: Final = timedelta(seconds=2)
#: The same while the Job is at work: nothing waits for it.
_WATCH_AGAIN: Final = timedelta(seconds=10)


@dataclass(frozen=True)
class Held:
    """What was decided of a hold."""

    hold: Hold | None = None
    """As status should have it."""
    question: Question | None = None
    """What has to be read before anything can be said."""
    look_at: datetime | None = None
    """When to look again."""
    intruders: str = ""
    """Who came to use the data while the Job is at work; "" for nobody."""
    may_begin: bool = False
    """Status says that nobody is left who uses the data, and so it is: the Job may be made, or let go."""
    lets_go: LetGo | None = None
    """The Job that is to begin now."""
    takes_back: ChildKey | None = None
    """The Job that is to be deleted, since it has not begun, and must not any more."""

    def has_moved(self, before: Hold | None) -> bool:
        """Whether nothing else may be written before status says so. What is only said otherwise can wait."""
        return _without_words(self.hold) != _without_words(before)


def _without_words(hold: Hold | None) -> Hold | None:
    return replace(hold, message="") if hold else None


def held(facts: Facts, entries: Sequence[LogEntry], replicas: int, now: datetime, *, has_image: bool, is_released: bool) -> Held:
    """The hold after this look. entries: of actions, as this look leaves them; replicas: how many pods are wanted; has_image: a Job that
    restores can be made; is_released: a release is at work, which ends first where the data of another service is restored."""
    before, begun = facts.hold, replacing(entries)
    if begun and (before is None or before.uid != begun.uid):
        return Held(_begun(facts, begun, before, replicas, now))
    if before is None or before.service:
        return Held() if before is None and is_released else _with_leader(facts, before, replicas, now)
    if _is_given_up(before, entries):
        return _given_up(facts, before, now)
    if begun is None:
        return _over(facts, before, next((entry for entry in entries if entry.uid == before.uid), None), now)
    if begun.has_data:
        return Held(starting(before, begun, now))
    run = run_of(facts, before)
    if begun.job and not (run and run.is_closed):
        return _working(facts, before, begun, run, now)
    if facts.svc.spec.suspend:
        return _suspended(facts, before)
    found = _stopping(facts, before, now, _then(facts, before, begun), has_image=has_image)
    return replace(found, lets_go=let_go(facts, run)) if found.may_begin and begun.job else found


def _suspended(facts: Facts, before: Hold) -> Held:
    """Nothing of a suspended service is written, its pods are not stopped, and what is restored waits for that."""
    name = facts.svc.name
    text = f"the restore waits: service {name} is suspended; to go on: hardenctl unsuspend {name} -n {facts.svc.namespace}"
    return Held(replace(before, message=text))


def _is_given_up(before: Hold, entries: Sequence[LogEntry]) -> bool:
    """Whether an Abort ends it: of this restore, or of the one that was to take its place after it had failed."""
    given_up = {entry.key for entry in entries if is_given_up(entry)}
    is_left = before.has_failed and not before.has_data  # what ran before must not run on the data of a rollback
    later = {entry.uid for entry in entries if entry.started_at >= before.since} if is_left else set()
    return not given_up.isdisjoint({before.uid, *later})


def _given_up(facts: Facts, before: Hold, now: datetime) -> Held:
    """The hold of a restore that somebody gave up: until its Job is gone, which was not let go, and no pod of one before may write."""
    run, observed = run_of(facts, before), facts.observed
    if before.has_failed:
        return Held()
    if run and isinstance(run.outcome, Active):
        key = ChildKey("Job", run.job)
        refusal = observed.refused.get(key)
        why = f": {refusal.message}; kubectl delete job {run.job} -n {facts.svc.namespace}" if refusal else ""
        return Held(replace(before, message=f"it was given up: its Job is about to be deleted{why}"[:1024]), takes_back=key)
    if not observed.sees_pods:
        return Held()
    if observed.namespace_pods is None:
        return Held(before, question=ListMounts())
    left = writers(facts)
    return Held(replace(before, message=left[:1024]), look_at=now + _LOOK_AGAIN) if left else Held()


def _working(facts: Facts, before: Hold, begun: LogEntry, run: Run | None, now: datetime) -> Held:
    """While its Job is there, and was let go: it is taken back where somebody came to use the data before a container of it has begun.

    That it may be is written down first: it may begin in the same moment. The same task then does the rest, whatever it had done.
    """
    found = _watched(facts, replace(before, phase=HoldPhase.RESTORING, message=begun.message), begun.job, now)
    if run is None or run.has_begun or not isinstance(run.outcome, Active) or not found.hold or not found.intruders:
        return found
    text = f"its Job is taken back, which has not begun: {found.intruders}"
    hold = replace(found.hold, phase=HoldPhase.STOPPING, message=text[:1024], may_have_changed=True)
    was_called_back = before.phase is HoldPhase.STOPPING
    return Held(hold, look_at=found.look_at, takes_back=ChildKey("Job", run.job) if was_called_back else None)


def _then(facts: Facts, before: Hold, begun: LogEntry) -> str:
    """What follows once nobody is left, or what stops it. What stopped it stands until it is known that it does not any more: told of as if
    it were over, and anew as soon as it is tried again, it would be written twice with each look."""
    key = hand_job_key(facts, hand_run(begun))
    refusal, stopped = facts.observed.refused.get(key), f"its Job cannot {'begin' if begun.job else 'be made'}: "
    if refusal is None and before.message.startswith(stopped):
        return before.message
    if refusal is None:
        return f"{key} is about to begin" if begun.job else "its Job is about to be made"
    room = "; raise the ResourceQuota or free some of it" if refusal.reason == EXCEEDED_QUOTA else ""
    text = f"{stopped}{refusal.message}{room}; it is tried again; to give the restore up: "
    return f"{text}hardenctl abort {facts.svc.name} -n {facts.svc.namespace}"[:1024]


def _with_leader(facts: Facts, before: Hold | None, replicas: int, now: datetime) -> Held:
    """The hold of a service that depends on one whose data is restored: as long as that one's."""
    found = (before and still_led(facts, before)) or leader(facts)
    if found is None:
        return Held()
    name, theirs = found
    whose = f"the data of service {name}"
    if before is None or before.uid != theirs.uid:
        size = before.replicas if before else replicas
        mine = replace(theirs, phase=HoldPhase.STOPPING, since=now, replicas=size, service=name, may_have_changed=False)
        return Held(replace(mine, message=f"{whose} is restored: the pods are about to be stopped"))
    if before.phase is HoldPhase.STOPPING:
        if facts.svc.spec.suspend:
            return _suspended(facts, before)
        return _stopping(facts, before, now, f"{whose} is restored once they have ended")
    ended = "has failed: repeat it, or abort it there" if theirs.has_failed else "is under way"
    return Held(replace(before, message=f"the restore of {whose} {ended}"))


def _begun(facts: Facts, entry: LogEntry, before: Hold | None, replicas: int, now: datetime) -> Hold:
    """before: that of a restore that has failed, and whose place it takes."""
    stops = next((each.stops for each in facts.svc.spec.backups or () if each.name == entry.backup), "Self")
    # Whoever removed a hold by hand did not end its Job: nothing is to be given up meanwhile.
    phase, text = (HoldPhase.RESTORING, entry.message) if entry.job else (HoldPhase.STOPPING, "the pods are about to be stopped")
    begun = Hold(entry.name, entry.uid, entry.backup, entry.snapshot, stops, phase, now, replicas, text, revision=entry.revision)
    if before:
        begun = replace(begun, replicas=before.replicas, may_have_changed=before.may_have_changed)
    return starting(begun, entry, now) if entry.has_data else begun


def _over(facts: Facts, before: Hold, entry: LogEntry | None, now: datetime) -> Held:
    """The hold of a restore that has ended: as long as a pod of it may still write, nobody can give it up, nor repeat it."""
    run, observed = run_of(facts, before), facts.observed
    if run and entry is None and isinstance(run.outcome, Active):
        return _watched(facts, replace(before, message=f"Job {run.job} restores"), run.uid, now)
    ended = _ended(before, entry, run)
    if before.phase is not HoldPhase.RESTORING or ended is None or not observed.sees_pods:
        return Held(ended)
    if observed.namespace_pods is None:
        return Held(before, question=ListMounts())
    left = writers(facts)
    return Held(replace(before, message=left[:1024]), look_at=now + _LOOK_AGAIN) if left else Held(ended)


def _ended(before: Hold, entry: LogEntry | None, run: Run | None) -> Hold | None:
    """run: that of its Job; None where that is not there."""
    outcome = run.outcome if run and isinstance(run.outcome, Restoration) else None
    if entry.phase == "Succeeded" if entry else outcome and not outcome.has_failed and not before.revision:
        return None
    if before.has_failed:
        return before
    lost = f"{outcome.reason}: {outcome.message}" if outcome and outcome.has_failed else "what came of it is not on record any more"
    has_data = before.has_data or (entry is None and outcome is not None and not outcome.has_failed)
    is_unchanged = (entry is not None and not entry.job) or (outcome is not None and outcome.is_unchanged)
    text, changed = entry.message if entry else lost, before.may_have_changed or not is_unchanged
    return replace(before, phase=HoldPhase.NOT_STARTED if has_data else HoldPhase.FAILED, message=text, may_have_changed=changed)


def _watched(facts: Facts, hold: Hold, job: str, now: datetime) -> Held:
    """While its Job is at work: whoever comes to use the data nevertheless cannot be kept away, and is told of. job: the uid of it."""
    observed = facts.observed
    if not observed.sees_pods or "backups" in facts.svc.lacks or facts.svc.spec.suspend:
        return Held(hold)
    if observed.namespace_pods is None:
        return Held(hold, question=ListMounts())
    came = users(facts, hold, job)
    text = "; ".join(filter(None, (hold.message, came)))
    return Held(replace(hold, message=text[:1024]), look_at=now + _WATCH_AGAIN, intruders=came)


def _stopping(facts: Facts, before: Hold, now: datetime, then: str = "its Job is about to be made", *, has_image: bool = True) -> Held:
    """As long as it has no Job. Who uses the data is looked at again in the very look in which that is made."""
    observed, again = facts.observed, now + _LOOK_AGAIN
    waits = replace(before, phase=HoldPhase.STOPPING)
    if not before.service and "backups" in facts.svc.lacks:
        text = "it waits until spec.backups can be used again: nobody can tell now who uses the data; fix it, or abort the restore"
        return Held(replace(waits, message=text))
    if not has_image:
        return Held(replace(waits, message=f"{NO_IMAGE}; or abort the restore"))
    if before.stops == "Dependents" and not before.service:
        late = late_dependents(facts, before)
        return Held(replace(waits, message=late[:1024]), look_at=again) if late else _stopped(before, then)
    if not all_stopped(facts, before) or lacks_target(facts, before):
        return Held(replace(waits, message="its pods are being stopped"), look_at=again)
    if not observed.sees_pods:
        return Held(replace(waits, message="the pods of the namespace could not be listed"), look_at=again)
    if observed.namespace_pods is None:
        return Held(before, question=ListMounts())
    left = ("" if before.service else writers(facts)) or users(facts, before)
    return Held(replace(waits, message=left[:1024]), look_at=again) if left else _stopped(before, then)


def _stopped(before: Hold, then: str) -> Held:
    return Held(replace(before, phase=HoldPhase.RESTORING, message=then), may_begin=before.phase is HoldPhase.RESTORING)

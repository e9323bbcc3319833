"""What becomes of a hold in one look: it begins with a restore, and ends with it, or once somebody gives it up.

It is written down before anything follows from it: that it is there before pods are stopped, that nobody uses the data any more before the
Job is made, and that it is over before pods are started. So it comes to the same end wherever a process is killed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from hardened.core.actions.log import LogEntry
from hardened.core.actions.restores import is_given_up, replacing
from hardened.core.hold.dependents import late_dependents, leader
from hardened.core.hold.starting import lacks_target, starting
from hardened.core.hold.users import all_stopped, users, writers
from hardened.core.model.hold import Hold, HoldPhase
from hardened.core.model.question import ListMounts, Question
from hardened.core.observe.facts import Facts

#: Nobody tells when a pod of somebody else ends.
_LOOK_AGAIN: Final = timedelta(seconds=2)


@dataclass(frozen=True)
class Held:
    """What was decided of a hold."""

    hold: Hold | None = None
    """As status should have it."""
    question: Question | None = None
    """What has to be read before anything can be said."""
    look_at: datetime | None = None
    """When to look again."""

    def has_moved(self, before: Hold | None) -> bool:
        """Whether nothing else may be written before status says so. What is only said otherwise can wait."""
        return _without_words(self.hold) != _without_words(before)


def _without_words(hold: Hold | None) -> Hold | None:
    return replace(hold, message="") if hold else None


def held(facts: Facts, entries: Sequence[LogEntry], replicas: int, now: datetime, *, is_released: bool) -> Held:
    """The hold after this look. entries: of actions, as this look leaves them; replicas: how many pods are wanted; is_released: a release
    is at work, which ends first where the data of another service is restored."""
    before, begun = facts.hold, replacing(entries)
    if begun and (before is None or before.uid != begun.uid):
        return Held(_begun(facts, begun, before.replicas if before else replicas, now))
    if before is None or before.service:
        return Held() if before is None and is_released else _with_leader(facts, before, replicas, now)
    if any(is_given_up(entry) and entry.key == before.uid for entry in entries):
        return Held()
    if begun is None:
        return _over(facts, before, next((entry for entry in entries if entry.uid == before.uid), None), now)
    if begun.has_data:
        return Held(starting(before, begun, now))
    if before.phase is HoldPhase.RESTORING:
        return Held(replace(before, message=begun.message))
    return Held(before) if facts.svc.spec.suspend else _stopping(facts, before, now)


def _with_leader(facts: Facts, before: Hold | None, replicas: int, now: datetime) -> Held:
    """The hold of a service that depends on one whose data is restored: as long as that one's."""
    found = leader(facts)
    if found is None:
        return Held()
    name, theirs = found
    whose = f"the data of service {name}"
    if before is None or before.uid != theirs.uid:
        size = before.replicas if before else replicas
        mine = replace(theirs, phase=HoldPhase.STOPPING, since=now, replicas=size, service=name)
        return Held(replace(mine, message=f"{whose} is restored: the pods are about to be stopped"))
    if before.phase is HoldPhase.STOPPING:
        return Held(before) if facts.svc.spec.suspend else _stopping(facts, before, now, f"{whose} is restored once they have ended")
    ended = "has failed: repeat it, or abort it there" if theirs.has_failed else "is under way"
    return Held(replace(before, message=f"the restore of {whose} {ended}"))


def _begun(facts: Facts, entry: LogEntry, replicas: int, now: datetime) -> Hold:
    stops = next((each.stops for each in facts.svc.spec.backups or () if each.name == entry.backup), "Self")
    # Whoever removed a hold by hand did not end its Job: nothing is to be given up meanwhile.
    phase, text = (HoldPhase.RESTORING, entry.message) if entry.job else (HoldPhase.STOPPING, "the pods are about to be stopped")
    begun = Hold(entry.name, entry.uid, entry.backup, entry.snapshot, stops, phase, now, replicas, text, revision=entry.revision)
    return starting(begun, entry, now) if entry.has_data else begun


def _over(facts: Facts, before: Hold, entry: LogEntry | None, now: datetime) -> Held:
    """The hold of a restore that has ended: as long as a pod of it may still write, nobody can give it up, nor repeat it."""
    ended, observed = _ended(before, entry), facts.observed
    if before.phase is not HoldPhase.RESTORING or ended is None or not observed.sees_pods:
        return Held(ended)
    if observed.namespace_pods is None:
        return Held(before, question=ListMounts())
    left = writers(facts)
    return Held(replace(before, message=left[:1024]), look_at=now + _LOOK_AGAIN) if left else Held(ended)


def _ended(before: Hold, entry: LogEntry | None) -> Hold | None:
    if entry and entry.phase == "Succeeded":
        return None
    if before.has_failed:
        return before
    text = entry.message if entry else "what came of it is not on record any more"
    return replace(before, phase=HoldPhase.NOT_STARTED if before.has_data else HoldPhase.FAILED, message=text)


def _stopping(facts: Facts, before: Hold, now: datetime, then: str = "its Job is about to be made") -> Held:
    observed, again = facts.observed, now + _LOOK_AGAIN
    if before.stops == "Dependents" and not before.service:
        late = late_dependents(facts, before)
        return Held(replace(before, message=late[:1024]), look_at=again) if late else _stopped(before, then)
    if not all_stopped(facts, before) or lacks_target(facts, before):
        return Held(replace(before, message="its pods are being stopped"), look_at=again)
    if not observed.sees_pods:
        return Held(replace(before, message="the pods of the namespace could not be listed"), look_at=again)
    if observed.namespace_pods is None:
        return Held(before, question=ListMounts())
    left = users(facts, before)
    if left:
        return Held(replace(before, message=left[:1024]), look_at=again)
    return _stopped(before, then)


def _stopped(before: Hold, then: str) -> Held:
    return Held(replace(before, phase=HoldPhase.RESTORING, message=then))

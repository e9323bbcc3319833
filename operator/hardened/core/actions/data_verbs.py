"""The verbs on data: what becomes of each in the state that a service is in."""

from dataclasses import replace
from datetime import datetime

from hardened.api.action import HardenedServiceActionSpec
from hardened.api.steps import Step
from hardened.core.actions import backups, restores
from hardened.core.actions.release_verbs import rollback
from hardened.core.actions.ruling import AdmissionContext, Begun, GivenUp, Refused, Ruled


def backup(action: str, name: str, s: AdmissionContext) -> Ruled:
    why = s.stops_backup(action, name)
    return Refused(why) if why else Begun(f"{'verification of ' if action == backups.VERIFY else ''}backup {name} begins", "")


def rollback_with_data(revision: str, s: AdmissionContext, under_way: str, now: datetime) -> Ruled:
    """As a rollback, and as the restore of what belongs to the target; whatever migrated since goes with the data."""
    if why := _hindrance(s, under_way):
        return Refused(why)
    ruled = rollback(revision, s, now)
    if isinstance(ruled, Refused):
        return Refused(f"{ruled.why}; a Restore brings back its data alone") if revision == s.serving else ruled
    if not isinstance(ruled, Begun):
        return ruled
    data = s.data_of(ruled.revision)
    if data.lacks:
        return Refused(data.lacks)
    said = f"rollback to revision {ruled.revision} begins, with snapshot {data.snapshot} of backup {data.backup}, of {data.at}"
    return replace(ruled, said=said, data=data)


def _hindrance(s: AdmissionContext, under_way: str) -> str:
    """Why nothing that replaces data may begin now: a restore or a release is under way; "" for nothing."""
    if s.hold and not s.hold.has_failed:
        return restores.held(s.hold)
    if under_way:
        return f"{under_way} is under way: wait for its end"
    if s.state and s.step is not Step.KEEP:
        return f"revision {s.state.target.revision} is being released: wait for its end, or abort it"
    return ""


def restore(asked: HardenedServiceActionSpec, s: AdmissionContext, under_way: str) -> Ruled:
    held = restores.held(s.hold) if s.hold and not s.hold.has_failed else ""
    why = held or s.stops_restore(asked) or ("" if asked.into else _hindrance(s, under_way))
    into = f", into the new database {asked.into}" if asked.into else ""
    return Refused(why) if why else Begun(f"restore of snapshot {asked.snapshot} of backup {asked.backup} begins{into}", "")


def give_up(backup: str, s: AdmissionContext) -> Ruled:
    why = restores.stops_abort(s.hold, s.sought, backup, is_at_work=s.is_at_work)
    if why:
        return Refused(why)
    text = f"the restore of backup {backup} is given up"
    if s.hold is None or s.hold.has_data:
        return GivenUp(f"{text}: nothing was stopped, nor changed", s.sought.uid if s.sought else "")
    by = "the failed restore" if s.hold.has_failed else "what was begun of it"
    left = f"the data is as {by} has left it" if s.hold.may_have_changed or s.is_let_go else "nothing was changed"
    beside = f"; nothing is rolled back: revision {s.serving} starts again" if s.hold.revision else ""
    return GivenUp(f"{text}, and the pods start: {left}{beside}", (s.sought or s.hold).uid)

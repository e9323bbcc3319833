"""Requests by hand: what becomes of each HardenedServiceAction of a service.

An action is judged once, at first sight: refused with a reason, or accepted with its effect. What was decided is an entry of
status.actions, written before anything follows from it; so a process that is killed, and an action that is deleted meanwhile, change
nothing. The action's own status only repeats its entry.

    Promote, Pause, Resume   done with the entry itself: the state in status.release says so from then on
    Retry                    Running until no mark rejects the revision any more
    Abort                    Running until traffic has left the revision
    Rollback                 Running until traffic has followed to the target, and it is promoted
    Backup, VerifyBackup     Running until their Job has ended, see core.actions.backups
    Restore                  the same, once its snapshot is found and nobody uses the data, see core.actions.restores and core.hold
    Rollback with data       as a Restore, and once the data is back as a Rollback, see core.hold.starting

Data has a lane of its own: a backup neither waits for a release, nor does an action on a release wait for it. But a restore and a release
never are under way together.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from hardened.api.parse_action import HardenedServiceAction, parse_action
from hardened.api.steps import Step
from hardened.core.actions import backups, data_verbs, restores, seeking
from hardened.core.actions.log import FINAL, LogEntry, bounded, has_room
from hardened.core.actions.release_verbs import VERBS
from hardened.core.actions.ruling import AdmissionContext, Begun, Done, GivenUp, Refused, Ruled
from hardened.core.actions.with_data import serves_again, starts_no_more
from hardened.core.model.hold import Hold, HoldPhase
from hardened.core.model.input import Input, RollbackRequest
from hardened.core.model.reasons import Reason
from hardened.core.model.state import Rejection, ReleaseState
from hardened.errors import InvalidSpec

#: An action that is older than this when it is seen first was meant for another state of the service.
MOST_AGE = timedelta(minutes=5)
#: In which order actions are judged that are seen together.
_ORDER = ("Rollback", "Abort")
#: Actions on data.
_OF_DATA = (backups.BACKUP, backups.VERIFY, restores.RESTORE)
#: What may be asked for while a restore has stopped the pods.
_IN_HOLD = (backups.VERIFY, restores.RESTORE, "Abort")


@dataclass(frozen=True)
class Admission:
    """What was decided."""

    entries: tuple[LogEntry, ...]
    state: ReleaseState | None
    """As an accepted action leaves it."""
    is_news: bool = False
    """Status does not say so yet."""


def unseen(bodies: Iterable[Mapping[str, Any]], entries: Iterable[LogEntry]) -> list[HardenedServiceAction]:
    """The actions that are to be judged. One whose spec cannot be used is answered without an entry: it can have no effect."""
    known, found = {entry.name for entry in entries}, []
    for body in bodies:
        meta, status = body["metadata"], body.get("status") or {}
        if meta["name"] in known or status.get("phase") in FINAL or meta.get("deletionTimestamp"):
            continue
        with suppress(InvalidSpec):
            found.append(parse_action(body))
    return found


def judged(
    actions: Iterable[HardenedServiceAction],
    entries: Sequence[LogEntry],
    context: AdmissionContext,
    now: datetime,
    present: Collection[str] = (),
    unanswered: Collection[str] = (),
) -> Admission:
    """Judges actions at first sight; at most one is accepted, the others wait for what comes of it, or for room to be remembered in.

    entries: what is remembered; present, unanswered: see `bounded`; now: timezone-aware.
    """
    if context.is_deaf:
        return Admission(tuple(entries), context.state)
    under_way = next((e.action for e in entries if e.phase == "Running" and e.action not in _OF_DATA), "")
    found, open_ones = list(entries), set(unanswered)
    for action in sorted(actions, key=_urgency):
        if under_way not in ("", "Rollback") and action.spec.action not in ("Rollback", *_OF_DATA):
            continue
        if not has_room(found, open_ones):
            break
        ruled = _ruled(action, context, under_way, now)
        if isinstance(ruled, Begun) and action.spec.action == "Rollback":
            found = [_overtaken(entry, now) for entry in found]
        found.append(_entry(action, ruled, now))
        open_ones.add(action.name)
        if not isinstance(ruled, Refused):
            state = ruled.state if isinstance(ruled, Done) else context.state
            return Admission(bounded(found, present, open_ones), state, is_news=True)
    return Admission(bounded(found, present, open_ones), context.state, is_news=len(found) > len(entries))


def _overtaken(entry: LogEntry, now: datetime) -> LogEntry:
    """What a rollback takes the place of: it rejects what a retry forgives."""
    is_retry = entry.action == "Retry" and entry.phase == "Running"
    return entry.ended("Failed", "a rollback superseded it: retry after the rollback", now) if is_retry else entry


def pending_rollback(entries: Iterable[LogEntry], hold: Hold | None = None) -> RollbackRequest | None:
    """The rollback that is on its way; one with data once its data is back, and status says so. hold: as status has it."""
    entry = _running(entries, "Rollback")
    if entry is None or (entry.takes_data and not (hold and hold.uid == entry.uid and hold.phase is HoldPhase.STARTING)):
        return None
    return RollbackRequest(entry.revision, Rejection(entry.left, entry.key, Reason.ROLLED_BACK, entry.by, after_cutover=True))


def pending_abort(entries: Iterable[LogEntry], state: ReleaseState | None) -> str | None:
    """Who aborts the state's release, and why; None where nobody does."""
    entry = _running(entries, "Abort")
    return entry.by if entry and state and state.target.revision == entry.revision else None


def pending_retry(entries: Iterable[LogEntry]) -> str:
    """The key that is to be forgotten; "" for none."""
    entry = _running(entries, "Retry")
    return entry.key if entry else ""


def settled(
    entries: Iterable[LogEntry], state: ReleaseState | None, seen: Input, marked: Collection[str], failed: str, now: datetime
) -> tuple[LogEntry, ...]:
    """The entries once the state is as given. marked: the keys that annotations reject; failed: why a rollback ended without success."""
    return tuple(_settled(e, state, seen, marked, failed, now) if e.phase == "Running" else e for e in entries)


def _settled(entry: LogEntry, state: ReleaseState | None, seen: Input, marked: Collection[str], failed: str, now: datetime) -> LogEntry:
    stable = seen.stable.revision if seen.stable else ""
    is_back = state is not None and state.step is Step.SWITCH_BACK and state.confirmed_at is not None
    is_quiet = state is None or state.step in (Step.KEEP, Step.UNDO) or is_back
    match entry.action:
        case "Retry" if entry.key not in marked:
            return entry.ended("Succeeded", f"revision {entry.revision} is released again", now)
        case "Rollback" if failed:
            return entry.ended("Failed", f"revision {entry.revision} does not serve: {failed}{starts_no_more(entry)}", now)
        case "Rollback" if is_quiet and stable == entry.revision:
            text = f"revision {entry.revision} serves again{serves_again(entry)}; {entry.left} is rejected until it is retried"
            return entry.ended("Succeeded", text, now)
        case "Abort" if state and state.target.revision == entry.revision and state.step is Step.KEEP:
            return entry.ended("Failed", f"revision {entry.revision} was promoted first: roll back instead", now)
        case "Abort" if is_quiet or (state and state.target.revision != entry.revision):
            return entry.ended("Succeeded", f"the release of revision {entry.revision} has ended", now)
        case _:
            return entry


# ---- first sight


def _urgency(action: HardenedServiceAction) -> tuple[int, str, str]:
    verb = action.spec.action
    return _ORDER.index(verb) if verb in _ORDER else len(_ORDER), str(action.created_at), action.name


def _entry(action: HardenedServiceAction, ruled: Ruled, now: datetime) -> LogEntry:
    spec = action.spec
    by = f"{spec.requested_by}: {spec.reason}" if spec.reason else spec.requested_by
    entry = LogEntry(
        action.name,
        action.uid,
        spec.action,
        "Running",
        "",
        now,
        revision=spec.revision or "",
        by=by,
        backup=spec.backup or "",
        snapshot=spec.snapshot or "",
        into=spec.into or "",
    )
    match ruled:
        case Refused(why=why):
            return entry.ended("Refused", why, now)
        case Done(said=said):
            return entry.ended("Succeeded", said, now)
        case GivenUp(said=said, key=key):
            return replace(entry, key=key).ended("Succeeded", said, now)
        case Begun(data=data):
            begun = replace(entry, message=ruled.said, revision=ruled.revision, key=ruled.key, left=ruled.left)
            return replace(begun, backup=data.backup, snapshot=data.snapshot) if data else begun


def _running(entries: Iterable[LogEntry], action: str) -> LogEntry | None:
    return next((e for e in entries if e.action == action and e.phase == "Running"), None)


# ---- what becomes of one


def _ruled(action: HardenedServiceAction, context: AdmissionContext, under_way: str, now: datetime) -> Ruled:
    if context.hold and context.hold.uid == action.uid and action.spec.action == restores.RESTORE:
        return Begun("the restore goes on", "")  # somebody wiped what was on record of it
    if why := _out_of_turn(action, context, under_way, now):
        return Refused(why)
    if action.spec.with_data:
        return data_verbs.rollback_with_data(action.spec.revision or "", context, under_way, now)
    if action.spec.action == "Abort" and action.spec.backup:
        return data_verbs.give_up(action.spec.backup, context)
    if action.spec.action == restores.RESTORE:
        return data_verbs.restore(action.spec, context, under_way)
    if action.spec.action in _OF_DATA:
        return data_verbs.backup(action.spec.action, action.spec.backup or "", context)
    ruled = VERBS[action.spec.action](action.spec.revision or "", context, now)
    if isinstance(ruled, Begun) and action.spec.action == "Rollback" and not action.spec.across_migration:
        crossed = context.crosses(ruled.revision)
        if crossed:
            return Refused(
                f"the migration of revision {crossed} has run since revision {ruled.revision} was promoted, and a rollback does not undo "
                f"it: if revision {ruled.revision} works with the migrated data, set acrossMigration"
            )
    return ruled


def _out_of_turn(action: HardenedServiceAction, context: AdmissionContext, under_way: str, now: datetime) -> str:
    """Why no action of this kind is done now, whatever it names; "" where it may be."""
    verb = action.spec.action
    if action.created_at is not None and now - action.created_at > MOST_AGE:
        return "it was more than 5 minutes old when the operator first saw it: create it again if you still want it"
    if context.obstacle:
        return context.obstacle
    if context.hold and not action.spec.with_data and (verb not in _IN_HOLD or (verb == "Abort" and not action.spec.backup)):
        return restores.held(context.hold)
    if context.sought and verb not in _OF_DATA and not action.spec.backup:
        return seeking.under_way(context.sought)
    if context.seen.is_held and verb not in _ORDER:
        return "the spec cannot be used, and nothing new is released until it is fixed: see the Ready condition"
    if under_way == "Rollback" and verb not in ("Abort", *_OF_DATA):
        return "a rollback is under way: wait for its end, or abort it before its cutover"
    return ""

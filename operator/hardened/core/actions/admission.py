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

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from hardened.api.action import HardenedServiceActionSpec
from hardened.api.parse import HardenedServiceAction, parse_action
from hardened.api.steps import Step
from hardened.core.actions import backups, restores, seeking
from hardened.core.actions.log import FINAL, LogEntry, bounded, has_room
from hardened.core.actions.with_data import DataOf, serves_again, starts_no_more
from hardened.core.model.hold import Hold, HoldPhase
from hardened.core.model.input import Input, RollbackRequest
from hardened.core.model.reasons import Reason
from hardened.core.model.state import Rejection, ReleaseState
from hardened.core.model.timing import paused, resumed
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
class RollbackTarget:
    """A revision that can be gone back to: it was promoted, is stored, and is not rejected."""

    revision: str
    promotion: int
    """The number of its last promotion."""


@dataclass(frozen=True)
class AdmissionContext:
    """What actions are judged by."""

    state: ReleaseState | None
    seen: Input
    targets: Callable[[], Sequence[RollbackTarget]]
    """Finds what can be gone back to, the last promoted first."""
    key: Callable[[str], str]
    """Of a revision, see ReleaseState."""
    obstacle: str = ""
    """Why nothing can be done by hand."""
    is_deaf: bool = False
    """What is decided could not be written down, under an older CRD."""
    crosses: Callable[[str], str] = lambda _: ""
    """Finds a revision whose migration ran since another was promoted, "" for none."""
    stops_backup: Callable[[str, str], str] = lambda _action, _name: ""
    """Finds why this action on the backup of this name cannot begin, "" for nothing."""
    stops_restore: Callable[[HardenedServiceActionSpec], str] = lambda _: ""
    """Finds why this restore cannot begin, whatever is released; "" for nothing."""
    data_of: Callable[[str], DataOf] = lambda _: DataOf()
    """Finds the data that belongs to a revision, for a rollback with data."""
    hold: Hold | None = None
    """What keeps the service without pods, as status has it."""
    sought: LogEntry | None = None
    """The restore whose snapshot is looked up."""

    @property
    def is_before_cutover(self) -> bool:
        """Whether a release is at work, and traffic has not been led to it yet."""
        return self.step is not None and self.step.row.before_cutover

    @property
    def step(self) -> Step | None:
        """Where the release is; in Keep already, where only the state does not say so yet."""
        if self.state and self.state.step is Step.VERIFY_AFTER and self.seen.stable == self.state.target:
            return Step.KEEP
        return self.state.step if self.state else None

    @property
    def serving(self) -> str:
        """The revision that clients were led to last; "" for none."""
        if self.state and self.step in (Step.CUTOVER, Step.VERIFY_AFTER) and not self.state.is_by_hand:
            return self.state.target.revision
        return self.seen.stable.revision if self.seen.stable else ""


@dataclass(frozen=True)
class Admission:
    """What was decided."""

    entries: tuple[LogEntry, ...]
    state: ReleaseState | None
    """As an accepted action leaves it."""
    is_news: bool = False
    """Status does not say so yet."""


@dataclass(frozen=True)
class _Refused:
    why: str


@dataclass(frozen=True)
class _Begun:
    """Its effect is on its way."""

    said: str
    revision: str
    """Whose."""
    key: str = ""
    """See ReleaseState."""
    left: str = ""
    """See LogEntry."""
    data: DataOf | None = None
    """Of a rollback: what is restored with it."""


@dataclass(frozen=True)
class _Done:
    said: str
    state: ReleaseState


@dataclass(frozen=True)
class _GivenUp:
    """An abort has ended a hold."""

    said: str
    key: str
    """See LogEntry."""


_Ruled = _Refused | _Begun | _Done | _GivenUp


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
        if isinstance(ruled, _Begun) and action.spec.action == "Rollback":
            found = [_overtaken(entry, now) for entry in found]
        found.append(_entry(action, ruled, now))
        open_ones.add(action.name)
        if not isinstance(ruled, _Refused):
            state = ruled.state if isinstance(ruled, _Done) else context.state
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


def _entry(action: HardenedServiceAction, ruled: _Ruled, now: datetime) -> LogEntry:
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
        case _Refused(why=why):
            return entry.ended("Refused", why, now)
        case _Done(said=said):
            return entry.ended("Succeeded", said, now)
        case _GivenUp(said=said, key=key):
            return replace(entry, key=key).ended("Succeeded", said, now)
        case _Begun(data=data):
            begun = replace(entry, message=ruled.said, revision=ruled.revision, key=ruled.key, left=ruled.left)
            return replace(begun, backup=data.backup, snapshot=data.snapshot) if data else begun


def _running(entries: Iterable[LogEntry], action: str) -> LogEntry | None:
    return next((e for e in entries if e.action == action and e.phase == "Running"), None)


# ---- the verbs


def _ruled(action: HardenedServiceAction, context: AdmissionContext, under_way: str, now: datetime) -> _Ruled:
    if context.hold and context.hold.uid == action.uid and action.spec.action == restores.RESTORE:
        return _Begun("the restore goes on", "")  # somebody wiped what was on record of it
    if why := _out_of_turn(action, context, under_way, now):
        return _Refused(why)
    if action.spec.with_data:
        return _rollback_with_data(action.spec.revision or "", context, under_way, now)
    if action.spec.action == "Abort" and action.spec.backup:
        return _give_up(action.spec.backup, context)
    if action.spec.action == restores.RESTORE:
        return _restore(action.spec, context, under_way)
    if action.spec.action in _OF_DATA:
        return _backup(action.spec.action, action.spec.backup or "", context)
    ruled = _VERBS[action.spec.action](action.spec.revision or "", context, now)
    if isinstance(ruled, _Begun) and action.spec.action == "Rollback" and not action.spec.across_migration:
        crossed = context.crosses(ruled.revision)
        if crossed:
            return _Refused(
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


def _rollback(revision: str, s: AdmissionContext, _: datetime) -> _Ruled:
    if s.seen.replicas == 0:
        return _Refused("the spec asks for 0 replicas: nothing serves, so there is nothing to roll back")
    possible = [t for t in s.targets() if t.revision != s.serving]
    choice = f"possible targets are {', '.join(t.revision for t in possible)}" if possible else "there is none to roll back to"
    if revision == s.serving != "":
        is_early = s.is_before_cutover
        return _Refused(f"revision {revision} already serves; {'Abort ends the release; ' if is_early else ''}{choice}")
    if s.step is Step.SWITCH_BACK and s.seen.stable and revision in ("", s.seen.stable.revision):
        return _Refused(f"traffic is already being switched back to revision {s.seen.stable.revision}")
    if revision and revision not in {t.revision for t in possible}:
        return _Refused(f"revision {revision} was never promoted, is no longer kept, or is rejected: {choice}")
    if not possible:
        return _Refused(f"no other revision is kept that was promoted and not rejected: {choice}; Retry releases a rejected one again")
    to = revision or possible[0].revision
    return _Begun(f"rolling back to revision {to}", to, s.key(s.serving), s.serving)


def _promote(revision: str, s: AdmissionContext, _: datetime) -> _Ruled:
    state = s.state
    if state is None or state.is_rollback or not s.is_before_cutover or not s.seen.policy.is_manual:
        return _Refused("no release awaits promotion")
    if state.target.revision != revision:
        return _Refused(f"the revision to promote is {state.target.revision}, not {revision}: check what changed")
    if state.is_approved or s.step is Step.SCALE_UP:
        return _Refused(f"revision {revision} is already promoted")
    then = "" if s.step is Step.APPROVAL else " once its checks have passed"
    return _Done(
        f"revision {revision} takes over{then}{', when it is resumed' if state.paused_at else ''}", replace(state, is_approved=True)
    )


def _abort(revision: str, s: AdmissionContext, _: datetime) -> _Ruled:
    state = s.state
    if state is None or s.step in (Step.KEEP, Step.SWITCH_BACK, Step.UNDO):
        return _Refused("no release is in progress" if s.step is not Step.KEEP else "the release was promoted: roll back instead")
    if state.target.revision != revision:
        return _Refused(f"revision {state.target.revision} is being released, not {revision}")
    if state.is_rollback and not s.is_before_cutover:
        return _Refused("the rollback is in its cutover: it ends within its deadline")
    return _Begun(f"aborting the release of revision {revision}", revision, state.key)


def _retry(revision: str, s: AdmissionContext, _: datetime) -> _Ruled:
    if s.seen.wanted != revision:
        return _Refused(f"the spec asks for revision {s.seen.wanted}, not {revision}")
    if s.seen.key not in s.seen.rejected:
        return _Refused(f"revision {revision} is not rejected")
    return _Begun(f"revision {revision} is released again", revision, s.seen.key)


def _pause(revision: str, s: AdmissionContext, now: datetime) -> _Ruled:
    state = s.state
    if state is None or s.step is Step.KEEP:
        return _Refused("no release is in progress")
    if not s.is_before_cutover or state.is_rollback:
        return _Refused(f"a release cannot be paused in {s.step}: it has to finish" if not state.is_rollback else "a rollback is under way")
    if revision not in ("", state.target.revision):
        return _Refused(f"revision {state.target.revision} is being released, not {revision}")
    if state.paused_at:
        return _Refused("the release is already paused")
    return _Done(f"the release of revision {state.target.revision} is paused in {s.step}", paused(state, now))


def _resume(revision: str, s: AdmissionContext, now: datetime) -> _Ruled:
    state = s.state
    if state is None or not state.paused_at:
        return _Refused("no release is paused")
    if revision not in ("", state.target.revision):
        return _Refused(f"the release of revision {state.target.revision} is paused, not {revision}")
    return _Done(f"the release of revision {state.target.revision} continues in {s.step}", resumed(state, now))


def _backup(action: str, name: str, s: AdmissionContext) -> _Ruled:
    why = s.stops_backup(action, name)
    return _Refused(why) if why else _Begun(f"{'verification of ' if action == backups.VERIFY else ''}backup {name} begins", "")


def _rollback_with_data(revision: str, s: AdmissionContext, under_way: str, now: datetime) -> _Ruled:
    """As a rollback, and as the restore of what belongs to the target; whatever migrated since goes with the data."""
    if why := _hindrance(s, under_way):
        return _Refused(why)
    ruled = _rollback(revision, s, now)
    if isinstance(ruled, _Refused):
        return _Refused(f"{ruled.why}; a Restore brings back its data alone") if revision == s.serving else ruled
    if not isinstance(ruled, _Begun):
        return ruled
    data = s.data_of(ruled.revision)
    if data.lacks:
        return _Refused(data.lacks)
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


def _restore(asked: HardenedServiceActionSpec, s: AdmissionContext, under_way: str) -> _Ruled:
    held = restores.held(s.hold) if s.hold and not s.hold.has_failed else ""
    why = held or s.stops_restore(asked) or ("" if asked.into else _hindrance(s, under_way))
    into = f", into the new database {asked.into}" if asked.into else ""
    return _Refused(why) if why else _Begun(f"restore of snapshot {asked.snapshot} of backup {asked.backup} begins{into}", "")


def _give_up(backup: str, s: AdmissionContext) -> _Ruled:
    why = restores.stops_abort(s.hold, s.sought, backup)
    if why:
        return _Refused(why)
    text = f"the restore of backup {backup} is given up"
    if s.hold is None or s.hold.has_data:
        return _GivenUp(f"{text}: nothing was stopped, nor changed", s.sought.uid if s.sought else "")
    left = "the data is as the failed restore has left it" if s.hold.may_have_changed else "nothing was changed"
    beside = f"; nothing is rolled back: revision {s.serving} starts again" if s.hold.revision else ""
    return _GivenUp(f"{text}, and the pods start: {left}{beside}", (s.sought or s.hold).uid)


_VERBS: Mapping[str, Callable[[str, AdmissionContext, datetime], _Ruled]] = {
    "Rollback": _rollback,
    "Promote": _promote,
    "Abort": _abort,
    "Retry": _retry,
    "Pause": _pause,
    "Resume": _resume,
}

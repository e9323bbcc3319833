"""Releases in which the new revision takes the place of the old one: RollingUpdate and Recreate.

    Preflight, Queued, Migrate, Undo: as in `machine`
    Cutover      RollingUpdate: the one Deployment replaces its pods. Recreate: the old colour's pods go; once all of them are gone, the
                 other colour comes up, and the switch Service follows
    VerifyAfter  nothing else runs any more: it is watched
    SwitchBack   it failed, or is no longer wanted: stable comes back by the same path

`step` and `demand` are what they are in `machine`, and share its record. Nothing runs beside what serves, so there is nothing to keep, and
nothing that a newer spec would have to wait for: it takes over in every step. Only a migration that is to be undone is undone first; from
Cutover on, where it is to be undone then, too, stable comes back before that.

With Recreate no two revisions ever run at once. That is held by `demand` alone, which lets no pod come up while one of another place may be
left; no step and no memory is needed for it.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hardened.api.strategy import Strategy
from hardened.core.model.reasons import Reason
from hardened.core.model.release import (
    BEFORE_CUTOVER,
    COLORS,
    DesiredState,
    Input,
    Migration,
    Rejection,
    ReleasePolicy,
    ReleaseState,
    Stack,
    Step,
    Target,
    Transition,
    Verdict,
    other,
)
from hardened.core.release.by_hand import left_for_another
from hardened.core.release.migrations import begun_migration, migrate
from hardened.core.release.moves import abandoned, late, left_of, look_at, none_ready, renewed, unseen_window

#: How often it is looked whether the last pod of the other revision has gone: nobody tells of a pod, and meanwhile nothing serves.
GONE_WAIT = timedelta(seconds=1)


@dataclass(frozen=True)
class InPlace(Input):
    """A Input of a service whose revisions replace each other.

    strategy: of a release that begins now; color: the one in use; is_clear: nobody lets another place run any more, of those who decided
    to before. With Recreate, of `target`: has_clients: it has ports; is_clear: no pod of another place is left either, so that its own may
    come; is_free: its Deployment has no pods of another revision, so that its template may be written. With RollingUpdate: is_lost: what
    was stored of stable was deleted, and nothing tells what it was: the Deployment stays as it is; has_followed: every endpoint of clients
    is a pod of what the Deployment runs, and one of them is ready, or there are no clients.
    """

    strategy: Strategy = "RollingUpdate"
    color: str = COLORS[0]
    has_clients: bool = False
    is_clear: bool = True
    is_free: bool = True
    is_lost: bool = False
    has_followed: bool = True


#: The steps in which nothing has begun yet.
WAITING = frozenset({Step.PREFLIGHT, Step.QUEUED})


def target(record: ReleaseState | None, stable: Target | None) -> Target | None:
    """What is to run."""
    return record.place if record is not None and record.step in (Step.CUTOVER, Step.VERIFY_AFTER) else stable


def step(record: ReleaseState | None, view: InPlace, terms: ReleasePolicy, now: datetime) -> Transition:
    """At most one move. The same record where nothing moves: then `demand` is what is to be done."""
    begun = begun_migration(record, view, terms, now, lambda: step(None, view, terms, now))
    if begun:
        return begun
    if record is not None and record.step is not Step.SWITCH_BACK and view.stable == record.place:
        return Transition(None)  # marked as promoted, and the process ended before it wrote this
    asked = _aborted(record, view) or _rolled_back(record, view, terms, now)
    if asked:
        return asked
    if record is None or record.step in WAITING:
        return _begin(record, view, terms, now)
    if record.step is Step.MIGRATE:
        return _migrate(record, view, terms, now)
    if view.replicas == 0:
        return Transition(_over(record, view), failed="0 replicas are wanted" if record.is_rollback else "")
    if record.key in view.rejected and record.step is not Step.SWITCH_BACK:
        return Transition(_leaving(record, view, is_rejected=True))  # marked, and the process ended before it wrote this
    if view.wanted != record.place.revision and not record.is_rollback:
        newer = Transition(None) if _over(record, view) else _begin(record, view, terms, now)
        if newer.record or record.step is not Step.SWITCH_BACK:
            return newer if newer.record else Transition(_leaving(record, view), leaves=True)
    match record.step:
        case Step.CUTOVER:
            return _cutover(record, view, terms, now)
        case Step.VERIFY_AFTER:
            return _verify_after(record, view, terms, now)
        case _:
            is_back = view.stable is None or view.is_lost or _is_up(view.stable, view.replicas, view)
            is_back = is_back and view.traffic.epoch in (None, record.recall)
            if is_back and record.left and record.left.key not in view.rejected:
                return Transition(record, rejects=record.left)  # as long as it is not marked it would be released again
            left = _over(record, view) if is_back else None
            if left and view.is_lost:
                # Its pods stay, and while one is there nothing is undone.
                problem = "what is stored of the version before was deleted, so that this one's pods run on"
                left = replace(left, migration=Migration.NOT_UNDONE, undo_problem=problem, deadline=None)
            return Transition(left) if is_back else _waiting(record, view, now)


def demand(record: ReleaseState | None, view: InPlace) -> DesiredState:
    """What the record asks for."""
    place = target(record, view.stable)
    if place is None:
        return DesiredState()
    has_come = record is not None and place == record.place and record.cutover_at is not None
    if (record.strategy if record else view.strategy) == "RollingUpdate":
        # Until the rollout is complete clients have the ports of stable, and before the first release no pod.
        return DesiredState({place.color: Stack(place.revision, view.replicas)}, place if has_come else view.stable)
    stack = view.stacks.get(place.color, Stack(""))
    running = stack.wanted if stack.revision == place.revision else 0
    size = view.replicas if view.is_clear else min(view.replicas, running)
    stacks = {place.color: Stack(place.revision, size)} if view.is_free else {}
    has_come = has_come or view.traffic.leads_to == place or _is_there(place, _least(record, view), view)
    return DesiredState(stacks, place if has_come else view.stable)


# ---- the steps


def _begin(record: ReleaseState | None, view: InPlace, terms: ReleasePolicy, now: datetime) -> Transition:
    """A new release. record: the one that waits for its place, or makes way."""
    stable = view.stable
    if record is not None and record.paused_at and record.step in WAITING and record.key not in view.rejected:
        return Transition(None if stable and view.wanted == stable.revision else record)
    if view.is_held:
        return Transition(record)
    is_wanted = view.wanted != (stable.revision if stable else "") and view.key not in view.rejected and view.replicas > 0
    if not is_wanted or view.hooks.is_busy or view.strategy == "BlueGreen" or (record is not None and record.strategy != view.strategy):
        return Transition(None)
    if record is not None and record.key == view.key:
        return Transition(_admitted(record, view, terms, now))
    if stable and view.strategy == "RollingUpdate" and view.traffic.is_strange:
        return Transition(None)  # a selector of one revision goes first: the pods that come would get no traffic
    begun = ReleaseState(_free_place(view, view.wanted), view.key, Step.QUEUED, now, strategy=view.strategy)
    return Transition(_admitted(begun, view, terms, now))


def _admitted(record: ReleaseState, view: InPlace, terms: ReleasePolicy, now: datetime) -> ReleaseState:
    """At work, or waiting: for what it depends on, then for its place. The first one waits for none: nothing serves before it."""
    if view.hooks.waits_for or view.hooks.is_held:
        return replace(record, step=Step.PREFLIGHT)
    if not view.has_place and view.stable is not None:
        return replace(record, step=Step.QUEUED)
    if terms.migrates_within is not None:
        return replace(record, step=Step.MIGRATE, deadline=now + terms.migrates_within)
    return _entered(record, view, terms, now)


def _free_place(view: InPlace, revision: str) -> Target:
    is_other = view.strategy == "Recreate" and view.stable is not None
    return Target(other(view.stable.color) if is_other and view.stable else view.color, revision)


def _entered(record: ReleaseState, view: InPlace, terms: ReleasePolicy, now: datetime) -> ReleaseState:
    return replace(record, step=Step.CUTOVER, deadline=now + terms.progress_deadline, replicas=view.replicas)


def _migrate(record: ReleaseState, view: InPlace, terms: ReleasePolicy, now: datetime) -> Transition:
    """Stable serves meanwhile."""
    if view.is_held:
        return Transition(record)
    if view.key == record.key and view.key not in view.rejected and view.replicas > 0:
        return migrate(record, view, now, lambda: _entered(record, view, terms, now))
    left = left_of(record, view)
    return Transition(left) if left else _begin(record, view, terms, now)


def _cutover(record: ReleaseState, view: InPlace, terms: ReleasePolicy, now: datetime) -> Transition:
    if _is_up(record.place, _least(record, view), view):
        if record.is_rollback:
            return Transition(record, promotes=record.place.revision, rejects=record.left)
        is_watched = terms.is_watched_after(view.stable)
        if not is_watched and record.strategy == "Recreate":
            return Transition(record, promotes=record.place.revision)
        # With RollingUpdate clients are led to the first revision with this step, and not before.
        ends = now + (terms.window if is_watched else timedelta())
        return Transition(replace(record, step=Step.VERIFY_AFTER, deadline=None, available=0, cutover_at=now, window_ends_at=ends))
    stack = view.stacks.get(record.place.color, Stack(""))
    is_down = view.traffic.leads_to == record.place and stack.is_settled and stack.available == 0
    if view.stable and view.has_clients and is_down and not view.is_taken_away:  # there is something to go back to
        return _failed(record, view, Reason.NO_PODS_AVAILABLE, none_ready(view, "no pod of the new revision was ready after the cutover"))
    if further := renewed(record, view, terms, now):
        return Transition(further)
    if record.deadline is not None and now >= record.deadline:
        text = "the cutover did not end within its deadline"
        if not view.is_clear:
            left = "the pods of the previous revision are not all gone"
            return _failed(record, view, Reason.PROGRESS_DEADLINE_EXCEEDED, f"{text}: {left}")
        return _failed(record, view, *late(view, text, "not all of its pods were available"))
    return Transition(record, look_at=look_at(record, view, terms, now) if view.is_clear else now + GONE_WAIT)


def _verify_after(record: ReleaseState, view: InPlace, terms: ReleasePolicy, now: datetime) -> Transition:
    stack = view.stacks.get(record.place.color, Stack(""))
    if stack.is_settled and stack.available == 0 and view.is_taken_away:
        return Transition(_up_again(record, terms, now))
    if stack.is_settled and stack.available == 0:
        return _failed(record, view, Reason.NO_PODS_AVAILABLE, none_ready(view, "no pod of the new revision is ready"))
    verdict, said = view.after
    if verdict is Verdict.FAILED:
        return _failed(record, view, Reason.CHECK_FAILED, said)
    if anew := unseen_window(record, view, terms, now):
        return anew
    ends = record.window_ends_at or now
    if now < ends:
        return Transition(record, look_at=ends)
    if view.is_blind:
        return Transition(record)
    if verdict is Verdict.PASSED and (view.has_followed or terms.is_watched_after(view.stable)):
        return Transition(record, promotes=record.place.revision)
    if now >= ends + terms.progress_deadline:
        return _failed(record, view, Reason.NO_DATA, said or "nobody could say how the new revision does")
    return Transition(record, look_at=ends + terms.progress_deadline)


def _up_again(record: ReleaseState, terms: ReleasePolicy, now: datetime) -> ReleaseState:
    """The record of a release whose pods were taken away in its window: going back would not bring them back any sooner.

    They are waited for, and the window begins anew with them: what its checks found meanwhile says nothing of the revision. cutover_at
    stays, and tells that they were up before.
    """
    return replace(record, step=Step.CUTOVER, deadline=now + terms.progress_deadline, available=0, window_ends_at=None)


def _waiting(record: ReleaseState, view: InPlace, now: datetime) -> Transition:
    return Transition(record, look_at=record.deadline if view.is_clear else now + GONE_WAIT)


def _is_up(place: Target, least: int, view: InPlace) -> bool:
    """Whether a place runs alone, and clients have followed to it."""
    if not view.is_clear or not _is_there(place, least, view):
        return False
    traffic = view.traffic
    return not view.has_clients or (traffic.leads_to == place and traffic.has_followed and traffic.ready >= least)


def _is_there(place: Target, least: int, view: InPlace) -> bool:
    stack = view.stacks.get(place.color, Stack(""))
    return stack.revision == place.revision and stack.is_settled and stack.available >= least


def _least(record: ReleaseState | None, view: InPlace) -> int:
    """How many pods must be available: no more than were wanted at first, however much is scaled meanwhile.

    By hand a single one, once nobody else serves: who asks for that has judged what served.
    """
    if record is not None and record.is_rollback and record.step is Step.CUTOVER:
        return 1
    return max(1, min(view.replicas, record.replicas if record is not None and record.replicas is not None else view.replicas))


# ---- back


def _failed(record: ReleaseState, view: InPlace, reason: Reason, message: str) -> Transition:
    """Rejected, and back to stable. A revision that was to be gone back to is not rejected: it served once."""
    if record.step in BEFORE_CUTOVER:
        return abandoned(record, view, reason, message)
    if record.is_rollback:
        return Transition(_leaving(record, view), failed=message, leaves=True)
    rejection = Rejection(record.place.revision, record.key, reason, message, after_cutover=_has_served(record, view))
    return Transition(record, rejects=rejection)


def _has_served(record: ReleaseState, view: InPlace) -> bool:
    """From Cutover on. Before the first release nobody is led to it until it has come up."""
    return view.stable is not None or record.step is not Step.CUTOVER or record.cutover_at is not None


def _leaving(record: ReleaseState, view: InPlace, *, is_rejected: bool = False) -> ReleaseState | None:
    """The record in SwitchBack; what is left of it where there is nothing to go back to."""
    back = replace(record, step=Step.SWITCH_BACK, deadline=None, available=0, left=None, is_rejected=is_rejected)
    return back if view.stable else _over(record, view)


def _over(record: ReleaseState, view: InPlace) -> ReleaseState | None:
    """What is left of a release that is over from Cutover on: its migration, where it is to be undone then, too."""
    return left_of(record, view) if view.hooks.undoes_late or not _has_served(record, view) else None


def _aborted(record: ReleaseState | None, view: InPlace) -> Transition | None:
    """As after a failed check. None where nobody asked for it, or where it comes too late."""
    if record is None or view.abort is None or record.step is Step.SWITCH_BACK or record.key in view.rejected:
        return None
    return Transition(None) if record.is_rollback else _failed(record, view, Reason.ABORTED, view.abort)


def _rolled_back(record: ReleaseState | None, view: InPlace, terms: ReleasePolicy, now: datetime) -> Transition | None:
    """The first move of a rollback, in which no gate is passed but the target's own pods. None where it is under way, or has to wait."""
    asked, stable = view.rollback, view.stable
    if asked is None or stable is None or (record is not None and (record.is_rollback or record.step is Step.SWITCH_BACK)):
        return None
    if abandons := left_for_another(record, view):
        return abandons
    if record is not None and record.step is Step.MIGRATE and (left := left_of(record, view)):
        return Transition(left)
    if record is not None and record.step not in BEFORE_CUTOVER:
        # Stable first, for an older one as well: what is left must be marked by then.
        return (
            Transition(record, rejects=asked.left)
            if asked.left.key not in view.rejected
            else Transition(_leaving(record, view, is_rejected=True))
        )
    if asked.to == stable.revision or view.strategy == "BlueGreen" or (view.strategy == "RollingUpdate" and view.traffic.is_strange):
        return None
    back = ReleaseState(_free_place(view, asked.to), "", Step.CUTOVER, now, is_rollback=True, left=asked.left, strategy=view.strategy)
    return Transition(_entered(back, view, terms, now))

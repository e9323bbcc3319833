"""The verbs on a release: what becomes of each in the state that a service is in. Each is given the revision that is named, "" for none."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from hardened.api.steps import Step
from hardened.core.actions.ruling import AdmissionContext, Begun, Done, Refused, Ruled
from hardened.core.model.timing import paused, resumed


def rollback(revision: str, s: AdmissionContext, _: datetime) -> Ruled:
    if s.seen.replicas == 0:
        return Refused("the spec asks for 0 replicas: nothing serves, so there is nothing to roll back")
    possible = [t for t in s.targets() if t.revision != s.serving]
    choice = f"possible targets are {', '.join(t.revision for t in possible)}" if possible else "there is none to roll back to"
    if revision == s.serving != "":
        is_early = s.is_before_cutover
        return Refused(f"revision {revision} already serves; {'Abort ends the release; ' if is_early else ''}{choice}")
    if s.step is Step.SWITCH_BACK and s.seen.stable and revision in ("", s.seen.stable.revision):
        return Refused(f"traffic is already being switched back to revision {s.seen.stable.revision}")
    if revision and revision not in {t.revision for t in possible}:
        return Refused(f"revision {revision} was never promoted, is no longer kept, or is rejected: {choice}")
    if not possible:
        return Refused(f"no other revision is kept that was promoted and not rejected: {choice}; Retry releases a rejected one again")
    to = revision or possible[0].revision
    return Begun(f"rolling back to revision {to}", to, s.key(s.serving), s.serving)


def _promote(revision: str, s: AdmissionContext, _: datetime) -> Ruled:
    state = s.state
    if state is None or state.is_rollback or not s.is_before_cutover or not s.seen.policy.is_manual:
        return Refused("no release awaits promotion")
    if state.target.revision != revision:
        return Refused(f"the revision to promote is {state.target.revision}, not {revision}: check what changed")
    if state.is_approved or s.step is Step.SCALE_UP:
        return Refused(f"revision {revision} is already promoted")
    then = "" if s.step is Step.APPROVAL else " once its checks have passed"
    return Done(
        f"revision {revision} takes over{then}{', when it is resumed' if state.paused_at else ''}", replace(state, is_approved=True)
    )


def _abort(revision: str, s: AdmissionContext, _: datetime) -> Ruled:
    state = s.state
    if state is None or s.step in (Step.KEEP, Step.SWITCH_BACK, Step.UNDO):
        return Refused("no release is in progress" if s.step is not Step.KEEP else "the release was promoted: roll back instead")
    if state.target.revision != revision:
        return Refused(f"revision {state.target.revision} is being released, not {revision}")
    if state.is_rollback and not s.is_before_cutover:
        return Refused("the rollback is in its cutover: it ends within its deadline")
    return Begun(f"aborting the release of revision {revision}", revision, state.key)


def _retry(revision: str, s: AdmissionContext, _: datetime) -> Ruled:
    if s.seen.wanted != revision:
        return Refused(f"the spec asks for revision {s.seen.wanted}, not {revision}")
    if s.seen.key not in s.seen.rejected:
        return Refused(f"revision {revision} is not rejected")
    return Begun(f"revision {revision} is released again", revision, s.seen.key)


def _pause(revision: str, s: AdmissionContext, now: datetime) -> Ruled:
    state = s.state
    if state is None or s.step is Step.KEEP:
        return Refused("no release is in progress")
    if not s.is_before_cutover or state.is_rollback:
        return Refused(f"a release cannot be paused in {s.step}: it has to finish" if not state.is_rollback else "a rollback is under way")
    if revision not in ("", state.target.revision):
        return Refused(f"revision {state.target.revision} is being released, not {revision}")
    if state.paused_at:
        return Refused("the release is already paused")
    return Done(f"the release of revision {state.target.revision} is paused in {s.step}", paused(state, now))


def _resume(revision: str, s: AdmissionContext, now: datetime) -> Ruled:
    state = s.state
    if state is None or not state.paused_at:
        return Refused("no release is paused")
    if revision not in ("", state.target.revision):
        return Refused(f"the release of revision {state.target.revision} is paused, not {revision}")
    return Done(f"the release of revision {state.target.revision} continues in {s.step}", resumed(state, now))


VERBS: Mapping[str, Callable[[str, AdmissionContext, datetime], Ruled]] = {
    "Rollback": rollback,
    "Promote": _promote,
    "Abort": _abort,
    "Retry": _retry,
    "Pause": _pause,
    "Resume": _resume,
}

"""What becomes of an action at first sight: sentence -> world in -> decision out."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.core.machines import policy
from tests.core.worlds import NOW

from hardened.api.parse_action import HardenedServiceAction, parse_action
from hardened.api.steps import Step
from hardened.core.actions.admission import (
    judged,
    pending_abort,
    pending_retry,
    pending_rollback,
    settled,
)
from hardened.core.actions.log import LIMIT, LogEntry, entries_of, entries_written
from hardened.core.actions.ruling import AdmissionContext, RollbackTarget
from hardened.core.model.input import Input
from hardened.core.model.reasons import Reason
from hardened.core.model.state import Rejection, ReleaseState
from hardened.core.model.target import Stack, Target, Traffic

OLD, LAST, NEW, BAD = "a" * 12, "b" * 12, "c" * 12, "d" * 12
STABLE = Target("blue", LAST)
MINUTE = timedelta(minutes=1)


def action(verb: str, revision: str | None = None, *, name: str = "it", age: timedelta = timedelta()) -> HardenedServiceAction:
    spec = {"service": "shop", "action": verb, "requestedBy": "jane", "reason": "p99 doubled"} | (
        {"revision": revision} if revision else {}
    )
    meta = {"name": name, "namespace": "shop", "uid": f"uid-{name}", "creationTimestamp": (NOW - age).isoformat()}
    return parse_action({"metadata": meta, "spec": spec})


def at(step: Step | None, revision: str = NEW, **more: Any) -> ReleaseState | None:
    if step is None:
        return None
    target = STABLE if step is Step.KEEP and revision == NEW else Target("green", revision)
    return ReleaseState(target, f"key of {revision}", step, NOW, **more)


def stakes(step: Step | None = None, *, state: ReleaseState | None = None, is_manual: bool = False, **more: Any) -> AdmissionContext:
    """A service whose stable revision is LAST, with OLD before it, and the release of NEW in a step."""
    facts: dict[str, Any] = {"wanted": NEW, "key": f"key of {NEW}", "replicas": 2, "stable": STABLE, "rejected": frozenset()}
    rest = {name: more.pop(name) for name in list(more) if name not in facts}
    view = Input(
        stacks={"blue": Stack(LAST, 2, 2)},
        traffic=Traffic(STABLE, ready=2, has_followed=True),
        policy=policy(is_manual=is_manual),
        now=NOW,
        **(facts | more),
    )
    targets = rest.pop("targets", [RollbackTarget(LAST, 2), RollbackTarget(OLD, 1)])
    return AdmissionContext(state or at(step), view, lambda: targets, lambda r: f"key of {r}", **rest)


def decided(asked: HardenedServiceAction, world: AdmissionContext, *entries: LogEntry) -> LogEntry:
    return judged([asked], entries, world, NOW).entries[-1]


PAUSED = at(Step.PREVIEW, paused_at=NOW)
BACK = replace(at(Step.SCALE_UP, OLD) or ReleaseState(STABLE, "", Step.KEEP, NOW), is_rollback=True)
GOING_BACK = LogEntry("before", "uid", "Rollback", "Running", "", NOW, revision=OLD, left=LAST, key=f"key of {LAST}", by="jane")

REFUSED = [
    pytest.param(action("Rollback", BAD), stakes(), f"possible targets are {OLD}", id="to a revision that nobody knows"),
    pytest.param(action("Rollback", LAST), stakes(), "already serves; possible targets are", id="to what serves"),
    pytest.param(action("Rollback", LAST), stakes(Step.PREVIEW), "Abort ends the release", id="to what serves, beside a release"),
    pytest.param(action("Rollback"), stakes(targets=[RollbackTarget(LAST, 2)]), "none to roll back to", id="nothing was promoted before"),
    pytest.param(action("Rollback"), stakes(targets=[], stable=None), "none to roll back to", id="before the first promotion"),
    pytest.param(action("Rollback"), stakes(replicas=0), "0 replicas", id="where nothing is wanted"),
    pytest.param(action("Rollback"), stakes(Step.SWITCH_BACK), f"already being switched back to revision {LAST}", id="while it is"),
    pytest.param(action("Promote", NEW), stakes(Step.APPROVAL), "no release awaits", id="a promotion where it is automatic"),
    pytest.param(action("Promote", NEW), stakes(is_manual=True), "no release awaits", id="a promotion without a release"),
    pytest.param(action("Promote", BAD), stakes(Step.APPROVAL, is_manual=True), f"revision to promote is {NEW}", id="of another revision"),
    pytest.param(action("Promote", NEW), stakes(Step.SCALE_UP, is_manual=True), "already promoted", id="a promotion too much"),
    pytest.param(action("Abort", NEW), stakes(), "no release is in progress", id="an abort of nothing"),
    pytest.param(action("Abort", BAD), stakes(Step.PREVIEW), f"revision {NEW} is being released", id="an abort of another revision"),
    pytest.param(action("Abort", LAST), stakes(Step.KEEP), "roll back instead", id="an abort in Keep"),
    pytest.param(action("Abort", NEW), stakes(state=at(Step.VERIFY_AFTER), stable=Target("green", NEW)), "roll back instead",
                 id="an abort of what is marked as promoted, and not yet in Keep"),
    pytest.param(action("Abort", OLD), stakes(state=replace(BACK, step=Step.CUTOVER)), "in its cutover", id="an abort of a cutover back"),
    pytest.param(action("Retry", NEW), stakes(), "is not rejected", id="a retry of what was not rejected"),
    pytest.param(action("Retry", BAD), stakes(), f"asks for revision {NEW}", id="a retry of what nobody asks for"),
    pytest.param(action("Pause"), stakes(), "no release is in progress", id="a pause of nothing"),
    pytest.param(action("Pause"), stakes(Step.CUTOVER), "cannot be paused in Cutover", id="a pause from the cutover on"),
    pytest.param(action("Pause"), stakes(state=PAUSED), "already paused", id="a pause of a pause"),
    pytest.param(action("Pause", BAD), stakes(Step.PREVIEW), f"revision {NEW} is being released", id="a pause of another revision"),
    pytest.param(action("Resume"), stakes(Step.PREVIEW), "no release is paused", id="a resume of what runs"),
    pytest.param(action("Rollback", age=5 * MINUTE + timedelta(seconds=1)), stakes(), "more than 5 minutes old", id="an old one"),
    pytest.param(action("Rollback"), stakes(obstacle="spec.suspend is true"), "spec.suspend", id="where nothing is done"),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "world", "why"), REFUSED)
def test_it_is_refused_with_a_reason_and_changes_nothing(asked: HardenedServiceAction, world: AdmissionContext, why: str) -> None:
    ruling = judged([asked], (), world, NOW)
    (entry,) = ruling.entries
    assert (entry.phase, entry.finished_at) == ("Refused", NOW)
    assert why in entry.message
    assert ruling.state == world.state


BEGUN = [
    pytest.param(action("Rollback"), stakes(), (OLD, LAST), id="the one promoted before what serves"),
    pytest.param(action("Rollback", OLD), stakes(), (OLD, LAST), id="the one that is named"),
    pytest.param(action("Rollback"), stakes(Step.PREVIEW), (OLD, LAST), id="a preview does not serve: what serves is left"),
    pytest.param(action("Rollback"), stakes(Step.CUTOVER), (LAST, NEW), id="in the cutover the new revision is left for stable"),
    pytest.param(action("Rollback"), stakes(Step.VERIFY_AFTER), (LAST, NEW), id="watched, the new revision is left for stable"),
    pytest.param(action("Rollback", OLD), stakes(Step.VERIFY_AFTER), (OLD, NEW), id="or for an older one"),
    pytest.param(action("Rollback"), stakes(Step.KEEP), (OLD, LAST), id="in Keep the promoted one is left"),
    pytest.param(action("Rollback", OLD), stakes(Step.SWITCH_BACK), (OLD, LAST), id="to an older one than traffic is led back to"),
    pytest.param(action("Rollback", age=5 * MINUTE), stakes(), (OLD, LAST), id="five minutes are not too old"),
]


@pytest.mark.parametrize(("asked", "world", "expected"), BEGUN)
def test_a_rollback_is_begun(asked: HardenedServiceAction, world: AdmissionContext, expected: tuple[str, str]) -> None:
    entry = decided(asked, world)
    assert (entry.phase, entry.revision, entry.left) == ("Running", *expected)
    pending = pending_rollback([entry])
    assert pending
    left = Rejection(expected[1], f"key of {expected[1]}", Reason.ROLLED_BACK, "jane: p99 doubled", after_cutover=True)
    assert (pending.to, pending.left) == (expected[0], left)


def test_a_promotion_is_remembered_in_the_record() -> None:
    ruling = judged([action("Promote", NEW)], (), stakes(Step.VERIFY_BEFORE, is_manual=True), NOW)
    assert ruling.state == at(Step.VERIFY_BEFORE, is_approved=True)
    assert ruling.entries[0].message == f"revision {NEW} takes over once its checks have passed"


def test_a_pause_keeps_the_time_that_was_left() -> None:
    before = at(Step.PREVIEW, deadline=NOW + 7 * MINUTE)
    held = judged([action("Pause")], (), stakes(state=before), NOW).state
    assert held == at(Step.PREVIEW, paused_at=NOW, remaining=7 * MINUTE)
    later = NOW + timedelta(hours=2)
    resumed = judged([action("Resume", age=-timedelta(hours=2))], (), stakes(state=held), later)
    assert resumed.state == at(Step.PREVIEW, deadline=later + 7 * MINUTE)


def test_an_abort_and_a_retry_name_the_key_that_they_are_about() -> None:
    abort = decided(action("Abort", NEW), stakes(Step.PREVIEW))
    assert pending_abort([abort], at(Step.PREVIEW)) == "jane: p99 doubled"
    assert pending_abort([abort], at(Step.PREVIEW, BAD)) is None
    retry = decided(action("Retry", NEW), stakes(rejected=frozenset({f"key of {NEW}"})))
    assert (retry.phase, pending_retry([retry])) == ("Running", f"key of {NEW}")


def test_rollback_goes_before_abort_and_abort_before_the_rest_one_at_a_time() -> None:
    world = stakes(Step.VERIFY_BEFORE, is_manual=True)
    asked = [action("Promote", NEW, name="a"), action("Abort", NEW, name="b"), action("Rollback", name="c")]
    assert [e.action for e in judged(asked, (), world, NOW).entries] == ["Rollback"]
    assert [e.action for e in judged(asked[:2], (), world, NOW).entries] == ["Abort"]


def test_what_comes_during_a_rollback_is_refused_but_its_abort_before_the_cutover() -> None:
    world = stakes(state=BACK)
    assert "a rollback is under way" in decided(action("Rollback"), world, GOING_BACK).message
    assert decided(action("Abort", OLD), world, GOING_BACK).phase == "Running"


def test_what_comes_during_an_abort_waits_and_a_rollback_does_not() -> None:
    abort = decided(action("Abort", NEW, name="b"), stakes(Step.VERIFY_AFTER))
    back = stakes(Step.SWITCH_BACK)
    assert judged([action("Pause")], [abort], back, NOW).entries == (abort,)
    assert judged([action("Rollback", OLD)], [abort], back, NOW).entries[-1].phase == "Running"


def test_under_an_older_crd_nothing_is_decided() -> None:
    assert judged([action("Rollback")], (), stakes(is_deaf=True), NOW).entries == ()


STAYS = Target("green", NEW)
ENDS = [
    pytest.param(GOING_BACK, BACK, STABLE, "", "Running", id="on its way"),
    pytest.param(GOING_BACK, None, STABLE, "no pod came up", "Failed", id="a target that does not come up"),
    pytest.param(GOING_BACK, at(Step.KEEP, OLD), Target("green", OLD), "", "Succeeded", id="a target that serves"),
    pytest.param(replace(GOING_BACK, revision=LAST), at(Step.SWITCH_BACK), STABLE, "", "Running", id="traffic has not left yet"),
    pytest.param(replace(GOING_BACK, revision=LAST), at(Step.SWITCH_BACK, confirmed_at=NOW), STABLE, "", "Succeeded", id="it has left"),
    pytest.param(replace(GOING_BACK, action="Abort", revision=NEW), at(Step.SWITCH_BACK), STABLE, "", "Running", id="an abort on its way"),
    pytest.param(replace(GOING_BACK, action="Abort", revision=NEW), None, STABLE, "", "Succeeded", id="an abort that is through"),
    pytest.param(replace(GOING_BACK, action="Abort", revision=NEW), replace(at(Step.KEEP, OLD) or BACK, target=STAYS), STAYS, "", "Failed",
                 id="an abort that came after the promotion"),
    pytest.param(replace(GOING_BACK, action="Retry", key="marked"), None, STABLE, "", "Running", id="a retry whose mark is still there"),
    pytest.param(replace(GOING_BACK, action="Retry", key="other"), None, STABLE, "", "Succeeded", id="a retry whose mark is gone"),
]  # fmt: skip


@pytest.mark.parametrize(("entry", "state", "stable", "failed", "phase"), ENDS)
def test_how_it_ends(entry: LogEntry, state: ReleaseState | None, stable: Target, failed: str, phase: str) -> None:
    (found,) = settled([entry], state, stakes(stable=stable).seen, {"marked"}, failed, NOW)
    assert found.phase == phase
    assert (found.finished_at is None) == (phase == "Running")


def test_entries_are_read_as_they_were_written_and_nonsense_is_none() -> None:
    entries = (GOING_BACK, GOING_BACK.ended("Failed", "why", NOW))
    assert entries_of({"actions": entries_written(entries)}) == entries
    written = entries_written([GOING_BACK])[0]
    for field in ("name", "uid", "action", "phase", "startedAt"):
        for value in (None, 7, [], "odd" if field in ("phase", "startedAt") else {}):
            assert entries_of({"actions": [written | {field: value}, 7]}) == (), (field, value)
    assert entries_of({"actions": {}}) == ()


def test_the_oldest_are_forgotten_first_and_those_last_whose_action_is_still_there() -> None:
    known = [LogEntry(f"n{n}", "uid", "Pause", "Refused", "", NOW, finished_at=NOW) for n in range(LIMIT)]
    ruling = judged([action("Resume")], [GOING_BACK, *known], stakes(), NOW, present={"n0", "it"})
    names = [e.name for e in ruling.entries]
    assert len(names) == LIMIT
    assert {"before", "n0", "it"} <= set(names)
    assert "n1" not in names


def test_more_than_can_be_remembered_wait_until_the_others_have_their_answers() -> None:
    asked = [action("Pause", name=f"n{n:02}") for n in range(LIMIT + 8)]
    names = {each.name for each in asked}
    first = judged(asked, (), stakes(), NOW, names, names)
    assert [e.name for e in first.entries] == [each.name for each in asked[:LIMIT]]
    assert not judged(asked[LIMIT:], first.entries, stakes(), NOW, names, names).is_news
    answered = judged(asked[LIMIT:], first.entries, stakes(), NOW, names, {each.name for each in asked[LIMIT:]})
    assert {e.name for e in answered.entries} >= {each.name for each in asked[LIMIT:]}
    assert len(answered.entries) == LIMIT


def test_a_rollback_takes_the_place_of_a_retry() -> None:
    retry = LogEntry("before", "uid", "Retry", "Running", "", NOW, revision=BAD, key="key")
    ended, back = judged([action("Rollback")], [retry], stakes(), NOW).entries
    assert (ended.phase, back.phase) == ("Failed", "Running")

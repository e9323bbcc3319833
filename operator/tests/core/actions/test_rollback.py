"""The first moves of a rollback by hand, and its end: sentence -> world in -> next record out."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.core.machines import desired, policy, step
from tests.core.worlds import NOW

from hardened.api.steps import Step
from hardened.core.model.input import Input, RollbackRequest
from hardened.core.model.reasons import Reason
from hardened.core.model.state import Rejection, ReleaseState
from hardened.core.model.target import Stack, Target, Traffic
from hardened.core.model.timing import paused
from hardened.core.model.transition import Transition

BLUE, GREEN = Target("blue", "last"), Target("green", "new")
TERMS = policy()
LEFT = Rejection("last", "key of last", Reason.ROLLED_BACK, "jane", after_cutover=True)
SECOND = timedelta(seconds=1)
LATE = NOW + TERMS.progress_deadline
SO_LONG = TERMS.for_so_long


def view(
    to: str = "", *, green: Stack | None = None, active_target: Target = BLUE, has_followed: bool = True, serving: int = 2, **more: Any
) -> Input:
    """Revision `last` is stable in blue with two pods; green is as it is said. serving: how many of the two are ready."""
    stacks = {"blue": Stack("last", 2, serving)} | ({"green": green} if green else {})
    given: dict[str, Any] = {
        "wanted": "last",
        "key": "key of last",
        "replicas": 2,
        "stable": BLUE,
        "stacks": stacks,
        "policy": TERMS,
        "now": NOW,
    }
    traffic = Traffic(active_target, ready=2, has_followed=has_followed)
    return Input(**(given | {"traffic": traffic, "rollback": RollbackRequest(to, LEFT) if to else None} | more))


def state(at: Step, target: Target = GREEN, **more: Any) -> ReleaseState:
    return ReleaseState(target, "key of new", at, NOW, **more)


def back(at: Step, **more: Any) -> ReleaseState:
    """On the way back to revision `old`, in green."""
    given = {"started_at": NOW, "replicas": 2, "deadline": LATE, "is_rollback": True, "left": LEFT}
    return ReleaseState(Target("green", "old"), "", at, **(given | more))


UP = Stack("old", 2, 2)
ABANDONED = frozenset({"key of new"})
KEPT = state(Step.KEEP, BLUE, cutover_at=NOW - 10 * SECOND, keep_until=NOW + 290 * SECOND)

FIRST = [
    pytest.param(None, view("old", green=UP), back(Step.CUTOVER), id="the stack is up: to its cutover at once"),
    pytest.param(KEPT, view("old", green=UP), back(Step.CUTOVER), id="in Keep, too"),
    pytest.param(KEPT, view("old", green=Stack("old", 2, 1)), back(Step.SCALE_UP, available=1),
                 id="fewer of it are up than serve: its own pods are waited for"),
    pytest.param(KEPT, view("old", green=Stack("old", 2, 1), serving=1), back(Step.CUTOVER), id="as many of it are up as serve"),
    pytest.param(KEPT, view("old", green=Stack("old", 2, 1), serving=0), back(Step.CUTOVER), id="nobody serves: the first one does"),
    pytest.param(KEPT, view("old", green=Stack("old", 2, 0), serving=0), back(Step.SCALE_UP), id="nobody serves, and none is up"),
    pytest.param(KEPT, view("old", green=UP, replicas=1, serving=2), back(Step.CUTOVER, replicas=1), id="more serve than are wanted now"),
    pytest.param(KEPT, view("old", green=Stack("other", 2, 2)), KEPT, id="in Keep the previous stack is not taken before its time"),
    pytest.param(replace(KEPT, cutover_at=NOW - 30 * SECOND), view("old", green=Stack("other", 2, 2)), back(Step.SCALE_UP),
                 id="and then it is"),
    pytest.param(None, view("old"), back(Step.SCALE_UP), id="it is down: brought up first"),
    pytest.param(state(Step.VERIFY_BEFORE), view("old", green=Stack("new", 1, 1), rejected=ABANDONED), back(Step.SCALE_UP),
                 id="a release is abandoned, and marked by now"),
    pytest.param(paused(state(Step.PREVIEW), NOW), view("old", rejected=ABANDONED), back(Step.SCALE_UP), id="a paused one, too"),
    pytest.param(state(Step.PREVIEW, Target("green", "old")), view("old"), back(Step.SCALE_UP), id="a release of the very same one"),
    pytest.param(state(Step.VERIFY_AFTER), view("last", active_target=GREEN), state(Step.SWITCH_BACK, is_rejected=True, left=LEFT),
                 id="watched: traffic is led back to stable"),
    pytest.param(state(Step.CUTOVER), view("old", active_target=GREEN), state(Step.SWITCH_BACK, is_rejected=True, left=LEFT),
                 id="in the cutover traffic is led back to stable first, for an older one as well"),
    pytest.param(state(Step.VERIFY_AFTER), view("old", stable=GREEN, green=Stack("new", 2, 2), active_target=GREEN),
                 state(Step.KEEP, keep_until=NOW + timedelta(minutes=5)), id="watched, and marked as promoted: to Keep first"),
    pytest.param(None, view("last"), None, id="to stable, once nothing is at work: done"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "seen", "after"), FIRST)
def test_the_first_move(before: ReleaseState | None, seen: Input, after: ReleaseState | None) -> None:
    found = step(before, seen, TERMS, NOW)
    assert (found.state, found.promotes, found.rejects, found.failed) == (after, "", None, "")


@pytest.mark.parametrize("at", [state(Step.PREFLIGHT), state(Step.APPROVAL), paused(state(Step.PREVIEW), NOW)])
def test_a_release_that_is_abandoned_for_it_is_rejected_first_or_it_would_begin_anew(at: ReleaseState) -> None:
    assert step(at, view("old"), TERMS, NOW) == Transition(at, rejects=Rejection("new", "key of new", Reason.ABORTED, "jane"))


OLD = Target("green", "old")
MARKED = view("old", stable=OLD, green=UP, active_target=OLD, rejected=frozenset({LEFT.key}))
DONE = back(Step.KEEP, deadline=None, cutover_at=NOW, keep_until=NOW + 5 * SECOND)
HALF = NOW + 15 * SECOND
#: What served before, with what was to be gone back to beside it.
RETURNED = ReleaseState(BLUE, "", Step.KEEP, NOW, cutover_at=NOW, keep_until=NOW + TERMS.keep_previous)


def soon(at: Step, **more: Any) -> ReleaseState:
    """On the way back since 15 s."""
    return back(at, **{"started_at": NOW - 15 * SECOND, "deadline": LATE if at is Step.CUTOVER else LATE - 15 * SECOND, **more})


LATER = [
    pytest.param(back(Step.SCALE_UP), view("old", green=UP), Transition(back(Step.CUTOVER)), id="its pods are up"),
    pytest.param(back(Step.SCALE_UP), view("old", green=Stack("old", 2, 1)), Transition(back(Step.SCALE_UP), look_at=HALF), id="missing"),
    pytest.param(back(Step.SCALE_UP), view("old", green=Stack("old", 2, 1), serving=1), Transition(back(Step.CUTOVER)), id="one serves"),
    pytest.param(soon(Step.SCALE_UP), view("old", green=Stack("old", 2, 1)), Transition(soon(Step.CUTOVER)),
                 id="after a while half of what is wanted is enough"),
    pytest.param(soon(Step.SCALE_UP, available=2), view("old", green=Stack("old", 5, 2), replicas=5, serving=5),
                 Transition(soon(Step.SCALE_UP, available=2), look_at=soon(Step.SCALE_UP).deadline), id="and less than half is not"),
    pytest.param(soon(Step.SCALE_UP, replicas=5), view("old", green=Stack("old", 5, 2), replicas=5, serving=2),
                 Transition(soon(Step.CUTOVER, replicas=5)), id="but where no more serve"),
    pytest.param(back(Step.SCALE_UP, deadline=LATE, started_at=NOW - 10 * SECOND, available=1), view("old", green=Stack("old", 2, 1)),
                 Transition(back(Step.SCALE_UP, deadline=LATE, started_at=NOW - 10 * SECOND, available=1), look_at=NOW + 5 * SECOND),
                 id="it is looked at again then"),
    pytest.param(back(Step.CUTOVER), view("old", green=Stack("old", 2, 1), serving=1),
                 Transition(back(Step.CUTOVER), look_at=LATE - timedelta(seconds=15)), id="it is not recalled for the pod that is missing"),
    pytest.param(back(Step.CUTOVER), view("old", green=Stack("old", 2, 1)), Transition(back(Step.CUTOVER, recalled_at=NOW)),
                 id="but where more serve by then"),
    pytest.param(back(Step.CUTOVER), view("old", green=Stack("old", 2, 1), traffic=Traffic(OLD, ready=1, has_followed=True)),
                 Transition(DONE, promotes="old", rejects=LEFT), id="traffic followed to all that are there"),
    pytest.param(back(Step.SCALE_UP, deadline=NOW), view("old"), Transition(None, failed=f"ScaleUp made no progress{SO_LONG}"),
                 id="they never come: nothing is rejected"),
    pytest.param(back(Step.SCALE_UP, deadline=NOW), view("old", green=Stack("old", 2, 0)),
                 Transition(RETURNED, failed=f"ScaleUp made no progress{SO_LONG}"), id="nor is what has come taken down"),
    pytest.param(back(Step.SCALE_UP), view("old", green=Stack("old", 2, 1), abort="joe"), Transition(RETURNED, failed="joe"),
                 id="nor where it is aborted"),
    pytest.param(back(Step.SCALE_UP), view("old", green=Stack("other", 2, 2), abort="joe"), Transition(None, failed="joe"),
                 id="what is another revision's is not kept for it"),
    pytest.param(back(Step.SWITCH_BACK, deadline=None, left=None), view("old", green=UP), Transition(RETURNED),
                 id="traffic is back from it: what was to be gone back to is kept"),
    pytest.param(back(Step.SWITCH_BACK, deadline=None, left=None), view("old", green=UP, has_followed=False),
                 Transition(back(Step.SWITCH_BACK, deadline=None, left=None)), id="not before it is back"),
    pytest.param(back(Step.SCALE_UP), view("old", replicas=0), Transition(None, failed="the spec asks for 0 replicas"),
                 id="nothing is wanted"),
    pytest.param(back(Step.SCALE_UP), view("old", wanted="newer", key="k"), Transition(back(Step.SCALE_UP), look_at=HALF),
                 id="a newer spec waits"),
    pytest.param(back(Step.SCALE_UP), view("old", abort="joe"), Transition(None, failed="joe"), id="it is aborted, and nothing had come"),
    pytest.param(back(Step.CUTOVER), view("old", green=UP, active_target=OLD), Transition(DONE, promotes="old", rejects=LEFT), id="led"),
    pytest.param(back(Step.CUTOVER), MARKED, Transition(DONE), id="it is marked already"),
    pytest.param(back(Step.CUTOVER, deadline=NOW), view("old", green=UP, active_target=OLD, has_followed=False),
                 Transition(back(Step.SWITCH_BACK, deadline=None, left=None),
                      failed=f"the endpoints did not follow the cutover{SO_LONG}", leaves=True),
                 id="traffic never follows: back, and what served serves on"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "seen", "expected"), LATER)
def test_how_it_goes_on(before: ReleaseState, seen: Input, expected: Transition) -> None:
    assert step(before, seen, TERMS, NOW) == expected


def test_what_was_left_by_hand_is_marked_once_traffic_has_left_it_and_goes_five_seconds_later() -> None:
    leaving = state(Step.SWITCH_BACK, is_rejected=True, left=LEFT)
    assert step(leaving, view(active_target=GREEN), TERMS, NOW) == Transition(leaving)
    assert step(leaving, view(has_followed=False), TERMS, NOW) == Transition(leaving, rejects=LEFT), "nobody is to promote it meanwhile"
    left = replace(leaving, confirmed_at=NOW)
    assert step(leaving, view(), TERMS, NOW) == Transition(left, rejects=LEFT)
    assert step(leaving, view(rejected=frozenset({LEFT.key})), TERMS, NOW) == Transition(left)
    assert step(left, view(), TERMS, NOW + 4 * SECOND).state == left
    assert step(left, view(), TERMS, NOW + 5 * SECOND) == Transition(left, rejects=LEFT), "unmarked it would be released again"
    assert step(left, view(rejected=frozenset({LEFT.key})), TERMS, NOW + 5 * SECOND).state is None


def test_an_abort_is_a_failed_check() -> None:
    rejection = Rejection("new", "key of new", Reason.ABORTED, "joe")
    assert step(state(Step.PREVIEW), view(abort="joe"), TERMS, NOW) == Transition(None, rejects=rejection)
    watched = step(state(Step.VERIFY_AFTER), view(abort="joe", active_target=GREEN), TERMS, NOW).state
    assert watched == state(Step.SWITCH_BACK, is_rejected=True, left=replace(rejection, after_cutover=True))
    assert step(KEPT, view(abort="joe", green=UP), TERMS, NOW).state == KEPT


def test_a_paused_release_writes_nothing_while_what_serves_follows_its_replicas() -> None:
    held = paused(state(Step.SCALE_UP, deadline=LATE), NOW)
    seen = view(wanted="newer", key="k", green=Stack("new", 1, 1), replicas=5)
    assert step(held, seen, TERMS, LATE + timedelta(hours=1)) == Transition(held)
    assert desired(held, seen, TERMS).stacks == {"blue": Stack("last", 5), "green": Stack("new", 1, 1)}
    assert desired(held, view(), TERMS).stacks == {"blue": Stack("last", 2)}, "what was not made yet is not made"
    assert step(held, view(), TERMS, NOW).state is None, "the spec is back at stable: nothing is left to be held"

"""How many pods take over, and until when they are waited for: sentence -> world in -> next record out."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.core.machines import desired, policy, step
from tests.core.worlds import NOW

from hardened.api.steps import Step
from hardened.core.model.input import InPlace, Input
from hardened.core.model.state import ReleaseState
from hardened.core.model.target import DesiredState, Stack, Target, Traffic
from hardened.core.model.transition import Transition
from hardened.core.observe.rollout import Rollout
from hardened.core.release.pods import needed

BLUE, GREEN = Target("blue", "last"), Target("green", "new")
TERMS = policy(progress_deadline=timedelta(seconds=100))
SECOND = timedelta(seconds=1)
LATE = NOW + TERMS.progress_deadline


def view(green: Stack, *, blue: Stack | None = None, replicas: int = 6, active_target: Target | None = BLUE, **more: Any) -> Input:
    """Revision `last` is stable in blue with two pods, and serves; green is as it is said."""
    stacks = {"blue": blue or Stack("last", replicas, 2), "green": green}
    given: dict[str, Any] = {"policy": TERMS, "now": NOW, "traffic": Traffic(active_target, has_followed=True)}
    return Input("new", "key", replicas, BLUE, stacks, **(given | more))


def state(at: Step = Step.SCALE_UP, **more: Any) -> ReleaseState:
    return ReleaseState(GREEN, "key", at, NOW, **({"replicas": 2, "deadline": LATE} | more))


# ---- how many pods take over

NEEDED = [
    pytest.param(view(Stack("new")), 2, id="as many as were wanted when it began to grow"),
    pytest.param(view(Stack("new"), blue=Stack("last", 6, 5)), 5, id="as many as serve by now"),
    pytest.param(view(Stack("new"), blue=Stack("last", 6, 1)), 2, id="no fewer since fewer serve"),
    pytest.param(view(Stack("new"), blue=Stack("last", 6, 6), replicas=1), 1, id="no more than are wanted, though more still serve"),
    pytest.param(view(Stack("new"), blue=Stack("last", 6, 0, is_settled=False, counted=4)), 4,
                 id="right after it was scaled what serves is counted as it was"),
    pytest.param(view(Stack("new"), blue=Stack("other", 6, 6)), 2, id="what traffic does not lead to does not serve"),
    pytest.param(view(Stack("new"), blue=Stack("last", 6, 6), active_target=None), 2, id="nobody serves"),
    pytest.param(view(Stack("new"), blue=Stack("last", 6, 6), active_target=GREEN), 2, id="it serves itself by now"),
    pytest.param(view(Stack("new"), replicas=0), 1, id="never none"),
]  # fmt: skip


@pytest.mark.parametrize(("seen", "expected"), NEEDED)
def test_how_many_pods_take_over(seen: Input, expected: int) -> None:
    assert needed(state(), seen) == expected


def test_a_cutover_that_fewer_pods_are_there_for_than_serve_by_now_is_recalled_and_one_that_was_made_is_not() -> None:
    grown = view(Stack("new", 6, 2), blue=Stack("last", 6, 3))
    assert step(state(Step.CUTOVER), grown, TERMS, NOW) == Transition(state(Step.CUTOVER, recalled_at=NOW))
    made = replace(grown, traffic=Traffic(GREEN, ready=2, has_followed=True))
    found = step(state(Step.CUTOVER), made, TERMS, NOW).state
    assert found
    assert found.step is Step.VERIFY_AFTER


@pytest.mark.parametrize("at", [Step.CUTOVER, Step.VERIFY_AFTER, Step.SWITCH_BACK])
def test_what_served_before_a_version_that_is_marked_as_promoted_is_kept(at: Step) -> None:
    """No status says so yet: its process ended, or it was another leader, which had been paused."""
    promoted = replace(view(Stack("new", 6, 6), active_target=GREEN), stable=GREEN)
    assert desired(state(at), promoted, TERMS) == DesiredState({"blue": Stack("last", 6), "green": Stack("new", 6)}, GREEN)


# ---- until when pods are waited for

TENTH = NOW + 10 * SECOND
#: Since it began to grow: one pod is there, and five are wanted at least.
GROWING = state(replicas=5, available=1)


@pytest.mark.parametrize(
    ("available", "at", "expected"),
    [
        pytest.param(1, NOW, Transition(GROWING, look_at=LATE), id="no further"),
        pytest.param(2, NOW, Transition(GROWING, look_at=TENTH), id="further, but right after the last time: not written yet"),
        pytest.param(2, TENTH, Transition(replace(GROWING, available=2, deadline=TENTH + TERMS.progress_deadline),),
                     id="further: the deadline is renewed"),
        pytest.param(0, TENTH, Transition(GROWING, look_at=LATE), id="less far"),
        pytest.param(4, LATE, Transition(replace(GROWING, available=4, deadline=LATE + TERMS.progress_deadline)),
                     id="nobody was there to see it"),
    ],
)  # fmt: skip
def test_each_pod_that_becomes_available_renews_the_deadline(available: int, at: Any, expected: Transition) -> None:
    assert step(GROWING, view(Stack("new", 6, available)), TERMS, at) == expected


def test_a_pod_that_comes_and_goes_does_not_renew_it_for_ever() -> None:
    at, found = NOW, GROWING
    for available in (2, 1, 2, 1, 2, 1, 2, 1, 2, 1):
        at += 30 * SECOND
        following = step(found, view(Stack("new", 6, available)), TERMS, at)
        if following.rejects:
            break
        assert following.state
        found = following.state
    assert (following.state, at - NOW) == (None, timedelta(seconds=150)), "100 s after it came for the first time"


def test_a_step_that_is_entered_counts_from_what_is_there() -> None:
    entered = step(state(Step.APPROVAL, deadline=None), view(Stack("new", 1, 1)), TERMS, NOW).state
    assert entered == state(replicas=6, available=1)
    assert step(state(available=1), view(Stack("new", 6, 2)), TERMS, NOW) == Transition(state(Step.CUTOVER)), "and is not left with that"


def test_under_a_crd_that_cannot_hold_the_count_the_deadline_stands() -> None:
    deaf = view(Stack("new", 6, 3), counts=False)
    begun = state(replicas=5)
    assert step(begun, deaf, TERMS, TENTH) == Transition(begun, look_at=LATE)
    assert step(state(Step.APPROVAL, deadline=None), deaf, TERMS, NOW).state == state(replicas=6)
    assert step(begun, deaf, TERMS, LATE).rejects


@pytest.mark.parametrize(
    ("total", "updated", "available", "expected"),
    [(6, 0, 6, 0), (8, 2, 6, 0), (8, 2, 7, 1), (8, 2, 8, 2), (6, 2, 6, 2), (8, 4, 6, 2), (8, 4, 2, 2), (6, 6, 5, 5), (8, 2, 0, 0)],
)
def test_pods_of_the_last_template_are_told_from_those_that_they_replace(total: int, updated: int, available: int, expected: int) -> None:
    found = Rollout("new", 6, total, updated, available, is_current=True, progressed_at=None)
    assert found.come == expected
    assert replace(found, is_current=False).come == 0, "not counted yet"


@pytest.mark.parametrize("strategy", ["RollingUpdate", "Recreate"])
def test_in_place_the_deadline_is_renewed_the_same(strategy: Any) -> None:
    target = Target("blue" if strategy == "RollingUpdate" else "green", "new")
    begun = ReleaseState(target, "key", Step.CUTOVER, NOW, replicas=6, deadline=LATE, strategy=strategy)

    def at(come: int, moment: Any, before: ReleaseState = begun) -> Transition:
        stack = Stack("new", 6, is_settled=False, come=come) if strategy == "RollingUpdate" else Stack("new", 6, come)
        here = InPlace(has_clients=True)
        seen = Input("new", "key", 6, BLUE, {target.color: stack}, Traffic(BLUE), TERMS, NOW, strategy=strategy, in_place=here)
        return step(before, seen, TERMS, moment)

    assert at(0, TENTH) == Transition(begun, look_at=LATE)
    assert at(2, NOW + SECOND) == Transition(begun, look_at=TENTH)
    further = replace(begun, available=2, deadline=TENTH + TERMS.progress_deadline)
    assert at(2, TENTH) == Transition(further)
    assert at(2, LATE, further) == Transition(further, look_at=further.deadline)
    assert at(2, further.deadline, further).rejects


@pytest.mark.parametrize("strategy", ["RollingUpdate", "Recreate"])
def test_in_place_a_rollback_by_hand_takes_over_with_the_pods_that_are_there(strategy: Any) -> None:
    target = Target("blue" if strategy == "RollingUpdate" else "green", "old")
    begun = ReleaseState(target, "", Step.CUTOVER, NOW, replicas=3, deadline=LATE, strategy=strategy, is_rollback=True)

    def after(available: int) -> Transition:
        traffic = Traffic(target, ready=available, has_followed=True)
        stacks, here = {target.color: Stack("old", 3, available)}, InPlace(has_clients=True)
        return step(begun, Input("new", "key", 3, BLUE, stacks, traffic, TERMS, NOW, strategy=strategy, in_place=here), TERMS, NOW)

    assert after(1).promotes == "old"
    assert not after(0).promotes

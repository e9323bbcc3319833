"""Approval: who waits to be promoted is promoted by itself as the spec says now, counted from when Approval was entered."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.release.test_plan_migrations import act
from tests.core.releases import GATED, SECOND, SPEC, released, released_until
from tests.core.worlds import NOW, World, body, decide, settle, with_spec

from e2e.samples import drawn
from hardened.core.model.manifest import Manifest

HOUR = timedelta(hours=1)


@pytest.fixture(params=[False, True], ids=["the CRD keeps when a step was entered", "an older CRD does not"])
def is_old(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def forgets(cr: Manifest, *, is_old: bool) -> None:
    """What an older CRD drops."""
    if is_old:
        cr["status"].get("release", {}).pop("enteredAt", None)


def waiting(after: str | None, *, is_old: bool = False) -> tuple[Manifest, World, Any]:
    """A service whose second revision has just come to Approval."""
    cr, world = body(SPEC), World()
    now = released(cr, world)
    cr = with_auto(with_spec(cr, image="shop:2"), after)
    now = released(cr, world, now, until="Approval")
    forgets(cr, is_old=is_old)
    return cr, world, now


def with_auto(cr: Manifest, after: str | None, **more: Any) -> Manifest:
    """The same service with another autoPromoteAfter; None for none."""
    release = {**SPEC["release"], "promotion": "Manual"} | ({"autoPromoteAfter": after} if after else {})
    return {**with_spec(cr, release=release, **more), **({"status": cr["status"]} if "status" in cr else {})}


def looked(cr: Manifest, world: World, now: Any, *, is_old: bool = False) -> str:
    """The step after a look; one more look changes nothing."""
    settle(cr, world, now)
    forgets(cr, is_old=is_old)
    again = decide(cr, world, now)
    assert not again.is_status_first
    assert again.status == cr["status"], "a status that is written again and again"
    step: str = cr["status"]["release"]["step"]
    return step


def test_it_stops_where_it_is_removed(is_old: bool) -> None:
    cr, world, now = waiting("20s", is_old=is_old)
    assert cr["status"]["release"]["deadline"]
    cr = with_auto(cr, None)
    assert looked(cr, world, now + 5 * SECOND, is_old=is_old) == "Approval"
    assert "deadline" not in cr["status"]["release"]
    assert looked(cr, world, now + HOUR, is_old=is_old) == "Approval"


def test_it_counts_where_it_is_added_later_from_when_approval_was_entered() -> None:
    cr, world, now = waiting(None)
    assert looked(cr, world, now + 10 * SECOND) == "Approval"
    cr = with_auto(cr, "20s")
    assert looked(cr, world, now + 19 * SECOND) == "Approval"
    assert looked(cr, world, now + 20 * SECOND) == "ScaleUp"


def test_under_an_older_crd_what_is_added_later_counts_from_then() -> None:
    cr, world, now = waiting(None, is_old=True)
    cr = with_auto(cr, "20s")
    assert looked(cr, world, now + 10 * SECOND, is_old=True) == "Approval"
    assert looked(cr, world, now + 29 * SECOND, is_old=True) == "Approval"
    assert looked(cr, world, now + 30 * SECOND, is_old=True) == "ScaleUp"


@pytest.mark.parametrize(("after", "at"), [("10s", 10), ("40s", 40), ("5s", 6)], ids=["sooner", "later", "over by now"])
def test_where_it_is_changed_the_new_value_counts(after: str, at: int) -> None:
    cr, world, now = waiting("20s")
    settle(cr, world, now + 6 * SECOND)
    cr = with_auto(cr, after)
    if at > 6:
        assert looked(cr, world, now + (at - 1) * SECOND) == "Approval"
    assert looked(cr, world, now + at * SECOND) == "ScaleUp"


def test_while_it_is_paused_its_time_stands_still_whatever_it_is_changed_to() -> None:
    cr, world, now = waiting("20s")
    act(world, "hold", "Pause", revision=cr["status"]["release"]["revision"])
    assert looked(cr, world, now + 5 * SECOND) == "Approval"
    cr = with_auto(cr, "30s")
    assert looked(cr, world, now + HOUR) == "Approval"
    act(world, "on", "Resume")
    assert looked(cr, world, now + HOUR) == "Approval"
    assert looked(cr, world, now + HOUR + 24 * SECOND) == "Approval"
    assert looked(cr, world, now + HOUR + 25 * SECOND) == "ScaleUp"


@pytest.mark.parametrize(("after", "left"), [("20s", 15), ("10s", 10)], ids=["unchanged", "shorter than what was left: from then on"])
def test_while_it_is_suspended_its_time_stands_still(after: str, left: int) -> None:
    cr, world, now = waiting("20s")
    assert looked(with_auto(cr, "20s", suspend=True), world, now) == "Approval"
    cr = with_auto(cr, "20s", suspend=True)
    for later in (5 * SECOND, HOUR):
        assert looked(cr, world, now + later) == "Approval"
    cr = with_auto(cr, after, suspend=False)
    assert looked(cr, world, now + HOUR) == "Approval"
    assert looked(cr, world, now + HOUR + (left - 1) * SECOND) == "Approval"
    assert looked(cr, world, now + HOUR + left * SECOND) == "ScaleUp"


def test_the_time_that_it_was_suspended_without_it_does_not_count() -> None:
    cr, world, now = waiting(None)
    cr = with_auto(cr, None, suspend=True)
    assert looked(cr, world, now + SECOND) == "Approval"
    cr = with_auto(cr, "20s", suspend=False)
    assert looked(cr, world, now + HOUR) == "Approval"
    assert looked(cr, world, now + HOUR + 19 * SECOND) == "Approval"
    assert looked(cr, world, now + HOUR + 20 * SECOND) == "ScaleUp"


CHANGES = st.lists(st.tuples(st.integers(0, 30), st.sampled_from([None, "5s", "20s", "40s", "2m"])), max_size=6)


@given(CHANGES, st.booleans())
@drawn(60)
def test_however_it_is_changed_it_is_promoted_once_the_present_value_has_passed_and_never_before(
    changes: list[tuple[int, str | None]], is_old: bool
) -> None:
    cr, world, entered = waiting("20s", is_old=is_old)
    now, after = entered, "20s"
    for seconds, changed in changes:
        now += seconds * SECOND
        cr = with_auto(cr, changed)
        step = looked(cr, world, now, is_old=is_old)
        after = changed or ""
        least = {"": None, "5s": 5, "20s": 20, "40s": 40, "2m": 120}[after]
        is_due = least is not None and now >= entered + least * SECOND
        if is_old:
            assert step == "Approval" or least is not None
        else:
            assert (step != "Approval") == is_due
        if step != "Approval":
            return


def test_when_a_step_was_entered_is_written_down() -> None:
    cr, world = body(GATED), World()
    now = released_until(cr, world, NOW, "VerifyBefore")
    before = cr["status"]["release"]["enteredAt"]
    settle(cr, world, now + SECOND)
    assert cr["status"]["release"]["enteredAt"] == before
    now = released(cr, world, now + SECOND, until="Approval")
    assert cr["status"]["release"]["enteredAt"] > before

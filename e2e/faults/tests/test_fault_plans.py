"""From a recorded run come plans, and each plan finds its call again in a run whose timing differs."""

from __future__ import annotations

import signal

import pytest

from e2e.faults import (
    Call,
    Moment,
    answer_plans,
    background_plans,
    kill_plans,
    lost_reply_plans,
    persistent_plans,
    signal_plans,
    targets,
    watch_plans,
)
from e2e.faults.armed import Armed, pick
from e2e.faults.plans import ANSWERS, name_pattern


def calls(*rows: str) -> tuple[Call, ...]:
    """Calls written as "verb group/resource name"; "-" is the core group."""
    parsed = []
    for index, row in enumerate(rows):
        verb, kind, *name = row.split()
        group, resource = kind.split("/")
        parsed.append(Call(verb=verb, group=group.strip("-"), resource=resource, name=name[0] if name else "", index=index, started=index))
    return tuple(parsed)


RECORDED = calls(
    "list -/pods",
    "watch -/pods",
    "update coordination.k8s.io/leases leader",
    "apply apps/deployments shop-blue",
    "apply -/services shop",
    "create -/events e1",
    "apply apps/deployments shop-blue",
    "delete -/pods shop-7f9c8b6d54-x2vqz",
    "delete -/pods shop-7f9c8b6d54-k9lmn",
)
LATER = calls(
    "watch -/pods",
    "update coordination.k8s.io/leases leader",
    "list -/pods",
    "update coordination.k8s.io/leases leader",
    "apply -/services shop",
    "apply apps/deployments shop-blue",
    "delete -/pods shop-5d4c7b8f99-zzzz4",
    "apply apps/deployments shop-blue",
    "create -/events e1",
    "create -/events e2",
    "delete -/pods shop-5d4c7b8f99-m2n4p",
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("shop", "shop"),
        ("shop-green", "shop-green"),
        ("shop-https-2", "shop-*-2"),
        ("shop-7f9c8b6d54-x2vqz", "shop-*-*"),
        ("backup-29384756", "backup-*"),
        ("cfg-0a1b2c3d4e", "cfg-*"),
        ("shop-blue-v2", "shop-blue-v2"),
        ("", ""),
        ("pods-*", "pods-*"),
    ],
)
def test_generated_parts_of_a_name_become_a_star(name: str, expected: str) -> None:
    assert name_pattern(name) == expected


def test_the_targets_are_the_calls_without_watches_leases_and_events() -> None:
    assert [str(where) for where in targets(RECORDED)] == [
        "list pods #1",
        "apply apps/deployments shop-blue #1",
        "apply services shop #1",
        "apply apps/deployments shop-blue #2",
        "delete pods shop-*-* #1",
        "delete pods shop-*-* #2",
    ]


def test_every_plan_strikes_its_call_in_a_run_with_another_timing() -> None:
    for plan in [*kill_plans(RECORDED), *answer_plans(RECORDED), *watch_plans(RECORDED), *lost_reply_plans(RECORDED)]:
        armed = [Armed(fault) for fault in plan.faults]
        struck = [call for call in LATER if pick(armed, call, call.started)]
        assert 1 <= len(struck) <= plan.faults[0].times, plan.name
        assert struck[0].verb == plan.faults[0].where.verb


def test_kills_are_at_each_write_and_moment() -> None:
    plans = list(kill_plans(RECORDED))
    assert len(plans) == 5 * len(Moment)
    assert plans[0].name == "SIGKILL before @ apply apps/deployments shop-blue #1"


def test_other_signals_are_at_each_write_before_it_is_sent() -> None:
    assert [plan.name for plan in signal_plans(RECORDED, signal.SIGTERM)][-1] == "SIGTERM before @ delete pods shop-*-* #2"


def test_answers_are_at_each_call_in_thirteen_ways() -> None:
    assert len(ANSWERS) == 13
    assert len(list(answer_plans(RECORDED))) == 6 * 13


def test_watches_go_wrong_in_fifteen_ways_per_kind() -> None:
    assert len(list(watch_plans(RECORDED))) == 15


def test_leases_and_events_have_plans_of_their_own_at_the_first_of_each() -> None:
    wheres = {str(plan.faults[0].where) for plan in background_plans(RECORDED)}
    assert wheres == {"update coordination.k8s.io/leases #1", "create events #1"}


def test_persistent_faults_are_per_verb_and_kind_leases_included() -> None:
    plans = list(persistent_plans(RECORDED))
    assert len(plans) == 6 * 13
    assert {plan.faults[0].seconds for plan in plans} == {70.0}


def test_names_of_plans_are_unique() -> None:
    named = [plan.name for make in (kill_plans, answer_plans, lost_reply_plans, background_plans, watch_plans) for plan in make(RECORDED)]
    named += [plan.name for plan in persistent_plans(RECORDED)]
    assert len(named) == len(set(named))

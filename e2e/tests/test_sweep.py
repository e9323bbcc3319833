"""Which calls get a fault, and what is said of runs that ended otherwise."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from e2e.candidates import terms_in
from e2e.faults import Call, Plan
from e2e.release_run import notifications
from e2e.sweep import Outcome, certain, choose_part, choose_sample, differences

CLEAN = Outcome({"edit": {"Service web": "blue"}}, (), 1.0, 0, 0)


def call(text: str, number: int, **more: Any) -> Call:
    """A call written as "verb resource/subresource name"."""
    verb, kind, name = text.split()
    resource, _, subresource = kind.partition("/")
    return Call(verb=verb, resource=resource, subresource=subresource, name=name, index=number, started=float(number), **more)


def calls(*texts: str) -> tuple[Call, ...]:
    return tuple(call(text, number) for number, text in enumerate(texts))


def test_a_status_of_another_kind_and_a_read_of_another_object_have_a_number_of_their_own() -> None:
    made = calls(
        "apply services web", "apply things/status a", "get pods a-123456", "apply services web", "apply others/status a",
        "get pods a-654321", "apply things/status a", "list nodes -", "get pods b", "apply things/status a", "list nodes -",
    )  # fmt: skip
    left_out = {5: "the same pod under another generated name", 9: "a third status", 10: "a second list"}
    assert [c.index for c in certain(made, status_writes=2, reads=1)] == [c.index for c in made if c.index not in left_out]


def test_a_write_whose_object_had_changed_is_none_that_every_run_makes() -> None:
    made = (call("delete pods a-123456", 0, code=409), call("get pods a-123456", 1, code=200), call("delete pods a-123456", 2, code=200))
    assert [c.index for c in certain(made, status_writes=2, reads=1)] == [1, 2]


def test_pods_that_are_not_ready_are_listed_where_a_look_finds_them_so() -> None:
    made = calls("list pods -", "get pods a", "list replicasets -", "list services -")
    assert [c.index for c in certain(made, status_writes=2, reads=1)] == [1, 3]


def test_a_probe_that_is_made_anew_is_none_of_every_run() -> None:
    first, second = "web-verify-cutover-1a2b3c", "web-verify-cutover-4d5e6f"
    made = calls(
        f"apply pods {first}", f"delete pods {first}", "apply pods web-verify-after-1a2b3c", f"apply pods {second}", f"delete pods {second}"
    )
    assert [c.index for c in certain(made, status_writes=2, reads=1)] == [0, 1, 2]


def test_parts_are_all_of_it_and_a_sample_depends_on_the_seed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    plans = [Plan(str(number), ()) for number in range(50)]
    parts = [choose_part(part, 3)(plans) for part in range(3)]
    assert sorted(plan.name for part in parts for plan in part) == sorted(plan.name for plan in plans)
    monkeypatch.setenv("HARDENED_SAMPLE", "a")
    first = choose_sample(5)(plans)
    assert choose_sample(5)(reversed(plans)) == first
    monkeypatch.setenv("HARDENED_SAMPLE", "b")
    assert choose_sample(5)(plans) != first


@pytest.mark.parametrize(
    ("clean", "result", "told"),
    [
        pytest.param(CLEAN, replace(CLEAN, hits=1), [], id="the same end"),
        pytest.param(CLEAN, CLEAN, ["a plan: the fault never struck"], id="a fault that proves nothing"),
        pytest.param(CLEAN, TimeoutError("late"), ["a plan: TimeoutError: late"], id="a run that broke"),
        pytest.param(
            CLEAN,
            replace(CLEAN, hits=1, states={"edit": {"Service web": "green"}}),
            ["a plan: after edit Service web is\n  green\nand should be\n  blue"],
            id="another end",
        ),
        pytest.param(CLEAN, replace(CLEAN, hits=1, wrongs=("lost",)), ["a plan: lost"], id="the same end, and harm on the way"),
        pytest.param(replace(CLEAN, wrongs=("lost",)), replace(CLEAN, hits=1), ["without a fault: lost"], id="harm without a fault"),
    ],
)
def test_what_ended_otherwise_is_told(clean: Outcome, result: Outcome | BaseException, told: list[str]) -> None:
    assert differences(clean, {"a plan": result}) == told


def test_who_wrote_is_told_in_the_order_in_which_writes_took_effect() -> None:
    late = call("apply services web", 1, finished=9.0, upstream_code=200)
    theirs = [call("apply services web", 4, finished=5.0, upstream_code=200)]
    assert terms_in({"a": [call("apply services web", 0, finished=0.5, upstream_code=200), late], "b": theirs}) == ["a", "b", "a"]
    assert terms_in({"a": [replace(late, upstream_code=409)], "b": theirs}) == ["b"], "what was refused took no effect"


@pytest.mark.parametrize(
    ("told", "is_all", "wrong"),
    [
        pytest.param({"Promoted": 1}, True, [], id="once"),
        pytest.param({"Promoted": 2}, False, ["Promoted was told 2 times, 1 is right"], id="twice"),
        pytest.param({"Promoted": 1, "Rejected": 1}, False, ["Rejected was told 1 times, 0 is right"], id="what is not so"),
        pytest.param({}, True, ["Promoted was not told"], id="never"),
        pytest.param({}, False, [], id="never, by one who was killed"),
    ],
)
def test_a_release_is_told_of_once(told: dict[str, int], is_all: bool, wrong: list[str]) -> None:
    assert notifications(Counter(told), frozenset({"Promoted"}), is_all=is_all) == wrong

"""What the tests of releases read from load reports, pod counts and cases is what is there."""

from __future__ import annotations

from typing import Any

import pytest

from e2e.hand_edits import BEFORE_CUTOVER, EDITS, PROMOTED, REJECTED, ROLLED_BACK, end_of, ends_after, leads_after, selector
from e2e.kube import Body
from e2e.pod_count import Watched, is_counted, most
from e2e.releases import STEPS, released, releases_in, unsized
from e2e.samples import sample, sampled
from e2e.traffic import sent_of
from hardened.api.parse import parse
from hardened.api.steps import Step
from hardened.core.desired import service
from hardened.core.model.target import Target

REPORT: dict[str, Any] = {
    "reasons": ["SIGTERM"],
    "figures": {
        "requests": 8,
        "failed": 6,
        "marks": {"v1": {"replies": 2, "first": 0.1, "last": 1.5}},
        "failedBySecond": [1, 0, 2, 3],
    },
}


@pytest.mark.parametrize(
    ("since", "until", "failed"),
    [
        pytest.param(0, 200, 6, id="all"),
        pytest.param(100, 101, 1, id="the first second"),
        pytest.param(100.5, 103, 2, id="a second that had begun is not counted"),
        pytest.param(102, 103.9, 2, id="nor one that is not over"),
        pytest.param(104, 110, 0, id="after the last"),
        pytest.param(90, 95, 0, id="before the first"),
    ],
)
def test_failures_are_counted_by_whole_seconds_between_two_moments(since: float, until: float, failed: int) -> None:
    assert sent_of(REPORT, began=100.0).failed_between(since, until) == failed


def test_a_version_was_last_asked_at_a_moment_of_the_tests_own_clock() -> None:
    assert sent_of(REPORT, began=100.0).last_of("v1") == 101.5


def test_a_report_without_figures_says_why() -> None:
    with pytest.raises(AssertionError, match="no address"):
        sent_of({"reasons": ["no address"], "figures": None}, began=0)


@pytest.mark.parametrize(
    ("since", "until", "highest"),
    [
        pytest.param(1, 4, 2, id="what held before counts"),
        pytest.param(1, 6, 3, id="a rise in between counts"),
        pytest.param(10, 12, 2, id="what is over does not"),
        pytest.param(5, 6, 3, id="what begins with the time counts"),
        pytest.param(-2, -1, 0, id="nothing was known yet"),
    ],
)
def test_the_most_pods_between_two_moments(since: float, until: float, highest: int) -> None:
    assert most([(0, 2), (5, 3), (9, 2)], since, until) == highest


def test_a_step_is_looked_for_after_a_moment() -> None:
    seen = Watched(steps=[(1, ""), (2, "Preview"), (3, ""), (4, "Preview")])
    assert (seen.began("Preview"), seen.began("Preview", 2), seen.began("", 2)) == (2, 4, 3)


@pytest.mark.parametrize(
    ("meta", "counts"),
    [
        pytest.param({"labels": {"hardened.dev/color": "blue"}}, True, id="a pod of a colour"),
        pytest.param({"labels": {"hardened.dev/color": "blue"}, "deletionTimestamp": "x"}, False, id="one that is ending"),
        pytest.param({"labels": {"app.kubernetes.io/component": "verifier"}}, False, id="a verifier"),
        pytest.param({}, False, id="anybody's"),
    ],
)
def test_pods_of_the_application_are_counted(meta: Body, counts: bool) -> None:
    assert is_counted({"metadata": meta}) == counts


def test_a_sample_is_the_same_for_one_commit_and_another_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = set()
    for seed in ("a", "b", "c", "d"):
        monkeypatch.setenv("HARDENED_SAMPLE", seed)
        found = sample(range(100), 3, by=str)
        assert found == sample(reversed(range(100)), 3, by=str)
        chosen.add(tuple(found))
    assert len(chosen) == 4


def test_all_but_the_sample_is_for_the_full_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARDENED_SAMPLE", "a")
    cases = sampled([("deleted", 0), ("deleted", 1), ("hanging", 0)], 1)
    assert [case.id for case in cases] == ["deleted-0", "deleted-1", "hanging-0"]
    assert [bool(case.marks) for case in cases].count(False) == 1


@pytest.mark.parametrize(
    ("reason", "is_ready", "color", "end"),
    [
        pytest.param("Healthy", True, "green", PROMOTED, id="the new version serves"),
        pytest.param("Healthy", True, "blue", "", id="what served before does, and nothing has begun"),
        pytest.param("RollingOut", False, "green", "", id="under way"),
        pytest.param("Rejected", False, "blue", REJECTED, id="rejected"),
        pytest.param("RolledBack", False, "blue", ROLLED_BACK, id="rolled back"),
    ],
)
def test_how_a_release_has_ended(reason: str, is_ready: bool, color: str, end: str) -> None:
    ready = {"type": "Ready", "status": str(is_ready), "reason": reason}
    live = {"metadata": {"generation": 1}, "status": {"conditions": [ready], "serving": {"color": color}}}
    assert end_of(live) == end


def test_each_step_that_is_met_is_one_of_a_release() -> None:
    assert set(STEPS) == set(Step) - {Step.PREFLIGHT, Step.QUEUED, Step.BACKUP, Step.MIGRATE, Step.SWITCH_BACK, Step.UNDO}


@pytest.mark.parametrize("edit", EDITS)
def test_before_the_cutover_a_service_is_led_back_to_stable_and_after_the_promotion_to_what_was_promoted(edit: str) -> None:
    assert {leads_after(step, edit) for step in BEFORE_CUTOVER} == {frozenset({"blue"})}
    assert leads_after("Keep", edit) == {"green"}
    assert ends_after("Approval", edit) == ends_after("Keep", edit) == {PROMOTED}


@pytest.mark.parametrize("edit", ["color-stripped", "selector-stripped", "service-from-git"])
def test_a_service_that_leads_astray_under_watch_takes_the_version_back(edit: str) -> None:
    assert (leads_after("VerifyAfter", edit), ends_after("VerifyAfter", edit)) == ({"blue"}, {ROLLED_BACK})


def test_a_selector_is_what_the_operator_writes() -> None:
    manifest = released("shop", "v1")
    svc = parse({**manifest, "metadata": {**manifest["metadata"], "uid": "u", "generation": 1}})
    assert selector("green", "0a1b2c3d4e5f") == service.selector(svc, Target("green", "0a1b2c3d4e5f"))


def test_an_unsized_service_says_all_but_its_size() -> None:
    manifest = released("shop", "v1")
    assert {**unsized(manifest)["spec"], "replicas": 2} == manifest["spec"]
    assert "replicas" not in unsized(manifest)["spec"]


def test_releases_are_told_apart_by_their_begin() -> None:
    def at(revision: str, second: int) -> Body:
        return {"status": {"release": {"revision": revision, "startedAt": f"2030-01-01T00:00:{second:02}Z"}}}

    assert releases_in([{}, at("a", 1), at("a", 1), {"status": {}}, at("b", 2), at("a", 3), at("a", 3)]) == ["a", "b", "a"]

"""Figures are held against their goals, kept with their commit, and counted from the audit log whatever the server does with its file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from e2e.audit import OPERATOR, Since
from e2e.bench.manifests import PLAYED, bare, service
from e2e.bench.release import ReleaseTimes
from e2e.bench.release import figures as figures_of_releases
from e2e.bench.report import Figure, keep, lines_of, table


@pytest.mark.parametrize(
    ("value", "goal", "verdict"),
    [
        pytest.param(9.9, 10, "met", id="below its goal"),
        pytest.param(10, 10, "met", id="at its goal"),
        pytest.param(0, 0, "met", id="nothing where nothing is wanted"),
        pytest.param(10.1, 10, "missed", id="above its goal"),
        pytest.param(10.1, None, "", id="there to be compared with"),
    ],
)
def test_a_figure_meets_its_goal_or_misses_it(value: float, goal: float | None, verdict: str) -> None:
    assert Figure("x", value, "s", goal).verdict == verdict


def test_a_bench_that_is_measured_again_replaces_its_own_figures_only(tmp_path: Path) -> None:
    file = tmp_path / "build" / "bench.json"
    for bench, value in (("a", 1.0), ("b", 2.0), ("a", 3.0)):
        keep(lines_of(bench, [Figure("x", value, "s", 2)], quick=False, load=1), file)
    kept = json.loads(file.read_text())
    assert [(line["bench"], line["value"], line["verdict"]) for line in kept["figures"]] == [("b", 2.0, "met"), ("a", 3.0, "missed")]
    assert {"commit", "at", "machine"} <= kept.keys()
    assert table(kept["figures"]).splitlines()[1].split() == ["b", "x", "2", "s", "≤", "2", "s", "met"]


def _line(verb: str, resource: str, user: str = OPERATOR, **more: str) -> str:
    event = {"verb": verb, "user": {"username": user}, "objectRef": {"resource": resource, **more}}
    return json.dumps(event, separators=(",", ":")) + "\n"


def test_requests_are_counted_from_a_moment_on_over_a_renamed_file(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    log.write_text(_line("patch", "services"))
    since = Since(log)
    with log.open("a") as lines:
        lines.write(_line("patch", "hardenedservices", subresource="status") + _line("get", "pods") + _line("patch", "pods", "somebody"))
    log.rename(tmp_path / "audit-2026-01-02T03-04-05.006.log")
    log.write_text(_line("create", "events"))
    assert since.calls() == {("patch", "hardenedservices/status"): 1, ("get", "pods"): 1, ("create", "events"): 1}
    assert since.writes() == 2


def test_the_bare_deployment_has_the_pods_of_the_service_and_none_of_its_marks() -> None:
    deployment, account = bare(service("web", "shop", scheduling=PLAYED, replicas=3))
    pod = deployment["spec"]["template"]["spec"]
    assert (deployment["spec"]["replicas"], pod["serviceAccountName"]) == (3, account["metadata"]["name"])
    assert deployment["metadata"] == {"name": "web-blue", "namespace": "shop"}


def test_releases_are_held_against_a_rolling_update_and_the_way_back_by_its_worst() -> None:
    taken = ReleaseTimes(released=[2.0, 4.0, 9.0], rolled=[8.0, 8.0, 8.0], flipped=[0.05, 0.04, 0.4], left=[0.2, 0.3, 1.5], writes=20)
    found = figures_of_releases(taken)
    assert [(f.value, f.unit, f.verdict) for f in found] == [
        (4.0, "s", ""),
        (8.0, "s", ""),
        (0.5, "", "met"),
        (50.0, "ms", "met"),
        (400.0, "ms", "missed"),
        (1.5, "s", "missed"),
        (20, "", ""),
    ]

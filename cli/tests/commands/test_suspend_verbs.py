"""`suspend` and `unsuspend`: what is written, for how long, and what others have written before."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hardenctl_world import SERVICES, FakeCluster, healthy, service

from hardenctl.cluster.replies import Conflict, FieldConflict
from hardened.api.parse import parse

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
SOON, LATE, PAST = "2026-01-02T14:00:00Z", "2026-02-01T00:00:00Z", "2026-01-01T00:00:00Z"


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hardenctl.output.moments.now", lambda: NOW)


def world(**spec: Any) -> FakeCluster:
    return FakeCluster(service(status=healthy(), **spec))


@pytest.mark.parametrize(
    ("arguments", "spec", "until"),
    [
        ([], {"suspend": True}, None),
        (["--until", "2h"], {"suspendUntil": SOON}, SOON),
        (["--until", "2026-02-01T00:00:00Z"], {"suspendUntil": LATE}, LATE),
        (["--until", "2026-02-01T01:00:00+01:00"], {"suspendUntil": LATE}, LATE),
    ],
)
def test_a_service_is_suspended(run: Any, arguments: list[str], spec: dict[str, Any], until: str | None) -> None:
    cluster = world()
    shown = run(cluster, "suspend", "api", *arguments, "-o", "json")
    found = json.loads(shown.stdout)
    assert (shown.exit_code, found["result"], found["until"]) == (0, "suspended", until)
    (path, body, is_dry) = cluster.applied[-1]
    assert (path, body["spec"], body["metadata"]["uid"], is_dry) == (f"{SERVICES}/api", spec, "uid-api", False)
    assert parse(cluster.objects[path]).as_of(NOW).spec.suspend
    assert found["next"] == "hardenctl unsuspend api -n shop"


@pytest.mark.parametrize(
    ("spec", "arguments", "written"),
    [
        pytest.param({"suspend": True}, [], {"suspend": False}, id="without an end"),
        pytest.param({"suspendUntil": SOON}, [], {"suspendUntil": "2026-01-02T12:00:00Z"}, id="with an end that somebody else has set"),
        pytest.param({"suspend": True, "suspendUntil": PAST}, [], {"suspend": False}, id="with an end that has passed"),
    ],
)
def test_a_service_goes_on(run: Any, spec: dict[str, Any], arguments: list[str], written: dict[str, Any]) -> None:
    cluster = world(**spec)
    shown = run(cluster, "unsuspend", "api", *arguments)
    assert (shown.exit_code, "is not suspended any more" in shown.stdout) == (0, True)
    assert cluster.applied[-1][1]["spec"] == written
    assert not parse(cluster.objects[f"{SERVICES}/api"]).as_of(NOW).spec.suspend


@pytest.mark.parametrize(
    ("spec", "line"),
    [
        ({"suspend": True}, ["suspend", "api"]),
        ({"suspendUntil": SOON}, ["suspend", "api", "--until", "2h"]),
        ({}, ["unsuspend", "api"]),
        ({"suspendUntil": PAST}, ["unsuspend", "api"]),
    ],
)
def test_what_is_so_already_is_not_written_again(run: Any, spec: dict[str, Any], line: list[str]) -> None:
    cluster = world(**spec)
    shown = run(cluster, *line, "-o", "json")
    assert (shown.exit_code, json.loads(shown.stdout)["result"], cluster.applied) == (0, "unchanged", [])


def test_an_end_has_no_effect_beside_what_has_none(run: Any) -> None:
    cluster = world(suspend=True)
    shown = run(cluster, "suspend", "api", "--until", "2h")
    assert shown.exit_code == 4
    assert "hardenctl unsuspend api -n shop" in shown.stderr
    assert all(is_dry for _, _, is_dry in cluster.applied)


@pytest.mark.parametrize(
    ("until", "said"),
    [
        ("2026-01-01T00:00:00Z", "has passed"),
        ("2026-02-01T00:00:00", "has no time zone"),
        ("2026-02-01", "has no time zone"),
        ("tomorrow", "is not a duration"),
        ("999h", "more than a week"),
    ],
)
def test_what_is_no_moment_to_come_is_refused(run: Any, until: str, said: str) -> None:
    shown = run(None, "suspend", "api", "--until", until)
    assert (shown.exit_code, said in shown.stderr) == (2, True)


@pytest.mark.parametrize("verb", ["suspend", "unsuspend"])
def test_what_git_has_set_is_not_taken_over_in_passing(run: Any, verb: str) -> None:
    cluster = world(suspend=verb == "unsuspend")
    cluster.refusal = Conflict("conflict", [FieldConflict(".spec.suspend", "argocd-controller")])
    shown = run(cluster, verb, "api")
    assert (shown.exit_code, "argocd-controller" in shown.stderr) == (4, True)
    assert run(cluster, verb, "api", "--force-conflicts").exit_code == 0

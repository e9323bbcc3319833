"""`history`: the revisions of a service, and what became of each."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hardenctl_world import (
    CHILDREN,
    NEW,
    NEW_IMAGE,
    OLD_IMAGE,
    REVISION,
    FakeCluster,
    healthy,
    kept,
    releasing,
    service,
    stored,
    taken_back,
)

from hardenctl.output.moments import age
from hardened.errors import Refused, TryAgain

NOW = datetime(2026, 1, 5, 3, 4, 5, tzinfo=UTC)
OLD, BAD = stored(REVISION, 1, OLD_IMAGE, promotion=1), "0123456789ab"


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hardenctl.output.moments.now", lambda: NOW)


def mark(reason: str, message: str, *, late: bool = False, key: str = "k") -> str:
    return json.dumps([{"key": key, "reason": reason, "message": message, "afterCutover": late}])


def world(status: dict[str, Any], *items: dict[str, Any]) -> FakeCluster:
    cluster = FakeCluster(service(status=status, image=NEW_IMAGE))
    cluster.objects[f"{CHILDREN}/controllerrevisions"] = {"items": list(items)}
    return cluster


def test_the_newest_comes_first_with_what_became_of_it(run: Any) -> None:
    failed = stored(BAD, 2, "registry.example/api:1.5", rejected=mark("CheckFailed", "check smoke failed:\n500"))
    shown = run(world(kept(), OLD, failed, stored(NEW, 3, NEW_IMAGE, promotion=2)), "history", "api")
    assert shown.exit_code == 0
    assert shown.stdout == (
        "NUMBER   REVISION       IMAGE                      AGE   STATE            CAUSE\n"
        f"3        {NEW}   registry.example/api:2.0   2d    serves, stable\n"
        f"2        {BAD}   registry.example/api:1.5   3d    rejected         CheckFailed: check smoke failed: 500\n"
        f"1        {REVISION}   registry.example/api:1.0   4d    promoted\n"
    )
    assert shown.stderr == f"Next: hardenctl rollback api -n shop --to-revision {REVISION}\n"


def test_the_next_command_goes_to_the_same_cluster(run: Any) -> None:
    cluster = world(kept(), OLD, stored(NEW, 2, NEW_IMAGE, promotion=2))
    shown = run(cluster, "history", "api", "--kubeconfig", "my prod.yaml", "--context", "eu")
    assert shown.stderr == (f"Next: hardenctl rollback api -n shop --to-revision {REVISION} --kubeconfig 'my prod.yaml' --context eu\n")


@pytest.mark.parametrize(
    ("status", "marks", "expected"),
    [
        pytest.param(kept(), {"promotion": 2}, ["serves", "stable"], id="it serves"),
        pytest.param(releasing("VerifyBefore"), {}, ["in VerifyBefore"], id="it is being released"),
        pytest.param(taken_back(), {"rejected": mark("CheckFailed", "no", late=True)}, ["rolled back"], id="it was taken back"),
        pytest.param(
            taken_back(),
            {"promotion": 2, "rejected": mark("CheckFailed", "no", late=True)},
            ["promoted", "rolled back"],
            id="after it had served",
        ),
        pytest.param(
            kept(),
            {"promotion": 2, "passed": "k2", "rejected": mark("CheckFailed", "no")},
            ["serves", "stable"],
            id="it passed other checks",
        ),
        pytest.param(
            taken_back(),
            {"promotion": 2, "passed": "k", "rejected": mark("CheckFailed", "no", key="k2")},
            ["promoted", "rejected"],
            id="it had passed other checks than those that are asked for now",
        ),
        pytest.param(healthy(), {}, [], id="it was superseded"),
        pytest.param(healthy(), {"rejected": "{"}, [], id="marks that cannot be read"),
    ],
)
def test_a_revision_is_what_became_of_it(run: Any, status: dict[str, Any], marks: dict[str, Any], expected: list[str]) -> None:
    said = json.loads(run(world(status, OLD, stored(NEW, 2, NEW_IMAGE, **marks)), "history", "api", "-o", "json").stdout)
    assert said["result"] == "ok"
    assert said["revisions"][0]["states"] == expected


def test_wide_shows_the_whole_cause(run: Any) -> None:
    cause = "check smoke failed: " + "x" * 200
    cluster = world(healthy(), OLD, stored(NEW, 2, NEW_IMAGE, rejected=mark("CheckFailed", cause)))
    assert cause not in run(cluster, "history", "api").stdout
    wide = run(cluster, "history", "api", "-o", "wide").stdout
    assert cause in wide
    assert "2026-01-02T03:04:05Z   -           rejected" in wide


def test_the_names_are_those_of_the_objects(run: Any) -> None:
    shown = run(world(healthy(), OLD), "history", "api", "-o", "name")
    assert shown.stdout == f"controllerrevision.apps/api-{REVISION}\n"


@pytest.mark.parametrize(
    ("status", "items", "target"),
    [
        pytest.param(kept(), [OLD, stored(NEW, 2, NEW_IMAGE, promotion=2)], REVISION, id="the one promoted before"),
        pytest.param(healthy(), [OLD, stored(NEW, 2, NEW_IMAGE, rejected=mark("NoData", ""))], "", id="never to what was rejected"),
        pytest.param(
            kept(),
            [stored(REVISION, 1, OLD_IMAGE, promotion=1, passed="k2", rejected=mark("NoData", "")), stored(NEW, 2, NEW_IMAGE, promotion=2)],
            REVISION,
            id="to what was rejected before it passed",
        ),
        pytest.param(healthy(), [OLD], "", id="there is no other"),
        pytest.param(kept(), [stored(BAD, 3, "i:1", promotion=1), OLD], REVISION, id="by promotion"),
    ],
)
def test_the_next_command_goes_back(run: Any, status: dict[str, Any], items: list[dict[str, Any]], target: str) -> None:
    said = json.loads(run(world(status, *items), "history", "api", "-o", "json").stdout)
    assert said["next"] == (f"hardenctl rollback api -n shop --to-revision {target}" if target else "")


def _remembered(missing: bool) -> dict[str, Any]:
    entry = {"revision": BAD, "image": "registry.example/api:0.9", "createdAt": "2026-01-01T00:00:00Z"}
    return healthy() | {"history": [{**entry, **({"missing": True} if missing else {})}]}


def test_what_was_deleted_is_remembered(run: Any) -> None:
    shown = run(world(_remembered(missing=True), OLD), "history", "api")
    assert shown.stdout.splitlines()[-1] == f"?        {BAD}   registry.example/api:0.9   4d    deleted"


def test_who_may_not_read_revisions_sees_what_status_remembers(run: Any) -> None:
    cluster = world(_remembered(missing=False))
    cluster.objects[f"{CHILDREN}/controllerrevisions"] = Refused("forbidden", status=403)
    shown = run(cluster, "history", "api")
    assert shown.exit_code == 0
    assert BAD in shown.stdout
    assert "warning: the state of each revision is unknown, because you may not list controllerrevisions" in shown.stderr


def test_a_stranger_of_the_same_label_is_not_listed(run: Any) -> None:
    stranger = stored(NEW, 2, NEW_IMAGE)
    stranger["metadata"]["ownerReferences"] = [{"uid": "another"}]
    assert NEW not in run(world(healthy(), OLD, stranger), "history", "api").stdout


def test_before_the_first_revision_there_is_nothing_to_list(run: Any) -> None:
    assert run(world({"observedGeneration": -1}), "history", "api").stdout == "no revision is stored yet\n"


@pytest.mark.parametrize(
    ("arguments", "broken", "code"),
    [
        (["history"], None, 2),
        (["history", "api", "-o", "xml"], None, 2),
        (["history", "other"], None, 1),
        (["history", "api"], TryAgain("overloaded", status=503), 5),
    ],
)
def test_what_cannot_be_listed_is_told(run: Any, arguments: list[str], broken: Any, code: int) -> None:
    cluster = world(healthy())
    if broken:
        cluster.objects[f"{CHILDREN}/controllerrevisions"] = broken
    assert run(cluster, *arguments).exit_code == code


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        (datetime(2026, 1, 5, 3, 3, 23, tzinfo=UTC), "42s"),
        (datetime(2026, 1, 5, 3, 0, 45, tzinfo=UTC), "3m"),
        (datetime(2026, 1, 5, 0, 0, 0, tzinfo=UTC), "3h"),
        (datetime(2026, 1, 2, 0, 0, 0, tzinfo=UTC), "3d"),
        (datetime(2026, 1, 9, 0, 0, 0, tzinfo=UTC), "0s"),
        (None, "?"),
    ],
)
def test_an_age_is_its_largest_unit(since: datetime | None, expected: str) -> None:
    assert age(since, NOW) == expected

"""`rollback`: where it goes, and what does not come back with it."""

import json
from typing import Any

import pytest
from hardenctl_world import (
    CHILDREN,
    NEW,
    NEW_IMAGE,
    OLD_IMAGE,
    REFERS,
    REVISION,
    FakeCluster,
    healthy,
    kept,
    releasing,
    service,
    stored,
)
from request_world import DONE, RUNNING, world

from hardened.api.parse import parse_spec
from hardened.core.revisions.revision import revision_name
from hardened.errors import Refused, TryAgain


@pytest.mark.parametrize(
    ("to", "revision"),
    [("1", REVISION), (REVISION, REVISION), (REVISION[:5], REVISION), ("0123456789ab", "0123456789ab")],
    ids=["a number", "a name", "first digits", "a name that only the operator may know"],
)
def test_a_rollback_goes_where_it_is_told(run: Any, to: str, revision: str) -> None:
    cluster = world(kept(), DONE)
    assert run(cluster, "rollback", "api", "--to-revision", to).exit_code == 0
    assert cluster.asked[0]["spec"]["revision"] == revision


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(["--to-revision", "1"], "not rolled back: Secret cert, Secret db, ConfigMap flags, data of claim data", id="named"),
        pytest.param(["--no-wait"], "not rolled back: Secret cert, Secret db, ConfigMap flags, data of claim data", id="the one before"),
        pytest.param(
            ["--to-revision", "0123456789ab"], "not rolled back: the content of Secrets, referenced ConfigMaps and claims", id="unknown"
        ),
    ],
)
def test_a_rollback_says_what_does_not_come_back(run: Any, arguments: list[str], expected: str) -> None:
    assert f"  {expected}\n" in run(world(kept(), DONE), "rollback", "api", *arguments).stdout


def test_what_does_not_come_back_is_data_too(run: Any) -> None:
    answer = json.loads(run(world(kept()), "rollback", "api", "--no-wait", "-o", "json").stdout)
    assert answer["result"] == "requested"
    # The status still tells of what was before: it is the request that says when it is done.
    done = "--for=jsonpath='{.status.phase}'=Succeeded"
    assert answer["next"] == f"kubectl wait hardenedserviceaction.hardened.dev/{answer['action']} -n shop {done}"
    assert answer["notRolledBack"] == {"secrets": ["cert", "db"], "configMaps": ["flags"], "claims": ["data"]}


def test_a_revision_that_refers_to_nothing_comes_back_whole(run: Any) -> None:
    shown = run(world(kept(), DONE, fields={"env": [{"name": "A", "value": "b"}]}), "rollback", "api", "--to-revision", "1")
    assert "not rolled back" not in shown.stdout


@pytest.mark.parametrize(
    ("found", "code", "expected"),
    [
        pytest.param(TryAgain("overloaded", status=503), 5, "error: the API server failed: overloaded", id="the server fails"),
        pytest.param(Refused("forbidden", status=403), 2, "because you may not list controllerrevisions", id="no right"),
    ],
)
def test_where_numbers_cannot_be_read_that_is_what_is_told(run: Any, found: Exception, code: int, expected: str) -> None:
    cluster = world(kept(), DONE)
    cluster.objects[f"{CHILDREN}/controllerrevisions"] = found
    shown = run(cluster, "rollback", "api", "--to-revision", "1")
    assert (shown.exit_code, cluster.asked) == (code, [])
    assert expected in shown.stderr


def test_a_number_of_many_digits_is_a_number(run: Any) -> None:
    cluster = world(kept(), DONE)
    items = [stored(f"{number:012x}", 1, OLD_IMAGE, promotion=1) | {"data": {"number": number}} for number in (1000, 1001)]
    lookalike = stored("100000000000", 1, OLD_IMAGE, promotion=1)
    cluster.objects[f"{CHILDREN}/controllerrevisions"] = {"items": [*items, lookalike]}
    assert run(cluster, "rollback", "api", "--to-revision", "1000").exit_code == 0
    assert cluster.asked[0]["spec"]["revision"] == f"{1000:012x}"


def test_who_may_not_read_revisions_can_go_back_all_the_same(run: Any) -> None:
    cluster = world(kept(), DONE)
    cluster.objects[f"{CHILDREN}/controllerrevisions"] = Refused("forbidden", status=403)
    shown = run(cluster, "rollback", "api")
    assert shown.exit_code == 0
    assert "not rolled back: the content of Secrets, referenced ConfigMaps and claims" in shown.stdout


def test_a_rollback_beside_a_release_that_does_not_serve_yet_says_what_would_end_it(run: Any) -> None:
    cluster = world(releasing("VerifyBefore"), DONE)
    shown = run(cluster, "rollback", "api")
    assert f"warning: revision {NEW} ({NEW_IMAGE}), in step VerifyBefore, does not serve yet: `abort` ends its release" in shown.stderr
    assert len(cluster.asked) == 1
    already = json.loads(run(world(releasing("VerifyBefore")), "rollback", "api", "--to-revision", "1", "-o", "json").stdout)
    assert (already["result"], already["next"]) == ("unchanged", "hardenctl abort api -n shop")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(releasing("Cutover"), REVISION, id="away from what is about to take over, to what serves"),
        pytest.param(kept(), REVISION, id="away from what was promoted"),
    ],
)
def test_where_it_will_go_is_told_as_the_operator_chooses(run: Any, status: dict[str, Any], expected: str) -> None:
    assert f"; target: {expected} (" in run(world(status, DONE), "rollback", "api").stderr


def test_a_rollback_across_a_migration_says_so(run: Any) -> None:
    cluster = world(kept(), RUNNING, DONE)
    assert run(cluster, "rollback", "api", "--across-migration").exit_code == 0
    assert cluster.asked[0]["spec"]["acrossMigration"] is True


def test_the_revisions_of_these_tests_have_the_names_that_the_operator_gives() -> None:
    named = (revision_name(parse_spec({"image": OLD_IMAGE, **REFERS})), revision_name(parse_spec({"image": NEW_IMAGE})))
    assert named == (REVISION, NEW)


THIRD_IMAGE = "registry.example/api:3.0"
THIRD = revision_name(parse_spec({"image": THIRD_IMAGE}))


def rejected(key: str) -> str:
    return json.dumps([{"key": key, "reason": "CheckFailed", "message": "check smoke failed"}])


@pytest.mark.parametrize(
    ("second", "spec", "expected"),
    [
        pytest.param(stored(NEW, 2, NEW_IMAGE, promotion=2), {}, NEW, id="the one promoted before"),
        pytest.param(
            stored(NEW, 2, NEW_IMAGE, promotion=2, passed="k2", rejected=rejected("k1")), {}, NEW, id="it has passed since it was rejected"
        ),
        pytest.param(
            stored(NEW, 2, NEW_IMAGE, promotion=2, passed="k2", rejected=rejected("k2")), {}, REVISION, id="it was rejected since"
        ),
        pytest.param(stored(NEW, 2, NEW_IMAGE, rejected=rejected("k1")), {}, REVISION, id="it never was promoted"),
        pytest.param(
            stored(NEW, 2, NEW_IMAGE, promotion=2) | {"data": {"number": 2, "fields": {"image": "registry.example/evil:1"}}},
            {},
            REVISION,
            id="what is stored is not what the operator stored, which it does not use",
        ),
        pytest.param(stored(NEW, 2, NEW_IMAGE, promotion=2), {"replicas": 0}, "", id="the operator would refuse it"),
    ],
)
def test_it_announces_what_the_operator_will_choose(run: Any, second: dict[str, Any], spec: dict[str, Any], expected: str) -> None:
    serving = {"color": "green", "revision": THIRD, "image": THIRD_IMAGE}
    status = healthy() | {"serving": serving, "stable": {"color": "green", "revision": THIRD, "promotion": 3}}
    cluster = FakeCluster(service(status=status, image=THIRD_IMAGE, **spec))
    items = [stored(REVISION, 1, OLD_IMAGE, promotion=1), second, stored(THIRD, 3, THIRD_IMAGE, promotion=3)]
    cluster.objects[f"{CHILDREN}/controllerrevisions"] = {"items": items}
    cluster.answers = [DONE]
    said = run(cluster, "rollback", "api").stderr
    assert (f"; target: {expected} (" in said) if expected else ("target:" not in said)

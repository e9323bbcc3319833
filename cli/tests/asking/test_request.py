"""A request that is not taken, gets lost, or cannot be followed to its end."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hardenctl_world import (
    ACTIONS,
    FakeCluster,
    kept,
    service,
)
from request_world import BEFORE, DONE, VERBS, world

from hardenctl.cluster.replies import InvalidFields
from hardened.errors import FieldError, Refused, TryAgain, Vanished

NO_KIND = Vanished("the server could not find the requested resource", status=404, reason="NotFound")


@VERBS
@pytest.mark.parametrize(
    ("refusal", "code", "expected"),
    [
        pytest.param(
            Refused('hardenedserviceactions.hardened.dev is forbidden: User "bob" cannot create resource', status=403, reason="Forbidden"),
            4,
            "create on hardenedserviceactions.hardened.dev, and create on hardenedservices/{verb}; "
            "kubectl auth can-i create hardenedserviceactions.hardened.dev -n shop",
            id="no right",
        ),
        pytest.param(NO_KIND, 1, "hint: upgrade the operator's chart, with its CRDs\nNext: hardenctl check", id="an older install"),
        pytest.param(
            InvalidFields("invalid", (FieldError("spec.action", "Unsupported value"),), status=422, reason="Invalid"),
            4,
            "spec.action: Unsupported value",
            id="an older schema",
        ),
        pytest.param(Vanished('namespaces "shop" not found', status=404), 4, "there is no namespace shop", id="no namespace"),
        pytest.param(TryAgain("Unauthorized", status=401), 5, "log in again", id="no credentials"),
    ],
)
def test_a_request_that_is_not_taken_says_what_to_do(run: Any, verb: str, refusal: Exception, code: int, expected: str) -> None:
    cluster = world(BEFORE[verb])
    cluster.refusal = refusal  # type: ignore[assignment]
    shown = run(cluster, verb, "api")
    assert shown.exit_code == code
    assert expected.format(verb=verb) in shown.stderr
    assert json.loads(run(cluster, verb, "api", "-o", "json").stdout)["result"] in ("refused", "notfound", "unanswered")


@pytest.mark.parametrize("user", [NO_KIND, Refused("forbidden", status=403)], ids=["not served", "not allowed"])
def test_where_nobody_says_who_asks_a_name_is_claimed_with_a_warning(run: Any, user: Any) -> None:
    cluster = world(BEFORE["promote"], DONE)
    cluster.user = user
    shown = run(cluster, "promote", "api", "--as", "carol")
    assert shown.exit_code == 0
    assert cluster.asked[0]["spec"]["requestedBy"] == "carol"
    assert "the request names carol, which a policy of the cluster may refuse" in shown.stderr


def test_a_request_whose_reply_was_lost_is_made_once(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hardenctl.asking.request.PAUSE_SECONDS", 0.0)
    cluster = world(BEFORE["rollback"], DONE)
    cluster.losses = 1
    assert run(cluster, "rollback", "api").exit_code == 0
    assert len(cluster.asked) == 1


def test_a_server_that_is_away_is_told(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hardenctl.asking.request.PAUSE_SECONDS", 0.0)
    cluster = world(BEFORE["rollback"])
    cluster.refusal = TryAgain("https://x: Connection refused")
    shown = run(cluster, "rollback", "api")
    assert shown.exit_code == 5
    assert "cannot reach the cluster: https://x: Connection refused; it is unknown whether the rollback was requested" in shown.stderr
    assert "Next: kubectl get hardenedserviceaction api-rollback-" in shown.stderr


def test_ctrl_c_before_the_reply_says_that_nobody_knows(run: Any) -> None:
    class Interrupted(FakeCluster):
        def _ask(self, path: str, body: Any) -> dict[str, Any]:
            raise KeyboardInterrupt

    shown = run(Interrupted(service(status=kept())), "rollback", "api")
    assert shown.exit_code == 130
    assert "interrupted; it is unknown whether the rollback was requested" in shown.stderr


def test_ctrl_c_ends_the_waiting_only(run: Any) -> None:
    class Interrupted(FakeCluster):
        def _answered(self) -> Iterator[dict[str, Any]]:
            raise KeyboardInterrupt
            yield

    cluster = Interrupted(service(status=kept()))
    shown = run(cluster, "rollback", "api", "-o", "json")
    answer = json.loads(shown.stdout)
    assert (shown.exit_code, answer["result"]) == (130, "interrupted")
    assert answer["message"] == "stopped waiting; the rollback was requested, and still stands"
    assert answer["next"] == "hardenctl status api -n shop -w"
    assert len(cluster.asked) == 1


def test_who_is_logged_out_meanwhile_learns_that_it_was_asked_for(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hardenctl.cluster.follower.PATIENCE_WITH_LOGIN", 0.0)

    class Expired(FakeCluster):
        def _answered(self) -> Iterator[dict[str, Any]]:
            raise TryAgain("Unauthorized", status=401)
            yield

    cluster = Expired(service(status=kept()))
    answer = json.loads(run(cluster, "rollback", "api", "-o", "json").stdout)
    name = cluster.asked[0]["metadata"]["name"]
    assert answer["result"] == "unanswered"
    assert f"the rollback was requested as {name} and continues, but can no longer be followed" in answer["message"]
    assert answer["next"] == f"kubectl get hardenedserviceaction {name} -n shop"


def test_who_may_ask_but_not_follow_is_told_which_right_is_missing(run: Any) -> None:
    class Unreadable(FakeCluster):
        def get(self, path: str, within: float | None = None) -> dict[str, Any]:
            if path.startswith(ACTIONS):
                raise Refused("forbidden: cannot get", status=403)
            return super().get(path)

    cluster = Unreadable(service(status=kept()))
    shown = run(cluster, "rollback", "api")
    assert shown.exit_code == 4
    assert f"requested as {cluster.asked[0]['metadata']['name']}, but you may not read its result" in shown.stderr
    assert "kubectl auth can-i get hardenedserviceactions.hardened.dev -n shop" in shown.stderr


def test_a_request_that_is_deleted_has_failed(run: Any) -> None:
    class Deleted(FakeCluster):
        def _answered(self) -> Iterator[dict[str, Any]]:
            yield {"type": "DELETED", "object": self.asked[-1]}

    shown = run(Deleted(service(status=kept())), "rollback", "api")
    assert shown.exit_code == 1
    assert "the request was deleted before it ended" in shown.stderr

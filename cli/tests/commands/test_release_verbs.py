"""`rollback`, `promote`, `abort`, `retry`, `pause` and `resume`: what they ask for, what they say, how they exit."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hardenctl_world import (
    ACTIONS,
    CHILDREN,
    NEW,
    NEW_IMAGE,
    REVISION,
    SERVICES,
    FakeCluster,
    healthy,
    kept,
    releasing,
    service,
    stored,
    taken_back,
)

from hardenctl.cluster.replies import InvalidFields
from hardened.errors import FieldError, Refused, TryAgain, Vanished

OLD_IMAGE = "registry.example/api:1.0"
REFERS = {
    "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "db", "key": "url"}}}],
    "envFrom": [{"configMapRef": {"name": "flags"}}],
    "volumes": [{"name": "tls", "secret": {"secretName": "cert"}}, {"name": "data", "claim": {"size": "1Gi"}}],
}


def world(status: dict[str, Any], *answers: dict[str, Any], fields: dict[str, Any] | None = None) -> FakeCluster:
    cluster = FakeCluster(service(status=status, image=NEW_IMAGE))
    items = [stored(REVISION, 1, OLD_IMAGE, promotion=1, **(REFERS if fields is None else fields)), stored(NEW, 2, NEW_IMAGE, promotion=2)]
    cluster.objects[f"{CHILDREN}/controllerrevisions"] = {"items": items}
    cluster.answers = list(answers)
    return cluster


def said(phase: str, message: str = "because") -> dict[str, Any]:
    return {"phase": phase, "message": message}


RUNNING, DONE = said("Running", "on its way"), said("Succeeded", "it is done")

BEFORE = {
    "rollback": kept(),
    "promote": releasing("Approval"),
    "abort": releasing("VerifyBefore"),
    "retry": taken_back(),
    "pause": releasing("Preview"),
    "resume": releasing("Preview", phase="Paused", pausedAt="2026-01-02T03:04:05Z"),
}
NEXT = {
    "rollback": "hardenctl deploy api -n shop --image IMAGE",
    "promote": "hardenctl status api -n shop -w",
    "abort": "hardenctl deploy api -n shop --image IMAGE",
    "retry": "hardenctl status api -n shop -w",
    "pause": "hardenctl resume api -n shop",
    "resume": "hardenctl status api -n shop -w",
}
NAMED = {"promote", "abort", "retry"}


VERBS = pytest.mark.parametrize("verb", list(BEFORE))


@VERBS
def test_a_verb_asks_the_operator_and_waits(run: Any, verb: str) -> None:
    cluster = world(BEFORE[verb], RUNNING, DONE)
    shown = run(cluster, verb, "api", "--reason", "p99 doubled", "-o", "json")
    answer = json.loads(shown.stdout)
    assert (shown.exit_code, answer["result"], answer["verb"], answer["message"]) == (0, "ok", verb, "it is done")
    assert answer["next"] == NEXT[verb]
    [asked] = cluster.asked
    assert asked["metadata"]["name"] == answer["action"]
    assert asked["metadata"]["name"].startswith(f"api-{verb}-")
    assert asked["metadata"]["ownerReferences"][0]["uid"] == "uid-api"
    wanted = {"service": "api", "action": verb.capitalize(), "requestedBy": "bob@example", "reason": "p99 doubled"}
    assert asked["spec"] == {**wanted, **({"revision": NEW} if verb in NAMED else {})}


@VERBS
def test_what_is_asked_for_passes_the_schema(run: Any, verb: str) -> None:
    from hardened.api.parse import parse_action

    cluster = world(BEFORE[verb], DONE)
    assert run(cluster, verb, "api").exit_code == 0
    assert parse_action(cluster.asked[0]).spec.action == verb.capitalize()


@VERBS
@pytest.mark.parametrize(
    ("answers", "result", "code", "expected"),
    [
        pytest.param([said("Refused")], "refused", 4, "was refused: because", id="refused"),
        pytest.param([RUNNING, said("Failed")], "failed", 1, "has failed: because", id="failed"),
        pytest.param([RUNNING], "timeout", 124, "has not ended in time: on its way\nhint: only the waiting ended", id="too slow"),
        pytest.param([said("Pending", "")], "timeout", 124, "has not ended in time: Pending\nhint: only the waiting ended", id="queued"),
        pytest.param([], "timeout", 124, "the operator has not looked at it\nhint: does the operator run?", id="nobody answers"),
    ],
)
def test_what_is_not_done_is_told_with_a_next_command(
    run: Any, verb: str, answers: list[dict[str, Any]], result: str, code: int, expected: str
) -> None:
    text = run(world(BEFORE[verb], *answers), verb, "api", "--timeout=0.2s")
    assert text.exit_code == code
    assert expected in text.stderr
    assert "Next: hardenctl " in text.stderr
    assert text.stdout == ""
    shown = run(world(BEFORE[verb], *answers), verb, "api", "--timeout=0.2s", "-o", "json")
    assert json.loads(shown.stdout)["result"] == result


def test_the_text_says_what_came_of_it_and_what_is_next(run: Any) -> None:
    cluster = world(kept(), RUNNING, said("Succeeded", f"revision {REVISION} serves again"))
    shown = run(cluster, "rollback", "api")
    assert shown.stdout == (
        f"√ shop/api: revision {REVISION} serves again\n"
        f"  Healthy; revision {NEW} ({NEW_IMAGE}) serves\n"
        "  not rolled back: Secret cert, Secret db, ConfigMap flags, data of claim data\n"
        "Next: hardenctl deploy api -n shop --image IMAGE\n"
    )
    name = cluster.asked[0]["metadata"]["name"]
    assert shown.stderr.splitlines() == [
        f"rollback of shop/api: to the revision promoted before, away from {NEW} ({NEW_IMAGE}); that should be {REVISION} ({OLD_IMAGE})",
        f"    0s  asked for, as {name} by bob@example",
        "    0s  waiting for the operator",
        "    0s  Running: on its way",
        f"    0s  Succeeded: revision {REVISION} serves again",
    ]


def test_quiet_leaves_the_result_alone(run: Any) -> None:
    shown = run(world(BEFORE["pause"], DONE), "pause", "api", "-q")
    assert (shown.stdout.splitlines()[0], shown.stderr) == ("√ shop/api: it is done", "")
    assert "Next" not in shown.stdout


def test_the_name_alone_is_the_actions(run: Any) -> None:
    cluster = world(BEFORE["promote"], DONE)
    shown = run(cluster, "promote", "api", "-o", "name")
    assert shown.stdout == f"hardenedserviceaction.hardened.dev/{cluster.asked[0]['metadata']['name']}\n"


@pytest.mark.parametrize(
    ("arguments", "status", "expected"),
    [
        (["promote", "api"], kept(), f"revision {NEW} ({NEW_IMAGE}) is promoted already"),
        (["promote", "api", "--revision", NEW], releasing("ScaleUp"), "is promoted already, and in step ScaleUp"),
        (["abort", "api"], taken_back(), "is rejected already: CheckFailed: check smoke failed: 500"),
        (["retry", "api"], healthy(), f"nothing is rejected: revision {REVISION} ({OLD_IMAGE}) serves"),
        (["pause", "api"], BEFORE["resume"], "is paused already"),
        (["resume", "api"], healthy(), "nothing is paused"),
        (["rollback", "api", "--to-revision", "2"], kept(), f"revision {NEW} ({NEW_IMAGE}) serves already"),
    ],
)
def test_what_is_so_already_is_not_asked_for(run: Any, arguments: list[str], status: dict[str, Any], expected: str) -> None:
    cluster = world(status)
    shown = run(cluster, *arguments)
    assert (shown.exit_code, cluster.asked) == (0, [])
    assert expected in shown.stdout
    answer = json.loads(run(cluster, *arguments, "-o", "json").stdout)
    assert (answer["result"], answer["action"]) == ("unchanged", "")


def test_what_somebody_else_did_meanwhile_is_done(run: Any) -> None:
    class Raced(FakeCluster):
        def _answered(self) -> Iterator[dict[str, Any]]:
            self.objects[f"{SERVICES}/api"]["status"] = releasing("ScaleUp")
            yield from super()._answered()

    cluster = Raced(service(status=releasing("Approval")))
    cluster.answers = [said("Refused", "it is promoted already")]
    shown = run(cluster, "promote", "api", "-o", "json")
    assert (shown.exit_code, json.loads(shown.stdout)["result"]) == (0, "unchanged")


@pytest.mark.parametrize(
    ("arguments", "status", "expected", "advice"),
    [
        (["promote", "api"], taken_back(), "cannot be promoted: CheckFailed: check smoke failed: 500", "hardenctl retry api -n shop"),
        (["promote", "api", "--revision", "0123456789ab"], BEFORE["promote"], "look at it first", "hardenctl status api -n shop"),
        (["abort", "api"], healthy(), "no release is under way", "hardenctl rollback api -n shop"),
        (
            ["retry", "api", "--revision", REVISION],
            taken_back(),
            "is the rejected one that the spec asks for",
            "hardenctl history api -n shop",
        ),
    ],
)
def test_what_can_not_be_meant_is_not_asked_for(run: Any, arguments: list[str], status: dict[str, Any], expected: str, advice: str) -> None:
    cluster = world(status)
    shown = run(cluster, *arguments, "-o", "json")
    answer = json.loads(shown.stdout)
    assert (shown.exit_code, answer["result"], answer["next"], cluster.asked) == (4, "refused", advice, [])
    assert expected in answer["message"]


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
            ["--to-revision", "0123456789ab"], "not rolled back: what secrets, referenced ConfigMaps and claims hold", id="unknown"
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
        pytest.param(TryAgain("overloaded", status=503), 1, "error: the API server failed: overloaded", id="the server fails"),
        pytest.param(Refused("forbidden", status=403), 2, "for want of the right to list controllerrevisions", id="no right"),
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
    assert "not rolled back: what secrets, referenced ConfigMaps and claims hold" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["rollback"], "Missing argument"),
        (["rollback", "api", "--to-revision", "9"], "9 is no revision of this service"),
        (["rollback", "api", "--to-revision", "latest"], f"the revisions are: 2 ({NEW}), 1 ({REVISION})"),
        (["rollback", "api", "--revision", NEW], "No such option"),
        (["promote", "api", "--revision", "2"], "it has 12 hex digits, as hardenctl history api shows them"),
        (["pause", "api", "--revision", NEW], "No such option"),
        (["abort", "api", "--reason", "a\nb"], "--reason has to be one line"),
        (["abort", "api", "--reason", "x" * 513], "of at most 512 characters"),
        (["retry", "api", "--no-wait", "--timeout=1m"], "--timeout and --no-wait exclude each other"),
        (["retry", "api", "--timeout=soon"], "--timeout 'soon' is not a duration"),
        (["resume", "api", "-o", "wide"], "-o wide is not known to resume"),
    ],
)
def test_usage_errors_ask_for_nothing(run: Any, arguments: list[str], expected: str) -> None:
    cluster = world(kept())
    shown = run(cluster, *arguments)
    assert (shown.exit_code, cluster.asked) == (2, [])
    assert expected in shown.stderr


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
        pytest.param(TryAgain("Unauthorized", status=401), 4, "log in anew", id="no credentials"),
    ],
)
def test_a_request_that_is_not_taken_says_what_to_do(run: Any, verb: str, refusal: Exception, code: int, expected: str) -> None:
    cluster = world(BEFORE[verb])
    cluster.refusal = refusal  # type: ignore[assignment]
    shown = run(cluster, verb, "api")
    assert shown.exit_code == code
    assert expected.format(verb=verb) in shown.stderr
    assert json.loads(run(cluster, verb, "api", "-o", "json").stdout)["result"] in ("refused", "notfound")


@pytest.mark.parametrize("user", [NO_KIND, Refused("forbidden", status=403)], ids=["not served", "not allowed"])
def test_where_nobody_says_who_asks_a_name_is_claimed_with_a_warning(run: Any, user: Any) -> None:
    cluster = world(BEFORE["promote"], DONE)
    cluster.user = user
    shown = run(cluster, "promote", "api", "--as", "carol")
    assert shown.exit_code == 0
    assert cluster.asked[0]["spec"]["requestedBy"] == "carol"
    assert "asking as carol, which a policy of the cluster may refuse" in shown.stderr


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
    assert shown.exit_code == 1
    assert "cannot reach the cluster: https://x: Connection refused; whether the rollback was asked for is not known" in shown.stderr
    assert "Next: kubectl get hardenedserviceaction api-rollback-" in shown.stderr


def test_a_rollback_beside_a_release_that_does_not_serve_yet_says_what_would_end_it(run: Any) -> None:
    cluster = world(releasing("VerifyBefore"), DONE)
    shown = run(cluster, "rollback", "api")
    assert f"warning: revision {NEW} ({NEW_IMAGE}), in step VerifyBefore, does not serve yet: abort ends its release" in shown.stderr
    assert len(cluster.asked) == 1
    already = json.loads(run(world(releasing("VerifyBefore")), "rollback", "api", "--to-revision", "1", "-o", "json").stdout)
    assert (already["result"], already["next"]) == ("unchanged", "hardenctl abort api -n shop")


def test_what_the_operator_wrote_is_data(run: Any) -> None:
    answer = json.loads(run(world(kept(), {**DONE, "result": {"revision": REVISION}}), "rollback", "api", "-o", "json").stdout)
    assert answer["outcome"] == {"revision": REVISION}


def test_ctrl_c_before_the_reply_says_that_nobody_knows(run: Any) -> None:
    class Interrupted(FakeCluster):
        def _ask(self, path: str, body: Any) -> dict[str, Any]:
            raise KeyboardInterrupt

    shown = run(Interrupted(service(status=kept())), "rollback", "api")
    assert shown.exit_code == 130
    assert "interrupted; whether the rollback was asked for is not known" in shown.stderr


def test_ctrl_c_ends_the_waiting_only(run: Any) -> None:
    class Interrupted(FakeCluster):
        def _answered(self) -> Iterator[dict[str, Any]]:
            raise KeyboardInterrupt
            yield

    cluster = Interrupted(service(status=kept()))
    shown = run(cluster, "rollback", "api", "-o", "json")
    answer = json.loads(shown.stdout)
    assert (shown.exit_code, answer["result"]) == (130, "interrupted")
    assert answer["message"] == "stopped waiting; the rollback was asked for, and is not taken back"
    assert answer["next"] == "hardenctl status api -n shop -w"
    assert len(cluster.asked) == 1


def test_who_is_logged_out_meanwhile_learns_that_it_was_asked_for(run: Any) -> None:
    class Expired(FakeCluster):
        def _answered(self) -> Iterator[dict[str, Any]]:
            raise TryAgain("Unauthorized", status=401)
            yield

    cluster = Expired(service(status=kept()))
    answer = json.loads(run(cluster, "rollback", "api", "-o", "json").stdout)
    name = cluster.asked[0]["metadata"]["name"]
    assert answer["result"] == "error"
    assert f"the rollback was asked for as {name}, and goes on, but cannot be followed" in answer["message"]
    assert answer["next"] == f"kubectl get hardenedserviceaction {name} -n shop"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(releasing("Cutover"), REVISION, id="away from what is about to take over, to what serves"),
        pytest.param(releasing("VerifyBefore"), NEW, id="away from what serves, to what was promoted once"),
        pytest.param(kept(), REVISION, id="away from what was promoted"),
    ],
)
def test_where_it_will_go_is_told_as_the_operator_chooses(run: Any, status: dict[str, Any], expected: str) -> None:
    assert f"; that should be {expected} (" in run(world(status, DONE), "rollback", "api").stderr


def test_who_may_ask_but_not_follow_is_told_which_right_is_missing(run: Any) -> None:
    class Unreadable(FakeCluster):
        def get(self, path: str, within: float | None = None) -> dict[str, Any]:
            if path.startswith(ACTIONS):
                raise Refused("forbidden: cannot get", status=403)
            return super().get(path)

    cluster = Unreadable(service(status=kept()))
    shown = run(cluster, "rollback", "api")
    assert shown.exit_code == 4
    assert f"asked for as {cluster.asked[0]['metadata']['name']}, but what comes of it may not be read" in shown.stderr
    assert "kubectl auth can-i get hardenedserviceactions.hardened.dev -n shop" in shown.stderr


def test_a_request_that_is_deleted_has_failed(run: Any) -> None:
    class Deleted(FakeCluster):
        def _answered(self) -> Iterator[dict[str, Any]]:
            yield {"type": "DELETED", "object": self.asked[-1]}

    shown = run(Deleted(service(status=kept())), "rollback", "api")
    assert shown.exit_code == 1
    assert "the request was deleted before it had ended" in shown.stderr


def test_messages_cannot_drive_the_terminal(run: Any) -> None:
    shown = run(world(kept(), said("Succeeded", "\x1b[2Jgone")), "rollback", "api")
    assert "\x1b" not in shown.output


def test_a_service_that_is_not_there_is_named(run: Any) -> None:
    shown = run(world(kept()), "rollback", "apii")
    assert shown.exit_code == 1
    assert "did you mean api?" in shown.stderr


def test_a_rollback_across_a_migration_says_so(run: Any) -> None:
    cluster = world(kept(), RUNNING, DONE)
    assert run(cluster, "rollback", "api", "--across-migration").exit_code == 0
    assert cluster.asked[0]["spec"]["acrossMigration"] is True

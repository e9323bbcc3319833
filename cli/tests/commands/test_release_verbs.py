"""`rollback`, `promote`, `abort`, `retry`, `pause` and `resume`: what they ask for, what they say, how they exit."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hardenctl_world import (
    NEW,
    NEW_IMAGE,
    REVISION,
    SERVICES,
    FakeCluster,
    healthy,
    kept,
    releasing,
    service,
    taken_back,
)
from request_world import BEFORE, DONE, NAMED, NEXT, OLD_IMAGE, RUNNING, VERBS, said, world


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
    from hardened.api.parse_action import parse_action

    cluster = world(BEFORE[verb], DONE)
    assert run(cluster, verb, "api").exit_code == 0
    assert parse_action(cluster.asked[0]).spec.action == verb.capitalize()


@VERBS
@pytest.mark.parametrize(
    ("answers", "result", "code", "expected"),
    [
        pytest.param([said("Refused")], "refused", 4, "was refused: because", id="refused"),
        pytest.param([RUNNING, said("Failed")], "failed", 1, "has failed: because", id="failed"),
        pytest.param([RUNNING], "timeout", 124, "has not ended in time: on its way\nhint: only the waiting has ended", id="too slow"),
        pytest.param(
            [said("Pending", "")], "timeout", 124, "has not ended in time: Pending\nhint: only the waiting has ended", id="queued"
        ),
        pytest.param([], "timeout", 124, "the operator has not answered it\nhint: is the operator running?", id="nobody answers"),
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
        "Next: hardenctl history api -n shop\n"
    )
    name = cluster.asked[0]["metadata"]["name"]
    assert shown.stderr.splitlines() == [
        f"rollback of shop/api: to the revision promoted before, from {NEW} ({NEW_IMAGE}); target: {REVISION} ({OLD_IMAGE})",
        f"    0s  requested as {name} by bob@example",
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
        (["promote", "api"], kept(), f"revision {NEW} ({NEW_IMAGE}) is already promoted"),
        (["promote", "api", "--revision", NEW], releasing("ScaleUp"), "is already promoted, and in step ScaleUp"),
        (["abort", "api"], taken_back(), "is already rejected: CheckFailed: check smoke failed: 500"),
        (["retry", "api"], healthy(), f"nothing is rejected: revision {REVISION} ({OLD_IMAGE}) serves"),
        (["pause", "api"], BEFORE["resume"], "is already paused"),
        (["resume", "api"], healthy(), "nothing is paused"),
        (["rollback", "api", "--to-revision", "2"], kept(), f"revision {NEW} ({NEW_IMAGE}) already serves"),
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
    cluster.answers = [said("Refused", "it is already promoted")]
    shown = run(cluster, "promote", "api", "-o", "json")
    assert (shown.exit_code, json.loads(shown.stdout)["result"]) == (0, "unchanged")


@pytest.mark.parametrize(
    ("arguments", "status", "expected", "advice"),
    [
        (["promote", "api"], taken_back(), "cannot be promoted: CheckFailed: check smoke failed: 500", "hardenctl retry api -n shop"),
        (["promote", "api", "--revision", "0123456789ab"], BEFORE["promote"], "check it first", "hardenctl status api -n shop"),
        (["abort", "api"], healthy(), "no release is in progress", "hardenctl rollback api -n shop"),
        (
            ["retry", "api", "--revision", REVISION],
            taken_back(),
            "which is rejected",
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
    ("arguments", "expected"),
    [
        (["rollback"], "Missing argument"),
        (["rollback", "api", "--to-revision", "9"], "9 is no revision of this service"),
        (["rollback", "api", "--to-revision", "latest"], f"the revisions are: 2 ({NEW}), 1 ({REVISION})"),
        (["rollback", "api", "--revision", NEW], "No such option"),
        (["promote", "api", "--revision", "2"], "it has 12 hex digits, as hardenctl history api shows them"),
        (["pause", "api", "--revision", NEW], "No such option"),
        (["abort", "api", "--reason", "a\nb"], "--reason must be one line"),
        (["abort", "api", "--reason", "x" * 513], "of at most 512 characters"),
        (["retry", "api", "--no-wait", "--timeout=1m"], "--timeout and --no-wait exclude each other"),
        (["retry", "api", "--timeout=soon"], "--timeout 'soon' is not a duration"),
        (["resume", "api", "-o", "wide"], "-o wide is not an output of resume"),
    ],
)
def test_usage_errors_ask_for_nothing(run: Any, arguments: list[str], expected: str) -> None:
    cluster = world(kept())
    shown = run(cluster, *arguments)
    assert (shown.exit_code, cluster.asked) == (2, [])
    assert expected in shown.stderr


def test_what_the_operator_wrote_is_data(run: Any) -> None:
    answer = json.loads(run(world(kept(), {**DONE, "result": {"revision": REVISION}}), "rollback", "api", "-o", "json").stdout)
    assert answer["outcome"] == {"revision": REVISION}


def test_messages_cannot_drive_the_terminal(run: Any) -> None:
    shown = run(world(kept(), said("Succeeded", "\x1b[2Jgone")), "rollback", "api")
    assert "\x1b" not in shown.output


def test_a_service_that_is_not_there_is_named(run: Any) -> None:
    shown = run(world(kept()), "rollback", "apii")
    assert shown.exit_code == 1
    assert "did you mean api?" in shown.stderr

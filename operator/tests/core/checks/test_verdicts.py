"""What is read from verifier pods and from the pods of a new version."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.worlds import NOW, OTHER_UID, WEB, live_sample, service

from hardened.core.checks.verdicts import (
    NoData,
    Pending,
    Reported,
    Results,
    health,
    job_result,
    load_result,
    probe_result,
    read,
    results_of,
    verdict,
)
from hardened.core.desired.check_pod import verifier_pod
from hardened.core.model.input import Verdict
from hardened.core.model.kit import Kit
from hardened.load.__main__ import exit_status
from hardened.load.verdict import Invalid, LoadFailed
from hardened.verifier.report import Result, rendered

SHOP = service(WEB)
FINE = Result("smoke", True, "5 of 5 requests passed", 5, 0)
BAD = Result("load", False, "2 of 5 requests failed", 5, 2)
LATE = Result("last", False, "1 of 1 requests failed", 1, 1)


def report(*results: Result) -> str:
    return rendered(results, NOW, NOW + timedelta(seconds=9)).decode()


def ended(message: str = "", code: int = 0, reason: str = "Completed", **state: Any) -> dict[str, Any]:
    found = {"exitCode": code, "reason": reason, "message": message, **state}
    return {"containerStatuses": [{"name": "verifier", "state": {"terminated": found}}]}


def never_begun(**more: Any) -> dict[str, Any]:
    """As the kubelet leaves a container that waited until the pod's deadline had passed."""
    state = {"exitCode": 137, "reason": "ContainerStatusUnknown", "message": "The container could not be located", "startedAt": None}
    return {
        "phase": "Failed",
        "reason": "DeadlineExceeded",
        "containerStatuses": [{"name": "verifier", "state": {"terminated": state}, **more}],
    }


RUNNING = {"phase": "Running", "containerStatuses": [{"name": "verifier", "state": {"running": {"startedAt": "2026-01-02T03:04:05Z"}}}]}
PULLING = {
    "phase": "Pending",
    "containerStatuses": [{"name": "verifier", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}],
}
AS_ROOT = {
    "phase": "Pending",
    "containerStatuses": [
        {
            "name": "verifier",
            "state": {
                "waiting": {"reason": "CreateContainerConfigError", "message": "container has runAsNonRoot and image will run as root"}
            },
        }
    ],
}
DISRUPTED = {"conditions": [{"type": "DisruptionTarget", "status": "True"}]}
DELETED = {"deletionTimestamp": "2026-01-02T03:04:05Z"}


def live(status: dict[str, Any], **meta: Any) -> dict[str, Any]:
    made = verifier_pod(SHOP, "shop-verify", {}, kit=Kit("hardened:1"), seconds=1)
    return {**made, "metadata": made["metadata"] | meta, "status": status}


@pytest.mark.parametrize(
    ("pod", "kind", "says"),
    [
        pytest.param(live({}), Pending, "has not ended", id="nobody has looked at it yet"),
        pytest.param(live(RUNNING), Pending, "has not ended", id="it runs"),
        pytest.param(live(PULLING), Pending, "no such image", id="its image does not come"),
        pytest.param(live({"phase": "Failed", "reason": "Evicted"}), NoData, "was lost (Evicted)", id="evicted"),
        pytest.param(live({"phase": "Failed", "reason": "DeadlineExceeded"} | ended("", 137)), NoData, "exit code 137", id="late"),
        pytest.param(live({"phase": "Failed"} | DISRUPTED | ended(report(FINE))), NoData, "had to leave its node", id="drained"),
        pytest.param(live({"phase": "Failed"} | ended(report(FINE), 137, "OOMKilled")), NoData, "code 137 (OOMKilled)", id="out of memory"),
        pytest.param(live({"phase": "Failed"} | ended("", 1, "Error")), NoData, "exit code 1 (Error)", id="a task that it cannot use"),
        pytest.param(live({"phase": "Succeeded"} | ended()), NoData, "no readable report", id="no message"),
        pytest.param(live({"phase": "Succeeded"} | ended(report(FINE)[:-9])), NoData, "no readable report", id="half a message"),
        pytest.param(live({"phase": "Failed"}), NoData, "without a report", id="no container"),
        pytest.param(live({"phase": "Unknown"}), NoData, "without a report", id="its node is gone"),
        pytest.param(live(RUNNING, **DELETED), NoData, "without a report", id="it was deleted, and has not ended"),
        pytest.param(live(ended(report(FINE)), ownerReferences=[]), NoData, "does not belong to the operator", id="somebody else's"),
        pytest.param(
            live(ended(report(FINE)), ownerReferences=[{"controller": True, "kind": "HardenedService", "name": "shop", "uid": OTHER_UID}]),
            NoData, "does not belong to the operator", id="of a service that is gone",
        ),
    ],
)  # fmt: skip
def test_a_pod_that_says_nothing_is_no_failure(pod: dict[str, Any], kind: type, says: str) -> None:
    found = results_of(SHOP, pod)
    assert isinstance(found, kind)
    assert says in getattr(found, "message", "")
    assert verdict(found, ["smoke"])[0] is Verdict.UNKNOWN


@pytest.mark.parametrize(
    "pod",
    [
        live({"phase": "Succeeded"} | ended(report(FINE, BAD))),
        live(ended(report(FINE, BAD)), **DELETED),
        live({"phase": "Failed", "reason": "DeadlineExceeded"} | ended(report(FINE, BAD))),
    ],
    ids=["it ended", "it was deleted", "it was told to end"],
)
def test_a_report_is_read(pod: dict[str, Any]) -> None:
    found = results_of(SHOP, pod)
    assert isinstance(found, Reported)
    assert [(r.name, r.has_passed, r.message, r.requests, r.failed) for r in found.results] == [
        ("smoke", True, "5 of 5 requests passed", 5, 0),
        ("load", False, "2 of 5 requests failed", 5, 2),
    ]


def seen(*results: Result) -> Results:
    found = read(report(*results))
    assert found
    return found


@pytest.mark.parametrize(
    ("results", "expected", "outcome", "says"),
    [
        pytest.param(seen(FINE), ["smoke"], Verdict.PASSED, "1 checks passed", id="all passed"),
        pytest.param(seen(LATE, FINE, BAD), ["smoke", "load", "last"], Verdict.FAILED, "check load failed: 2 of 5 requests failed",
                     id="the first failure in the order of the checks"),
        pytest.param(seen(BAD), ["smoke", "load"], Verdict.FAILED, "check load failed", id="a failure is one, whatever is missing"),
        pytest.param(seen(FINE), ["smoke", "load"], Verdict.UNKNOWN, "there is no result for load", id="one is missing"),
        pytest.param(seen(FINE, BAD), ["smoke"], Verdict.PASSED, "1 checks passed", id="nobody asked for the other"),
        pytest.param(seen(), ["smoke"], Verdict.UNKNOWN, "there is no result for smoke", id="an empty report"),
        pytest.param(Pending(), ["smoke"], Verdict.UNKNOWN, "has not ended", id="not yet"),
        pytest.param(NoData("lost"), ["smoke"], Verdict.UNKNOWN, "lost", id="never"),
    ],
)  # fmt: skip
def test_the_checks_together(results: Results, expected: list[str], outcome: Verdict, says: str) -> None:
    found, sentence = verdict(results, expected)
    assert found is outcome
    assert says in sentence


ENTRY = {"name": "smoke", "result": "Passed", "requests": 1, "failed": 0, "message": ""}
WHOLE = {"results": [ENTRY], "finishedAt": "2026-01-02T03:04:05.000Z"}


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(WHOLE | {"results": {}}, id="no list"),
        pytest.param(WHOLE | {"results": ["Passed"]}, id="a text for a result"),
        pytest.param(WHOLE | {"results": [ENTRY | {"result": "Unknown"}]}, id="another word"),
        pytest.param(WHOLE | {"results": [ENTRY | {"result": ["Passed"]}]}, id="no word"),
        pytest.param(WHOLE | {"results": [ENTRY | {"name": 1}]}, id="no name"),
        pytest.param(WHOLE | {"results": [ENTRY | {"requests": 0}]}, id="a pass without a request"),
        pytest.param(WHOLE | {"results": [ENTRY | {"requests": True}]}, id="a truth for a number"),
        pytest.param([WHOLE], id="a list"),
    ],
)
def test_what_no_verifier_writes_is_not_read(forged: Any) -> None:
    assert read(json.dumps(WHOLE))
    assert read(json.dumps(forged)) is None


def test_what_is_read_is_bounded_and_printable() -> None:
    entry = ENTRY | {"name": "n" * 999, "message": "a\n\x1b[31mb" + "c" * 9999, "failed": -1}
    found = read(json.dumps(WHOLE | {"results": [entry] * 999}))
    assert found
    result = found.results[0]
    assert (len(found.results), len(result.name), len(result.message), result.failed) == (64, 63, 400, 0)
    assert result.message.startswith("a  [31mb")


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.sampled_from(["Passed", "Failed"])
KEYS = st.sampled_from(["results", "finishedAt", "name", "result", "requests", "message"])
DOCUMENTS = st.recursive(VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6), max_leaves=12)


@given(st.text(max_size=99) | DOCUMENTS.map(json.dumps) | DOCUMENTS.map(lambda d: json.dumps(WHOLE | {"results": [d]})))
def test_any_text_is_read_or_not(text: str) -> None:
    found = read(text)
    assert found is None or all(result.requests > 0 for result in found.results)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"results":' * 50_000, "1" * 5000])
def test_the_oddest_texts_are_no_report(text: str) -> None:
    assert read(text) is None


# ---- the pods themselves

BEFORE, AFTER = NOW - timedelta(seconds=5), NOW + timedelta(seconds=5)
READY = {"type": "Ready", "status": "True"}
UP: dict[str, Any] = {"running": {"startedAt": "2026-01-02T03:00:00Z"}}
DOWN: dict[str, Any] = {"waiting": {"reason": "CrashLoopBackOff"}}


def end(at: datetime | None) -> dict[str, Any]:
    return {"terminated": {"exitCode": 1, "finishedAt": at and at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}}


def container(restarts: int = 0, state: dict[str, Any] = UP, last: dict[str, Any] | None = None, name: str = "app") -> dict[str, Any]:
    return {"name": name, "restartCount": restarts, "state": state, "lastState": last or {}}


def app(*containers: dict[str, Any], conditions: Any = (READY,), inits: Any = (), sidecar: bool = False, **meta: Any) -> dict[str, Any]:
    policy = {"restartPolicy": "Always"} if sidecar else {}
    return {
        "metadata": {"name": "shop-blue-1", **meta},
        "spec": {"initContainers": [{"name": c["name"], **policy} for c in inits]},
        "status": {"containerStatuses": list(containers or [container()]), "initContainerStatuses": list(inits), "conditions": conditions},
    }


ONCE = app(container(1, UP, end(AFTER)))


@pytest.mark.parametrize(
    ("pods", "least", "max_restarts", "expected", "says"),
    [
        pytest.param([app(), app()], 2, 0, Verdict.PASSED, "2 pods are ready", id="all is well"),
        pytest.param([app(), app(conditions=())], 2, 0, Verdict.UNKNOWN, "1 of 2 pods are ready", id="one is not ready"),
        pytest.param([], 1, 0, Verdict.UNKNOWN, "0 of 1 pods are ready", id="nobody is there"),
        pytest.param([app(), ONCE], 2, 0, Verdict.FAILED, "ended once (0 allowed); pod", id="a restart"),
        pytest.param([app(), ONCE], 2, 1, Verdict.PASSED, "2 pods are ready", id="a restart that may be"),
        pytest.param([ONCE, ONCE], 2, 1, Verdict.FAILED, "ended 2 times", id="restarts of two pods add up"),
        pytest.param([app(container(3, UP, end(BEFORE)))], 1, 0, Verdict.PASSED, "ready", id="restarts at its start have passed"),
        pytest.param([app(container(0, end(AFTER)))], 1, 0, Verdict.FAILED, "ended once", id="it has just ended"),
        pytest.param([app(container(1, DOWN, end(AFTER)))], 1, 1, Verdict.FAILED, "ended 2 times", id="it waits to be started again"),
        pytest.param([app(container(1, UP, end(None)))], 1, 0, Verdict.PASSED, "ready", id="nobody saw how it ended"),
        pytest.param([app(inits=[container(1, end(AFTER), name="migrate")])], 1, 0, Verdict.PASSED, "ready", id="an init container"),
        pytest.param([app(inits=[container(1, UP, end(AFTER), name="proxy")], sidecar=True)], 1, 0, Verdict.FAILED, "ended once",
                     id="a sidecar"),
        pytest.param([app(), app(container(9, DOWN, end(AFTER)), conditions=DISRUPTED["conditions"])], 1, 0, Verdict.PASSED, "1 pods",
                     id="a pod that a drain takes away is no failure"),
        pytest.param([app(), app(container(9, DOWN, end(AFTER)), **DELETED)], 1, 0, Verdict.PASSED, "1 pods", id="nor is one that leaves"),
        pytest.param([app(**DELETED)], 1, 0, Verdict.UNKNOWN, "0 of 1", id="nor does it count as ready"),
    ],
)  # fmt: skip
def test_the_new_version_by_its_pods(pods: list[dict[str, Any]], least: int, max_restarts: int, expected: Verdict, says: str) -> None:
    found, sentence = health(pods, least, max_restarts, NOW)
    assert found is expected
    assert says in sentence


def test_pods_of_a_real_cluster_are_understood() -> None:
    real = live_sample("pods")
    since = datetime(2020, 1, 1, tzinfo=UTC)
    assert health([real["healthy"]], 1, 0, since)[0] is Verdict.PASSED
    assert health([real["crash"]], 1, 0, since)[0] is Verdict.FAILED
    assert health([real["unready"]], 1, 0, since)[0] is Verdict.UNKNOWN
    assert {health([pod], 1, 0, since)[0] for pod in real.values()} == set(Verdict)


# ---- load, and commands of the team's


def load_report(verdict: str = "Passed", *reasons: str, requests: int = 100) -> str:
    return json.dumps({"verdict": verdict, "reasons": reasons, "figures": {"requests": requests, "failed": 3} if requests else None})


def test_a_probe_that_made_no_request_says_nothing_and_is_made_anew() -> None:
    empty = live({"phase": "Failed", "reason": "DeadlineExceeded"} | ended(report()))
    assert isinstance(results_of(SHOP, empty), Reported)
    assert isinstance(probe_result(SHOP, empty), NoData)


FAILED_LOAD, INVALID_LOAD = exit_status(LoadFailed(())), exit_status(Invalid(""))


@pytest.mark.parametrize(
    ("message", "code", "outcome", "says"),
    [
        pytest.param(load_report(), 0, Verdict.PASSED, "1 checks passed", id="passed"),
        pytest.param(load_report("Failed", "p95 is 2 s"), FAILED_LOAD, Verdict.FAILED, "check load failed: p95 is 2 s", id="failed"),
        pytest.param(load_report("Invalid", "it was late"), INVALID_LOAD, Verdict.UNKNOWN, "proves nothing: it was late", id="invalid"),
        pytest.param(load_report(requests=0), 0, Verdict.UNKNOWN, "no request was sent", id="nobody was asked"),
        pytest.param(load_report(), 137, Verdict.UNKNOWN, "proves nothing", id="killed"),
        pytest.param("{}", 0, Verdict.UNKNOWN, "no readable report", id="no report"),
        pytest.param("[" * 9000, 0, Verdict.UNKNOWN, "no readable report", id="no JSON"),
    ],
)
def test_load_passes_fails_or_proves_nothing(message: str, code: int, outcome: Verdict, says: str) -> None:
    pod = live({"phase": "Failed" if code else "Succeeded"} | ended(message, code))
    found, sentence = verdict(load_result(SHOP, pod, "load"), ["load"])
    assert found is outcome
    assert says in sentence


def test_a_failed_load_check_names_the_path_that_it_asked_for() -> None:
    pod = live({"phase": "Failed"} | ended(load_report("Failed", "3 of 100 requests failed"), FAILED_LOAD))
    pod["spec"]["containers"][0]["args"] = ["--brief", "--path", "/basket?full=1"]
    _, sentence = verdict(load_result(SHOP, pod, "load"), ["load"])
    assert sentence == "check load failed: GET /basket?full=1: 3 of 100 requests failed"


@pytest.mark.parametrize(
    ("pod", "outcome", "says"),
    [
        pytest.param(live({"phase": "Succeeded"} | ended("secret")), Verdict.PASSED, "1 checks passed", id="passed"),
        pytest.param(
            live({"phase": "Failed"} | ended("secret", 3, "Error")), Verdict.FAILED, "exit code 3 (Error): kubectl logs", id="failed"
        ),
        pytest.param(
            live({"phase": "Failed"} | ended('exec: "/no": no such file', 128, "StartError")),
            Verdict.FAILED,
            'its command could not be started: exec: "/no": no such file',
            id="it never ran, and the runtime knows why",
        ),
        pytest.param(
            live({"phase": "Failed", "reason": "DeadlineExceeded"} | ended("", 137, startedAt="2026-01-02T03:04:05Z")),
            Verdict.FAILED,
            "ran longer than its deadline",
            id="endless",
        ),
        pytest.param(
            live(RUNNING | {"phase": "Failed", "reason": "DeadlineExceeded"}), Verdict.FAILED, "ran longer than", id="endless, and told so"
        ),
        pytest.param(live(never_begun(imageID="")), Verdict.FAILED, "image hardened:1 was not pulled; check", id="its image never came"),
        pytest.param(
            live(never_begun(imageID="sha256:0")), Verdict.FAILED, "did not start by its deadline: see kubectl", id="it never began"
        ),
        pytest.param(
            live({"phase": "Failed", "reason": "DeadlineExceeded"}), Verdict.FAILED, "did not start by its deadline", id="no container"
        ),
        pytest.param(live(AS_ROOT), Verdict.FAILED, "image will run as root; set security.runAsUser", id="its image runs as root"),
        pytest.param(live({"phase": "Failed", "reason": "Evicted"}), Verdict.UNKNOWN, "was lost", id="evicted"),
        pytest.param(live(PULLING), Verdict.UNKNOWN, "no such image", id="its image does not come"),
        pytest.param(
            live({"phase": "Failed", "reason": "DeadlineExceeded"}, ownerReferences=[]), Verdict.UNKNOWN, "does not belong", id="forged"
        ),
    ],
)
def test_a_command_passes_by_its_exit_code_and_nothing_it_printed_is_told(pod: dict[str, Any], outcome: Verdict, says: str) -> None:
    found, sentence = verdict(job_result(SHOP, pod, "contract"), ["contract"])
    assert found is outcome
    assert says in sentence
    assert "secret" not in sentence

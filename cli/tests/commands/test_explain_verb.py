"""`explain`: why a service waits or is not Ready, in one screen, with a next command that works."""

import json
import shlex
from datetime import UTC, datetime
from typing import Any

import pytest
from hardenctl_world import NEW, REVISION, condition, degraded, healthy, releasing, service, state, suspended, taken_back
from service_world import CRASHED, NEW_POD, RUNNING, UNPULLED, around, event, pod, waiting

from hardenctl.app import VERBS
from hardenctl.release.reason_pages import COMMANDS, command_of, is_reason
from hardened.core.model.reasons import Reason
from hardened.errors import Refused

BACK_OFF = event("Pod", NEW_POD, "BackOff", "Back-off restarting failed container", type="Warning", count=5)
LOGS = f"hardenctl logs api -n shop --revision {NEW} --tail 50"


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hardenctl.output.moments.now", lambda: datetime(2026, 1, 2, 3, 4, 0, tzinfo=UTC))


def test_a_crash_is_told_from_the_spec_to_the_event(run: Any) -> None:
    shown = run(around(None, CRASHED, BACK_OFF), "explain", "api")
    assert shown.exit_code == 0
    assert shown.stdout == (
        "… shop/api is progressing: CrashLooping\n"
        "\n"
        f"Cause     pod {NEW_POD}, container app: ended with exit code 1 (Error), restarted 4 times; "
        f"see kubectl logs -n shop {NEW_POD} -c app --previous\n"
        "Fix       Read the logs of the container that ended, and correct the program or the spec.\n"
        "\n"
        "spec      generation 1: registry.example/api:2.0\n"
        "release   step Preview\n"
        f"revision  {NEW}: registry.example/api:2.0, new\n"
        "colour    green: 0 of 1 pods ready\n"
        f"pod       {NEW_POD}: CrashLoopBackOff, 0 of 1 ready, 4 restarts: CrashLooping\n"
        "event     30s ago: Error: container app ended with exit code 1\n"
        "          1m ago: BackOff (x5): Back-off restarting failed container\n"
    )
    assert shown.stderr == f"Next: {LOGS} --previous\n"
    assert "hunter2" not in shown.output, "the message of a container is the application's own"


WAITS = releasing("Approval")
SLOW = {"phase": "Running", "containerStatuses": [{"name": "app", "ready": False, "restartCount": 0, "state": {"running": {}}}]}
OLD_SLOW = SLOW | {"conditions": [{"type": "Ready", "status": "False"}]}
LOST = {
    "phase": "Pending",
    "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/2 nodes: Insufficient cpu"}],
}


def beside_a_pin(reason: str, message: str) -> dict[str, Any]:
    """A version was taken back, and then something happened to the one that serves."""
    return taken_back() | {"phase": "Degraded", "conditions": [condition("Ready", "False", reason, message)]}


def crash_pinned() -> dict[str, Any]:
    found = taken_back(after_cutover=False)
    return found | {"pin": found["pin"] | {"reason": "CrashLooping", "message": "exit code 2"}}


@pytest.mark.parametrize(
    ("status", "new", "reason", "cause", "step"),
    [
        pytest.param(None, UNPULLED, "ImagePullFailed", "not found", f"kubectl describe pod {NEW_POD} -n shop", id="an image"),
        pytest.param(
            None,
            waiting("CreateContainerConfigError", 'secret "db" not found'),
            "ConfigMissing",
            'secret "db" not found',
            f"kubectl describe pod {NEW_POD} -n shop",
            id="a Secret that is missing",
        ),
        pytest.param(None, LOST, "Unschedulable", "Insufficient cpu", f"kubectl describe pod {NEW_POD} -n shop", id="no node"),
        pytest.param(None, OLD_SLOW, "PodsNotReady", "readiness probe", LOGS, id="a probe that fails"),
        pytest.param(None, None, "RollingOut", "is on its way", "hardenctl status api -n shop -w", id="pods are on their way"),
        pytest.param(WAITS, None, "RollingOut", "Approval", "hardenctl promote api -n shop", id="it waits for a person"),
        pytest.param(
            taken_back(after_cutover=False),
            None,
            "CheckFailed",
            f"revision {NEW} was rejected: CheckFailed: check smoke failed: 500",
            f"hardenctl events api -n shop --for={NEW}",
            id="it was rejected",
        ),
        pytest.param(
            crash_pinned(),
            None,
            "CrashLooping",
            f"revision {NEW} was rejected: CrashLooping: exit code 2",
            f"hardenctl events api -n shop --for={NEW}",
            id="it was rejected since it crashed, and its pods with their logs are gone",
        ),
        pytest.param(
            crash_pinned(),
            OLD_SLOW,
            "CrashLooping",
            f"revision {NEW} was rejected: CrashLooping: exit code 2",
            f"hardenctl events api -n shop --for={NEW}",
            id="it was rejected, and its pods are on their way out",
        ),
        pytest.param(
            taken_back(),
            None,
            "CheckFailed",
            f"revision {NEW} was rolled back",
            f"hardenctl events api -n shop --for={NEW}",
            id="taken back",
        ),
        pytest.param(
            beside_a_pin("QuotaExceeded", "exceeded quota: small"),
            None,
            "QuotaExceeded",
            "exceeded quota: small",
            "kubectl describe quota -n shop",
            id="something else is in the way of the version that serves by now",
        ),
        pytest.param(healthy(), None, "Healthy", "serves with 2 of 2 pods", "", id="nothing is wrong"),
        pytest.param(
            state("Degraded", condition("Ready", "False", "QuotaExceeded", "exceeded quota: small; raise it")),
            None,
            "QuotaExceeded",
            "exceeded quota: small",
            "kubectl describe quota -n shop",
            id="a quota",
        ),
        pytest.param(
            state("Degraded", condition("Ready", "False", "OfANewerOperator", "who knows")),
            None,
            "OfANewerOperator",
            "who knows",
            "hardenctl events api -n shop",
            id="a reason of a newer operator",
        ),
        pytest.param(
            degraded(), None, "CrashLooping", "exit code 1", f"hardenctl logs api -n shop --revision {REVISION} --tail 50", id="all of it"
        ),
    ],
)
def test_the_cause_and_the_next_command(run: Any, status: Any, new: Any, reason: str, cause: str, step: str) -> None:
    found = json.loads(run(around(status, new), "explain", "api", "-o", "json").stdout)
    assert set(found) == {"result", "namespace", "name", "reason", "cause", "meaning", "fix", "chain", "next"}
    assert (found["reason"], found["next"]) == (reason, step)
    assert cause in found["cause"]
    assert "IMAGE" not in found["next"], "it can be pasted as it is"
    assert all(set(link) == {"kind", "name", "state", "message"} for link in found["chain"])


MOUNTED_LATE = waiting("ContainerCreating")
TOLD_TO_END = waiting("CrashLoopBackOff", restarts=2, ended={"exitCode": 0, "reason": "Completed"})
NEVER_RAN = waiting("CrashLoopBackOff", restarts=2, ended={"exitCode": 128, "reason": "StartError", "message": 'exec: "/no/such"'})
NO_ROOM = LOST | {"conditions": [LOST["conditions"][0] | {"message": "pod has unbound immediate PersistentVolumeClaims"}]}
#: The claim that a pod waits for, beside it.
CLAIM = {"metadata": {"name": "api-data", "labels": {"hardened.dev/service": "api"}}}
LIVENESS = {"name": "app", "livenessProbe": {"httpGet": {"path": "/live", "port": 80}}}


@pytest.mark.parametrize(
    ("new", "about", "seen", "cause", "step"),
    [
        pytest.param(
            OLD_SLOW, "Pod", ("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503"),
            "its readiness probe fails: HTTP probe failed with statuscode: 503; see", LOGS, id="a readiness probe",
        ),
        pytest.param(
            OLD_SLOW, "Pod", ("Unhealthy", "Liveness probe failed: it was slow"),
            "its readiness probe fails; see", LOGS, id="another probe is not told",
        ),
        pytest.param(
            TOLD_TO_END, "Pod", ("Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 503"),
            "restarted 2 times, by its liveness probe: GET /live on port 80: HTTP probe failed with statuscode: 503; see",
            f"{LOGS} --previous", id="a liveness probe",
        ),
        pytest.param(
            TOLD_TO_END, "Pod", ("BackOff", "Back-off"),
            "restarted 2 times, maybe by its liveness probe: GET /live on port 80; see", f"{LOGS} --previous", id="maybe a liveness probe",
        ),
        pytest.param(
            CRASHED, "Pod", ("Unhealthy", "Liveness probe failed: refused"), "restarted 4 times; see", f"{LOGS} --previous",
            id="a crash is not the liveness probe's",
        ),
        pytest.param(
            MOUNTED_LATE, "Pod", ("FailedMount", 'secret "keys" not found'),
            ': secret "keys" not found; see', f"kubectl describe pod {NEW_POD} -n shop", id="a Secret of a volume",
        ),
        pytest.param(
            UNPULLED, "Pod", ("FailedToRetrieveImagePullSecret", "Unable to retrieve some image pull secrets (key)."),
            ": Unable to retrieve some image pull secrets (key); check", f"kubectl describe pod {NEW_POD} -n shop", id="a pull secret",
        ),
        pytest.param(
            NO_ROOM, "PersistentVolumeClaim", ("ProvisioningFailed", 'storageclass "gone" not found'),
            ': storageclass "gone" not found; create', f"kubectl describe pod {NEW_POD} -n shop", id="a class of storage",
        ),
        pytest.param(
            NEVER_RAN, "Pod", ("BackOff", "Back-off"), 'exec: "/no/such"; check command', f"kubectl describe pod {NEW_POD} -n shop",
            id="what never ran has no logs",
        ),
    ],
)  # fmt: skip
def test_what_others_saw_is_in_the_cause(run: Any, new: Any, about: str, seen: tuple[str, str], cause: str, step: str) -> None:
    name = NEW_POD if about == "Pod" else "api-data"
    cluster = around(None, new, event(about, name, *seen, type="Warning"))
    core = "/api/v1/namespaces/shop"
    cluster.objects[f"{core}/persistentvolumeclaims"] = {"items": [CLAIM]}
    cluster.objects[f"{core}/pods"]["items"][-1]["spec"]["containers"] = [LIVENESS | {"readinessProbe": {}}]
    found = json.loads(run(cluster, "explain", "api", "-o", "json").stdout)
    assert cause in found["cause"]
    assert found["next"] == step


def test_the_logs_of_an_init_container_are_its_own(run: Any) -> None:
    ended = {"exitCode": 2, "reason": "Error"}
    prepare = {"name": "prepare", "restartCount": 0, "state": {"terminated": ended}}
    new = waiting("PodInitializing") | {"initContainerStatuses": [prepare]}
    shown = run(around(None, new), "explain", "api")
    assert "container prepare: ended with exit code 2" in shown.stdout
    assert shown.stderr == f"Next: hardenctl logs api -n shop --revision {NEW} -c prepare --tail 50 --previous\n"


def test_until_its_preflight_has_passed_no_verb_is_asked_for_a_revision(run: Any) -> None:
    ready = condition("Ready", "False", "ApplyRefused", "apply Deployment api-blue: denied")
    status = state("Degraded", ready) | {"release": {"revision": NEW, "step": "Preflight", "color": "blue"}}
    assert run(around(status), "explain", "api").stderr == "Next: hardenctl events api -n shop\n"


def test_a_limit_range_is_shown_where_it_refuses_pods(run: Any) -> None:
    message = 'pods "x" is forbidden: maximum cpu usage per Container is 100m, but limit is 1; change what it names'
    cluster = around(state("Degraded", condition("Ready", "False", "PodsRefused", message)))
    assert run(cluster, "explain", "api").stderr == "Next: kubectl describe limitranges -n shop\n"


@pytest.mark.parametrize(
    ("message", "step"),
    [
        pytest.param(
            "Service api already exists and does not belong to this service; delete or rename it, or rename the service",
            "kubectl describe service api -n shop",
            id="it is named",
        ),
        pytest.param(
            "Service api already exists and does not belong to this service; to have it taken over once the new pods have passed their "
            "checks: kubectl annotate service api -n shop hardened.dev/adopt=api; or delete or rename it, or rename the service",
            "kubectl describe service api -n shop",
            id="it may be taken over",
        ),
        pytest.param("an object is in the way", "kubectl get all -n shop -l hardened.dev/service!=api", id="it is not"),
    ],
)
def test_what_is_in_the_way_is_shown(run: Any, message: str, step: str) -> None:
    status = state("Failed", condition("Ready", "False", "NotOwned", message), condition("Stalled", "True", "NotOwned", message))
    for verb in ("status", "explain"):
        shown = run(around(status), verb, "api")
        assert shown.stderr == f"Next: {step}\n"
        assert " ".join(shown.stdout.split()).count(message) == 1


def budget(name: str, selector: dict[str, Any] | None, service: str = "") -> dict[str, Any]:
    labels = {"hardened.dev/service": service} if service else {}
    return {"metadata": {"name": name, "labels": labels}, "spec": {} if selector is None else {"selector": selector}}


BY_LABEL, OF_BLUE = {"matchLabels": {"hardened.dev/service": "api"}}, {"key": "hardened.dev/color", "operator": "In", "values": ["blue"]}


@pytest.mark.parametrize(
    ("made", "is_told"),
    [
        pytest.param(budget("theirs", BY_LABEL), True, id="by a label"),
        pytest.param(budget("theirs", {}), True, id="of all pods"),
        pytest.param(budget("theirs", {"matchExpressions": [OF_BLUE]}), True, id="by an expression"),
        pytest.param(budget("theirs", {"matchExpressions": [OF_BLUE | {"operator": "NotIn"}]}), False, id="of all but its pods"),
        pytest.param(budget("theirs", {"matchExpressions": [{"key": "x", "operator": "Exists"}]}), False, id="of pods with a label"),
        pytest.param(budget("theirs", {"matchExpressions": [{"key": "x", "operator": "DoesNotExist"}]}), True, id="of pods without it"),
        pytest.param(budget("theirs", {"matchLabels": {"app": "other"}}), False, id="of other pods"),
        pytest.param(budget("theirs", None), False, id="of no pod"),
        pytest.param(budget("api-blue", BY_LABEL, "api"), False, id="its own"),
    ],
)
def test_a_budget_of_others_that_stops_each_drain_is_told(run: Any, made: dict[str, Any], is_told: bool) -> None:
    cluster = around(healthy())
    cluster.objects["/apis/policy/v1/namespaces/shop/poddisruptionbudgets"] = {"items": [made]}
    shown = run(cluster, "explain", "api")
    assert ("budget    theirs: it selects pods that have a budget" in shown.stdout) == is_told
    assert shown.stderr == ("Next: kubectl describe poddisruptionbudget theirs -n shop\n" if is_told else "")


@pytest.mark.parametrize(
    ("counts", "is_told"),
    [
        pytest.param({"expectedPods": 2, "currentHealthy": 2, "disruptionsAllowed": 0}, True, id="it lets none go"),
        pytest.param({"expectedPods": 2, "currentHealthy": 2, "disruptionsAllowed": 1}, False, id="it lets one go"),
        pytest.param({"expectedPods": 2, "currentHealthy": 1, "disruptionsAllowed": 0}, False, id="a pod is late"),
        pytest.param({"expectedPods": 0, "currentHealthy": 0, "disruptionsAllowed": 0}, False, id="it has no pod"),
        pytest.param({}, False, id="nobody has counted"),
    ],
)
def test_its_own_budget_that_lets_none_go_is_told(run: Any, counts: dict[str, int], is_told: bool) -> None:
    cluster = around(healthy())
    own = budget("api-blue", BY_LABEL, "api") | {"status": counts}
    cluster.objects["/apis/policy/v1/namespaces/shop/poddisruptionbudgets"] = {"items": [own]}
    shown = run(cluster, "explain", "api")
    assert ("budget    api-blue: it lets no pod go, though all 2 are well" in shown.stdout) == is_told
    assert shown.stderr == ("Next: kubectl describe poddisruptionbudget api-blue -n shop\n" if is_told else "")


def test_who_may_not_list_budgets_learns_the_rest(run: Any) -> None:
    cluster = around(healthy())
    cluster.objects["/apis/policy/v1/namespaces/shop/poddisruptionbudgets"] = Refused("forbidden", status=403)
    assert run(cluster, "explain", "api").exit_code == 0


def test_a_command_in_a_message_names_its_pod(run: Any) -> None:
    said = f"pod {NEW_POD}, container app: back-off; see kubectl logs --previous"
    for verb in ("status", "explain"):
        shown = run(around(state("Degraded", condition("Ready", "False", "CrashLooping", said)), RUNNING), verb, "api")
        assert f"back-off; see kubectl logs -n shop {NEW_POD} -c app --previous\n" in shown.stdout


def test_what_serves_beside_it_is_not_blamed(run: Any) -> None:
    cluster = around(None, UNPULLED)
    cluster.objects["/api/v1/namespaces/shop/pods"]["items"].append(pod("api-blue-7f6d8-ccccc", "blue", REVISION, CRASHED))
    assert json.loads(run(cluster, "explain", "api", "-o", "json").stdout)["reason"] == "ImagePullFailed"


def test_a_suspended_service_says_how_it_goes_on(run: Any) -> None:
    shown = run(around(suspended()), "explain", "api")
    assert shown.stderr == "Next: hardenctl unsuspend api -n shop\n"


def test_drift_and_dependencies_are_in_the_chain(run: Any) -> None:
    ready = condition("Ready", "False", "WaitingForDependencies", "Preflight: waits for db")
    status = state("Progressing", ready, condition("Drifted", "True", "ForeignPods", "pod x is not one of them"))
    status["dependencies"] = [{"service": "db", "state": "Unavailable"}, {"service": "redis", "state": "Available"}]
    found = json.loads(run(around(status), "explain", "api", "-o", "json").stdout)
    links = {(link["kind"], link["name"], link["state"]) for link in found["chain"]}
    assert {("condition", "Drifted", "ForeignPods"), ("needs", "db", "Unavailable")} <= links
    assert not any(link["name"] == "redis" for link in found["chain"])


def test_who_may_not_read_pods_learns_what_status_says(run: Any) -> None:
    cluster = around(degraded())
    cluster.objects["/api/v1/namespaces/shop/pods"] = Refused("forbidden", status=403)
    shown = run(cluster, "explain", "api")
    assert shown.exit_code == 0
    assert "exit code 1" in shown.stdout
    assert "warning: pods are left out: forbidden" in shown.stderr


def test_a_service_that_there_is_none_of(run: Any) -> None:
    shown = run(around(), "explain", "apj")
    assert shown.exit_code == 1
    assert "did you mean api?" in shown.stderr


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_page(run: Any, reason: Reason) -> None:
    assert is_reason(reason)
    shown = run(None, "explain", str(reason))
    assert shown.exit_code == 0
    assert shown.stdout.startswith(f"{reason}\n\nMeaning   ")
    found = json.loads(run(None, "explain", str(reason), "-o", "json").stdout)
    assert set(found) == {"result", "reason", "meaning", "cause", "fix", "command"}
    assert all(found.values())


def test_a_reason_that_there_is_none_of(run: Any) -> None:
    shown = run(None, "explain", "CrashLoop")
    assert shown.exit_code == 2
    assert "did you mean CrashLooping?" in shown.stderr
    assert "docs/reference.md" in run(None, "explain", "Xyzzy").stderr


def test_every_reason_has_a_command_that_can_be_pasted() -> None:
    assert set(COMMANDS) == set(Reason)
    for reason in Reason:
        words = shlex.split(command_of(reason, name="api", namespace="shop", revision=NEW, pod=NEW_POD, has_ended=True))
        assert words[0] in ("kubectl", "hardenctl")
        assert words[0] == "kubectl" or words[1] in VERBS, words
        assert not any("{" in word and "suspend" not in word for word in words), words


def test_the_cluster_goes_with_the_next_command(run: Any) -> None:
    shown = run(around(None, CRASHED), "explain", "api", "--context", "eu")
    assert shown.stderr == f"Next: {LOGS} --previous --context eu\n"


def test_a_service_that_nobody_has_looked_at(run: Any) -> None:
    cluster = around()
    cluster.objects["/apis/hardened.dev/v1alpha1/namespaces/shop/hardenedservices/api"] = service()
    found = json.loads(run(cluster, "explain", "api", "-o", "json").stdout)
    assert (found["result"], found["next"]) == ("pending", "hardenctl check -n shop")

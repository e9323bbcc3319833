"""What stands in the way is named with its cause and with what to do. Pods and Deployments are those of a real cluster."""

import copy
from datetime import timedelta
from typing import Any

import pytest
from tests.core.worlds import live_sample

from hardened.core.model.reasons import Reason
from hardened.core.observe import diagnosis
from hardened.errors import ApiFailure, Refused, TryAgain

PODS: dict[str, Any] = live_sample("pods")
DEPLOYMENTS: dict[str, Any] = live_sample("deployments")


@pytest.mark.parametrize(
    ("pod", "reason", "says", "is_final"),
    [
        pytest.param("pull", Reason.IMAGE_PULL_FAILED, "registry.invalid", False, id="an image that cannot be pulled may come yet"),
        pytest.param("badname", Reason.INVALID_IMAGE, "must be lowercase", True, id="a name that is no image never will"),
        pytest.param("noconfig", Reason.CONFIG_MISSING, 'secret "missing" not found', False, id="a variable's Secret is missing"),
        pytest.param(
            "unmounted",
            Reason.NOT_READY,
            "attaching or mounting one of them is slow, or a Secret",
            False,
            id="a volume is slow, or missing",
        ),
        pytest.param("root", Reason.INVALID_IMAGE, "set security.runAsUser", True, id="an image that runs as root is refused"),
        pytest.param("crash", Reason.CRASH_LOOPING, "exit code 3 (Error)", False, id="a process that ends, between two restarts"),
        pytest.param("oom", Reason.CRASH_LOOPING, "exit code 137 (OOMKilled)", False, id="a process that takes too much memory"),
        pytest.param("oom", Reason.CRASH_LOOPING, "; raise its memory limit (resources.limits.memory)", False, id="and what helps"),
        pytest.param("nocommand", Reason.CRASH_LOOPING, "no such file or directory", False, id="a command that is not in the image"),
        pytest.param("initcrash", Reason.CRASH_LOOPING, "container init: ended with exit code 4", False, id="an init container that fails"),
        pytest.param("homeless", Reason.UNSCHEDULABLE, "0/2 nodes are available", False, id="no node takes it"),
        pytest.param("unready", Reason.NOT_READY, "readiness probe fails", False, id="it runs and is not ready"),
    ],
)
def test_a_pod_says_why_it_is_not_there(pod: str, reason: Reason, says: str, is_final: bool) -> None:
    found = diagnosis.of_pods([PODS["healthy"], PODS[pod]])
    assert found
    assert (found.reason, found.is_final) == (reason, is_final)
    assert found.message.startswith(f"pod {pod}")
    assert says in found.message


def container(pod: str, **changes: Any) -> dict[str, Any]:
    """The pod, with its container in another state."""
    found = copy.deepcopy(PODS[pod])
    found["status"]["containerStatuses"][0] |= changes
    return found


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(PODS["healthy"], id="a healthy pod"),
        pytest.param({"metadata": {"name": "new"}}, id="a pod that nobody has looked at yet"),
        pytest.param({"metadata": {"name": "new"}, "status": {"phase": "Pending"}}, id="a pod without conditions"),
        pytest.param(
            {**PODS["crash"], "metadata": {"name": "crash", "deletionTimestamp": "2026-01-01T00:00:00Z"}}, id="a pod that is leaving"
        ),
    ],
)
def test_a_pod_says_nothing(pod: dict[str, Any]) -> None:
    assert diagnosis.of_pods([pod]) is None


def test_a_crash_loop_names_how_the_process_ended() -> None:
    ended = {"terminated": {"exitCode": 7, "reason": "Error", "message": "password=hunter2"}}
    waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}}
    found = diagnosis.of_pods([container("crash", state=waiting, lastState=ended, restartCount=9)])
    assert found
    assert "ended with exit code 7 (Error), restarted 9 times" in found.message
    assert "hunter2" not in found.message, "a termination message is the application's own text"


@pytest.mark.parametrize(
    ("exit_code", "probe", "says"),
    [
        (
            0,
            {"httpGet": {"path": "/live", "port": "http"}},
            "(Error), restarted 3 times, maybe by its liveness probe: GET /live on port 80 (http);",
        ),
        (137, {"tcpSocket": {"port": 80}}, "maybe by its liveness probe: a connection to port 80;"),
        (143, {"exec": {"command": ["x"]}}, "maybe by its liveness probe: a command;"),
        (143, {"grpc": {"port": 80}}, "maybe by its liveness probe: gRPC health on port 80;"),
        (7, {"tcpSocket": {"port": 80}}, "restarted 3 times; see"),
        (0, None, "restarted 3 times; see"),
        (137, {"tcpSocket": {"port": 80}}, "(OOMKilled), restarted 3 times; raise its memory limit"),
    ],
)
def test_a_container_that_ends_as_when_it_is_told_to_may_be_ended_by_its_liveness_probe(exit_code: int, probe: Any, says: str) -> None:
    state = {"running": {}}
    last = {"terminated": {"exitCode": exit_code, "reason": "OOMKilled" if "OOMKilled" in says else "Error"}}
    status = {"name": "app", "state": state, "lastState": last, "restartCount": 3, "ready": False}
    container = {"name": "app", "ports": [{"name": "http", "containerPort": 80}]} | ({"livenessProbe": probe} if probe else {})
    pod = {"metadata": {"name": "new"}, "spec": {"containers": [container]}, "status": {"phase": "Running", "containerStatuses": [status]}}
    found = diagnosis.of_pods([pod])
    assert found
    assert says in found.message


@pytest.mark.parametrize("kind", ["containerStatuses", "initContainerStatuses"])
def test_between_two_crashes_it_runs_and_is_a_crash_loop_all_the_same(kind: str) -> None:
    ended = {"terminated": {"exitCode": 7, "reason": "Error"}}
    again = {"name": "app", "state": {"running": {}}, "lastState": ended, "restartCount": 3, "ready": False}
    pod: dict[str, Any] = {"metadata": {"name": "new"}, "status": {"phase": "Running", kind: [again]}}
    found = diagnosis.of_pods([pod])
    assert found
    assert (found.reason, found.believed_after) == (Reason.CRASH_LOOPING, timedelta())
    assert (
        "pod new, container app: ended with exit code 7 (Error), restarted 3 times; see kubectl logs new -c app --previous" in found.message
    )
    for overcome in ({"ready": True}, {"restartCount": 0}, {"lastState": {}}):
        pod["status"] = {"phase": "Running", kind: [again | overcome], "conditions": [{"type": "Ready", "status": "True"}]}
        assert diagnosis.of_pods([pod]) is None


CLAIMS = [
    "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/3 nodes are available",
    '0/1 nodes are available: persistentvolumeclaim "data" not found. preemption: 0/1 nodes are available',
    'persistentvolumeclaim "data" is being deleted',
    '0/1 nodes are available: persistentvolumeclaim "data" bound to non-existent persistentvolume "pv-1"',
]


@pytest.mark.parametrize("words", CLAIMS)
def test_a_claim_without_a_volume_is_no_lack_of_room_and_says_what_helps(words: str) -> None:
    pod = copy.deepcopy(PODS["homeless"])
    pod["status"]["conditions"] = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": words}]
    assert diagnosis.of_room({}, [pod, PODS["homeless"]]) is None
    found = diagnosis.of_pods([pod])
    assert found
    assert found.reason is Reason.UNSCHEDULABLE
    assert found.message.endswith("; create the claim, or a volume for it: kubectl describe pvc -n market")


@pytest.mark.parametrize(
    "words",
    [
        "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector. preemption: 0/2 nodes are available",
        "0/2 nodes are available: 2 node(s) had untolerated taint(s). preemption: 0/2 nodes are available",
    ],
)
def test_where_no_node_is_meant_for_the_pod_its_scheduling_is_named(words: str) -> None:
    pod = copy.deepcopy(PODS["homeless"])
    pod["status"]["conditions"] = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": words}]
    found = diagnosis.of_pods([pod])
    assert found
    assert found.message.endswith("; add such nodes, or change spec.scheduling")


def test_a_process_that_ends_well_is_restarted_all_the_same() -> None:
    found = diagnosis.of_pods([container("crash", state={"terminated": {"exitCode": 0, "reason": "Completed"}})])
    assert found
    assert found.reason is Reason.CRASH_LOOPING


def test_an_init_container_that_ended_well_is_no_cause() -> None:
    pod = copy.deepcopy(PODS["initcrash"])
    pod["status"]["initContainerStatuses"][0]["state"]["terminated"]["exitCode"] = 0
    assert diagnosis.of_pods([pod]) is None


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("shop:9: not found", "check the image's name and imagePullSecrets"),
        ("pull access denied, repository does not exist or may require authorization", "check the image's name and imagePullSecrets"),
        ("dial tcp: lookup registry.example on 10.96.0.10:53: no such host", "the node cannot reach the registry"),
        ("dial tcp 10.0.0.1:443: connect: connection refused", "the node cannot reach the registry"),
        ("tls: failed to verify certificate: x509: certificate signed by unknown authority", "trust the certificate of the registry"),
    ],
)
def test_of_an_image_that_was_not_pulled_the_remedy_is_for_what_the_registry_said(said: str, remedy: str) -> None:
    found = diagnosis.of_pods([container("pull", state={"waiting": {"reason": "ErrImagePull", "message": said}})])
    assert found
    assert remedy in found.message


@pytest.mark.parametrize(
    "said", ['pods "web-x" is forbidden: no PriorityClass with name gold was found', 'pod rejected: RuntimeClass "sandbox" not found']
)
def test_of_a_class_that_there_is_none_of_the_remedy_is_to_create_it(said: str) -> None:
    failing = {"status": {"conditions": [{"type": "ReplicaFailure", "status": "True", "message": said}]}}
    found = diagnosis.of_deployment(failing)
    assert found
    assert found.message.endswith("; create that class, or correct its name in the spec")


def test_the_same_cause_reads_the_same_while_the_kubelet_backs_off() -> None:
    cause = 'failed to resolve image: lookup "registry.invalid"'
    failing = {"waiting": {"reason": "ErrImagePull", "message": cause}}
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": f'Back-off pulling image "x:1": ErrImagePull: {cause}'}}
    assert diagnosis.of_pods([container("pull", state=failing)]) == diagnosis.of_pods([container("pull", state=waiting)])


@pytest.mark.parametrize(
    ("pods", "reason"),
    [
        (["unready", "crash", "badname"], Reason.INVALID_IMAGE),
        (["unready", "homeless", "crash"], Reason.CRASH_LOOPING),
        (["crash", "pull"], Reason.IMAGE_PULL_FAILED),
        (["unready", "homeless"], Reason.UNSCHEDULABLE),
        (["crash", "noconfig"], Reason.CONFIG_MISSING),
    ],
)
def test_the_most_telling_cause_wins_in_any_order(pods: list[str], reason: Reason) -> None:
    for order in (pods, pods[::-1]):
        found = diagnosis.of_pods([PODS[name] for name in order])
        assert found
        assert found.reason is reason


@pytest.mark.parametrize(
    ("failure", "reason", "says", "is_final"),
    [
        pytest.param(
            Refused('configmaps "a" is forbidden: exceeded quota: q, requested: configmaps=1', status=403, reason="Forbidden"),
            Reason.QUOTA_EXCEEDED, "raise the ResourceQuota", False, id="a full quota",
        ),
        pytest.param(
            Refused('pods "a" is forbidden: violates PodSecurity "restricted:latest"', status=403, reason="Forbidden"),
            Reason.FORBIDDEN, "violates PodSecurity", False, id="a policy",
        ),
        pytest.param(
            Refused('User "x" cannot patch resource "services"', status=403, reason="Forbidden"),
            Reason.FORBIDDEN, "give the operator this right", False, id="a right that is missing",
        ),
        pytest.param(
            Refused("unable to create new content in namespace market because it is being terminated", status=403, reason="Forbidden"),
            Reason.NAMESPACE_TERMINATING, "being deleted", False, id="a namespace that ends",
        ),
        pytest.param(
            Refused("no", status=403, reason="NamespaceTerminating"),
            Reason.NAMESPACE_TERMINATING, "being deleted", False, id="a namespace that ends, by its reason",
        ),
        pytest.param(
            Refused('Deployment.apps "a" is invalid: spec.template.spec.x: Invalid value: "y"', status=422, reason="Invalid"),
            Reason.APPLY_REFUSED, "change the field that it names", True, id="an invalid child",
        ),
        pytest.param(
            Refused(
                'deployments.apps "a" is forbidden: ValidatingAdmissionPolicy "small" with binding "small" denied request: too large',
                status=422, reason="Invalid",
            ),
            Reason.APPLY_REFUSED, "adapt the admission policy", False, id="a policy of the cluster",
        ),
        pytest.param(
            TryAgain('failed calling webhook "policy.example"', status=500),
            Reason.APPLY_REFUSED, "check the webhook", False, id="a webhook that is down",
        ),
    ],
)  # fmt: skip
def test_a_refused_write_is_explained(failure: ApiFailure, reason: Reason, says: str, is_final: bool) -> None:
    found = diagnosis.of_failure("apply Deployment shop-blue", failure)
    assert (found.reason, found.is_final) == (reason, is_final)
    assert says in found.message
    if reason is not Reason.NAMESPACE_TERMINATING:
        assert found.message.startswith("apply Deployment shop-blue: ")


@pytest.mark.parametrize(
    ("sample", "reason", "is_final"),
    [("quota", Reason.QUOTA_EXCEEDED, False), ("psa", Reason.POD_SECURITY, True)],
)
def test_a_real_deployment_says_why_its_pods_are_refused(sample: str, reason: Reason, is_final: bool) -> None:
    found = diagnosis.of_deployment(DEPLOYMENTS[sample])
    assert found
    assert (found.reason, found.is_final) == (reason, is_final)


def failing(message: str, status: str = "True") -> dict[str, Any]:
    return {"status": {"conditions": [{"type": "ReplicaFailure", "status": status, "message": message}]}}


@pytest.mark.parametrize(
    ("live", "reason"),
    [
        pytest.param(failing("admission webhook denied it"), Reason.PODS_REFUSED, id="refused for another reason"),
        pytest.param(failing("exceeded quota", status="False"), None, id="it was refused once"),
        pytest.param({}, None, id="no status yet"),
        pytest.param({"status": {"conditions": None}}, None, id="no conditions"),
    ],
)
def test_a_deployment_tells_what_it_knows(live: dict[str, Any], reason: Reason | None) -> None:
    found = diagnosis.of_deployment(live)
    assert (found and found.reason) == reason


@pytest.mark.parametrize(("reason", "expected"), [("ProgressDeadlineExceeded", True), ("ReplicaSetUpdated", False), (None, False)])
def test_a_deadline_has_passed(reason: str | None, expected: bool) -> None:
    live = {"status": {"conditions": [{"type": "Progressing", "reason": reason}]}}
    assert diagnosis.has_passed_its_deadline(live) is expected


QUOTA, PSA = DEPLOYMENTS["quota"], DEPLOYMENTS["psa"]


@pytest.mark.parametrize(
    ("live", "pods", "reason"),
    [
        pytest.param({}, ["homeless"], Reason.UNSCHEDULABLE, id="no node takes one"),
        pytest.param({}, ["healthy", "homeless"], Reason.UNSCHEDULABLE, id="no node takes one of two"),
        pytest.param({}, ["unready", "homeless"], Reason.UNSCHEDULABLE, id="one that is not ready yet says nothing"),
        pytest.param({}, ["unmounted", "homeless"], Reason.UNSCHEDULABLE, id="nor does one that is being made"),
        pytest.param({}, ["crash", "homeless"], None, id="one crashes"),
        pytest.param({}, ["pull", "homeless"], None, id="an image is missing"),
        pytest.param({}, ["noconfig", "homeless"], None, id="a Secret is missing"),
        pytest.param({}, ["unready"], None, id="there is room, and it is not ready"),
        pytest.param({}, [], None, id="nothing is known"),
        pytest.param(QUOTA, [], Reason.QUOTA_EXCEEDED, id="a quota is full"),
        pytest.param(QUOTA, ["healthy", "homeless"], Reason.QUOTA_EXCEEDED, id="a quota is full, and so are the nodes"),
        pytest.param(QUOTA, ["crash"], None, id="a quota is full, and what is there crashes"),
        pytest.param(PSA, ["homeless"], None, id="pods are refused for what they are"),
    ],
)
def test_only_what_the_cluster_lacks_is_a_lack_of_room(live: dict[str, Any], pods: list[str], reason: Reason | None) -> None:
    found = diagnosis.of_room(live, [PODS[name] for name in pods])
    assert (found and found.reason) == reason


def test_a_pod_that_crashed_and_runs_again_is_not_forgotten() -> None:
    again = container("unready", restartCount=1)
    assert diagnosis.of_room({}, [again, PODS["homeless"]]) is None
    assert diagnosis.of_room({}, [container("unready", restartCount=0), PODS["homeless"]])


def test_what_never_changes_of_a_deployment_is_said_with_the_command() -> None:
    refused = Refused('Deployment.apps "shop-blue" is invalid: spec.selector: Invalid value: field is immutable', status=422)
    found = diagnosis.of_failure("apply Deployment shop-blue", refused, "market")
    assert found.is_final
    assert "kubectl delete deployment shop-blue -n market --cascade=orphan" in found.message


def test_what_never_changes_of_a_claim_is_said_with_the_command_and_what_it_costs() -> None:
    found = diagnosis.of_failure("apply PersistentVolumeClaim shop-data", Refused("spec is immutable after creation", status=422), "market")
    assert found.is_final
    assert "set spec.volumes back" in found.message
    assert "kubectl delete pvc shop-data -n market" in found.message
    assert "its data, which is deleted with it" in found.message


HTTP = {"name": "http", "containerPort": 9999}
CONNECTS = "nothing accepts connections on its port 9999 (http), which its readiness probe needs; let the application listen there"


@pytest.mark.parametrize(
    ("probes", "state", "says"),
    [
        pytest.param({"readinessProbe": {"tcpSocket": {"port": "http"}}}, {}, CONNECTS, id="it listens on another port, or on none"),
        pytest.param(
            {"readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}}},
            {},
            "its readiness probe fails: GET /ready on port 9999 (http); see kubectl describe pod -n market unready",
            id="it answers that it is not ready",
        ),
        pytest.param({"readinessProbe": {"grpc": {"port": 9}}}, {}, "its readiness probe fails: gRPC health on port 9; see", id="grpc"),
        pytest.param({"readinessProbe": {"exec": {}}}, {}, "its readiness probe fails: a command; see", id="exec"),
        pytest.param(
            {"readinessProbe": {"exec": {}}, "startupProbe": {"tcpSocket": {"port": 1}}},
            {"started": False},
            "nothing accepts connections on its port 1, which its startup probe needs",
            id="it has not started",
        ),
        pytest.param({}, {}, "its readiness probe fails; see kubectl describe pod -n market unready", id="it does not show its probe"),
        pytest.param(
            {"readinessProbe": {}}, {}, "its readiness probe fails; see kubectl describe pod -n market unready", id="of a newer kind"
        ),
    ],
)
def test_a_pod_that_runs_says_which_probe_fails(probes: dict[str, Any], state: dict[str, Any], says: str) -> None:
    pod = container("unready", **state)
    pod["spec"] = {"containers": [{"name": "ready", "readinessProbe": {"exec": {}}}, {"name": "app", "ports": [HTTP], **probes}]}
    pod["status"]["containerStatuses"].append({"name": "ready", "ready": True, "state": {"running": {}}})
    found = diagnosis.of_pods([pod])
    assert found
    assert found.message.startswith(f"pod unready runs, but {says}")


def test_a_pod_that_does_not_start_names_what_it_mounts() -> None:
    volumes = [
        {"configMap": {"name": "web-a1b2c3d4e5f6"}},
        {"secret": {"secretName": "db"}},
        {"configMap": {"name": "flags"}},
        {"emptyDir": {}},
    ]
    labels = {"hardened.dev/service": "web", "hardened.dev/revision": "a1b2c3d4e5f6"}
    pod = {**PODS["unmounted"], "spec": {"volumes": volumes}}
    found = diagnosis.of_pods([{**pod, "metadata": {**pod["metadata"], "labels": labels}}])
    assert found
    assert "one of them is slow, or Secret db or ConfigMap flags is missing; see" in found.message


@pytest.mark.parametrize(
    ("pod", "says"),
    [
        pytest.param(container("crash", state={"running": {}}, ready=True, restartCount=2), "", id="it never ended, as far as is known"),
        pytest.param(
            container("crash", state={"running": {}}, ready=True, restartCount=2, lastState={"terminated": {"exitCode": 3}}),
            "ended with exit code 3 (Error), restarted 2 times",
            id="it is ready for the moment",
        ),
        pytest.param(PODS["healthy"], "", id="it never ended"),
        pytest.param({"metadata": {"name": "new"}}, "", id="nobody has looked at it yet"),
    ],
)
def test_how_a_container_ended_before_is_found_also_while_it_runs_again(pod: dict[str, Any], says: str) -> None:
    found = diagnosis.of_ends([pod])
    assert says in found.message if found else not says

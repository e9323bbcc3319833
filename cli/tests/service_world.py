"""A service with its pods, Events and Deployments, for the verbs that look around it."""

from typing import Any

from hardenctl_world import ACTIONS, CHILDREN, NEW, NEW_IMAGE, REVISION, FakeCluster, deployment, releasing, service, stored

CORE = "/api/v1/namespaces/shop"
OLD_PODS = ("api-blue-7f6d8-aaaaa", "api-blue-7f6d8-bbbbb")
NEW_POD = "api-green-6c9f5-x2v1q"

RUNNING = {
    "phase": "Running",
    "conditions": [{"type": "Ready", "status": "True"}],
    "containerStatuses": [{"name": "app", "ready": True, "restartCount": 0, "state": {"running": {}}}],
}


def waiting(reason: str, message: str = "", *, restarts: int = 0, ended: dict[str, Any] | None = None) -> dict[str, Any]:
    """A pod's status, whose one container waits. ended: how it ended before."""
    container = {"name": "app", "ready": False, "restartCount": restarts, "state": {"waiting": {"reason": reason, "message": message}}}
    return {"phase": "Pending", "containerStatuses": [container | ({"lastState": {"terminated": ended}} if ended else {})]}


CRASHED = waiting(
    "CrashLoopBackOff", restarts=4, ended={"exitCode": 1, "reason": "Error", "message": "hunter2", "finishedAt": "2026-01-02T03:03:30Z"}
)
UNPULLED = waiting("ImagePullBackOff", f'Back-off pulling image "{NEW_IMAGE}": ErrImagePull: not found')


def pod(name: str, color: str, revision: str, status: dict[str, Any], **meta: Any) -> dict[str, Any]:
    labels = {"hardened.dev/service": "api", "hardened.dev/color": color, "hardened.dev/revision": revision}
    own = {"name": name, "namespace": "shop", "creationTimestamp": "2026-01-02T03:02:00Z", "labels": labels, **meta}
    return {"metadata": own, "spec": {"nodeName": "node-1", "containers": [{"name": "app"}]}, "status": status}


def event(kind: str, name: str, reason: str, message: str, *, at: str = "03:03:00", who: str = "kubelet", **more: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": f"{name}.1"},
        "involvedObject": {"kind": kind, "name": name, **more.pop("involved", {})},
        "reason": reason,
        "message": message,
        "type": "Normal",
        "lastTimestamp": f"2026-01-02T{at}Z",
        "count": 1,
        "source": {"component": who},
        **more,
    }


def around(status: dict[str, Any] | None = None, new: dict[str, Any] | None = None, *events: dict[str, Any]) -> FakeCluster:
    """NEW comes up in green, beside REVISION in blue. status: of the service; new: the status of the pod of NEW, None for no such pod."""
    cluster = FakeCluster(service(status=releasing("Preview") if status is None else status, image=NEW_IMAGE))
    pods = [pod(name, "blue", REVISION, RUNNING) for name in OLD_PODS]
    pods += [pod(NEW_POD, "green", NEW, new)] if new else []
    revisions = [stored(REVISION, 1, "registry.example/api:1.0", promotion=1), stored(NEW, 2, NEW_IMAGE)]
    for each in revisions:
        each["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    cluster.objects |= {
        f"{CORE}/pods": {"items": pods},
        f"{CORE}/events": {"items": list(events)},
        f"{CHILDREN}/deployments": {"items": [deployment("blue", REVISION, 2, 2), deployment("green", NEW, 0, 1)]},
        f"{CHILDREN}/controllerrevisions": {"items": revisions},
        f"{CHILDREN}/replicasets": {
            "items": [
                {"metadata": {"name": "api-blue-7f6d8", "labels": {"hardened.dev/revision": REVISION}}},
                {"metadata": {"name": "api-green-6c9f5", "labels": {"hardened.dev/revision": NEW}}},
            ]
        },
        ACTIONS: {"items": []},
    }
    return cluster

"""The pod that sends the requests of checks and probes, in the service's own namespace."""

from hardened.api import names
from hardened.api.parse import HardenedService
from hardened.core.desired.metadata import labels, metadata
from hardened.core.manifest import Manifest, canonical

#: Seconds beyond the task itself: to be scheduled, to pull the image, and to answer the last request.
START_SECONDS = 120

_RESOURCES = {
    "requests": {"cpu": "20m", "memory": "48Mi", "ephemeral-storage": "8Mi"},
    "limits": {"cpu": "500m", "memory": "128Mi", "ephemeral-storage": "64Mi"},
}
# -I: neither the environment nor the working directory says where modules come from.
_COMMAND = ["/opt/hardened/bin/python", "-I", "-m", "hardened.verifier"]


def verifier_labels(svc: HardenedService) -> dict[str, str]:
    """What selects a service's verifier pods, and no other."""
    found = labels(svc, names.VERIFIER)
    return {key: found[key] for key in (names.SERVICE_LABEL, names.COMPONENT_LABEL, names.MANAGED_BY_LABEL)}


def verifier_pod(svc: HardenedService, name: str, task: Manifest, *, image: str, seconds: int) -> Manifest:
    """A pod that carries out a task and ends. image: the operator's own; seconds: how long the task takes at most.

    It carries neither the colour nor the revision, so that no Service, Deployment, budget or policy takes it for the application. Its
    account is the namespace's default, without a token: the service's own may be tied to a cloud identity.
    """
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata(svc, name, names.VERIFIER),
        "spec": {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": seconds + START_SECONDS,
            "terminationGracePeriodSeconds": 5,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [_container(task, image)],
        },
    }


def _container(task: Manifest, image: str) -> Manifest:
    return {
        "name": names.VERIFIER,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": list(_COMMAND),
        # Kubernetes reads a dollar sign in a value as the begin of a reference; as JSON it can be written without one.
        "env": [{"name": "HARDENED_TASK", "value": canonical(task).replace("$", "\\u0024")}],
        "resources": {kind: dict(amounts) for kind, amounts in _RESOURCES.items()},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "privileged": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }

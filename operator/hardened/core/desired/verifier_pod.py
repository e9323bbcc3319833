"""The pods that check a new revision, in the service's own namespace: they send requests or load, or run a command of the team's."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hardened.api import names
from hardened.api.parse import HardenedService
from hardened.core.desired.container import as_manifest, resources
from hardened.core.desired.metadata import labels, metadata
from hardened.core.manifest import Manifest, canonical
from hardened.core.revisions.revision import Revision

#: Seconds beyond the task itself: to be scheduled, to pull the image, and to answer the last request.
START_SECONDS = 120

_RESOURCES = {
    "requests": {"cpu": "20m", "memory": "48Mi", "ephemeral-storage": "8Mi"},
    "limits": {"cpu": "500m", "memory": "128Mi", "ephemeral-storage": "64Mi"},
}
#: A core and a half: the generator must not be what is measured.
_LOAD_RESOURCES = {
    "requests": {"cpu": "200m", "memory": "96Mi", "ephemeral-storage": "8Mi"},
    "limits": {"cpu": "1500m", "memory": "256Mi", "ephemeral-storage": "64Mi"},
}
#: What it has done by then would be lost. None lives longer than its deadline.
_NOT_TO_BE_MOVED = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false", "karpenter.sh/do-not-disrupt": "true"}
# -I: neither the environment nor the working directory says where modules come from.
_PYTHON = ["/opt/hardened/bin/python", "-I", "-m"]


def verifier_labels(svc: HardenedService) -> dict[str, str]:
    """What selects a service's verifier pods, and no other."""
    found = labels(svc, names.VERIFIER)
    return {key: found[key] for key in (names.SERVICE_LABEL, names.COMPONENT_LABEL, names.MANAGED_BY_LABEL)}


def once_labels(svc: HardenedService) -> dict[str, str]:
    """What selects the pods of a service that are made once, and no other."""
    return {names.SERVICE_LABEL: svc.name, names.ONCE_LABEL: "true"}


def verifier_pod(svc: HardenedService, name: str, task: Manifest, *, image: str, seconds: int) -> Manifest:
    """A pod that carries out a task and ends. image: the operator's own; seconds: how long the task takes at most."""
    # Kubernetes reads a dollar sign in a value as the begin of a reference; as JSON it can be written without one.
    told = {"name": "HARDENED_TASK", "value": canonical(task).replace("$", "\\u0024")}
    ours = {"image": image, "command": [*_PYTHON, "hardened.verifier"], "env": [told], "resources": _copied(_RESOURCES)}
    return _pod(svc, name, ours, seconds + START_SECONDS)


def load_pod(svc: HardenedService, name: str, arguments: Sequence[str], *, image: str, seconds: int) -> Manifest:
    """A pod that sends load and ends, with its report as termination message. seconds: how long the load lasts."""
    ours = {"image": image, "command": [*_PYTHON, "hardened.load"], "args": list(arguments), "resources": _copied(_LOAD_RESOURCES)}
    return _pod(svc, name, ours, seconds + START_SECONDS)


def job_pod(svc: HardenedService, name: str, command: Sequence[str], env: Mapping[str, str], *, image: str, seconds: int) -> Manifest:
    """A pod of the team's own that runs a command once. env: what it is told of the service; seconds: how long it may run."""
    theirs = {
        "image": image,
        "command": list(command),
        "env": [{"name": key, "value": value} for key, value in env.items()],
        "resources": resources(None),
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    }
    pod = _pod(svc, name, theirs, seconds)
    spec, security = pod["spec"], svc.spec.security
    spec["volumes"] = [{"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}]
    if svc.spec.image_pull_secrets:
        spec["imagePullSecrets"] = [{"name": secret.name} for secret in svc.spec.image_pull_secrets]
    if security.run_as_user:
        spec["securityContext"]["runAsUser"] = security.run_as_user
    return pod


def once_pod(
    svc: HardenedService, revision: Revision, name: str, command: Sequence[str], told: Mapping[str, str], *, seconds: int
) -> Manifest:
    """A pod that runs a command with a revision's image and environment, as itself and as often as it is made. told: what it is told of
    the service; seconds: how long it may run."""
    spec = revision.spec
    pod = job_pod(replace(svc, spec=spec), name, command, told, image=revision.image, seconds=seconds)
    container = pod["spec"]["containers"][0]
    container["env"] = [*(as_manifest(var) for var in spec.env or () if var.name not in told), *container["env"]]
    if spec.env_from:
        container["envFrom"] = [as_manifest(source) for source in spec.env_from]
    container["resources"] = resources(spec.resources)
    pod["metadata"]["annotations"][names.ONCE_ANNOTATION] = "true"
    pod["metadata"]["labels"] |= once_labels(svc)
    return pod


def _pod(svc: HardenedService, name: str, container: Manifest, seconds: int) -> Manifest:
    """It carries neither the colour nor the revision, so that no Service, Deployment, budget or policy takes it for the application. Its
    account is the namespace's default, without a token: the service's own may be tied to a cloud identity.
    """
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**metadata(svc, name, names.VERIFIER), "annotations": dict(_NOT_TO_BE_MOVED)},
        "spec": {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": seconds,
            "terminationGracePeriodSeconds": 5,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{"name": names.VERIFIER, "imagePullPolicy": "IfNotPresent", **container, "securityContext": _security()}],
        },
    }


def _security() -> Manifest:
    return {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _copied(amounts: Mapping[str, Mapping[str, str]]) -> Manifest:
    return {kind: dict(each) for kind, each in amounts.items()}

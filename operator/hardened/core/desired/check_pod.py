"""The pods that check a new revision, in the service's own namespace: they send requests or load, or run a command of the team's."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hardened.api import names
from hardened.api.parse import HardenedService
from hardened.api.service import HardenedServiceSpec
from hardened.api.volume import Volume
from hardened.core.desired.container import as_manifest, resources
from hardened.core.desired.metadata import labels, metadata
from hardened.core.desired.template import mounts, pod_security, volumes
from hardened.core.model.kit import Amounts, Kit
from hardened.core.model.manifest import Manifest, canonical, without_none
from hardened.core.model.release_policy import POD_START
from hardened.core.model.revision import Revision

#: Seconds beyond the task itself: to be scheduled, to pull the image, and to answer the last request.
START_SECONDS = int(POD_START.total_seconds())

#: What it has done by then would be lost. None lives longer than its deadline.
NOT_TO_BE_MOVED = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false", "karpenter.sh/do-not-disrupt": "true"}
_TMP = "/tmp"
# -I: neither the environment nor the working directory says where modules come from.
_PYTHON = ["/opt/hardened/bin/python", "-I", "-m"]


def verifier_labels(svc: HardenedService) -> dict[str, str]:
    """What selects a service's verifier pods, and no other."""
    found = labels(svc, names.VERIFIER)
    return {key: found[key] for key in (names.SERVICE_LABEL, names.COMPONENT_LABEL, names.MANAGED_BY_LABEL)}


def once_labels(svc: HardenedService) -> dict[str, str]:
    """What selects the pods of a service that are made once, and no other."""
    return {names.SERVICE_LABEL: svc.name, names.ONCE_LABEL: "true"}


def verifier_pod(svc: HardenedService, name: str, task: Manifest, *, kit: Kit, seconds: int) -> Manifest:
    """A pod that carries out a task and ends. svc: with the spec of the revision that is checked; seconds: what the task takes at most."""
    # Kubernetes reads a dollar sign in a value as the begin of a reference; as JSON it can be written without one.
    told = {"name": "HARDENED_TASK", "value": canonical(task).replace("$", "\\u0024")}
    ours = {"image": kit.image, "command": [*_PYTHON, "hardened.verifier"], "env": [told], "resources": _copied(kit.resources)}
    return _pod(svc, name, ours, seconds + START_SECONDS, kit.pull_secrets)


def load_pod(svc: HardenedService, name: str, arguments: Sequence[str], *, kit: Kit, seconds: int) -> Manifest:
    """A pod that sends load and ends, with its report as termination message. svc: see `verifier_pod`; seconds: how long the load lasts."""
    ours = {
        "image": kit.image, "command": [*_PYTHON, "hardened.load"], "args": list(arguments), "resources": _copied(kit.load_resources),
    }  # fmt: skip
    return _pod(svc, name, ours, seconds + START_SECONDS, kit.pull_secrets)


def job_pod(
    svc: HardenedService, name: str, command: Sequence[str], env: Mapping[str, str], *, image: str, seconds: int, revision: str = ""
) -> Manifest:
    """A pod of the team's own that runs a command once, with the volumes of the application.

    svc: see `verifier_pod`; env: what it is told of the service; seconds: how long it may run; revision: whose files it has, "" for none.
    """
    own = _with_volumes_of_many(svc, has_files=bool(revision))
    mounted, found = mounts(own), volumes(own, revision)
    if _TMP not in {mount["mountPath"] for mount in mounted}:
        mounted.append({"name": "writable-tmp", "mountPath": _TMP})
        found.append({"name": "writable-tmp", "emptyDir": {"sizeLimit": "64Mi"}})
    theirs = {
        "image": image,
        "command": list(command),
        "env": [{"name": key, "value": value} for key, value in env.items()],
        "resources": resources(None),
        "volumeMounts": mounted,
    }
    pod = _pod(svc, name, theirs, seconds)
    pod["spec"]["volumes"] = found
    return pod


def once_pod(
    svc: HardenedService, revision: Revision, name: str, command: Sequence[str], told: Mapping[str, str], *, seconds: int
) -> Manifest:
    """A pod that runs a command with a revision's image and environment, as itself and as often as it is made. told: what it is told of
    the service; seconds: how long it may run."""
    spec = revision.spec
    own = replace(svc, spec=spec)
    pod = job_pod(own, name, command, told, image=revision.image, seconds=seconds, revision=revision.name)
    container = pod["spec"]["containers"][0]
    container["env"] = [*(as_manifest(var) for var in spec.env or () if var.name not in told), *container["env"]]
    if spec.env_from:
        container["envFrom"] = [as_manifest(source) for source in spec.env_from]
    container["resources"] = resources(spec.resources)
    pod["metadata"]["annotations"][names.ONCE_ANNOTATION] = "true"
    pod["metadata"]["labels"] |= once_labels(svc)
    return pod


def _pod(svc: HardenedService, name: str, container: Manifest, seconds: int, pull_secrets: Sequence[str] = ()) -> Manifest:
    """It lives where the application does: what lets that one run there lets this one.

    It carries neither the colour nor the revision, so that no Service, Deployment, budget or policy of ours takes it for the application.
    Its account is the namespace's default, without a token: the service's own may be tied to a cloud identity.
    """
    pods = svc.spec.pod_metadata
    meta = metadata(svc, name, names.VERIFIER)
    secrets = dict.fromkeys([*pull_secrets, *(secret.name for secret in svc.spec.image_pull_secrets or ())])
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **meta,
            "labels": {**((pods and pods.labels) or {}), **meta["labels"]},
            "annotations": {**((pods and pods.annotations) or {}), **NOT_TO_BE_MOVED},
        },
        "spec": {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": seconds,
            "terminationGracePeriodSeconds": 5,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": pod_security(svc),
            "containers": [
                {"name": names.VERIFIER, "imagePullPolicy": "IfNotPresent", **container, "securityContext": container_security()}
            ],
            **({"imagePullSecrets": [{"name": secret} for secret in secrets]} if secrets else {}),
            **where(svc.spec),
        },
    }


def where(spec: HardenedServiceSpec) -> Manifest:
    """The nodes that a pod may run on. What keeps pods of the application apart, or beside others, says nothing of this one."""
    given = spec.scheduling
    if given is None:
        return {}
    nodes = given.affinity and given.affinity.node_affinity
    return without_none(
        nodeSelector=dict(given.node_selector) if given.node_selector else None,
        tolerations=[as_manifest(toleration) for toleration in given.tolerations] if given.tolerations else None,
        affinity={"nodeAffinity": as_manifest(nodes)} if nodes else None,
        priorityClassName=given.priority_class_name,
        runtimeClassName=given.runtime_class_name,
    )


def _with_volumes_of_many(svc: HardenedService, *, has_files: bool) -> HardenedService:
    """The service without claims that this pod may have to wait for, since the application has them."""
    kept = [volume for volume in svc.spec.volumes or () if _may_be_mounted_twice(volume)]
    changes = {"volumes": kept} if has_files else {"volumes": kept, "files": None}
    return replace(svc, spec=svc.spec.model_copy(update=changes))


def _may_be_mounted_twice(volume: Volume) -> bool:
    """Whether pods on two nodes can have it at the same time."""
    modes = set(volume.claim.access_modes) if volume.claim else {"ReadWriteMany"}
    return "ReadWriteMany" in modes or modes == {"ReadOnlyMany"} or ("ReadOnlyMany" in modes and bool(volume.read_only))


def container_security() -> Manifest:
    """The securityContext of a container that works beside the application."""
    return {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _copied(amounts: Amounts) -> Manifest:
    return {kind: dict(each) for kind, each in amounts.items()}

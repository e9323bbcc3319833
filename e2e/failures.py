"""The commonest failures of a workload: how each is made on a cluster, and what is to be said of it, with the next command."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

from e2e.kube import Body, KubeError, path_of
from e2e.releases import TERMS, released
from e2e.rig import Run, serve, web

#: Seconds until a quota is counted, and until the API server goes by a policy; and between two looks.
LEARNT_S, LOOK_S = 30.0, 0.2
ABSENT = "absent"

#: What is made around a service before its failing version is deployed, and taken away at the end.
Around = Callable[[Run], AbstractAsyncContextManager[None]]


#: What proves that it fails, where the service itself is healthy.
Proof = Callable[[Run], Awaitable[None]]


@contextlib.asynccontextmanager
async def nothing(_: Run) -> AsyncIterator[None]:
    """Most failures are in the spec alone."""
    yield


@dataclass(frozen=True)
class Failure:
    """One way in which a workload fails."""

    reason: str
    """Of the condition Ready, once the operator has found out."""
    says: tuple[str, ...]
    """Words of the one line with the cause, of each verb."""
    next: str
    """What the next command of `explain` begins with. {namespace} stands for the service's."""
    spec: Body = field(default_factory=dict)
    """What the failing version changes of `web`."""
    around: Around = nothing
    """What else there is."""
    is_release: bool = False
    """A good version serves before: the failing one is released beside it."""
    explains: tuple[str, ...] = ()
    """More words of the line with the cause of `explain`, which also reads Events."""
    proof: Proof | None = None
    """None unless the service itself is healthy: what fails then is what others do with it."""

    def manifest(self, namespace: str) -> Body:
        """The failing version."""
        return released(namespace, "v2", **{"replicas": 1, **self.spec}) if self.is_release else web(namespace, **self.spec)


def env(**settings: str) -> Body:
    """Environment variables of a container that ends at once when it is told to."""
    return {"env": [{"name": "LINGER", "value": "0"}, *({"name": name, "value": value} for name, value in settings.items())]}


def _asks(path: str, **more: Any) -> Body:
    return {"httpGet": {"path": path}, "periodSeconds": 1, **more}


def _from(kind: str) -> Body:
    return {"env": [{"name": "KEY", "valueFrom": {kind: {"name": ABSENT, "key": "key"}}}]}


def _volume(**source: Any) -> Body:
    return {"volumes": [{"name": "data", "mountPath": "/data", **source}]}


# ---- what else there is


@contextlib.asynccontextmanager
async def serving(run: Run) -> AsyncIterator[None]:
    """A good version serves."""
    await serve(run, released(run.namespace, "v1", replicas=1))
    yield


def beside(kind: str, api: str, spec: Body, name: str = "foreign") -> Around:
    """An object of somebody else in the namespace; a quota has been counted."""

    @contextlib.asynccontextmanager
    async def around(run: Run) -> AsyncIterator[None]:
        await run.kube.create({"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": run.namespace}, "spec": spec})
        if kind == "ResourceQuota":
            await run.kube.until(kind, name, run.namespace, _is_counted, within=LEARNT_S)
        yield

    return around


def _is_counted(live: Body | None) -> bool:
    return bool(live and (live.get("status") or {}).get("used"))


def policy(group: str, resource: str) -> Around:
    """A ValidatingAdmissionPolicy that refuses to have such objects made in the namespace, in force."""

    @contextlib.asynccontextmanager
    async def around(run: Run) -> AsyncIterator[None]:
        name, api = f"no-{resource}-{uuid.uuid4().hex[:8]}", "admissionregistration.k8s.io"
        in_namespace = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": run.namespace}}}
        rules = [
            {"apiGroups": [group_], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": [resource_]}
            for group_, resource_ in ((group, resource), ("", "configmaps"))
        ]
        # Of ConfigMaps it refuses that of the probe below alone: by it one knows that the policy is in force.
        is_let_in = f"request.resource.resource == 'configmaps' && object.metadata.name != '{name}'"
        specs = {
            "ValidatingAdmissionPolicy": {
                "failurePolicy": "Fail",
                "matchConstraints": {"resourceRules": rules, **in_namespace},
                "validations": [{"expression": is_let_in, "message": "the team shop may not do this"}],
            },
            "ValidatingAdmissionPolicyBinding": {"policyName": name, "validationActions": ["Deny"], "matchResources": in_namespace},
        }
        try:
            for kind, spec in specs.items():
                await run.kube.create({"apiVersion": f"{api}/v1", "kind": kind, "metadata": {"name": name}, "spec": spec})
            await _until_in_force(run, name)
            yield
        finally:
            for kind in reversed(specs):
                await run.kube.delete(kind, name)

    return around


async def is_not_drained(run: Run) -> None:
    """The API server evicts none of its pods, which is what a drain asks for."""
    for pod in await run.kube.list("Pod", run.namespace, "hardened.dev/service=web"):
        name = pod["metadata"]["name"]
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": run.namespace}}
        try:
            await run.kube.call("POST", f"{path_of('Pod', run.namespace, name)}/eviction", eviction, dryRun="All")
        except KubeError as error:
            if "disruption budget" not in str(error) and "PodDisruptionBudget" not in str(error):
                raise
        else:
            raise AssertionError(f"{name} can be evicted")


async def _until_in_force(run: Run, name: str) -> None:
    probe = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": run.namespace}}
    async with asyncio.timeout(LEARNT_S):
        while True:
            try:
                await run.kube.call("POST", path_of("ConfigMap", run.namespace), probe, dryRun="All")
            except KubeError as error:
                if "may not do this" not in str(error):
                    raise
                return
            await asyncio.sleep(LOOK_S)  # nobody tells that a policy is known


# ---- the table

_LOGS, _POD, _EVENTS = "hardenctl logs web -n {namespace}", "kubectl describe pod web-", "hardenctl events web -n {namespace}"
_SOON = {**TERMS["release"], "progressDeadline": "10s"}
_FINDS_NOTHING = {"http": {"path": "/no-such-path", "count": 1}}

FAILURES: dict[str, Failure] = {
    "the registry of the image cannot be reached": Failure(
        "ImagePullFailed", ("docker.io/hardened/no-such:v1", "the node cannot reach the registry"), _POD,
        {"image": "docker.io/hardened/no-such:v1"},
    ),
    "its pull secret is missing": Failure(
        "ImagePullFailed", ("docker.io/hardened/no-such:v1",), _POD,
        {"image": "docker.io/hardened/no-such:v1", "imagePullSecrets": [{"name": ABSENT}]}, explains=("image pull secrets (absent)",),
    ),
    "it needs more memory": Failure(
        "CrashLooping", ("exit code 137 (OOMKilled)", "raise its memory limit"), _LOGS,
        {
            **env(LEAK_BYTES_PER_REQUEST="200000000"),
            "resources": {"requests": {"memory": "32Mi"}, "limits": {"memory": "64Mi"}},
            "probes": {"readiness": _asks("/")},
        },
    ),
    "it crashes": Failure("CrashLooping", ("ended with exit code 2", "kubectl logs -n {namespace} web-"), _LOGS, env(START_DELAY="soon")),
    "its command does not exist": Failure("CrashLooping", ("/no/such", "check command"), _POD, {"command": ["/no/such"]}),
    "its init container fails": Failure(
        "CrashLooping", ("container prepare", "exit code 2"), _LOGS,
        {"initContainers": [{"name": "prepare", "image": "docker.io/hardened/web-static:v1", "args": ["--no-such-flag"]}]},
    ),
    "its readiness probe fails": Failure(
        "PodsNotReady", ("readiness probe fails: GET /health/ready on port 8080",), _LOGS, env(READY="false"), explains=("503",),
    ),
    "its liveness probe fails": Failure(
        "CrashLooping", ("ended with exit code 0", "by its liveness probe: GET /health/live on port 8080"), _LOGS,
        {
            **env(LIVE="false"),
            "probes": {
                "liveness": _asks("/health/live", failureThreshold=1),
                "readiness": _asks("/health/ready", initialDelaySeconds=3600),
            },
        },
        explains=("503",),
    ),
    "nothing listens on its port": Failure(
        "PodsNotReady", ("nothing accepts connections on its port 8080",), _LOGS, {**env(PORT="9090"), "probes": {}},
    ),
    "a quota is full": Failure(
        "QuotaExceeded", ("ResourceQuota foreign has 0 pods left", "raise the ResourceQuota"), "kubectl describe quota -n {namespace}",
        around=beside("ResourceQuota", "v1", {"hard": {"pods": "0"}}),
    ),
    "no node has enough cpu": Failure(
        "Unschedulable", ("Insufficient cpu", "request less"), _POD, {"resources": {"requests": {"cpu": "900"}, "limits": {"cpu": "900"}}},
    ),
    "no node has its labels": Failure(
        "Unschedulable", ("didn't match Pod's node affinity/selector", "spec.scheduling"), _POD,
        {"scheduling": {"nodeSelector": {"disk": ABSENT}}},
    ),
    "the Secret of a variable is missing": Failure("ConfigMissing", ('secret "absent" not found', "create"), _POD, _from("secretKeyRef")),
    "the ConfigMap of a variable is missing": Failure(
        "ConfigMissing", ("ConfigMap absent does not exist", "create it"), "kubectl get configmaps -n {namespace}",
        _from("configMapKeyRef"),
    ),
    "the Secret of a volume is missing": Failure(
        "PodsNotReady", ("Secret absent is missing",), _POD, _volume(secret={"secretName": ABSENT}),
        explains=('secret "absent" not found',),
    ),
    "a LimitRange refuses it": Failure(
        "PodsRefused", ("maximum cpu usage per Container is 100m",), "kubectl describe limitranges -n {namespace}",
        around=beside("LimitRange", "v1", {"limits": [{"type": "Container", "max": {"cpu": "100m"}}]}),
    ),
    "a policy refuses its pods": Failure("PodsRefused", ("the team shop may not do this",), _EVENTS, around=policy("", "pods")),
    "a policy refuses its Deployment": Failure(
        "ApplyRefused", ("apply Deployment web-blue", "the team shop may not do this"), _EVENTS,
        around=policy("apps", "deployments"),
    ),
    "the namespace's pod security refuses it": Failure(
        "PodSecurityRefused", ("violates PodSecurity", "security.profile restricted"), "kubectl get namespace {namespace}",
        {"security": {"profile": "baseline", "addCapabilities": ["CHOWN"]}},
    ),
    "its claim has no storage class": Failure(
        "Unschedulable", ("unbound immediate PersistentVolumeClaims", "claim"), _POD,
        _volume(claim={"size": "10Mi", "storageClassName": ABSENT}), explains=('storageclass.storage.k8s.io "absent" not found',),
    ),
    "somebody else's object has its name": Failure(
        "NotOwned", ("Service web already exists",), "kubectl describe service web -n {namespace}",
        around=beside("Service", "v1", {"ports": [{"port": 80}]}, "web"),
    ),
    "its own budget lets no pod go": Failure(
        "Healthy", (), "kubectl describe poddisruptionbudget web-blue -n {namespace}",
        {"availability": {"disruptionBudget": {"minAvailable": 1}}},
        explains=("web-blue", "it lets no pod go, though all 1 are well", "drain"), proof=is_not_drained,
    ),
    "somebody else's budget stops each drain": Failure(
        "Healthy", (), "kubectl describe poddisruptionbudget foreign -n {namespace}",
        around=beside(
            "PodDisruptionBudget", "policy/v1", {"maxUnavailable": 1, "selector": {"matchLabels": {"hardened.dev/service": "web"}}}
        ),
        explains=("foreign", "evicts no pod with two", "drain"), proof=is_not_drained,
    ),
    "its migration fails": Failure(
        "Rejected", ("migration", "exit code 2"), _EVENTS,
        {"release": {**TERMS["release"], "migrate": {"command": ["/web", "--no-such-flag"], "deadline": "30s"}}}, serving, True,
    ),
    "a check before the cutover fails": Failure(
        "Rejected", ("smoke", "404"), _EVENTS, {"verify": {"beforeCutover": [{"name": "smoke", **_FINDS_NOTHING}]}}, serving, True,
    ),
    "a check after the cutover fails": Failure(
        "RolledBack", ("smoke", "404"), _EVENTS,
        {"verify": {"afterCutover": {"window": "5s", "checks": [{"name": "smoke", **_FINDS_NOTHING}]}}}, serving, True,
    ),
    "it starts too slowly": Failure(
        "Rejected", ("Preview made no progress for", "readiness probe fails"), _EVENTS,
        {**env(START_DELAY="600"), "release": _SOON}, serving, True,
    ),
}  # fmt: skip

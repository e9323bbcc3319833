"""What a foreign client does to a service's children, and how long it takes until they are as they were."""

from __future__ import annotations

from e2e.kube import Body, Kube
from e2e.rig import MERCY, Run, stable

#: Seconds from a foreign client's edit to the child as it was.
REPAIR_SECONDS = 2.0

#: A field of ours per kind, changed by a merge patch. What is immutable in Kubernetes (a claim's spec, a ConfigMap's data) cannot be.
EDITS: dict[str, Body] = {
    "ControllerRevision": {"revision": 99},
    "ConfigMap": {"metadata": {"labels": {"app.kubernetes.io/name": "theirs"}}},
    "ServiceAccount": {"automountServiceAccountToken": True},
    "NetworkPolicy": {"spec": {"policyTypes": ["Egress"]}},
    "PodDisruptionBudget": {"spec": {"maxUnavailable": 3}},
    "Deployment": {"spec": {"template": {"spec": {"automountServiceAccountToken": True}}}},
    "Service": {"spec": {"sessionAffinity": "ClientIP"}},
    "PersistentVolumeClaim": {"metadata": {"labels": {"app.kubernetes.io/component": "theirs"}}},
    "HorizontalPodAutoscaler": {"spec": {"maxReplicas": 900}},
}
#: A volume with a claim of its own.
CLAIM: Body = {"name": "data", "mountPath": "/data", "claim": {"size": "1Mi"}}


#: An autoscaler that leaves a service without much load at one pod.
AUTOSCALE: Body = {"minReplicas": 1, "maxReplicas": 2, "cpu": 1000}
#: What a service says that has a child of every kind.
WHOLE: Body = {"volumes": [CLAIM], "autoscale": AUTOSCALE}


async def child(kube: Kube, namespace: str, kind: str, service: str = "web") -> Body:
    """The one child of this kind."""
    found = [c for c in await kube.list(kind, namespace, f"hardened.dev/service={service}") if c["kind"] == kind]
    assert len(found) == 1, f"{kind}: {[c['metadata']['name'] for c in found]}"
    return found[0]


async def repair_seconds(run: Run, kind: str, patch: Body | None, *, within: float = MERCY * REPAIR_SECONDS) -> float:
    """Does the damage and waits until the child is as it was; a deleted one must be another object of the same name."""
    before = await child(run.kube, run.namespace, kind)
    name, wanted, uid = before["metadata"]["name"], stable(before), before["metadata"]["uid"]
    if patch is None:
        await run.kube.delete(kind, name, run.namespace)
    else:
        damaged = await run.kube.patch(kind, name, run.namespace, patch)
        assert stable({"kind": kind, **damaged}) != wanted, f"{kind}: the patch {patch} changed nothing"

    def is_repaired(live: Body | None) -> bool:
        return live is not None and stable(live) == wanted and (live["metadata"]["uid"] != uid) == (patch is None)

    _, seconds = await run.kube.until(kind, name, run.namespace, is_repaired, within=within)
    return seconds

"""Flux on a local cluster: its controllers of sources and of kustomizations, from their own manifests; and what they say."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime

from e2e import controllers
from e2e.cluster import tools
from e2e.cluster.images import addons
from e2e.cluster.local.cluster import LocalCluster
from e2e.kube import Body, Kube, condition

NAMESPACE = "flux-system"
#: Seconds for what Flux applied to be gone.
GONE_WITHIN = 120.0
#: Flux's word for "look now", as its own command line writes it.
REQUESTED = "reconcile.fluxcd.io/requestedAt"


@contextlib.asynccontextmanager
async def installed(local: LocalCluster, kube: Kube) -> AsyncIterator[None]:
    """Flux at work; gone, with its kinds and all that was made of them, at the end."""
    await asyncio.to_thread(local.load, [str(addons.ensure(image)) for image in addons.FLUX])
    async with controllers.installed(local, kube, NAMESPACE, list(_manifests())):
        try:
            yield
        finally:
            # While somebody is there to end them: each waits for its controller. What a Kustomization applied goes with it.
            for kind in ("Kustomization", "GitRepository"):
                for each in await kube.list(kind, NAMESPACE):
                    await kube.delete(kind, each["metadata"]["name"], NAMESPACE)
                    await kube.until(kind, each["metadata"]["name"], NAMESPACE, lambda live: live is None, within=GONE_WITHIN)


def _manifests() -> Iterator[Body]:
    yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    # Its own manifests bind the account to this role, too: it applies what is in Git, whatever that is.
    yield {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "cluster-reconciler"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": NAMESPACE}],
    }
    for folder, image in zip(tools.flux_dirs(), addons.FLUX, strict=True):
        for each in controllers.manifests_in(folder / "config", ("crd/bases", "manager")):
            if each["kind"] == "CustomResourceDefinition":
                yield each
                continue
            each["metadata"]["namespace"] = NAMESPACE
            yield controllers.fitted(each, image.name) if each["kind"] == "Deployment" else each


async def look_now(kube: Kube, name: str) -> None:
    """Has Flux read the repository at once, as `flux reconcile source git NAME` does."""
    patch = {"metadata": {"annotations": {REQUESTED: datetime.now(UTC).isoformat()}}}
    await kube.patch("GitRepository", name, NAMESPACE, patch)


def has_applied(commit: str) -> Callable[[Body | None], bool]:
    """Whether a Kustomization is ready with that commit."""

    def holds(live: Body | None) -> bool:
        status = (live or {}).get("status") or {}
        return condition(live, "Ready").get("status") == "True" and str(status.get("lastAppliedRevision", "")).endswith(commit)

    return holds


def has_failed_at(commit: str) -> Callable[[Body | None], bool]:
    """Whether a Kustomization has tried that commit, and says that it is not ready and that nothing is under way."""

    def holds(live: Body | None) -> bool:
        status = (live or {}).get("status") or {}
        return condition(live, "Ready").get("status") == "False" and str(status.get("lastAttemptedRevision", "")).endswith(commit)

    return holds

"""Requests to a service by hand: what a person or a pipeline asks for, and what came of it."""

from __future__ import annotations

import uuid

from e2e.kube import Body, Kube
from e2e.rig import Run

#: The verbs, and those that must say which revision, or which backup, they mean.
VERBS = ("Rollback", "Promote", "Abort", "Retry", "Pause", "Resume", "Backup", "VerifyBackup", "Restore")
OF_A_REVISION = ("Promote", "Abort", "Retry")
OF_A_BACKUP = ("Backup", "VerifyBackup", "Restore")

_OVER = ("Succeeded", "Failed", "Refused")


def action(namespace: str, verb: str, *, by: str, service: str = "web", revision: str = "", ttl: str = "24h", **named: str) -> Body:
    """A HardenedServiceAction of a name that no other one has. by: who asks; ttl: how long it stays after that; named: more of its spec."""
    named = {name: value for name, value in {"revision": revision, **named}.items() if value}
    return {
        "apiVersion": "hardened.dev/v1alpha1",
        "kind": "HardenedServiceAction",
        "metadata": {"name": f"{verb.lower()}-{uuid.uuid4().hex[:8]}", "namespace": namespace},
        "spec": {"service": service, "action": verb, "requestedBy": by, "ttl": ttl} | named,
    }


async def ask(run: Run, verb: str, *, revision: str = "", within: float = 30) -> Body:
    """Asks for it, as the administrator, and waits until it is over. The action as it is then."""
    manifest = action(run.namespace, verb, by=await run.kube.username(), revision=revision)
    await run.kube.create(manifest)
    return await until_over(run.kube, manifest, within=within)


async def until_over(kube: Kube, manifest: Body, *, within: float) -> Body:
    """The action once it has come to an end."""
    meta = manifest["metadata"]
    live, _ = await kube.until(
        "HardenedServiceAction", meta["name"], meta["namespace"], lambda found: phase_of(found) in _OVER, within=within
    )
    assert live
    return live


def phase_of(live: Body | None) -> str:
    """What has become of an action, or ""."""
    return str(((live or {}).get("status") or {}).get("phase", ""))

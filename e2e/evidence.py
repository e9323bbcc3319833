"""What a failing test leaves to be read of its cluster, before its namespace is gone."""

from __future__ import annotations

import json
from pathlib import Path

from e2e.kube import Kube


async def pods_and_warnings(kube: Kube, namespace: str) -> str:
    """What a failing test leaves to be read of its namespace: a line for each pod, and one for each of the last ten Warnings."""
    try:
        pods, events = await kube.list("Pod", namespace), await kube.list("Event", namespace)
    except Exception as error:  # noqa: BLE001 - it is asked after a failure, which must not be hidden by another one
        return f"the pods of {namespace} could not be read: {error!r}"
    lines = [f"the pods of {namespace}:"]
    for pod in pods:
        states = [
            f"{state['name']} {json.dumps(state.get('state', {}))}"
            for state in pod["status"].get("containerStatuses", [])
            if not state.get("ready")
        ]
        where = pod["spec"].get("nodeName", "no node")
        lines.append(f"  {pod['metadata']['name']} on {where}: {pod['status'].get('phase')} {' '.join(states)}")
    warnings = [event for event in events if event.get("type") == "Warning"]
    lines.append("the last Warnings:")
    lines += [f"  {event['involvedObject']['name']} {event.get('reason')}: {event.get('message')}"[:400] for event in warnings[-10:]]
    return "\n".join(lines)


def errors_of_nodes(kubeconfig: Path) -> str:
    """The last errors of what routes between pods, where the cluster is one of the local provider's, whose logs are beside its access."""
    lines = ["the last errors of the nodes' firewalls and proxies:"]
    for log in sorted((kubeconfig.parent / "log").glob("*.log")):
        if not log.name.startswith(("firewall-", "proxy-")):
            continue
        found = [line for line in log.read_text(errors="replace").splitlines() if line.startswith(("E", "F"))]
        lines += [f"  {log.stem}: {line[:300]}" for line in found[-4:]]
    return "\n".join(lines)

"""Who reaches whom: pods to connect from and to, and connections that are tried from within them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from e2e.cluster import tools
from e2e.cluster.command import Argument, run
from e2e.kube import Body, Kube
from e2e.workloads.build import image_name

#: Where the workload listens, and where each of these pods listens beside it.
PORT, OTHER_PORT = 8080, 9090
#: The workload, and a second server that no spec speaks of.
COMMAND = ["sh", "-c", f"python3 -m http.server {OTHER_PORT} --directory /tmp & exec python3 -I /web.py"]
RESOURCES = {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}}
#: Seconds for a pod to be ready; and until each node knows of a policy and of a pod's address.
READY_SECONDS, KNOWN_SECONDS = 60.0, 30.0

# Where a policy is against it, a connection may be refused at once, or never be answered.
_IS_REACHED = """
import json, socket, sys, time
def is_reached(host, port):
    try:
        if port:
            socket.create_connection((host, int(port)), timeout=2).close()
        else:
            socket.getaddrinfo(host, None)
    except OSError:
        return False
    return True
"""
_TRY = f"{_IS_REACHED}print(json.dumps([is_reached(*target) for target in json.loads(sys.argv[1])]))"
_UNTIL = f"""{_IS_REACHED}
reached, refused = json.loads(sys.argv[1])
deadline = time.monotonic() + {KNOWN_SECONDS}
while not (all(is_reached(*target) for target in reached) and not any(is_reached(*target) for target in refused)):
    if time.monotonic() > deadline:
        sys.exit(1)
"""


@dataclass(frozen=True)
class End:
    """A running pod, with Python in its first container."""

    namespace: str
    pod: str
    address: str


#: (who, to whom) -> whether the connection comes about. To whom: NAME:PORT with the name of an End, or of any host; a host's name alone for
#: whether it resolves.
Reach = Mapping[tuple[str, str], bool]


def pod(namespace: str, name: str, *, port: int = PORT, **labels: str) -> Body:
    """A pod that serves on `port` and on OTHER_PORT."""
    container = {
        "name": "web",
        "image": image_name("python"),
        "imagePullPolicy": "IfNotPresent",
        "command": COMMAND,
        "env": [{"name": "PORT", "value": str(port)}, {"name": "LINGER", "value": "0"}],
        "readinessProbe": {"httpGet": {"path": "/health/ready", "port": port}, "periodSeconds": 1},
        "resources": RESOURCES,
        "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}},
    }
    spec = {
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    meta = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def service_of(manifest: Body, port: int) -> Body:
    """A Service of that port that leads to a pod's, by the pod's labels."""
    meta = manifest["metadata"]
    spec = {"selector": meta["labels"], "ports": [{"port": port}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": meta["name"], "namespace": meta["namespace"]}, "spec": spec}


async def started(kube: Kube, manifest: Body) -> End:
    """Makes a pod, and waits until it is ready."""
    meta = manifest["metadata"]
    await kube.until("ServiceAccount", "default", meta["namespace"], bool, within=READY_SECONDS)  # without it no pod is admitted
    await kube.create(manifest)
    live, _ = await kube.until("Pod", meta["name"], meta["namespace"], _is_ready, within=READY_SECONDS)
    assert live
    return _end(live)


async def end_of(kube: Kube, namespace: str, selector: str) -> End:
    """The one pod that a selector selects."""
    (found,) = await kube.list("Pod", namespace, selector)
    return _end(found)


async def until_reach(kubeconfig: Path, ends: Mapping[str, End], expected: Reach) -> None:
    """Waits until all of it is so at once: what is to come about is tried first, so that who refuses is known to be there."""
    deadline = time.monotonic() + KNOWN_SECONDS
    while wrong := await _differences(kubeconfig, ends, expected):
        assert time.monotonic() < deadline, f"after {KNOWN_SECONDS:g} s: {'; '.join(wrong)}"


def until_reached(ends: Mapping[str, End], reached: Sequence[str], refused: Sequence[str]) -> list[str]:
    """A command that ends well once it reaches all of the one and none of the other, as `until_reach` does."""
    places = [[_place(ends, target) for target in targets] for targets in (reached, refused)]
    return ["python3", "-I", "-c", _UNTIL, json.dumps(places)]


async def _differences(kubeconfig: Path, ends: Mapping[str, End], expected: Reach) -> list[str]:
    wrong = []
    in_order = sorted(expected, key=lambda pair: (not expected[pair], pair))
    for who, pairs in groupby(in_order, key=lambda pair: pair[0]):
        targets = [target for _, target in pairs]
        found = await asyncio.to_thread(_try, kubeconfig, ends[who], [_place(ends, target) for target in targets])
        for target, is_reached in zip(targets, found, strict=True):
            if is_reached != expected[who, target]:
                wrong.append(f"{who} {'reaches' if is_reached else 'does not reach'} {target}")
    return wrong


def _try(kubeconfig: Path, source: End, targets: Sequence[tuple[str, str]]) -> list[bool]:
    kubectl: list[Argument] = [tools.kubectl(), "--kubeconfig", kubeconfig, "--namespace", source.namespace]
    said = run([*kubectl, "exec", source.pod, "--", "python3", "-I", "-c", _TRY, json.dumps(targets)], timeout=120)
    return list(json.loads(said))


def _place(ends: Mapping[str, End], target: str) -> tuple[str, str]:
    name, _, port = target.partition(":")
    return (ends[name].address if name in ends else name, port)


def _end(live: Body) -> End:
    return End(live["metadata"]["namespace"], live["metadata"]["name"], live["status"]["podIP"])


def _is_ready(live: Body | None) -> bool:
    conditions: list[dict[str, Any]] = ((live or {}).get("status") or {}).get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)

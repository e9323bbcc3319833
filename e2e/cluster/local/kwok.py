"""Nodes that do not exist, for measuring with more pods than a machine can run: played by KWOK, a daemon beside the API server."""

import json
from pathlib import Path
from typing import Any

from ..command import run
from .components import PROGRAM_PATH, Component
from .layout import Layout

ANNOTATION = "kwok.x-k8s.io/node"
POD_CIDR = "10.200.0.0/14"
ROOM = {"cpu": "1k", "memory": "1Ti", "pods": "1M", "ephemeral-storage": "1Pi"}
"""What each fake node has. KWOK by itself gives the same, less ephemeral-storage, which every hardened pod asks for."""
GRACE_S = 120
"""KWOK's leases come late on a busy machine: with the grace of real nodes its nodes would flap between ready and not."""


def component(layout: Layout, kwok_dir: Path) -> Component:
    """The daemon that says for each fake node, and for each pod on one, that all is well. It leaves real nodes alone."""
    flags = (
        f"--kubeconfig={layout.folder / 'kwok.kubeconfig'}",
        "--manage-all-nodes=false",
        f"--manage-nodes-with-annotation-selector={ANNOTATION}=fake",
        f"--cidr={POD_CIDR}",
        f"--node-ip={layout.control_plane_address}",
        "--node-lease-duration-seconds=40",
        "--server-address=127.0.0.1:10247",
        *(f"--config={stage}" for stage in sorted(kwok_dir.glob("*.yaml"))),
    )
    return Component(
        "kwok", (str(kwok_dir / "kwok"), *flags), layout.control_plane_netns, layout.control_plane_cgroup, {"PATH": PROGRAM_PATH}
    )


def nodes(layout: Layout) -> list[dict[str, Any]]:
    """The Node objects of a cluster's fake nodes, each with room for a million pods."""
    return [_node(f"kwok-{index}") for index in range(layout.kwok_nodes)]


def apply(layout: Layout, kubectl: Path) -> None:
    """Gives the cluster its fake nodes."""
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": nodes(layout)})
    run([kubectl, "--kubeconfig", layout.kubeconfig, "apply", "--server-side", "--force-conflicts", "-f", "-"], stdin=text)


def _node(name: str) -> dict[str, Any]:
    labels = {"type": "kwok", "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    metadata = {"name": name, "labels": labels, "annotations": {ANNOTATION: "fake"}}
    # The API server takes the status from whoever makes a node, and ignores it in later applies; KWOK keeps the room that it finds there.
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "status": {"capacity": {**ROOM}, "allocatable": {**ROOM}}}

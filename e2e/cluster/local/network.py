"""The cables of a cluster: a bridge on this machine, and on it the control plane and each node, a network namespace each.

No namespace has a default route, so nothing that runs in a cluster can reach anything but the cluster and the bridge.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from ..command import attempt, run
from .layout import SERVICE_CIDR, Layout, Node

NETNS = Path("/run/netns")


def ensure(layout: Layout) -> None:
    """Makes what is missing of the cluster's network, and leaves what is there alone."""
    _ensure_bridge(layout)
    _ensure_end(layout, layout.control_plane_netns, layout.control_plane_link, layout.control_plane_address)
    for node in layout.all_nodes:
        _ensure_end(layout, node.netns, node.link, node.address)
    _ip_batch(layout.control_plane_netns, [_pod_route(node) for node in layout.all_nodes])
    for node in layout.all_nodes:
        _ip_batch(node.netns, list(_node_routes(layout, node)))
        # Pods and Services are routed by the node.
        run(["nsenter", f"--net={NETNS / node.netns}", "sysctl", "-qw", "net.ipv4.ip_forward=1"])


def unplug(node: Node) -> None:
    """Pulls the node's cable."""
    run(["ip", "link", "set", node.link, "down"])


def plug(node: Node) -> None:
    """Puts the node's cable back."""
    run(["ip", "link", "set", node.link, "up"])


def remove(layout: Layout) -> None:
    """Removes every namespace, cable and bridge of the cluster that is there."""
    there = {path.name for path in NETNS.glob("*")}
    for name in layout.network_namespaces:
        if name in there:
            # A namespace whose making was cut short is a plain file, that `ip netns delete` also removes.
            attempt(["ip", "netns", "delete", name])
            (NETNS / name).unlink(missing_ok=True)
    links = interfaces()
    for link in layout.links:
        if link in links:
            attempt(["ip", "link", "delete", link])


def interfaces() -> set[str]:
    """The names of this machine's network interfaces."""
    return {link["ifname"] for link in json.loads(run(["ip", "-json", "link", "show"]))}


def inode(netns: str) -> int | None:
    """What identifies the namespace of that name, or None where there is none."""
    try:
        return (NETNS / netns).stat().st_ino
    except FileNotFoundError:
        return None


def _ensure_bridge(layout: Layout) -> None:
    if layout.bridge not in interfaces():
        run(["ip", "link", "add", layout.bridge, "type", "bridge"])
    run(["ip", "address", "replace", f"{layout.gateway}/24", "dev", layout.bridge])
    run(["ip", "link", "set", layout.bridge, "up"])


def _ensure_end(layout: Layout, netns: str, link: str, address: str) -> None:
    if attempt(["ip", "netns", "exec", netns, "true"]).returncode:
        attempt(["ip", "netns", "delete", netns])
        attempt(["ip", "link", "delete", link])  # its other end may be in a namespace that has lost its name
        run(["ip", "netns", "add", netns])
    if link not in interfaces():
        run(["ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", netns])
    run(["ip", "link", "set", link, "master", layout.bridge, "up"])
    _ip_batch(netns, ["link set lo up", f"address replace {address}/24 dev eth0", "link set eth0 up"])


def _node_routes(layout: Layout, node: Node) -> Iterator[str]:
    yield from (_pod_route(other) for other in layout.all_nodes if other != node)
    # Without a route, a process of the node itself is told "network is unreachable" before kube-proxy can translate.
    yield f"route replace {SERVICE_CIDR} dev lo src {node.address}"


def _pod_route(node: Node) -> str:
    return f"route replace {node.pod_cidr} via {node.address}"


def _ip_batch(netns: str, commands: list[str]) -> None:
    run(["ip", "-netns", netns, "-batch", "-"], stdin="\n".join(commands) + "\n")

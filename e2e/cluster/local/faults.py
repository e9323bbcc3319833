"""Disturbs a cluster on purpose: its daemons one by one, and whole nodes. Everything here can be put right again by `up`."""

import signal
import time
from datetime import UTC, datetime

from ..errors import ClusterError
from . import bringup, network, processes, teardown
from .api import Api
from .components import Component
from .layout import Layout, Node
from .programs import Programs


def component(layout: Layout, programs: Programs, name: str) -> Component:
    """The component of that name. Raises ClusterError that lists the names there are."""
    known = {found.name: found for found in bringup.all_components(layout, programs)}
    if name not in known:
        raise ClusterError(f"there is no component {name}: use one of {', '.join(known)}")
    return known[name]


def stop(layout: Layout, target: Component) -> None:
    """Freezes it: it keeps its connections and answers nothing."""
    processes.send(layout, target.name, signal.SIGSTOP)


def resume(layout: Layout, target: Component) -> None:
    """Lets a stopped one go on."""
    processes.send(layout, target.name, signal.SIGCONT)


def kill(layout: Layout, target: Component) -> None:
    """Ends it without a warning. What it had started goes on: pods outlive their kubelet and their containerd."""
    processes.send(layout, target.name, signal.SIGKILL)


def start(layout: Layout, programs: Programs, target: Component) -> None:
    """Starts one that was killed, and waits until the API server, or a containerd, answers again."""
    processes.ensure(layout, target)
    bringup.await_answer(layout, programs, target)


def stop_node(layout: Layout, index: int) -> None:
    """A power cut: every process of the node ends, pods included, and its cable is dead."""
    teardown.power_off(node(layout, index))


def start_node(layout: Layout, programs: Programs, index: int) -> None:
    """Power is back: returns when the node's kubelet has said anew that it is ready."""
    target = node(layout, index)
    began = datetime.now(UTC).replace(microsecond=0)
    network.plug(target)
    bringup.bring_up(layout, programs)
    api = Api(layout)
    deadline = time.monotonic() + bringup.READY_S
    while target.name not in api.ready_nodes(since=began):
        if time.monotonic() > deadline:
            raise ClusterError(f"{target.name} did not become ready: {processes.last_words(layout, f'kubelet-{index}')}")
        time.sleep(0.2)


def node(layout: Layout, index: int) -> Node:
    """The node of that number. Raises ClusterError where there is none."""
    if not 0 <= index < layout.nodes:
        raise ClusterError(f"there is no node {index}: {layout.name} has nodes 0 to {layout.nodes - 1}")
    return layout.node(index)

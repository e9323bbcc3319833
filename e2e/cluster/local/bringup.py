"""Brings the daemons of a recorded cluster up, whatever of them runs already, and waits until the cluster is of use."""

import signal
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event

from .. import tools
from ..errors import ClusterError
from ..progress import step
from . import cgroups, components, files, kwok, manifests, network, processes, seed
from .api import Api
from .components import Component
from .layout import Layout, Node
from .node_images import NodeImages
from .programs import Programs

READY_S = 120.0
"""How long the API server, the nodes and CoreDNS may each take. They take seconds; a machine under load takes longer."""


def all_components(layout: Layout, programs: Programs) -> tuple[Component, ...]:
    """Every daemon of the cluster, in the order to start them."""
    found = list(_control_plane_components(layout, programs))
    for node in layout.all_nodes:
        found += _node_components(layout, node, programs)
    return tuple(found)


def _control_plane_components(layout: Layout, programs: Programs) -> tuple[Component, ...]:
    players = (kwok.component(layout, tools.kwok_dir()),) if layout.kwok_nodes else ()
    return components.control_plane(layout, programs.kubernetes) + players


def _node_components(layout: Layout, node: Node, programs: Programs) -> tuple[Component, ...]:
    firewalls = (components.firewall(layout, node, tools.firewall()),) if layout.firewall else ()
    return components.of_node(layout, node, programs.kubernetes, programs.containerd) + firewalls


def is_whole(layout: Layout, programs: Programs) -> bool:
    """Whether nothing is to be done: every daemon runs as it should, all nodes are ready, and names resolve."""
    if not all(processes.is_right(layout, component) for component in all_components(layout, programs)):
        return False
    api = Api(layout)
    return manifests.is_applied(layout) and _is_of_use(api, layout)


def bring_up(layout: Layout, programs: Programs) -> None:
    """Makes what is missing, starts what does not run, and returns when `is_whole` holds. Raises ClusterError for what stays dead."""
    with step("network, certificates and configuration"):
        for cgroup in (layout.control_plane_cgroup, *(node.cgroup for node in layout.all_nodes)):
            cgroups.make(cgroup)
        network.ensure(layout)
        files.ensure(layout)
    _plant_seeds(layout, programs)
    api_ready = Event()
    with step("control plane, nodes and addons"), ThreadPoolExecutor() as pool:
        work: list[Future[None]] = [pool.submit(_control_plane, layout, programs, api_ready)]
        work += [pool.submit(_node, layout, node, programs, api_ready) for node in layout.all_nodes]
        for done in work:
            done.result()
    with step("nodes ready, names resolve"):
        api = Api(layout)
        _wait(lambda: _is_of_use(api, layout), lambda: _what_lacks(api, layout), layout, *all_components(layout, programs))


def _plant_seeds(layout: Layout, programs: Programs) -> None:
    """Lets new nodes begin with the images that all nodes have."""
    new = [node for node in layout.all_nodes if not node.containerd_root.exists()]
    if not new:
        return

    def fill() -> None:
        containerd, _kubelet, _proxy = components.of_node(layout, new[0], programs.kubernetes, programs.containerd)
        with step("preparing the nodes' images"):
            processes.ensure(layout, containerd)
            await_answer(layout, programs, containerd)
            NodeImages(programs.containerd, new[0]).add_missing((*programs.first_images, *programs.later_images))
            processes.send(layout, containerd.name, signal.SIGKILL)

    seed.ensure(programs, new[0], fill)
    for node in new:
        seed.plant(programs, node)


def await_answer(layout: Layout, programs: Programs, component: Component) -> None:
    """Waits until a component that takes requests takes them; returns at once for the others. Raises ClusterError when it dies instead."""
    kind, _, index = component.name.partition("-")
    if kind == "apiserver":
        is_there = Api(layout).is_ready
    elif kind == "containerd":
        # A daemon that was killed leaves its socket behind, so that the socket's being there says nothing.
        is_there = NodeImages(programs.containerd, layout.node(int(index))).answers
    else:
        return
    _wait(is_there, lambda: f"{component.name} does not answer: {processes.last_words(layout, component.name)}", layout, component)


def _control_plane(layout: Layout, programs: Programs, api_ready: Event) -> None:
    try:
        etcd, apiserver, *clients = _control_plane_components(layout, programs)
        processes.ensure(layout, etcd)
        processes.ensure(layout, apiserver)
        await_answer(layout, programs, apiserver)
    finally:
        api_ready.set()  # the nodes wait for it: they must not wait for what will not come
    for component in clients:
        processes.ensure(layout, component)
    if not manifests.is_applied(layout):
        manifests.apply(layout, programs.kubectl)
    if layout.kwok_nodes:
        kwok.apply(layout, programs.kubectl)


def _node(layout: Layout, node: Node, programs: Programs, api_ready: Event) -> None:
    containerd, *others = _node_components(layout, node, programs)
    processes.ensure(layout, containerd)
    await_answer(layout, programs, containerd)
    images = NodeImages(programs.containerd, node)
    # A kubelet that finds no image tries to pull it, fails, and waits 10 s before it looks again.
    images.add_missing(programs.first_images)
    api_ready.wait(READY_S)
    for component in others:
        processes.ensure(layout, component)
    images.add_missing(programs.later_images)


def _is_of_use(api: Api, layout: Layout) -> bool:
    ready = {node.name for node in layout.all_nodes} <= api.ready_nodes()
    return ready and "coredns" in api.available_deployments("kube-system")


def _what_lacks(api: Api, layout: Layout) -> str:
    waiting = sorted({node.name for node in layout.all_nodes} - api.ready_nodes())
    if waiting:
        return f"not ready: {', '.join(waiting)}; {processes.last_words(layout, waiting[0].replace('node', 'kubelet-'))}"
    return "CoreDNS is not available: `kubectl -n kube-system describe pods` tells why"


def _wait(is_done: Callable[[], bool], complaint: Callable[[], str], layout: Layout, *needed: Component) -> None:
    """Waits, at most READY_S, and not beyond the death of a daemon that it depends on."""
    deadline = time.monotonic() + READY_S
    while not is_done():
        if time.monotonic() > deadline:
            raise ClusterError(complaint())
        for component in needed:
            if not processes.find(layout, component.name):
                said = processes.last_words(layout, component.name)
                raise ClusterError(f"{component.name} has ended: {said}\n  its log: {processes.log_of(layout, component.name)}")
        time.sleep(0.1)

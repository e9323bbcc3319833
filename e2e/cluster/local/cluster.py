"""The local provider: Kubernetes built from source, its nodes in network namespaces of this machine."""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ..command import Argument, attempt
from ..errors import ClusterError
from ..lock import locked
from ..paths import state_root
from ..progress import step
from ..provider import PartStatus
from . import bringup, faults, host, kwok, layout, loading, network, processes, programs, subnets, teardown
from .api import Api
from .layout import Layout, check_name


class LocalCluster:
    """A cluster of that name on this machine. Its methods may be called from several processes: one at a time changes it."""

    def __init__(self, name: str) -> None:
        self.name = check_name(name)
        self._clusters = state_root() / "clusters"
        self._folder = self._clusters / name

    @property
    def layout(self) -> Layout:
        """The cluster's record: every name, address and path of it. Raises ClusterError where there is none."""
        found = layout.read(self._folder)
        if not found:
            raise ClusterError(f"there is no cluster {self.name}: `up --name {self.name}` makes it")
        return found

    @property
    def kubeconfig(self) -> Path:
        return self.layout.kubeconfig

    @property
    def audit_log(self) -> Path:
        """A line of JSON for each request, written before the answer is sent: with bodies on the group hardened.dev, without elsewhere."""
        return self.layout.audit_log

    def up(self, *, nodes: int = 2, firewall: bool = False) -> None:
        host.check()
        built = programs.ensure()
        with self._locked():
            plan = self._recorded(nodes, firewall=firewall)
            if not bringup.is_whole(plan, built):
                host.raise_limits()
                bringup.bring_up(plan, built)

    def down(self) -> bool:
        host.check()
        with self._locked():
            plan = layout.read(self._folder)
            if not plan:
                shutil.rmtree(self._folder, ignore_errors=True)  # `up` was killed before it had recorded anything
                return False
            with step(f"taking {self.name} down"):
                teardown.take_down(plan)
            return True

    def load(self, images: Sequence[str]) -> None:
        host.check()
        plan, built = self.layout, programs.ensure()
        loading.load(plan, built, images)

    def status(self) -> list[PartStatus]:
        plan = layout.read(self._folder)
        if not plan:
            return []
        found = []
        for component in bringup.all_components(plan, programs.ensure()):
            process = processes.find(plan, component.name)
            found.append(PartStatus(component.name, "dead" if not process else "stopped" if process.is_stopped else "running"))
        ready = Api(plan).ready_nodes()
        return found + [PartStatus(node.name, "ready" if node.name in ready else "not ready") for node in plan.all_nodes]

    def log(self, component: str) -> Path:
        """The log file of a component. Raises ClusterError where there is no component of that name."""
        plan = self.layout
        return processes.log_of(plan, faults.component(plan, programs.ensure(), component).name)

    def stop(self, component: str) -> None:
        """Freezes a component (SIGSTOP): it keeps its connections and answers nothing. `resume` lets it go on."""
        with self._locked():
            faults.stop(self.layout, faults.component(self.layout, programs.ensure(), component))

    def resume(self, component: str) -> None:
        """Lets a stopped component go on (SIGCONT)."""
        with self._locked():
            faults.resume(self.layout, faults.component(self.layout, programs.ensure(), component))

    def kill(self, component: str) -> None:
        """Ends a component at once (SIGKILL). Pods outlive their kubelet and their containerd. `start` starts it again."""
        with self._locked():
            faults.kill(self.layout, faults.component(self.layout, programs.ensure(), component))

    def start(self, component: str) -> None:
        """Starts a component that was killed; returns when the API server, or a containerd, answers again."""
        with self._locked():
            built = programs.ensure()
            faults.start(self.layout, built, faults.component(self.layout, built, component))

    def stop_node(self, index: int) -> None:
        """A power cut of that node: its processes end at once, pods included, and its cable is dead. What is on its disk stays."""
        with self._locked(), step(f"power off node {index}"):
            faults.stop_node(self.layout, index)

    def start_node(self, index: int) -> None:
        """Power is back: returns when the node says that it is ready."""
        with self._locked():
            faults.start_node(self.layout, programs.ensure(), index)

    def unplug_node(self, index: int) -> None:
        """Pulls the node's cable: all goes on running there, and nothing reaches it. `plug_node` puts it back."""
        network.unplug(faults.node(self.layout, index))

    def plug_node(self, index: int) -> None:
        """Puts the node's cable back."""
        network.plug(faults.node(self.layout, index))

    def add_node(self) -> str:
        """One more node, and the name of it. It is ready when this returns, without the images that were loaded into the others."""
        with self._locked():
            plan = self.layout.with_nodes(self.layout.nodes + 1)
            plan.write()
            bringup.bring_up(plan, programs.ensure())
            return plan.all_nodes[-1].name

    def add_kwok_nodes(self, count: int) -> None:
        """Lets the cluster have `count` nodes that do not exist, with room for any number of pods that do not exist either.

        They are named kwok-0, … and labelled type=kwok. Pods land there as on any node: cordon the real ones, or select by the label.
        """
        with self._locked():
            found = self.layout
            plan = replace(found, kwok_nodes=max(count, found.kwok_nodes), node_grace_s=max(kwok.GRACE_S, found.node_grace_s))
            plan.write()
            bringup.bring_up(plan, programs.ensure())

    def run_in_node(self, index: int, argv: Sequence[Argument], *, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Runs a program of this machine in the node's network: it reaches pods and Services by address, and nothing outside."""
        return attempt(self.argv_in_node(index, argv), timeout=timeout)

    def argv_in_node(self, index: int, argv: Sequence[Argument]) -> list[Argument]:
        """The same as words, for whoever starts it. It is that very process: a signal to it reaches the program."""
        return ["nsenter", f"--net={network.NETNS / faults.node(self.layout, index).netns}", "--", *argv]

    def _recorded(self, nodes: int, *, firewall: bool) -> Layout:
        """The cluster's record, written now for a new cluster, or for one that gets more nodes or a firewall."""
        found = layout.read(self._folder)
        if found:
            plan = replace(found.with_nodes(max(nodes, found.nodes)), firewall=firewall or found.firewall)
            if plan != found:
                plan.write()
            return plan
        with locked(state_root() / "locks/subnets", waiting_for="another cluster that takes its subnet"):
            subnet = subnets.first_free(subnets.taken(self._clusters))
            plan = Layout(self.name, self._folder, subnet, 0, firewall=firewall).with_nodes(nodes)
            # The names stand for this folder's path: what carries one without a record is left from a folder that was deleted.
            teardown.take_down(plan)
            plan.write()
            return plan

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with locked(state_root() / "locks" / f"cluster-{self.name}", waiting_for=f"another process that changes the cluster {self.name}"):
            yield

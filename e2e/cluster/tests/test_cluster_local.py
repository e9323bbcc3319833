"""A real cluster of two nodes on this machine: that it works, and that nothing of it is left, however it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e import workers
from e2e.cluster import tools
from e2e.cluster.command import run
from e2e.cluster.local import cgroups, network, teardown
from e2e.cluster.local.cluster import LocalCluster
from e2e.cluster.local.layout import Layout

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="a local cluster needs Linux and root"),
]

REPOSITORY = Path(__file__).parents[3]
BASE_IMAGE = "docker.io/library/debian:bookworm-slim"


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalCluster]:
    """The cluster of this process's own tests of clusters, gone before and after the test."""
    found = LocalCluster(workers.own_name("selftest"))
    found.down()
    yield found
    found.down()


def left_of(plan: Layout) -> dict[str, list[str]]:
    """Whatever there still is of a cluster, by kind: empty when it is gone."""
    names = (plan.id, f"{plan.folder}/")
    processes = [path.parent.name for path in Path("/proc").glob("[0-9]*/cmdline") if any(name in _read(path) for name in names)]
    found = {
        "processes": processes + [str(pid) for pid in teardown.processes_of(plan)],
        "mounts": [line for line in _read(Path("/proc/self/mountinfo")).splitlines() if any(name in line for name in names)],
        "network namespaces": [path.name for path in network.NETNS.glob("*") if plan.id in path.name],
        "interfaces": [name for name in network.interfaces() if plan.id in name],
        "cgroups": [str(path) for root in cgroups.hierarchies() for path in root.glob(f"*{plan.id}*")],
        "firewall rules": [line for line in run(["iptables-save"]).splitlines() if "KUBE-ROUTER" in line],
        "folders": [str(path) for path in plan.folders if path.exists()],
        "shared folders": [str(path) for path in Path("/var/lib/cni").rglob(f"*{plan.id}*")]
        + [str(path) for path in Path("/var/log/containers").glob("*") if str(plan.bulk) in os.readlink(path)],
    }
    return {kind: things for kind, things in found.items() if things}


def weights_of(plan: Layout) -> list[float]:
    """How many processes all the cluster's pods together weigh in a contest for processors, wherever that is kept."""
    units = (("cpu.shares", 1024), ("cpu.weight", 100))
    return [float(found) / unit for root in cgroups.hierarchies() for name, unit in units if (found := _read(root / plan.cgroup / name))]


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def kubectl(cluster: LocalCluster, *arguments: str, stdin: str | None = None) -> str:
    command = [str(tools.kubectl()), "--kubeconfig", str(cluster.kubeconfig), *arguments]
    return subprocess.run(command, input=stdin, text=True, capture_output=True, check=True, timeout=120).stdout


#: Prints the status that an address answers with. kube-proxy leads to a pod a moment after that is ready: until then it refuses.
_ASK = """
import sys, time, urllib.request
last = time.monotonic() + 30
while True:
    try:
        sys.exit(print(urllib.request.urlopen(sys.argv[1], timeout=10).status))
    except OSError:
        if time.monotonic() > last:
            raise
        time.sleep(0.1)
"""


def server_pod(name: str, node: str) -> str:
    container = {
        "name": "web",
        "image": BASE_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-m", "http.server", "8000"],
        # Without it the pod is ready before it listens.
        "readinessProbe": {"tcpSocket": {"port": 8000}, "periodSeconds": 1},
    }
    spec = {"nodeName": node, "containers": [container], "terminationGracePeriodSeconds": 0}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec})


def test_a_cluster_serves_pods_survives_a_dead_containerd_and_leaves_nothing(cluster: LocalCluster) -> None:
    cluster.up(firewall=True)
    plan = cluster.layout
    kubectl(cluster, "apply", "--filename", "-", stdin=server_pod("web", "node1"))
    kubectl(cluster, "expose", "pod", "web", "--port", "80", "--target-port", "8000")
    kubectl(cluster, "wait", "--for=condition=Ready", "pod/web", "--timeout=60s")
    address = kubectl(cluster, "get", "service", "web", "--output", "jsonpath={.spec.clusterIP}")
    ask = [sys.executable, "-c", _ASK, f"http://{address}/"]
    for index in range(plan.nodes):
        assert cluster.run_in_node(index, ask).stdout.strip() == "200", f"the Service does not answer on node {index}"
    assert min(weights_of(plan)) > 10, "pods starve beside the tests of them"

    cluster.kill("containerd-1")
    assert "dead" in {part.state for part in cluster.status()}
    assert cluster.run_in_node(0, ask).stdout.strip() == "200", "a pod outlives its containerd"

    assert cluster.down() is True
    assert left_of(plan) == {}
    assert cluster.down() is False


def test_what_is_dead_is_repaired_by_the_next_up(cluster: LocalCluster) -> None:
    cluster.up()
    assert not cluster.layout.firewall
    cluster.up(firewall=True)
    cluster.kill("apiserver")
    cluster.kill("containerd-0")
    cluster.kill("firewall-0")
    cluster.stop("scheduler")
    cluster.stop_node(1)
    cluster.up()
    parts = {part.name: part.state for part in cluster.status()}
    assert set(parts.values()) == {"running", "ready"}
    assert {"firewall-0", "firewall-1"} <= parts.keys(), "what was asked for once stays"
    began = time.monotonic()
    cluster.up()
    assert time.monotonic() - began < 5, "a cluster that is whole is left alone"


@pytest.mark.parametrize("after_s", [0.8, 1.2, 1.6, 2.5, 4.0])
def test_an_up_that_was_killed_half_way_leaves_nothing_that_down_does_not_find(cluster: LocalCluster, after_s: float) -> None:
    # Built before, so that the cluster's own making is what is killed.
    tools.kubectl()
    tools.firewall()
    command = [sys.executable, "-m", "e2e.cluster", "up", "--name", cluster.name, "--firewall"]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as going_up:
        time.sleep(after_s)
        going_up.send_signal(signal.SIGKILL)
    folder = Path(os.environ.get("HARDENED_STATE", Path.home() / ".local/state/hardened")) / "clusters" / cluster.name
    cluster.down()
    assert left_of(Layout(cluster.name, folder, 0, 2)) == {}


def test_a_node_comes_back_from_a_power_cut_and_one_more_joins(cluster: LocalCluster) -> None:
    cluster.up()
    cluster.stop_node(1)
    cluster.start_node(1)
    assert cluster.add_node() == "node2"
    nodes = kubectl(cluster, "get", "nodes", "--output", "jsonpath={range .items[*]}{.metadata.name}{end}")
    assert nodes == "node0node1node2"

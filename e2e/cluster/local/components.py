"""What runs in a cluster, as command lines: pure functions of the layout and of where the programs are."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .layout import API_PORT, SERVICE_CIDR, Layout, Node

PROGRAM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: Go's own default is 100. On two cores its collector takes a sixth of the API server's time; memory is what such a machine has more of.
GARBAGE_PERCENT = "400"


@dataclass(frozen=True)
class Component:
    """One daemon: `argv`, run in that network namespace and counted to that cgroup."""

    name: str
    argv: tuple[str, ...]
    netns: str
    cgroup: str
    env: Mapping[str, str] = field(default_factory=dict)


def control_plane(layout: Layout, bin_dir: Path) -> tuple[Component, ...]:
    """etcd, apiserver, controller-manager and scheduler, in the order to start them."""
    commands = {
        "etcd": ("etcd", _etcd(layout)),
        "apiserver": ("kube-apiserver", _apiserver(layout)),
        "controller-manager": ("kube-controller-manager", _controller_manager(layout)),
        "scheduler": ("kube-scheduler", _scheduler(layout)),
    }
    env = {"PATH": PROGRAM_PATH, "GOGC": GARBAGE_PERCENT}
    return tuple(
        Component(name, (str(bin_dir / program), *flags), layout.control_plane_netns, layout.control_plane_cgroup, env)
        for name, (program, flags) in commands.items()
    )


def of_node(layout: Layout, node: Node, bin_dir: Path, containerd_dir: Path) -> tuple[Component, ...]:
    """containerd-N, kubelet-N and proxy-N, in the order to start them."""
    commands = {
        "containerd": (containerd_dir / "containerd", ("--config", str(node.folder / "containerd.toml"))),
        "kubelet": (bin_dir / "kubelet", _kubelet(layout, node)),
        "proxy": (bin_dir / "kube-proxy", ("--config", str(node.folder / "proxy.yaml"))),
    }
    env = {"PATH": f"{containerd_dir}:{PROGRAM_PATH}"}
    return tuple(
        Component(f"{name}-{node.index}", (str(program), *flags), node.netns, node.cgroup, env)
        for name, (program, flags) in commands.items()
    )


def firewall(layout: Layout, node: Node, program: Path) -> Component:
    """firewall-N: what enforces NetworkPolicies on a node. Its rules are the node's network namespace's, and go with it."""
    flags = (f"-kubeconfig={layout.folder / 'firewall.kubeconfig'}", f"-node={node.name}", f"-services={SERVICE_CIDR}")
    return Component(f"firewall-{node.index}", (str(program), *flags), node.netns, node.cgroup, {"PATH": PROGRAM_PATH})


def _etcd(layout: Layout) -> Iterator[str]:
    yield f"--data-dir={layout.bulk / 'etcd'}"
    yield "--listen-client-urls=http://127.0.0.1:2379"
    yield "--advertise-client-urls=http://127.0.0.1:2379"
    yield "--listen-peer-urls=http://127.0.0.1:2380"
    # A cluster that is thrown away need not survive a power cut, and a thousand services write faster than a disk can sync.
    yield "--unsafe-no-fsync"
    yield "--quota-backend-bytes=8589934592"
    yield "--log-level=warn"


def _apiserver(layout: Layout) -> Iterator[str]:
    pki = layout.pki
    yield "--etcd-servers=http://127.0.0.1:2379"
    yield f"--secure-port={API_PORT}"
    yield "--bind-address=0.0.0.0"
    yield f"--advertise-address={layout.control_plane_address}"
    yield f"--tls-cert-file={pki / 'apiserver.crt'}"
    yield f"--tls-private-key-file={pki / 'apiserver.key'}"
    yield f"--client-ca-file={pki / 'ca.crt'}"
    yield f"--service-cluster-ip-range={SERVICE_CIDR}"
    yield "--authorization-mode=Node,RBAC"
    yield "--enable-admission-plugins=NodeRestriction"
    yield "--allow-privileged=true"
    yield "--service-account-issuer=https://kubernetes.default.svc"
    yield f"--service-account-key-file={pki / 'sa.key'}"
    yield f"--service-account-signing-key-file={pki / 'sa.key'}"
    yield f"--kubelet-client-certificate={pki / 'admin.crt'}"
    yield f"--kubelet-client-key={pki / 'admin.key'}"
    yield f"--kubelet-certificate-authority={pki / 'ca.crt'}"
    yield "--kubelet-preferred-address-types=InternalIP"  # nodes' names do not resolve
    yield f"--requestheader-client-ca-file={pki / 'ca.crt'}"
    yield "--requestheader-allowed-names=front-proxy-client"
    yield "--requestheader-extra-headers-prefix=X-Remote-Extra-"
    yield "--requestheader-group-headers=X-Remote-Group"
    yield "--requestheader-username-headers=X-Remote-User"
    yield f"--proxy-client-cert-file={pki / 'front-proxy.crt'}"
    yield f"--proxy-client-key-file={pki / 'front-proxy.key'}"
    # No kube-proxy runs beside the API server: it reaches webhooks and aggregated APIs by their endpoints.
    yield "--enable-aggregator-routing=true"
    yield f"--audit-policy-file={layout.folder / 'audit-policy.yaml'}"
    yield f"--audit-log-path={layout.audit_log}"
    yield "--max-requests-inflight=3000"
    yield "--max-mutating-requests-inflight=1500"
    yield "--profiling=false"


def _controller_manager(layout: Layout) -> Iterator[str]:
    pki = layout.pki
    yield from _client(layout, "controller-manager")
    yield "--leader-elect=false"
    yield f"--root-ca-file={pki / 'ca.crt'}"
    yield f"--service-account-private-key-file={pki / 'sa.key'}"
    yield "--use-service-account-credentials"
    yield f"--cluster-signing-cert-file={pki / 'ca.crt'}"
    yield f"--cluster-signing-key-file={pki / 'ca.key'}"
    yield f"--node-monitor-grace-period={layout.node_grace_s}s"
    yield "--kube-api-qps=300"
    yield "--kube-api-burst=600"
    # The defaults (15 s, 5 min and 30 s) are for production: here a test waits for the autoscaler.
    yield "--horizontal-pod-autoscaler-sync-period=5s"
    yield "--horizontal-pod-autoscaler-cpu-initialization-period=10s"
    yield "--horizontal-pod-autoscaler-initial-readiness-delay=5s"


def _scheduler(layout: Layout) -> Iterator[str]:
    yield f"--config={layout.folder / 'scheduler.yaml'}"
    own = layout.folder / "scheduler.kubeconfig"
    yield f"--authentication-kubeconfig={own}"
    yield f"--authorization-kubeconfig={own}"


def _client(layout: Layout, user: str) -> Iterator[str]:
    own = layout.folder / f"{user}.kubeconfig"
    yield f"--kubeconfig={own}"
    yield f"--authentication-kubeconfig={own}"
    yield f"--authorization-kubeconfig={own}"


def _kubelet(layout: Layout, node: Node) -> Iterator[str]:
    yield f"--config={node.folder / 'kubelet.yaml'}"
    yield f"--kubeconfig={layout.folder / node.name}.kubeconfig"
    yield f"--hostname-override={node.name}"
    yield f"--node-ip={node.address}"
    yield f"--root-dir={node.kubelet_root}"
    yield f"--cert-dir={node.folder / 'kubelet-certs'}"

"""Every name, address and path of a local cluster, as a pure function of what its state folder records.

Taking a cluster down needs nothing but this record, so it is written before the first thing is made, and whatever
is made carries a name from here.
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from ..errors import ClusterError

SOCKET_PATH_MAX = 107
"""Linux keeps a unix socket's path in 108 bytes, the last of them zero."""

DEEPEST_SOCKET = "/n99/kubelet/device-plugins/kubelet.sock"

SERVICE_CIDR = "10.96.0.0/16"
API_SERVICE_ADDRESS = "10.96.0.1"
DNS_ADDRESS = "10.96.0.10"
POD_CIDR = "10.244.0.0/16"
API_PORT = 6443
NODES_MAX = 90


@dataclass(frozen=True)
class Node:
    """One node: a network namespace with a containerd, a kubelet and a kube-proxy, and a firewall where the cluster has them."""

    index: int
    name: str
    address: str
    pod_cidr: str
    netns: str
    link: str
    cgroup: str
    folder: Path
    run_dir: Path

    @property
    def containerd_socket(self) -> Path:
        return self.run_dir / "c.sock"

    @property
    def kubelet_root(self) -> Path:
        return self.folder / "kubelet"

    @property
    def containerd_root(self) -> Path:
        return self.folder / "containerd/root"

    @property
    def containerd_state(self) -> Path:
        return self.folder / "containerd/state"


@dataclass(frozen=True)
class Layout:
    """A cluster's record.

    folder: its state folder; subnet: the N of its 198.18.N.0/24; node_grace_s: after how many seconds of silence a node counts as
    not ready; kwok_nodes: how many nodes it has that do not exist; firewall: whether NetworkPolicies are enforced.
    """

    name: str
    folder: Path
    subnet: int
    nodes: int
    node_grace_s: int = 20
    kwok_nodes: int = 0
    firewall: bool = False

    @property
    def id(self) -> str:
        """Eight hex digits that no other cluster on this machine has: they stand for the state folder's path."""
        return hashlib.sha256(str(self.folder).encode()).hexdigest()[:8]

    @property
    def bridge(self) -> str:
        return f"hd{self.id}"

    @property
    def control_plane_netns(self) -> str:
        return f"hd{self.id}-cp"

    @property
    def control_plane_link(self) -> str:
        return f"hd{self.id}cp"

    @property
    def cgroup(self) -> str:
        """The one cgroup, in every hierarchy, that all processes of this cluster are below."""
        return f"hardened-{self.id}"

    @property
    def control_plane_cgroup(self) -> str:
        return f"{self.cgroup}/control-plane"

    @property
    def gateway(self) -> str:
        """This machine's own address on the bridge. No node routes anything through it."""
        return f"198.18.{self.subnet}.1"

    @property
    def control_plane_address(self) -> str:
        return f"198.18.{self.subnet}.2"

    @property
    def server(self) -> str:
        return f"https://{self.control_plane_address}:{API_PORT}"

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "admin.kubeconfig"

    @property
    def audit_log(self) -> Path:
        return self.folder / "log/audit.log"

    @property
    def pki(self) -> Path:
        return self.folder / "pki"

    @property
    def bulk(self) -> Path:
        """The folder of what grows large. The state folder itself, unless its path is too long for the kubelets' sockets."""
        if len(str(self.folder) + DEEPEST_SOCKET) <= SOCKET_PATH_MAX:
            return self.folder
        return Path("/var/tmp") / self.cgroup

    @property
    def run_dir(self) -> Path:
        """Where containerd and its shims have their sockets: containerd allows 40 characters for that folder."""
        return Path("/run") / self.cgroup

    @property
    def folders(self) -> tuple[Path, ...]:
        """Every folder that is this cluster's own, the one with the record last."""
        return tuple(dict.fromkeys((self.run_dir, self.bulk, self.folder)))

    @property
    def network_namespaces(self) -> tuple[str, ...]:
        return (self.control_plane_netns, *(node.netns for node in self.all_nodes))

    @property
    def links(self) -> tuple[str, ...]:
        """This machine's ends of the cables, and the bridge they are plugged into last."""
        return (self.control_plane_link, *(node.link for node in self.all_nodes), self.bridge)

    @property
    def all_nodes(self) -> tuple[Node, ...]:
        return tuple(self.node(index) for index in range(self.nodes))

    def node(self, index: int) -> Node:
        return Node(
            index=index,
            name=f"node{index}",
            address=f"198.18.{self.subnet}.{10 + index}",
            pod_cidr=f"10.244.{index}.0/24",
            netns=f"hd{self.id}-n{index}",
            link=f"hd{self.id}n{index}",
            cgroup=f"{self.cgroup}/node{index}",
            folder=self.bulk / f"n{index}",
            run_dir=self.run_dir / f"n{index}",
        )

    def with_nodes(self, nodes: int) -> "Layout":
        if nodes > NODES_MAX:
            raise ClusterError(f"a local cluster has at most {NODES_MAX} nodes: ask for fewer")
        return replace(self, nodes=nodes)

    def write(self) -> None:
        """Records it, whole or not at all: a reader never sees half a record."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial = self.folder / ".cluster.json"
        partial.write_text(json.dumps({**asdict(self), "folder": str(self.folder)}, indent=1) + "\n")
        partial.replace(record_of(self.folder))


def record_of(folder: Path) -> Path:
    return folder / "cluster.json"


def read(folder: Path) -> Layout | None:
    """The cluster recorded in that folder, or None where there is none."""
    try:
        found = json.loads(record_of(folder).read_text())
    except FileNotFoundError:
        return None
    # Another checkout may have written more of it than this one knows.
    known = {each.name for each in fields(Layout)}
    return Layout(**{**{name: value for name, value in found.items() if name in known}, "folder": Path(found["folder"])})


def check_name(name: str) -> str:
    """The name, where it can be one. Raises ClusterError otherwise."""
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", name):
        raise ClusterError(f"{name!r} is no name for a cluster: use 1 to 32 small letters, digits and dashes, no dash at either end")
    return name

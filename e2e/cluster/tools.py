"""The programs that clusters and their tests need, each built from source on first use and kept in the cache."""

from pathlib import Path

from . import golang
from .golang import Program

_HERE = Path(__file__).parent
_VERSION = "k8s.io/component-base/version"

KUBERNETES = Program(
    name="kubernetes",
    version="v1.36.3",
    source=_HERE / "local/kubernetes",
    ldflags=f"-X {_VERSION}.gitVersion=v1.36.3 -X {_VERSION}.gitMajor=1 -X {_VERSION}.gitMinor=36",
    links=("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubectl"),
)
CONTAINERD = Program(
    name="containerd",
    version="v2.4.2",
    packages=tuple(f"github.com/containerd/containerd/v2/cmd/{name}" for name in ("containerd", "ctr", "containerd-shim-runc-v2")),
    tags="no_btrfs,no_zfs,no_devmapper",
)
FIREWALL = Program(name="firewall", version="v2.1.0", source=_HERE / "local/firewall")
PAUSE = Program(name="pause", version="1", source=_HERE / "local/pause")
COREDNS = Program(name="coredns", version="v1.14.6", packages=("github.com/coredns/coredns",))
METRICS_SERVER = Program(name="metrics-server", version="v0.9.0", packages=("sigs.k8s.io/metrics-server/cmd/metrics-server",))
LOCAL_PATH = Program(name="local-path-provisioner", version="v0.0.30", packages=("github.com/rancher/local-path-provisioner",))
KWOK = Program(
    name="kwok",
    version="v0.8.0",
    packages=("sigs.k8s.io/kwok/cmd/kwok",),
    module="sigs.k8s.io/kwok",
    files=tuple(
        f"kustomize/stage/{stage}.yaml"
        for stage in (
            "node/fast/node-initialize",
            "node/heartbeat-with-lease/node-heartbeat-with-lease",
            "pod/fast/pod-ready",
            "pod/fast/pod-complete",
            "pod/fast/pod-delete",
        )
    ),
)
RESTIC = Program(name="restic", version="v0.18.1", packages=("github.com/restic/restic/cmd/restic",))
S3 = Program(name="versitygw", version="v1.8.0", packages=("github.com/versity/versitygw/cmd/versitygw",))
KEDA = Program(
    name="keda",
    version="v2.21.0",
    module="github.com/kedacore/keda/v2",
    packages=("./cmd/operator", "./cmd/adapter", "./cmd/webhooks"),
    files=("config",),
    is_at_home=True,
)
_FLUX = "v1.9.6"
FLUX_SOURCE, FLUX_KUSTOMIZE = (
    Program(
        name=name,
        version=_FLUX,
        source=_HERE / "local/flux",
        packages=(f"github.com/fluxcd/{name}",),
        module=f"github.com/fluxcd/{name}",
        files=("config",),
    )
    for name in ("source-controller", "kustomize-controller")
)
HELM = Program(name="helm", version="v4.3.1", packages=("helm.sh/helm/v4/cmd/helm",))


def kubectl() -> Path:
    """kubectl of the same version as the cluster. Built together with Kubernetes: about 8 minutes the first time on two cores."""
    return golang.ensure(KUBERNETES) / "kubectl"


def helm() -> Path:
    """Helm 4. About 2 minutes the first time on two cores."""
    return golang.ensure(HELM) / "helm"


def restic() -> Path:
    """restic, the engine of backups. About a minute the first time on two cores."""
    return golang.ensure(RESTIC) / "restic"


def s3_server() -> Path:
    """An S3 server that keeps buckets in a folder, for tests. About a minute the first time on two cores."""
    return golang.ensure(S3) / "versitygw"


def kwok_dir() -> Path:
    """The folder of KWOK, which plays nodes and pods that do not exist. About 2 minutes the first time on two cores."""
    return golang.ensure(KWOK)


def keda_dir() -> Path:
    """The folder of KEDA: its three programs, and the manifests that install it. About 12 minutes the first time on two cores."""
    return golang.ensure(KEDA)


def flux_dirs() -> tuple[Path, Path]:
    """Folders with Flux's controllers of sources and of kustomizations, and the manifests that install each."""
    return golang.ensure(FLUX_SOURCE), golang.ensure(FLUX_KUSTOMIZE)


def firewall() -> Path:
    """What enforces NetworkPolicies on a node: kube-router's controller for them. About a minute the first time on two cores."""
    return golang.ensure(FIREWALL) / "firewall"


def bin_dir() -> Path:
    """A folder with kubectl, for PATH."""
    return golang.ensure(KUBERNETES)

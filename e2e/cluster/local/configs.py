"""The configuration files of a cluster's components, as data: pure functions of the layout."""

from collections.abc import Mapping
from typing import Any

from ..images.addons import PAUSE_IMAGE
from .layout import DNS_ADDRESS, POD_CIDR, Layout, Node

Config = dict[str, Any]

CNI_PLUGINS = "/usr/lib/cni"


def audit_policy() -> Config:
    """Each request is recorded by who, what and when; those on our own API group with what was sent and answered, too."""
    rules: list[Config] = [{"level": "RequestResponse", "resources": [{"group": "hardened.dev"}]}, {"level": "Metadata"}]
    return {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "rules": rules}


def kubeconfig(layout: Layout, user: str, read: Mapping[str, str]) -> Config:
    """Access for that certificate's owner, with all it needs inside the file. read: PKI file name -> its content in base64."""
    cluster = {"server": layout.server, "certificate-authority-data": read["ca.crt"]}
    credentials = {"client-certificate-data": read[f"{user}.crt"], "client-key-data": read[f"{user}.key"]}
    context = f"hardened-{layout.name}"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": context, "cluster": cluster}],
        "users": [{"name": user, "user": credentials}],
        "contexts": [{"name": context, "context": {"cluster": context, "user": user}}],
        "current-context": context,
    }


def scheduler(layout: Layout) -> Config:
    """With a client fast enough that a thousand services measure the operator and not the scheduler."""
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "clientConnection": {"kubeconfig": str(layout.folder / "scheduler.kubeconfig"), "qps": 300, "burst": 600},
        "leaderElection": {"leaderElect": False},
    }


def kubelet(layout: Layout, node: Node) -> Config:
    pki = layout.pki
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True}, "x509": {"clientCAFile": str(pki / "ca.crt")}},
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(pki / f"{node.name}.crt"),
        "tlsPrivateKeyFile": str(pki / f"{node.name}.key"),
        "containerRuntimeEndpoint": f"unix://{node.containerd_socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{node.cgroup}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "podLogsDir": str(node.folder / "pod-logs"),
        "volumePluginDir": str(node.folder / "volume-plugins"),
        "clusterDNS": [DNS_ADDRESS],
        "clusterDomain": "cluster.local",
        # Nothing outside the cluster can be reached, so no name outside it should be tried.
        "resolvConf": "/dev/null",
        "nodeStatusUpdateFrequency": "4s",
        "nodeLeaseDurationSeconds": 12,
        "maxPods": 250,
        # The disk is the developer's, not the node's: a full one must evict no pod and remove no image, which could not be pulled again.
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "0%", "imagefs.available": "0%"},
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
    }


def kube_proxy(layout: Layout, node: Node) -> Config:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(layout.folder / "proxy.kubeconfig")},
        "mode": "nftables",
        "clusterCIDR": POD_CIDR,
        "hostnameOverride": node.name,
        # Its limit belongs to the whole machine and can't be set from a network namespace.
        "conntrack": {"maxPerCore": 0},
    }


def containerd(node: Node) -> Config:
    """With every path that containerd has a default for, shared by all of a machine, moved to the node's own folders."""
    runtime = "io.containerd.cri.v1.runtime"
    runc = {"runtime_type": "io.containerd.runc.v2", "options": {"SystemdCgroup": False, "Root": str(node.run_dir / "runc")}}
    return {
        "version": 3,
        "root": str(node.containerd_root),
        "state": str(node.containerd_state),
        "grpc": {"address": str(node.containerd_socket)},
        "plugins": {
            "io.containerd.cri.v1.images": {"pinned_images": {"sandbox": PAUSE_IMAGE}},
            "io.containerd.internal.v1.opt": {"path": str(node.folder / "opt")},
            "io.containerd.nri.v1.nri": {"disable": True},
            "io.containerd.shim.v1.manager": {"socket_dir": str(node.run_dir)},
            runtime: {
                # Lowering the score can be refused, and runc then dies of it.
                "restrict_oom_score_adj": True,
                # Pods' network namespaces among the cluster's own files, where taking it down finds them.
                "netns_mounts_under_state_dir": True,
                # The plugin for it would leave a record for each pod where all containerds of a machine do.
                "cni": {"bin_dirs": [CNI_PLUGINS], "conf_dir": str(node.folder / "cni"), "use_internal_loopback": True},
                "containerd": {"runtimes": {"runc": runc}},
            },
        },
    }


def cni(layout: Layout, node: Node) -> Config:
    """Each pod on a cable of its own (`ptp`), so that all traffic passes the node's translation of Service addresses.

    On a shared bridge two pods of one node would answer each other directly, past it, unless the kernel has br_netfilter.
    """
    ipam = {
        "type": "host-local",
        "ranges": [[{"subnet": node.pod_cidr}]],
        "routes": [{"dst": "0.0.0.0/0"}],
        "dataDir": str(node.run_dir / "addresses"),
    }
    plugins: list[Config] = [{"type": "ptp", "ipMasq": False, "ipam": ipam}, {"type": "portmap", "capabilities": {"portMappings": True}}]
    return {"cniVersion": "1.0.0", "name": layout.cgroup, "plugins": plugins}

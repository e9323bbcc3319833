"""The NetworkPolicy of one colour."""

from hardened.api.network import Peer
from hardened.api.parse import HardenedService
from hardened.core.desired.container import as_manifest
from hardened.core.desired.deployment import deployment_name
from hardened.core.desired.metadata import metadata, stack_selector
from hardened.core.desired.verifier_pod import verifier_labels
from hardened.core.manifest import Manifest
from hardened.core.revisions.revision import Revision

_DNS = {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}


def network_policy(svc: HardenedService, revision: Revision, color: str) -> Manifest:
    """Closes every port that is not declared. Whether it is enforced depends on the cluster's CNI plugin."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(svc, deployment_name(svc, color), "app", color=color, revision=revision.name),
        "spec": {
            "podSelector": {"matchLabels": stack_selector(svc, color)},
            "policyTypes": ["Ingress", "Egress"],
            **_ingress(svc, revision),
            "egress": _egress(revision),
        },
    }


def _ingress(svc: HardenedService, revision: Revision) -> Manifest:
    spec = revision.spec
    if not spec.ports:
        return {}
    rule: Manifest = {"ports": [{"port": p.container_port, "protocol": p.protocol} for p in spec.ports]}
    if spec.network and spec.network.ingress_from is not None:
        # Without its own verifier, no release of a service that lets nobody in could ever be checked.
        verifier = {"podSelector": {"matchLabels": verifier_labels(svc)}}
        rule["from"] = [*(_peer(peer) for peer in spec.network.ingress_from), verifier]
    return {"ingress": [rule]}


def _egress(revision: Revision) -> list[Manifest]:
    network = revision.spec.network
    if not network or network.egress_to is None:
        return [{}]
    rules: list[Manifest] = [_DNS]
    for peer in network.egress_to:
        rule: Manifest = {"to": [_peer(peer)]}
        if peer.ports:
            rule["ports"] = [as_manifest(port) for port in peer.ports]
        rules.append(rule)
    return rules


def _peer(peer: Peer) -> Manifest:
    manifest = as_manifest(peer)
    manifest.pop("ports", None)
    return manifest

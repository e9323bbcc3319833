"""The NetworkPolicies of a service: of each colour, and of the pods that work for its releases."""

from hardened.api import names
from hardened.api.network import Dependency, Peer
from hardened.api.parse import HardenedService
from hardened.api.service import HardenedServiceSpec
from hardened.core.desired.check_pod import verifier_labels
from hardened.core.desired.container import as_manifest
from hardened.core.desired.deployment import deployment_name
from hardened.core.desired.metadata import metadata, stack_selector
from hardened.core.model.manifest import Manifest
from hardened.core.model.revision import Revision

#: A policy is judged after the address of the DNS Service was replaced by that of a pod: OpenShift's listen on 5353.
_DNS_PORTS = (53, 5353)


def network_policy(svc: HardenedService, revision: Revision, color: str) -> Manifest:
    """Closes every port that is not declared. Whether it is enforced depends on the cluster's CNI plugin.

    Where the spec says nothing of where its pods may connect to, neither does the policy: policies add up, and one that let everything out
    would open what another one, such as a platform's default, has closed.
    """
    egress = _egress(revision.spec)
    if egress is not None and any(backup.source.redis for backup in svc.spec.backups or ()):
        # A Redis is restored by copying from the pod that restores it.
        egress.append({"to": [_own_backups(svc)]})
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(svc, deployment_name(svc, color), "app", color=color, revision=revision.name),
        "spec": {
            "podSelector": {"matchLabels": stack_selector(svc, color)},
            "policyTypes": ["Ingress"] if egress is None else ["Ingress", "Egress"],
            **_ingress(svc, revision),
            **({} if egress is None else {"egress": egress}),
        },
    }


def verifier_policy_name(svc: HardenedService) -> str:
    """The name of the policy of the pods that work for releases."""
    return names.child_name(svc.name, "verify")


def verifier_policy(svc: HardenedService, spec: HardenedServiceSpec, *, is_open: bool) -> Manifest:
    """Opens the way of the pods that work for a release: to the application's pods, to DNS, and to whatever the spec lets those connect to.

    spec: of the revision that they work for; is_open: False where nothing closes that way, and none of them runs a command whose way the
    spec bounds. Then it bounds nothing itself.
    """
    own = {"to": [{"podSelector": {"matchLabels": {names.SERVICE_LABEL: svc.name, names.COMPONENT_LABEL: "app"}}}]}
    stated = _egress(spec)
    egress = [own, *([_dns(), *_to_dependencies(spec)] if stated is None else stated)]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(svc, verifier_policy_name(svc), names.VERIFIER),
        "spec": {
            "podSelector": {"matchLabels": verifier_labels(svc)},
            # Nobody connects to them.
            "policyTypes": ["Ingress", "Egress"] if is_open else ["Ingress"],
            **({"egress": egress} if is_open else {}),
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
        # A database that lets nobody else in is still to be backed up.
        backup = [_own_backups(svc)] if svc.spec.backups else []
        rule["from"] = [*(_peer(peer) for peer in spec.network.ingress_from), verifier, *backup]
    return {"ingress": [rule]}


def _own_backups(svc: HardenedService) -> Manifest:
    labels = {names.SERVICE_LABEL: svc.name, names.COMPONENT_LABEL: names.BACKUP, names.MANAGED_BY_LABEL: names.MANAGED_BY}
    return {"podSelector": {"matchLabels": labels}}


def _egress(spec: HardenedServiceSpec) -> list[Manifest] | None:
    """None where the spec does not say."""
    network = spec.network
    if not network or network.egress_to is None:
        return None
    rules = [_dns()]
    for peer in network.egress_to:
        rule: Manifest = {"to": [_peer(peer)]}
        if peer.ports:
            rule["ports"] = [as_manifest(port) for port in peer.ports]
        rules.append(rule)
    return [*rules, *_to_dependencies(spec)]


def _dns() -> Manifest:
    return {"ports": [{"port": port, "protocol": protocol} for port in _DNS_PORTS for protocol in ("UDP", "TCP")]}


def _to_dependencies(spec: HardenedServiceSpec) -> list[Manifest]:
    return [_to_dependency(each) for each in spec.depends_on or ()]


def _to_dependency(dependency: Dependency) -> Manifest:
    """To another service's pods; of an address within the namespace, to whatever pod answers at that port: who does, no spec says."""
    if dependency.service:
        labels = {names.SERVICE_LABEL: dependency.service, names.COMPONENT_LABEL: "app"}
        return {"to": [{"podSelector": {"matchLabels": labels}}]}
    assert dependency.tcp, "one of the two"
    port = int(dependency.tcp.rpartition(":")[2])
    return {"to": [{"podSelector": {}}], "ports": [{"port": port, "protocol": "TCP"}]}


def _peer(peer: Peer) -> Manifest:
    manifest = as_manifest(peer)
    manifest.pop("ports", None)
    return manifest

"""Who may reach the pods, what they may reach, and the Service in front of them."""

import ipaddress
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from hardened.api.fields import LabelKey, Model, Name, PortNumber, Rule, at_most, atomic, not_reserved, one_of
from hardened.api.placement import LabelSelector

Cidr = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F.:]+/[0-9]{1,3}$", max_length=49)]


class IpBlock(Model):
    """A range of addresses, with exceptions within it."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(cel="isCIDR(self.cidr)", holds=lambda m: _is_cidr(m.cidr), message="not a CIDR such as 10.0.0.0/8", field=".cidr"),
        Rule(
            cel="!isCIDR(self.cidr) || !has(self.except) || self.except.all(e, isCIDR(e) && cidr(self.cidr).containsCIDR(e) && "
            "cidr(e).prefixLength() > cidr(self.cidr).prefixLength())",
            holds=lambda m: not _is_cidr(m.cidr) or all(_is_within(e, m.cidr) for e in m.except_ or ()),
            message="an exception must be a smaller range within cidr",
            field=".except",
        ),
    )

    cidr: Cidr = Field(description="A range of addresses, such as 10.0.0.0/8.")
    except_: Annotated[list[Cidr], atomic(32)] | None = Field(
        None, alias="except", description="Smaller ranges within cidr that are left out."
    )


def _is_cidr(text: str) -> bool:
    address, _, length = text.partition("/")
    try:
        found = ipaddress.ip_interface(text)
    except ValueError:
        return False
    is_mapped = isinstance(found, ipaddress.IPv6Interface) and ipaddress.IPv6Address(address).ipv4_mapped is not None
    return not is_mapped and str(int(length)) == length


def _is_within(inner: str, outer: str) -> bool:
    if not _is_cidr(inner):
        return False
    small, large = ipaddress.ip_network(inner, strict=False), ipaddress.ip_network(outer, strict=False)
    return small.version == large.version and small.prefixlen > large.prefixlen and small.network_address in large


class PeerPort(Model):
    """A port or a range of ports."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.endPort) || self.endPort >= self.port",
            holds=lambda m: m.end_port is None or m.end_port >= m.port,
            message="endPort must not be below port",
            field=".endPort",
        ),
    )

    port: PortNumber = Field(description="The port, or the first of a range.")
    end_port: PortNumber | None = Field(None, description="The last port of a range. Default: one port alone.")
    protocol: Literal["TCP", "UDP", "SCTP"] = Field("TCP", description="The transport protocol.")


class Peer(Model):
    """Pods (podSelector and namespaceSelector together), or addresses (ipBlock)."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="has(self.ipBlock) != (has(self.podSelector) || has(self.namespaceSelector))",
            holds=lambda m: (m.ip_block is not None) != (m.pod_selector is not None or m.namespace_selector is not None),
            message="set ipBlock, or podSelector and/or namespaceSelector",
        ),
    )

    pod_selector: LabelSelector | None = None
    namespace_selector: LabelSelector | None = None
    ip_block: IpBlock | None = None


class EgressPeer(Peer):
    """A peer and its ports (default: all ports)."""

    ports: Annotated[list[PeerPort], atomic(32)] | None = Field(None, description="The ports that may be reached there. Default: all.")


class Network(Model):
    """Default: any source may reach the declared ports, and other policies decide where pods may connect to. egressTo also allows DNS."""

    ingress_from: Annotated[list[Peer], atomic(32)] | None = Field(
        None, description="Who may reach the declared ports. Default: any source."
    )
    egress_to: Annotated[list[EgressPeer], atomic(32)] | None = Field(
        None, description="Where the pods may connect to, beside DNS. Default: what other policies say."
    )


_PORT = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
# A name without dots is one of the own namespace.
LocalAddress = Annotated[str, StringConstraints(pattern=rf"^[a-z0-9]([a-z0-9-]{{0,61}}[a-z0-9])?:{_PORT}$", min_length=3, max_length=69)]


class Dependency(Model):
    """What must be available before a release begins; egress to it is allowed."""

    rules: ClassVar[tuple[Rule, ...]] = (one_of("service", "tcp"),)

    service: Name | None = Field(
        None, description="The name of another HardenedService in the same namespace. A release waits until it is Available."
    )
    tcp: LocalAddress | None = Field(
        None,
        description="A Service in the same namespace and its port, such as redis:6379. With network.egressTo, pods may connect to that "
        "port of all pods in the namespace. If the pods behind the Service listen on another port, name it in egressTo.",
    )


class ServiceSettings(Model):
    """The Service that clients use. The operator's settings allow its types and annotations."""

    rules: ClassVar[tuple[Rule, ...]] = (not_reserved("annotations"),)

    type: Literal["ClusterIP", "Headless", "NodePort", "LoadBalancer"] = Field("ClusterIP", description="How the Service is reached.")
    annotations: Annotated[dict[LabelKey, Annotated[str, StringConstraints(max_length=4096)]], at_most(32)] | None = Field(
        None, description="Annotations of the Service, such as those of a cloud's load balancer."
    )
    session_affinity: Literal["None", "ClientIP"] = Field("None", description="ClientIP sends a client's connections to one pod.")
    traffic_distribution: Literal["PreferClose", "PreferSameZone", "PreferSameNode"] | None = Field(
        None, description="Which endpoints are preferred, by where they run."
    )

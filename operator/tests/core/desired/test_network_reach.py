"""Who may reach whom, over the policies as they are rendered."""

from typing import Any

import pytest
from tests.core.reach import End, may_reach
from tests.core.runs.backups import NIGHTLY
from tests.core.worlds import body

from hardened.api.parse import parse
from hardened.core.desired.metadata import labels
from hardened.core.desired.network_policy import network_policy
from hardened.core.desired.restic_pod import backup_labels
from hardened.core.revisions.revision import render

SPEC: dict[str, Any] = {
    "image": "registry.example/shop:1",
    "ports": [{"name": "http", "containerPort": 8080}, {"name": "game", "containerPort": 7000, "protocol": "UDP"}],
}


def policy(spec: dict[str, Any], name: str = "shop") -> dict[str, Any]:
    svc = parse(body(spec, name=name))
    return network_policy(svc, render(svc), "blue")


def pod(service: str = "shop", color: str = "blue") -> End:
    return End("market", labels(parse(body(SPEC, name=service)), "app", color=color), {"kubernetes.io/metadata.name": "market"})


NEIGHBOUR = End("market", {"app": "neighbour"}, {"kubernetes.io/metadata.name": "market"})
EDGE = End("edge", {"app": "proxy"}, {"kubernetes.io/metadata.name": "edge"})
OTHER_EDGE = End("edge", {"app": "shell"}, {"kubernetes.io/metadata.name": "edge"})
OUTSIDE, INTRANET, EXCLUDED = End(address="203.0.113.7"), End(address="10.9.0.1"), End(address="10.1.2.3")
DNS = End("kube-system", {"k8s-app": "kube-dns"}, {"kubernetes.io/metadata.name": "kube-system"})


@pytest.mark.parametrize("source", [NEIGHBOUR, EDGE, OUTSIDE, pod("other")], ids=["neighbour", "edge", "outside", "another service"])
def test_by_default_everybody_reaches_the_declared_ports_and_no_other(source: End) -> None:
    rules = [policy(SPEC)]
    assert may_reach(source, pod(), 8080, rules)
    assert may_reach(source, pod(), 7000, rules, "UDP")
    assert not may_reach(source, pod(), 7000, rules, "TCP")
    assert not may_reach(source, pod(), 9090, rules)


@pytest.mark.parametrize("target", [NEIGHBOUR, EDGE, OUTSIDE, DNS], ids=["neighbour", "edge", "outside", "dns"])
def test_by_default_pods_reach_everybody(target: End) -> None:
    assert may_reach(pod(), target, 443, [policy(SPEC)])


PLATFORM = {
    "metadata": {"namespace": "market"},
    "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"ports": [{"port": 53, "protocol": "UDP"}]}]},
}


@pytest.mark.parametrize("spec", [SPEC, {"image": "registry.example/shop:1"}, {**SPEC, "network": {"ingressFrom": []}}])
def test_what_a_platforms_own_policy_has_closed_stays_closed(spec: dict[str, Any]) -> None:
    """Policies add up: one that lets everything out opens what another one closed."""
    assert not may_reach(pod(), OUTSIDE, 443, [PLATFORM, policy(spec)])
    assert may_reach(pod(), DNS, 53, [PLATFORM, policy(spec)], "UDP")


def test_nobody_reaches_a_worker() -> None:
    worker = {"image": "registry.example/shop:1"}
    assert not any(may_reach(source, pod(), port, [policy(worker)]) for source in (NEIGHBOUR, EDGE, OUTSIDE) for port in (1, 80, 8080))
    assert may_reach(pod(), OUTSIDE, 443, [policy(worker)])


FROM_EDGE = {
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "edge"}},
    "podSelector": {"matchLabels": {"app": "proxy"}},
}


@pytest.mark.parametrize(
    ("ingress", "source", "expected"),
    [
        pytest.param([], EDGE, False, id="an empty list lets nobody in"),
        pytest.param([FROM_EDGE], EDGE, True, id="the pods that it names"),
        pytest.param([FROM_EDGE], OTHER_EDGE, False, id="not the other pods of their namespace"),
        pytest.param([FROM_EDGE], NEIGHBOUR, False, id="not the own namespace"),
        pytest.param([FROM_EDGE], OUTSIDE, False, id="not the world"),
        pytest.param([{"podSelector": {}}], NEIGHBOUR, True, id="every pod of the own namespace"),
        pytest.param([{"podSelector": {}}], EDGE, False, id="a pod selector alone stays within the namespace"),
        pytest.param([{"namespaceSelector": {}}], EDGE, True, id="every namespace"),
        pytest.param([{"namespaceSelector": {}}], OUTSIDE, False, id="every namespace is not the world"),
        pytest.param([{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}], INTRANET, True, id="a range"),
        pytest.param([{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}], EXCLUDED, False, id="not its exception"),
        pytest.param(
            [{"podSelector": {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["neighbour"]}]}}],
            NEIGHBOUR, False, id="an expression",
        ),
    ],
)  # fmt: skip
def test_ingress_from(ingress: list[Any], source: End, expected: bool) -> None:
    rules = [policy({**SPEC, "network": {"ingressFrom": ingress}})]
    assert may_reach(source, pod(), 8080, rules) is expected
    assert not may_reach(source, pod(), 9090, rules), "a port that is not declared stays closed"


@pytest.mark.parametrize("ingress", [[], [FROM_EDGE]], ids=["nobody", "somebody else"])
def test_its_own_verifier_reaches_a_service_that_lets_nobody_in(ingress: list[Any]) -> None:
    rules = [policy({**SPEC, "network": {"ingressFrom": ingress}})]
    own = labels(parse(body(SPEC, name="shop")), "verifier")
    assert may_reach(End("market", own), pod(), 8080, rules)
    assert not may_reach(End("market", own), pod(), 9090, rules), "declared ports only"
    assert not may_reach(End("edge", own), pod(), 8080, rules), "its own namespace only"
    assert not may_reach(End("market", labels(parse(body(SPEC, name="other")), "verifier")), pod(), 8080, rules)
    assert not may_reach(pod(color="green"), pod(), 8080, rules)


DATABASE = {"podSelector": {"matchLabels": {"app": "neighbour"}}, "ports": [{"port": 5432}]}


@pytest.mark.parametrize(
    ("egress", "target", "port", "expected"),
    [
        pytest.param([], OUTSIDE, 443, False, id="an empty list lets nothing out"),
        pytest.param([], DNS, 53, True, id="but names are resolved"),
        pytest.param([], DNS, 5353, True, id="also where DNS pods listen on another port"),
        pytest.param([DATABASE], NEIGHBOUR, 5432, True, id="a peer at its port"),
        pytest.param([DATABASE], NEIGHBOUR, 22, False, id="not at another port"),
        pytest.param([DATABASE], EDGE, 5432, False, id="not another peer at that port"),
        pytest.param([{"ipBlock": {"cidr": "10.0.0.0/8"}, "ports": [{"port": 8000, "endPort": 8100}]}], INTRANET, 8050, True, id="a span"),
        pytest.param(
            [{"ipBlock": {"cidr": "10.0.0.0/8"}, "ports": [{"port": 8000, "endPort": 8100}]}], INTRANET, 8101, False, id="its end"
        ),
        pytest.param([{"ipBlock": {"cidr": "10.0.0.0/8"}}], INTRANET, 1, True, id="without ports, all"),
        pytest.param([{"ipBlock": {"cidr": "10.0.0.0/8"}}], OUTSIDE, 443, False, id="outside of the range"),
    ],
)
def test_egress_to(egress: list[Any], target: End, port: int, expected: bool) -> None:
    assert may_reach(pod(), target, port, [policy({**SPEC, "network": {"egressTo": egress}})]) is expected


def test_a_policy_is_for_one_service_and_one_colour() -> None:
    closed = [policy({**SPEC, "network": {"ingressFrom": []}})]
    assert not may_reach(NEIGHBOUR, pod(), 8080, closed)
    assert may_reach(NEIGHBOUR, pod("other"), 8080, closed)
    assert may_reach(NEIGHBOUR, pod(color="green"), 8080, closed)


@pytest.mark.parametrize(
    ("target", "port", "expected"),
    [
        pytest.param(pod("database"), 7000, True, id="a service that it depends on, at whatever port that declares"),
        pytest.param(pod("other"), 8080, False, id="no other service"),
        pytest.param(NEIGHBOUR, 6379, True, id="an address that it depends on, at its port"),
        pytest.param(NEIGHBOUR, 6380, False, id="not at another one"),
        pytest.param(EDGE, 6379, False, id="nor in another namespace"),
    ],
)
def test_pods_reach_what_they_depend_on(target: End, port: int, expected: bool) -> None:
    spec = {**SPEC, "dependsOn": [{"service": "database"}, {"tcp": "redis:6379"}], "network": {"egressTo": []}}
    assert may_reach(pod(), target, port, [policy(spec)]) is expected


def test_its_own_backups_reach_a_database_that_lets_nobody_in() -> None:
    closed = {**SPEC, "network": {"ingressFrom": []}}
    own = backup_labels(parse(body(SPEC)), "nightly")
    assert may_reach(End("market", own), pod(), 8080, [policy({**closed, "backups": [NIGHTLY]})])
    assert not may_reach(End("market", own), pod(), 8080, [policy(closed)]), "there are none"
    others = backup_labels(parse(body(SPEC, name="other")), "nightly")
    assert not may_reach(End("market", others), pod(), 8080, [policy({**closed, "backups": [NIGHTLY]})])
    assert not may_reach(End("edge", own), pod(), 8080, [policy({**closed, "backups": [NIGHTLY]})])


def test_a_redis_that_may_connect_to_nobody_is_restored_from_its_own_backups() -> None:
    closed = {**SPEC, "network": {"egressTo": []}}
    of_redis = {**closed, "backups": [{**NIGHTLY, "source": {"redis": {"secretName": "redis"}}}]}
    own, others = (End("market", backup_labels(parse(body(SPEC, name=name)), "nightly")) for name in ("shop", "other"))
    assert may_reach(pod(), own, 40000, [policy(of_redis)])
    assert not may_reach(pod(), others, 40000, [policy(of_redis)])
    assert not may_reach(pod(), own, 40000, [policy({**closed, "backups": [NIGHTLY]})]), "others are written to, and connect to nobody"

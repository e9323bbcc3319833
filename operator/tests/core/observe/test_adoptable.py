"""Which Service that was there before may be taken over, and what is said of the others."""

from typing import Any

import pytest
from tests.core.worlds import STAMP, WEB, WORKER, service

from hardened.api import names
from hardened.core.desired.service import active_service_of, selector
from hardened.core.model.manifest import Manifest
from hardened.core.observe.adoptable import refusal
from hardened.core.observe.origin import Origin, adopted, given_back, led_back, named_as, origin_of, origin_text
from hardened.core.revisions.revision import render

ANNOTATE = "kubectl annotate service shop -n market hardened.dev/adopt=shop"
FOREIGN = "Service shop already exists and does not belong to this service"
BLUE_GREEN: Manifest = {"release": {"strategy": "BlueGreen"}}


def theirs(*, adopt: str | None = "shop", meta: Manifest | None = None, **spec: Any) -> Manifest:
    """A Service that a team made with kubectl."""
    port = {"name": "http", "port": 8080, "protocol": "TCP", "targetPort": 3000, "nodePort": 30080}
    annotations = {names.ADOPT_ANNOTATION: adopt} if adopt is not None else {}
    found = {"type": "ClusterIP", "clusterIP": "10.0.0.7", "selector": {"app": "shop"}, "ports": [port], "sessionAffinity": "None", **spec}
    own = {"name": "shop", "namespace": "market", "uid": "u", "resourceVersion": "1", "annotations": annotations, **(meta or {})}
    return {"apiVersion": "v1", "kind": "Service", "metadata": own, "spec": {k: v for k, v in found.items() if v is not None}}


def said(live: Manifest, *, ready: int = 0, replicas: int = 2, **spec: Any) -> str:
    svc = service({**WEB, **BLUE_GREEN, **spec})
    return refusal(svc, active_service_of(svc, render(svc), selector(svc, None)), live, ready, replicas)


PORT = {"port": 8080, "protocol": "TCP", "targetPort": 3000}
MORE = {"name": "more", "containerPort": 9090}
OWNER = {"kind": "Knative", "name": "k", "uid": "k", "controller": True}


@pytest.mark.parametrize(
    "live",
    [
        pytest.param(theirs(), id="as kubectl expose makes it"),
        pytest.param(theirs(ports=[PORT]), id="with a port that has no name"),
        pytest.param(theirs(meta={"ownerReferences": [{**OWNER, "controller": False}]}), id="with an owner that does not control it"),
        pytest.param(theirs(sessionAffinity=None, type=None), id="without defaults"),
    ],
)
def test_a_service_that_a_person_has_annotated_is_taken_over(live: Manifest) -> None:
    assert said(live) == ""


@pytest.mark.parametrize(
    ("live", "spec"),
    [
        pytest.param(theirs(type="NodePort"), {"service": {"type": "NodePort"}}, id="node ports"),
        pytest.param(theirs(type="LoadBalancer"), {"service": {"type": "LoadBalancer"}}, id="a load balancer"),
        pytest.param(theirs(sessionAffinity="ClientIP"), {"service": {"sessionAffinity": "ClientIP"}}, id="sticky clients"),
        pytest.param(theirs(), {"ports": [*WEB["ports"], MORE]}, id="one port more than it has"),
    ],
)
def test_where_the_spec_says_what_is_there_it_is_taken_over(live: Manifest, spec: Manifest) -> None:
    assert said(live, **spec) == ""


@pytest.mark.parametrize(
    ("live", "spec", "why"),
    [
        pytest.param(theirs(meta={"ownerReferences": [OWNER]}), {}, "Knative k controls it", id="somebody controls it"),
        pytest.param(theirs(meta={"deletionTimestamp": STAMP}), {}, "it is being deleted", id="it is going"),
        pytest.param(theirs(type="ExternalName", selector=None), {}, "it is of type ExternalName", id="ExternalName"),
        pytest.param(theirs(selector=None), {}, "it has no selector", id="no selector"),
        pytest.param(theirs(clusterIP="None"), {}, "it is headless", id="headless"),
        pytest.param(theirs(), {"release": {"strategy": "RollingUpdate"}}, "set spec.release.strategy: BlueGreen", id="no gate"),
        pytest.param(theirs(type="LoadBalancer"), {}, "set spec.service.type: LoadBalancer", id="another type"),
        pytest.param(theirs(sessionAffinity="ClientIP"), {}, "set spec.service.sessionAffinity: ClientIP", id="sticky clients"),
        pytest.param(theirs(ports=[PORT, {**PORT, "port": 9090}]), {}, "port 9090/TCP: add it to spec.ports", id="one port more"),
        pytest.param(theirs(ports=[{**PORT, "protocol": "UDP"}]), {}, "port 8080/UDP: add it to spec.ports", id="another protocol"),
        pytest.param(theirs(ports=[PORT]), {"ports": [*WEB["ports"], MORE]}, "has no name, as only a single port may", id="a second port"),
        pytest.param(theirs(ports=[{**PORT, "name": "web"}]), {}, "known as web, to Ingresses and others", id="another name"),
    ],
)
def test_what_would_lose_requests_is_named_with_what_to_do(live: Manifest, spec: Manifest, why: str) -> None:
    text = said(live, **spec)
    assert text.startswith(f"{FOREIGN}, and cannot be taken over: ")
    assert why in text


def test_clients_are_not_led_on_to_fewer_pods_than_serve_them() -> None:
    assert said(theirs(), ready=2) == ""
    assert "kubectl scale hardenedservice shop -n market --replicas=3, or scale what serves down first" in said(theirs(), ready=3)


@pytest.mark.parametrize(
    ("live", "text"),
    [
        (theirs(adopt=None), f"{FOREIGN}; to have it taken over once the new pods have passed their checks: {ANNOTATE}; or delete or"),
        (theirs(adopt="shopping"), f"{FOREIGN}: its annotation hardened.dev/adopt names shopping, and not shop"),
        (theirs(adopt=None, selector=None), f"{FOREIGN}; delete or rename it, or rename the service. It cannot be taken over as it is: it"),
    ],
    ids=["no consent", "to another one", "no consent, and it could not be"],
)
def test_without_consent_the_command_that_gives_it_is_told(live: Manifest, text: str) -> None:
    assert said(live).startswith(text)


def test_of_a_worker_that_needs_no_service_nothing_is_taken_over() -> None:
    assert refusal(service(WORKER), None, theirs()) == f"{FOREIGN}; delete or rename it, or rename the service"


# ---- what it was like


def wanted() -> Manifest:
    svc = service({**WEB, **BLUE_GREEN})
    found = active_service_of(svc, render(svc), {"hardened.dev/color": "blue"})
    assert found
    return found


LABELLED = theirs(meta={"labels": {"app.kubernetes.io/managed-by": "Helm", "team": "a"}})


def origin() -> Origin:
    found = origin_of(adopted(wanted(), origin_text(wanted(), LABELLED)))
    assert found
    return found


def test_what_is_written_over_is_remembered_and_nothing_else() -> None:
    assert origin().labels == {"app.kubernetes.io/managed-by": "Helm"}
    assert origin().selector == {"app": "shop"}
    port = {"name": "http", "port": 8080, "protocol": "TCP", "targetPort": 3000}
    assert origin().spec == {"type": "ClusterIP", "selector": {"app": "shop"}, "ports": [port], "sessionAffinity": "None"}


def test_a_service_that_is_led_back_is_ours_and_one_that_is_given_back_is_not() -> None:
    assert led_back(wanted(), origin())["metadata"] == wanted()["metadata"]
    assert led_back(wanted(), origin())["spec"]["selector"] == {"app": "shop"}
    back = given_back(wanted(), origin())
    assert back["metadata"] == {
        "name": "shop",
        "namespace": "market",
        "labels": {"app.kubernetes.io/managed-by": "Helm"},
        "annotations": {},
    }
    assert back["spec"] == origin().spec


def test_the_only_port_of_a_service_gets_no_name_where_it_has_none() -> None:
    assert "name" not in named_as(wanted(), theirs(ports=[PORT]))["spec"]["ports"][0]
    assert named_as(wanted(), theirs()) == wanted()
    assert named_as(wanted(), theirs(ports=[PORT, {**PORT, "port": 1}])) == wanted()


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", '"x"', "{}", "[" * 100_000,
        '{"labels": {}, "annotations": {}, "spec": {"selector": {}, "ports": [{}]}}',
        '{"labels": {"a": 1}, "annotations": {}, "spec": {"selector": {"a": "b"}, "ports": [{}]}}',
        '{"labels": {}, "annotations": {}, "spec": {"selector": {"a": "b"}, "ports": []}}',
        '{"labels": {}, "annotations": {}, "spec": {"selector": {"a": "b"}, "ports": ["x"]}}',
    ],
)  # fmt: skip
def test_what_somebody_else_wrote_there_is_not_used(text: str) -> None:
    assert origin_of(adopted(wanted(), text)) is None


def test_fields_that_are_never_written_are_not_taken_from_it() -> None:
    text = '{"labels": {}, "annotations": {}, "spec": {"selector": {"a": "b"}, "externalIPs": ["1.1.1.1"], "ports": [{"port": 1, "x": 2}]}}'
    found = origin_of(adopted(wanted(), text))
    assert found
    assert found.spec == {"selector": {"a": "b"}, "ports": [{"port": 1}]}

"""A live object differs from a manifest only where somebody changed what we set."""

from typing import Any

import pytest
from tests.core.worlds import live_sample

from hardened.api import names
from hardened.core.observe.compare import difference
from hardened.core.observe.ownership import applied_fields


def pod(**spec: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": spec}}}


def container(**more: Any) -> dict[str, Any]:
    return {"name": "app", "image": "shop:1", **more}


WANTED_SERVICE = {"spec": {"selector": {"a": "b"}, "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]}}


@pytest.mark.parametrize(
    ("wanted", "live"),
    [
        pytest.param({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}, "d": 3}, id="what others add to a map is theirs"),
        pytest.param(
            {"metadata": {"labels": {"a": "b"}, "annotations": {}}},
            {"metadata": {"labels": {"a": "b", "theirs": "x"}, "annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}},
            id="a label and a restart annotation that somebody added stay",
        ),
        pytest.param(
            pod(containers=[container()]),
            pod(containers=[container(), {"name": "injected", "image": "mesh:1"}]),
            id="a container that a webhook injected stays",
        ),
        pytest.param(
            pod(containers=[container(env=[{"name": "A", "value": "1"}])]),
            pod(containers=[container(env=[{"name": "B", "value": "2"}, {"name": "A", "value": "1"}])]),
            id="a merged list is compared by its keys, in any order",
        ),
        pytest.param(
            {"resources": {"requests": {"cpu": "0.5", "memory": "1024Mi"}, "limits": {"cpu": "2000m"}}},
            {"resources": {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "9Gi"}}},
            id="a quantity is the same amount however the server spells it",
        ),
        pytest.param(
            pod(volumes=[{"name": "c", "emptyDir": {"sizeLimit": "1024Mi"}}]),
            pod(volumes=[{"name": "c", "emptyDir": {"sizeLimit": "1Gi"}}]),
            id="a size limit is a quantity too",
        ),
        pytest.param({"a": "", "b": [], "c": {}, "d": None}, {}, id="what is empty the server drops"),
        pytest.param({"readinessProbe": {"initialDelaySeconds": 0}}, {"readinessProbe": {}}, id="a delay of zero the server drops"),
        pytest.param(
            {"name": "a", "readOnly": False}, {"name": "a"}, id="a mount that is not read-only the server writes without saying so"
        ),
        pytest.param(
            {"labelSelector": {"matchLabels": {}}},
            {"labelSelector": {}},
            id="an empty map of labels the server drops, the selector it keeps",
        ),
        pytest.param(
            pod(containers=[container(env=[{"name": "A", "value": ""}])]),
            pod(containers=[container(env=[{"name": "A"}])]),
            id="an empty variable comes back without its value",
        ),
        pytest.param(
            {"fieldRef": {"fieldPath": "metadata.name"}},
            {"fieldRef": {"fieldPath": "metadata.name", "apiVersion": "v1"}},
            id="a field reference grows by a default",
        ),
        pytest.param(
            {"spec": {"podSelector": {}, "egress": [{}]}},
            {"spec": {"podSelector": {}, "egress": [{}]}},
            id="an empty rule is kept as it is",
        ),
        pytest.param(
            WANTED_SERVICE,
            {
                "spec": {
                    "selector": {"a": "b"},
                    "clusterIP": "10.0.0.1",
                    "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP", "nodePort": 31000}],
                }
            },
            id="a Service's node port and address are the server's",
        ),
    ],
)
def test_nothing_differs(wanted: dict[str, Any], live: dict[str, Any]) -> None:
    assert difference(wanted, live) is None


@pytest.mark.parametrize(
    ("wanted", "live", "path"),
    [
        pytest.param({"a": {"b": 1}}, {"a": {"b": 2}}, "a.b", id="a changed value"),
        pytest.param({"a": {"b": 1}}, {"a": {}}, "a.b", id="a removed value"),
        pytest.param({"a": {"b": 1}}, {"a": "text"}, "a", id="a map that became text"),
        pytest.param({"a": [1]}, {"a": "text"}, "a", id="a list that became text"),
        pytest.param({"a": True}, {"a": False}, "a", id="a switch"),
        pytest.param({"replicas": 0}, {}, "replicas", id="a zero is not empty"),
        pytest.param({"peers": [{"podSelector": {}}]}, {"peers": [{}]}, "peers", id="an empty selector means everything"),
        pytest.param({"a": False}, {}, "a", id="a false is not empty"),
        pytest.param(
            pod(containers=[container()]),
            pod(containers=[container(image="shop:2")]),
            "spec.template.spec.containers[app].image",
            id="an image that somebody changed",
        ),
        pytest.param(
            pod(containers=[container()]),
            pod(containers=[{"name": "other", "image": "shop:1"}]),
            "spec.template.spec.containers[app]",
            id="a container that somebody removed",
        ),
        pytest.param({"command": ["a", "b"]}, {"command": ["b", "a"]}, "command", id="an atomic list has an order"),
        pytest.param({"command": ["a"]}, {"command": ["a", "b"]}, "command", id="an atomic list is a whole"),
        pytest.param({"selector": {"a": "b"}}, {"selector": {"a": "b", "c": "d"}}, "selector", id="a selector is a whole"),
        pytest.param({"nodeSelector": {"a": "b"}}, {"nodeSelector": {"a": "b", "c": "d"}}, "nodeSelector", id="a node selector is a whole"),
        pytest.param(
            {"fieldRef": {"fieldPath": "metadata.name"}},
            {"fieldRef": {"fieldPath": "metadata.uid", "apiVersion": "v1"}},
            "fieldRef.fieldPath",
            id="a field reference to another field",
        ),
        pytest.param({"limits": {"cpu": "1"}}, {"limits": {"cpu": "1001m"}}, "limits.cpu", id="a raised limit"),
        pytest.param({"limits": {"cpu": "1"}}, {"limits": {}}, "limits.cpu", id="a removed limit"),
        pytest.param(
            pod(containers=[container(env=[{"name": "VERSION", "value": "1.10"}])]),
            pod(containers=[container(env=[{"name": "VERSION", "value": "1.1"}])]),
            "spec.template.spec.containers[app].env[VERSION].value",
            id="a variable is text, also where it looks like a quantity",
        ),
        pytest.param(
            {"metadata": {"annotations": {"a": "1000m"}}}, {"metadata": {"annotations": {"a": "1"}}}, "metadata.annotations.a",
            id="an annotation is text",
        ),
        pytest.param(
            {"limits": {"cpu": "1"}}, {"limits": {"cpu": "nonsense"}}, "limits.cpu", id="what is not a quantity is another value"
        ),
        pytest.param(
            WANTED_SERVICE,
            {"spec": {"selector": {"a": "b"}, "ports": [{"name": "http", "port": 80, "targetPort": "admin", "protocol": "TCP"}]}},
            "spec.ports[80/TCP].targetPort",
            id="a Service's port that leads elsewhere",
        ),
        pytest.param(WANTED_SERVICE, {"spec": {"selector": {"a": "x"}, "ports": WANTED_SERVICE["spec"]["ports"]}}, "spec.selector",
                     id="a Service that selects other pods"),
        pytest.param(
            {"ports": [{"containerPort": 1, "protocol": "TCP"}]}, {"ports": [{"containerPort": 1, "protocol": "UDP"}]}, "ports[1/TCP]",
            id="a container's port is found by number and protocol",
        ),
        pytest.param(
            {"ingress": [{"ports": [{"port": 1}]}]}, {"ingress": [{"ports": [{"port": 1}]}, {}]}, "ingress",
            id="a rule added to a policy opens it: the list is a whole",
        ),
    ],
)  # fmt: skip
def test_the_first_difference_is_named(wanted: dict[str, Any], live: dict[str, Any], path: str) -> None:
    assert difference(wanted, live) == path


@pytest.mark.parametrize("kind", ["Deployment", "Service", "NetworkPolicy", "PersistentVolumeClaim", "ConfigMap"])
def test_an_object_of_a_real_server_does_not_differ_from_what_was_applied(kind: str) -> None:
    live = live_sample("web")[kind]
    applied = applied_fields(live, names.MANAGER)
    assert applied
    assert difference(applied, live) is None

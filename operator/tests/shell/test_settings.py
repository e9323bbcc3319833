from typing import Any

import pytest

from hardened.core.model.kit import LOAD_RESOURCES
from hardened.shell.settings import BadSetting, Settings

POD = {"HOSTNAME": "operator-7d9c-x2x", "POD_NAMESPACE": "hardened-system"}


def test_a_pod_needs_no_setting_at_all() -> None:
    settings = Settings.from_environ(POD)
    assert settings == Settings(identity="operator-7d9c-x2x", lease_namespace="hardened-system")
    assert (settings.lease_duration, settings.renew_deadline, settings.retry_period) == (15, 10, 2)
    assert settings.namespaces == ()


@pytest.mark.parametrize(
    ("variables", "field", "expected"),
    [
        pytest.param({"NAMESPACES": " shop, blog ,,shop "}, "namespaces", ("blog", "shop"), id="a list is trimmed, sorted, each once"),
        pytest.param({"NAMESPACES": " "}, "namespaces", (), id="a blank list means the whole cluster"),
        pytest.param({"LEADER_ELECT": "False"}, "leader_elect", False, id="booleans are read in any case"),
        pytest.param({"LEADER_ELECT": "1"}, "leader_elect", True, id="1 is true"),
        pytest.param({"LEASE_DURATION": "30.5"}, "lease_duration", 30.5, id="seconds may have a fraction"),
        pytest.param({"WORKERS": "5"}, "workers", 5, id="a whole number"),
        pytest.param({"IDENTITY": "me"}, "identity", "me", id="an identity that is set goes before the pod's name"),
        pytest.param({"LEASE_NAMESPACE": "kube-system"}, "lease_namespace", "kube-system", id="so does the Lease's namespace"),
        pytest.param(
            {"POD_LABEL_KEYS": "team,example.com/*, a.b/c"}, "pod_label_keys", ("a.b/c", "example.com/*", "team"), id="keys and prefixes"
        ),
        pytest.param({"PROMETHEUS_URL": "http://a.b:9090/c"}, "prometheus_url", "http://a.b:9090/c", id="an address"),
        pytest.param({"PROMETHEUS_URL": "https://[fd00::1]:1"}, "prometheus_url", "https://[fd00::1]:1", id="an address by number"),
        pytest.param({"PROMETHEUS_SHARED": "true"}, "prometheus_shared", True, id="and that it is shared"),
        pytest.param({"SERVICE_ANNOTATION_KEYS": "a.b/*"}, "service_annotation_keys", ("a.b/*",), id="keys of Services"),
        pytest.param({"SERVICE_TYPES": "NodePort, LoadBalancer"}, "service_types", ("LoadBalancer", "NodePort"), id="types of Services"),
        pytest.param({"VERIFIER_PULL_SECRETS": "b, a"}, "verifier_pull_secrets", ("a", "b"), id="names of Secrets"),
        pytest.param(
            {"VERIFIER_RESOURCES": '{"requests": {"cpu": 1, "memory": "1Gi"}}'},
            "verifier_resources", {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {}}, id="what a pod asks for",
        ),
        pytest.param({"LOAD_RESOURCES": " "}, "load_resources", LOAD_RESOURCES, id="as it is where nothing is said"),
        pytest.param({"LOG_LEVEL": "DEBUG"}, "log_level", "debug", id="the log level in any case"),
    ],
)  # fmt: skip
def test_a_value_is_read(variables: dict[str, str], field: str, expected: Any) -> None:
    environ = POD | {f"HARDENED_{name}": value for name, value in variables.items()}
    assert getattr(Settings.from_environ(environ), field) == expected


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("NAMESPACES", "shop,*"),
        ("NAMESPACES", "Shop"),
        ("NAMESPACES", "../etc"),
        ("LEASE_NAMESPACE", "a b"),
        ("LEASE_NAME", "x/y"),
        ("LEADER_ELECT", "maybe"),
        ("LEASE_DURATION", "fifteen"),
        ("LEASE_DURATION", "nan"),
        ("LEASE_DURATION", "inf"),
        ("LEASE_DURATION", "9"),  # not above the renew deadline
        ("RENEW_DEADLINE", "15"),
        ("RETRY_PERIOD", "9"),
        ("RETRY_PERIOD", "0"),
        ("HEALTH_PORT", "0"),
        ("HEALTH_PORT", "65536"),
        ("METRICS_PORT", "8080"),  # the health port's
        ("METRICS_PORT", "9090.5"),
        ("WORKERS", "0"),
        ("WORKERS", "-1"),
        ("RESYNC_SECONDS", "1"),
        ("POD_LABEL_KEYS", "*"),
        ("POD_LABEL_KEYS", "a b"),
        ("POD_ANNOTATION_KEYS", "/x"),
        ("SERVICE_ACCOUNT_ANNOTATION_KEYS", "x/*/y"),
        ("SERVICE_ANNOTATION_KEYS", "hardened.dev/*"),
        ("POD_LABEL_KEYS", "app.kubernetes.io/name"),
        ("SERVICE_TYPES", "ClusterIP"),
        ("SERVICE_TYPES", "ExternalName"),
        ("PROMETHEUS_URL", "prometheus:9090"),
        ("PROMETHEUS_URL", "ftp://a"),
        ("PROMETHEUS_URL", "http://user:password@a"),
        ("PROMETHEUS_URL", "http://a?b"),
        ("PROMETHEUS_SHARED", "perhaps"),
        ("PROMETHEUS_CA_FILE", "ca.crt"),
        ("PROMETHEUS_KEY_FILE", "/tls.key"),  # without its certificate
        ("VERIFIER_PULL_SECRETS", "a/b"),
        ("VERIFIER_RESOURCES", "20m"),
        ("VERIFIER_RESOURCES", "[]"),
        ("VERIFIER_RESOURCES", '{"request": {}}'),
        ("VERIFIER_RESOURCES", '{"requests": ["20m"]}'),
        ("LOAD_RESOURCES", '{"requests": {"cpu": "a few"}}'),
        ("LOAD_RESOURCES", '{"requests": {"cpu": "2"}, "limits": {"cpu": "1500m"}}'),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_a_bad_value_is_refused_in_the_name_of_its_variable(variable: str, value: str) -> None:
    with pytest.raises(BadSetting) as caught:
        Settings.from_environ(POD | {f"HARDENED_{variable}": value})
    # A wrong lease_duration shows in the deadline that no longer fits in it.
    expected = "RENEW_DEADLINE" if (variable, value) == ("LEASE_DURATION", "9") else variable
    assert str(caught.value).startswith(f"HARDENED_{expected}: ")
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ('{"requests": {"cpu": "2"}, "limits": {"cpu": "1500m"}}', "requests.cpu: 2 is more than limits.cpu, which is 1500m"),
        ('{"limits": {"memory": "1 GB"}}', "limits.memory: '1 GB' is not a quantity"),
    ],
)
def test_what_is_wrong_of_resources_is_named(value: str, says: str) -> None:
    with pytest.raises(BadSetting, match=says):
        Settings.from_environ(POD | {"HARDENED_VERIFIER_RESOURCES": value})


@pytest.mark.parametrize(
    ("environ", "variable"),
    [
        pytest.param({}, "HARDENED_IDENTITY", id="no name"),
        pytest.param({"HOSTNAME": "x"}, "HARDENED_LEASE_NAMESPACE", id="no namespace"),
    ],
)
def test_leader_election_needs_a_name_and_a_place(environ: dict[str, str], variable: str) -> None:
    with pytest.raises(BadSetting, match=variable):
        Settings.from_environ(environ)
    assert Settings.from_environ(environ | {"HARDENED_LEADER_ELECT": "false"}).leader_elect is False


SECRETS = [{"TOKEN_FILE": "/t"}, {"CERTIFICATE_FILE": "/c", "KEY_FILE": "/k"}]


@pytest.mark.parametrize("files", SECRETS, ids=["a token", "a certificate"])
def test_what_tells_who_asks_is_sent_over_tls_alone(files: dict[str, str]) -> None:
    environ = POD | {f"HARDENED_PROMETHEUS_{name}": value for name, value in files.items()}
    for url in ("http://a", ""):
        with pytest.raises(BadSetting, match="HARDENED_PROMETHEUS_URL"):
            Settings.from_environ(environ | {"HARDENED_PROMETHEUS_URL": url})
    assert Settings.from_environ(environ | {"HARDENED_PROMETHEUS_URL": "https://a"})


@pytest.mark.parametrize(
    ("namespaces", "shared", "expected"),
    [
        pytest.param("shop", "false", True, id="a team asks for its own"),
        pytest.param("shop,mall", "false", False, id="that they are named says nothing of whose they are"),
        pytest.param("shop,shop", "false", True, id="one, named twice"),
        pytest.param("", "false", False, id="the whole cluster"),
        pytest.param("shop,mall", "true", True, id="those who may see each other's"),
    ],
)
def test_queries_of_several_namespaces_need_to_be_shared(namespaces: str, shared: str, expected: bool) -> None:
    environ = POD | {"HARDENED_NAMESPACES": namespaces, "HARDENED_PROMETHEUS_SHARED": shared}
    assert Settings.from_environ(environ).policy.allows_queries is expected


def test_keda_is_told_to_ask_whom_the_operator_asks() -> None:
    environ = POD | {"HARDENED_PROMETHEUS_URL": "http://prometheus.monitoring:9090"}
    assert Settings.from_environ(environ).policy.prometheus_url == "http://prometheus.monitoring:9090"

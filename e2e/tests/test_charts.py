"""The charts and manifests: what they grant, what they refuse, and what a scanner says of them. What needs helm is marked `cluster`."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from e2e import install
from e2e.cluster import tools
from e2e.cluster.command import attempt, run
from e2e.cluster.lock import locked
from e2e.cluster.paths import cache_root
from hardened import __version__
from hardened.api.action import HardenedServiceActionSpec
from hardened.api.parse import parse
from hardened.core.desired.children import at_rest
from hardened.core.model.kit import RESOURCES, BackupKit, Kit
from hardened.core.needs.dependencies import cycle_of, named_services
from hardened.core.revisions.revision import render
from hardened.shell.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
OPERATOR = ROOT / "charts/hardened-operator"
SERVICE = ROOT / "charts/hardened-service"
SAMPLES = sorted((ROOT / "manifests/samples").glob("*.yaml"))
STACK = ROOT / "charts/stacks/bookmark-api"
STACKS = sorted((ROOT / "manifests/stacks").glob("*.yaml"))
TABLE: dict[str, list[dict[str, Any]]] = yaml.safe_load((OPERATOR / "files/rules.yaml").read_text())
DIGEST = "sha256:" + "ab" * 32

ACTIONS = HardenedServiceActionSpec.model_fields["action"].annotation

Manifest = dict[str, Any]


def _helm(chart: Path, *sets: str, namespace: str = "hardened-system") -> subprocess.CompletedProcess[str]:
    values = [f"--set={one}" for one in sets]
    return attempt([tools.helm(), "template", chart.name, chart, "--namespace", namespace, *values])


def _rendered(chart: Path, *sets: str, namespace: str = "hardened-system") -> list[Manifest]:
    done = _helm(chart, *sets, namespace=namespace)
    assert done.returncode == 0, done.stderr
    return [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]


def _named(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    return next(m for m in manifests if m["kind"] == kind and m["metadata"]["name"] == name)


def _sample(name: str) -> Manifest:
    body: Manifest = yaml.safe_load((ROOT / "manifests/samples" / name).read_text())
    body["metadata"].update(namespace="shop", uid="1", generation=1)
    return body


# ---- without helm


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_is_valid(path: Path) -> None:
    assert parse(_sample(path.name)).name == path.stem


@pytest.mark.parametrize("path", STACKS, ids=lambda path: path.stem)
def test_the_services_of_a_stack_are_valid_and_depend_on_each_other_without_a_circle(path: Path) -> None:
    bodies = [body for body in yaml.safe_load_all(path.read_text()) if body]
    assert {body["kind"] for body in bodies} == {"HardenedService"}, "no Secret among them: passwords are no defaults"
    names: dict[str, frozenset[str]] = {}
    for body in bodies:
        found = parse(body | {"metadata": body["metadata"] | {"uid": "1", "generation": 1}})
        names[found.name] = named_services(body)
    assert names
    assert all(needed <= names.keys() for needed in names.values())
    assert not [body for body in bodies if cycle_of(body, names)]


def test_no_right_is_a_wildcard_nor_reaches_secrets_or_further_rights() -> None:
    forbidden = {"*", "secrets", "escalate", "bind", "impersonate", "pods/exec", "nodes/proxy", "serviceaccounts/token"}
    for rules in TABLE.values():
        for rule in rules:
            assert not forbidden & {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}, rule


def test_who_may_edit_a_service_may_do_every_action_on_it_but_replace_its_data() -> None:
    allowed = {
        role: {f for rule in TABLE[role] if "create" in rule["verbs"] for f in rule["resources"] if "/" in f}
        for role in ("edit", "restore")
    }
    assert {f"hardenedservices/{action.lower()}" for action in get_args(ACTIONS)} == allowed["edit"] | allowed["restore"]
    assert allowed["restore"] == {"hardenedservices/restore"}
    assert not allowed["edit"] & allowed["restore"]


def test_the_operator_deletes_nothing_but_what_holds_no_data() -> None:
    deletable = {resource for rule in TABLE["services"] if "delete" in rule["verbs"] for resource in rule["resources"]}
    # Pods: verifiers, that are to ask again. Budgets: of migrations that are over. Autoscalers and schedules: what the spec has no more.
    # Jobs: of restores that have not begun, and must not any more.
    assert deletable == {
        "services", "configmaps", "controllerrevisions", "hardenedserviceactions", "pods", "poddisruptionbudgets",
        "horizontalpodautoscalers", "scaledobjects", "cronjobs", "jobs",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        pytest.param("host:5000/a/b:1", {"repository": "host:5000/a/b", "tag": "1", "digest": ""}, id="a registry with a port"),
        pytest.param(f"a/b@{DIGEST}", {"repository": "docker.io/a/b", "tag": "", "digest": DIGEST}, id="a digest"),
        pytest.param(f"a/b:1@{DIGEST}", {"repository": "docker.io/a/b", "tag": "1", "digest": DIGEST}, id="a tag and a digest"),
        pytest.param("web:1", {"repository": "docker.io/library/web", "tag": "1", "digest": ""}, id="a short name"),
    ],
)
def test_an_image_as_the_chart_takes_it(image: str, expected: dict[str, str]) -> None:
    assert install.image_values(image) == expected


# ---- with helm


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("chart", "wrong", "field"),
    [
        pytest.param(OPERATOR, "replica=3", "'replica'", id="a misspelt field"),
        pytest.param(OPERATOR, "replicas=two", "/replicas", id="a text for a number"),
        pytest.param(OPERATOR, "logLevel=verbose", "/logLevel", id="an unknown log level"),
        pytest.param(OPERATOR, "watch.namespaces={A_b}", "/watch/namespaces/0", id="no namespace's name"),
        pytest.param(OPERATOR, "allowedKeys.podLabels={*}", "/allowedKeys/podLabels/0", id="all keys at once"),
        pytest.param(
            OPERATOR, "allowedKeys.serviceAnnotations={hardened.dev/adopt}", "/allowedKeys/serviceAnnotations/0", id="a key of ours"
        ),
        pytest.param(OPERATOR, "allowedServiceTypes={ExternalName}", "/allowedServiceTypes/0", id="a type that no service has"),
        pytest.param(OPERATOR, "networkPolicy.apiServer.port=443", "'port'", id="an unknown field further down"),
        pytest.param(OPERATOR, "prometheus.url=prometheus:9090", "/prometheus/url", id="an address without a scheme"),
        pytest.param(OPERATOR, "prometheus.url=http://a:b@c", "/prometheus/url", id="an address with a password"),
        pytest.param(OPERATOR, "prometheus.shared=yes", "/prometheus/shared", id="a text for a boolean"),
        pytest.param(OPERATOR, "verifier.resources.request.cpu=1", "'request'", id="a misspelt field of what pods ask for"),
        pytest.param(OPERATOR, "verifier.imagePullSecrets={a}", "/verifier/imagePullSecrets/0", id="a text for a Secret"),
        pytest.param(OPERATOR, "image.tag=latest", "image.tag", id="the operator's image without a version"),
        pytest.param(OPERATOR, "leaderElection.enabled=false", "leaderElection.enabled", id="two that would both lead"),
        pytest.param(OPERATOR, "serviceAccount.create=false", "serviceAccount.name", id="no account"),
        pytest.param(STACK, "images.redis=redis:latest", "/images/redis", id="an image of a stack that names no version"),
        pytest.param(STACK, "api.replica=1", "'replica'", id="a misspelt field of a stack"),
        pytest.param(STACK, "postgres.size=1", "/postgres/size", id="a size without a unit"),
        pytest.param(STACK, "postgres.database=a;b", "/postgres/database", id="no database's name"),
        pytest.param(STACK, "redis.appendFsync=sometimes", "/redis/appendFsync", id="no way to write through"),
        pytest.param(STACK, "worker.env.poll=1", "/worker/env", id="a variable in lower case"),
        pytest.param(STACK, "backup.enabled=true", "backup.repositorySecret", id="a backup to nowhere"),
        pytest.param(STACK, "secret.create=true", "secret.postgresPassword", id="a Secret without passwords"),
        pytest.param(SERVICE, "image=", "/image", id="no image"),
        pytest.param(SERVICE, "image=web:latest", "/image", id="an image without a version"),
        pytest.param(SERVICE, "port=99999", "/port", id="a port out of range"),
        pytest.param(SERVICE, "prot=8080", "'prot'", id="a misspelt field of the service"),
        pytest.param(SERVICE, "env.1A=x", "/env", id="no variable's name"),
        pytest.param(SERVICE, "files.relative=x", "/files", id="a relative path"),
        pytest.param(SERVICE, "resources.limit.cpu=1", "/resources", id="a misspelt field of resources"),
    ],
)
def test_a_wrong_value_is_refused_with_its_name(chart: Path, wrong: str, field: str) -> None:
    good = ["image=web:1"] if chart == SERVICE else []
    done = _helm(chart, *good, wrong)
    assert done.returncode != 0
    assert field in done.stderr


@pytest.mark.cluster
def test_cluster_wide_rights_are_those_of_the_table() -> None:
    manifests = _rendered(OPERATOR)
    assert _named(manifests, "ClusterRole", "hardened-operator")["rules"] == TABLE["services"] + TABLE["crd"]
    assert _named(manifests, "ClusterRole", "hardened-view")["rules"] == TABLE["view"]
    assert _named(manifests, "ClusterRole", "hardened-edit")["rules"] == TABLE["edit"]
    assert _named(manifests, "ClusterRole", "hardened-restore")["rules"] == TABLE["restore"]
    lease = [{**rule, "resourceNames": ["hardened-operator"]} for rule in TABLE["leaderNamed"]]
    assert _named(manifests, "Role", "hardened-operator-leader")["rules"] == TABLE["leader"] + lease
    roles = {m["metadata"]["name"] for m in manifests if m["kind"] in ("Role", "ClusterRole")}
    assert roles == {"hardened-operator", "hardened-operator-leader", "hardened-view", "hardened-edit", "hardened-restore"}


@pytest.mark.cluster
@pytest.mark.parametrize("values", [["crashLogs.lines=5"], ["crashLogs.lines=5", "watch.namespaces={shop}"]], ids=["everywhere", "in one"])
def test_logs_may_be_read_where_the_values_say_so_and_nowhere_else(values: list[str]) -> None:
    (role,) = [
        m for m in _rendered(OPERATOR, *values) if m["kind"].endswith("Role") and m["rules"][: len(TABLE["services"])] == TABLE["services"]
    ]
    assert TABLE["logs"][0] in role["rules"]
    env = _named(_rendered(OPERATOR, *values), "Deployment", "hardened-operator")["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {each["name"]: each.get("value") for each in env}["HARDENED_CRASH_LOG_LINES"] == "5"
    assert "pods/log" not in str(_rendered(OPERATOR))


@pytest.mark.cluster
def test_with_namespaces_the_rights_end_at_them() -> None:
    manifests = _rendered(OPERATOR, "watch.namespaces={shop,bank}", "rbac.aggregateUserRoles=false")
    roles = {(m["metadata"].get("namespace"), m["metadata"]["name"]): m["rules"] for m in manifests if m["kind"].endswith("Role")}
    assert roles == {
        (None, "hardened-operator-crd"): TABLE["crd"],
        ("shop", "hardened-operator"): TABLE["services"],
        ("bank", "hardened-operator"): TABLE["services"],
        ("hardened-system", "hardened-operator-leader"): _named(manifests, "Role", "hardened-operator-leader")["rules"],
    }
    without = _rendered(OPERATOR, "watch.namespaces={shop}", "rbac.aggregateUserRoles=false", "rbac.readCrd=false")
    assert not [m for m in without if m["kind"].startswith("ClusterRole")]


@pytest.mark.cluster
def test_the_crds_are_those_of_the_models_and_kept_as_the_values_say() -> None:
    kept, left = _rendered(OPERATOR), _rendered(OPERATOR, "crds.keep=false")
    generated = list(yaml.safe_load_all((ROOT / "manifests/crds.yaml").read_text()))
    assert [m["metadata"]["name"] for m in generated] == ["hardenedservices.hardened.dev", "hardenedserviceactions.hardened.dev"]
    for crd in generated:
        name = crd["metadata"]["name"]
        assert _named(left, "CustomResourceDefinition", name) == crd
        assert _named(kept, "CustomResourceDefinition", name)["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert not [m for m in _rendered(OPERATOR, "crds.enabled=false") if m["kind"] == "CustomResourceDefinition"]


@pytest.mark.cluster
def test_who_asks_for_an_action_needs_the_right_to_it_as_the_values_say() -> None:
    manifests = _rendered(OPERATOR)
    policy = _named(manifests, "ValidatingAdmissionPolicy", "hardened-operator-actions")["spec"]
    binding = _named(manifests, "ValidatingAdmissionPolicyBinding", "hardened-operator-actions")["spec"]
    assert policy["failurePolicy"] == "Fail"
    assert [rule["resources"] for rule in policy["matchConstraints"]["resourceRules"]] == [["hardenedserviceactions"]]
    assert binding == {"policyName": "hardened-operator-actions", "validationActions": ["Deny"]}
    replaces_data = [each["expression"] for each in policy["validations"] if 'subresource("restore")' in each["expression"]]
    assert len(replaces_data) == 1, "a rollback with data needs the right to restore, too"
    assert replaces_data[0].startswith("!has(object.spec.withData) || !object.spec.withData ||")
    without = {m["kind"] for m in _rendered(OPERATOR, "actionPolicy.enabled=false", "accountPolicy.enabled=false")}
    assert without == {m["kind"] for m in manifests} - {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}


@pytest.mark.cluster
def test_the_operators_own_account_is_held_by_policies_unless_the_values_say_otherwise() -> None:
    manifests = [m for m in _rendered(OPERATOR, "serviceAccount.name=pilot") if "-account-" in m["metadata"]["name"]]
    policies = {m["metadata"]["name"]: m["spec"] for m in manifests if m["kind"] == "ValidatingAdmissionPolicy"}
    bound = {m["spec"]["policyName"] for m in manifests if m["kind"] == "ValidatingAdmissionPolicyBinding"}
    assert bound == set(policies) == {f"hardened-operator-account-{name}" for name in ("pods", "deployments", "jobs", "cronjobs", "system")}
    for spec in policies.values():
        assert spec["failurePolicy"] == "Fail"
        assert spec["matchConditions"][0]["expression"] == 'request.userInfo.username == "system:serviceaccount:hardened-system:pilot"'
        assert not any(word in validation["expression"] for validation in spec["validations"] for word in ("POD", "OBJECT"))
    written = {resource for list_ in TABLE["services"] if {"create", "patch"} & set(list_["verbs"]) for resource in list_["resources"]}
    held = set(policies["hardened-operator-account-system"]["matchConstraints"]["resourceRules"][0]["resources"])
    assert held >= written - {"events", "hardenedservices/status", "hardenedserviceactions", "hardenedserviceactions/status"}
    assert not [m for m in _rendered(OPERATOR, "accountPolicy.enabled=false") if "-account-" in m["metadata"]["name"]]


@pytest.mark.cluster
def test_what_a_webhook_mounts_of_the_node_into_every_pod_may_be_named_for_pods_of_checks() -> None:
    def host(name: str, *values: str) -> str:
        spec = _named(_rendered(OPERATOR, *values), "ValidatingAdmissionPolicy", f"hardened-operator-account-{name}")["spec"]
        return str(spec["validations"][0]["expression"])

    named = "accountPolicy.injectedHostPaths={/var/run/datadog}"
    assert '.all(v, !has(v.hostPath) || v.hostPath.path in ["/var/run/datadog"])' in host("pods", named)
    assert ".all(v, !has(v.hostPath))" in host("pods")
    assert host("deployments", named) == host("deployments")


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("values", "strategy"),
    [
        pytest.param([], {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}, id="with leader election"),
        pytest.param(["replicas=1"], {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}, id="one replica"),
        pytest.param(["replicas=1", "leaderElection.enabled=false"], {"type": "Recreate"}, id="without leader election"),
    ],
)
def test_an_upgrade_never_has_two_that_write(values: list[str], strategy: Manifest) -> None:
    assert _named(_rendered(OPERATOR, *values), "Deployment", "hardened-operator")["spec"]["strategy"] == strategy


@pytest.mark.cluster
def test_the_operator_may_reach_the_api_server_and_dns_only() -> None:
    policy = _named(_rendered(OPERATOR), "NetworkPolicy", "hardened-operator")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert [port["port"] for rule in policy["egress"] for port in rule["ports"]] == [443, 6443, 53, 53, 5353, 5353]
    assert [port["port"] for rule in policy["ingress"] for port in rule["ports"]] == ["health", "metrics"]


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("values", "ports"),
    [
        pytest.param(["prometheus.url=http://a.b:9090/c"], [9090], id="its port"),
        pytest.param(["prometheus.url=https://a.b"], [443], id="the scheme's"),
        pytest.param(["prometheus.url=http://[fd00::1]"], [80], id="of an address by number"),
        pytest.param(
            ["prometheus.url=http://a", "networkPolicy.prometheus.ports={9090,9091}"], [9090, 9091], id="those behind its Service"
        ),
    ],
)
def test_the_operator_may_reach_prometheus_where_one_is_named(values: list[str], ports: list[int]) -> None:
    manifests = _rendered(OPERATOR, *values, "prometheus.shared=true")
    policy = _named(manifests, "NetworkPolicy", "hardened-operator")["spec"]
    assert [port["port"] for rule in policy["egress"] for port in rule["ports"]] == [443, 6443, *ports, 53, 53, 5353, 5353]
    env = _named(manifests, "Deployment", "hardened-operator")["spec"]["template"]["spec"]["containers"][0]["env"]
    told = {each["name"]: each.get("value") for each in env}
    assert told["HARDENED_PROMETHEUS_URL"] == values[0].partition("=")[2]
    assert told["HARDENED_PROMETHEUS_SHARED"] == "true"


@pytest.mark.cluster
def test_the_operator_is_told_what_the_pods_are_made_of_that_check() -> None:
    def told(*values: str) -> Settings:
        pod = _named(_rendered(OPERATOR, *values), "Deployment", "hardened-operator")["spec"]["template"]["spec"]
        env = {each["name"]: str(each.get("value", "")) for each in pod["containers"][0]["env"]}
        return Settings.from_environ(env | {"HOSTNAME": "a", "POD_NAMESPACE": "b"})

    usual = told()
    # The chart installs the policy that checks who may restore.
    kit = Kit(usual.verifier_image, backup=BackupKit(usual.backup_image, may_restore=True))
    assert usual.policy.kit == kit, "else the same as where nothing is said"
    assert usual.backup_image == f"docker.io/hardened/backup:{__version__}", "beside the operator's"
    secrets = ("imagePullSecrets[0].name=a", "verifier.imagePullSecrets[0].name=b", "verifier.imagePullSecrets[1].name=a")
    mirrored = told("image.repository=mirror.example/a/operator", "image.tag=v1", "backup.imagePullSecrets[0].name=c").policy.kit.backup
    assert (mirrored.image, mirrored.pull_secrets) == ("mirror.example/a/backup:v1", ("c",))
    sizes = ("verifier.resources.requests.cpu=25m", "verifier.loadResources.limits.cpu=null")
    found = told(*secrets, *sizes, "verifier.image=mirror.example/h:1").policy.kit
    assert (found.image, found.pull_secrets) == ("mirror.example/h:1", ("a", "b"))
    assert found.resources["requests"] == {**RESOURCES["requests"], "cpu": "25m"}
    assert "cpu" not in found.load_resources["limits"]


@pytest.mark.cluster
def test_what_prometheus_is_asked_with_is_mounted_where_the_operator_looks_for_it() -> None:
    values = ["url=https://a", "ca.configMap=roots", "token.secret=asker", "token.key=bearer", "clientCertificate.secret=client"]
    manifests = _rendered(OPERATOR, *(f"prometheus.{value}" for value in values))
    pod = _named(manifests, "Deployment", "hardened-operator")["spec"]["template"]["spec"]
    told = {each["name"]: each.get("value", "") for each in pod["containers"][0]["env"]}
    (mount,) = (each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "prometheus")
    (volume,) = (each["projected"]["sources"] for each in pod["volumes"] if each["name"] == "prometheus")
    paths = {f"{mount['mountPath']}/{item['path']}" for source in volume for held in source.values() for item in held["items"]}
    assert paths == {told[f"HARDENED_PROMETHEUS_{name}_FILE"] for name in ("CA", "TOKEN", "CERTIFICATE", "KEY")}
    plain = _named(_rendered(OPERATOR), "Deployment", "hardened-operator")["spec"]["template"]["spec"]
    assert [each["name"] for each in plain["volumes"]] == ["token"]


@pytest.mark.cluster
@pytest.mark.parametrize("value", ["prometheus.token.secret=a", "prometheus.clientCertificate.secret=a"])
def test_who_asks_is_told_over_tls_alone(value: str) -> None:
    assert "must begin with https://" in _helm(OPERATOR, value, "prometheus.url=http://a").stderr


@pytest.mark.cluster
def test_a_service_of_short_values_is_valid_and_says_what_they_say() -> None:
    values = ["image=web:1", "probePath=/health", "env.BIG=1000000", "env.ON=true", r"files./etc/web/app\.toml=a", "extraSpec.replicas=4"]
    body = _rendered(SERVICE, *values, "replicas=2", namespace="shop")[0]
    parse(body | {"metadata": body["metadata"] | {"uid": "1"}})
    assert body["spec"]["env"] == [{"name": "BIG", "value": "1000000"}, {"name": "ON", "value": "true"}]
    assert body["spec"]["files"] == [{"mountPath": "/etc/web", "data": {"app.toml": "a"}}]
    assert body["spec"]["probes"] == {"readiness": {"httpGet": {"path": "/health"}}}
    assert body["spec"]["replicas"] == 4, "extraSpec wins"
    worker = _rendered(SERVICE, "image=web:1", "port=null")[0]["spec"]
    assert "ports" not in worker
    assert "replicas" not in worker


@pytest.mark.cluster
def test_a_stack_says_what_its_values_say() -> None:
    values = ["secret.create=true", "secret.postgresPassword=a", "secret.redisPassword=b", "api.env.POOL=7"]
    manifests = _rendered(STACK, *values, "api.extraSpec.release.promotion=Manual", namespace="shop")
    assert _named(manifests, "Secret", "bookmark-api")["stringData"] == {"postgres-password": "a", "redis-password": "b"}
    api = _named(manifests, "HardenedService", "bookmark-api-api")["spec"]
    assert {"name": "POOL", "value": "7"} in api["env"]
    assert "replicas" not in api
    assert api["autoscale"] == {"minReplicas": 2, "maxReplicas": 6, "cpu": 70}
    fixed = _named(_rendered(STACK, "api.autoscale=null", "api.replicas=3"), "HardenedService", "bookmark-api-api")["spec"]
    assert ("autoscale" in fixed, fixed["replicas"]) == (False, 3)
    assert (api["release"]["promotion"], api["release"]["strategy"]) == ("Manual", "BlueGreen"), (
        "extraSpec is merged, and takes nothing away"
    )
    texts = json.dumps([m for m in manifests if m["kind"] == "HardenedService"])
    assert "stringData" not in texts


@pytest.mark.cluster
def test_a_stack_with_backups_is_valid_and_backs_up_its_database() -> None:
    values = ["enabled=true", "repositorySecret=restic", "sourceSecret=source", "claim=backups"]
    manifests = _rendered(STACK, *(f"backup.{value}" for value in values), namespace="shop")
    body = _named(manifests, "HardenedService", "bookmark-api-postgres")
    (found,) = parse(body | {"metadata": body["metadata"] | {"uid": "1", "generation": 1}}).spec.backups or ()
    assert (found.repository.secret_name, found.schedule.text) == ("restic", "30 3 * * *")
    assert found.repository.claim.name == "backups"
    assert found.source.postgres.secret_name == "source"
    assert found.retention.kept["daily"] == 7
    assert found.stops == "Dependents", "without the server nothing can be restored"


@pytest.mark.cluster
def test_the_plain_manifests_are_the_chart_with_its_defaults() -> None:
    done = attempt([sys.executable, ROOT / "manifests/generate.py", "--check"])
    assert done.returncode == 0, done.stdout + done.stderr


# ---- by a scanner


@pytest.fixture(scope="session")
def checkov() -> Path:
    """The program, in a virtual environment of its own: it pins old versions of what the operator uses."""
    lock = ROOT / "requirements-checkov.lock"
    folder = cache_root() / "checkov-venv"
    stamp = folder / "installed.lock"
    with locked(cache_root() / "locks/checkov", waiting_for="another process that installs checkov"):
        if not stamp.exists() or stamp.read_text() != lock.read_text():
            run([sys.executable, "-m", "venv", "--clear", folder])
            run([folder / "bin/pip", "install", "--quiet", "--require-hashes", "--requirement", lock])
            stamp.write_text(lock.read_text())
    return folder / "bin/checkov"


EXCEPTIONS = {"CKV_K8S_15"}
"""imagePullPolicy Always: with a digest, what is on the node is what would be pulled; and a node without its registry still starts pods."""


STACK_EXCEPTIONS = {"CKV_K8S_35"}
"""Secrets as variables, which is what libpq and the servers read."""
SERVER_EXCEPTIONS = {"CKV_K8S_40", "CKV_K8S_8"}
"""The user 999 of the official images, to which their data belongs; and no liveness probe, which would kill a server that recovers."""


def _is_excepted(failure: str) -> bool:
    check, _, resource = failure.partition(" ")
    is_server = any(name in resource for name in ("-postgres-", "-redis-"))
    return check in STACK_EXCEPTIONS or (is_server and check in SERVER_EXCEPTIONS)


def _failed(checkov: Path, manifests: list[Manifest], folder: Path) -> tuple[set[str], int]:
    """What failed, as "CHECK OBJECT", and how many checks passed."""
    (folder / "all.yaml").write_text(yaml.safe_dump_all(manifests))
    options = ["--skip-download", "--framework", "kubernetes", "--compact", "--quiet", "--output", "json"]
    said = json.loads(attempt([checkov, "--directory", folder, *options], cwd=folder).stdout)
    if isinstance(said, list):
        said = said[0]
    found = said.get("results", {}).get("failed_checks", [])
    failed = {f"{check['check_id']} {check['resource']}" for check in found if check["check_id"] not in EXCEPTIONS}
    return failed, said["summary"]["passed"] if "summary" in said else said["passed"]


@pytest.mark.cluster
def test_a_scanner_finds_nothing_in_the_operator(checkov: Path, tmp_path: Path) -> None:
    failed, passed = _failed(checkov, _rendered(OPERATOR, f"image.digest={DIGEST}"), tmp_path)
    assert not failed
    assert passed > 80


@pytest.mark.cluster
def test_a_scanner_finds_nothing_in_the_children_of_a_service(checkov: Path, tmp_path: Path) -> None:
    body = _sample("web.yaml")
    body["spec"]["image"] = f"docker.io/hardened/web-python@{DIGEST}"
    service = parse(body)
    failed, passed = _failed(checkov, at_rest(service, render(service), 3), tmp_path)
    assert not failed
    assert passed > 80


@pytest.mark.cluster
@pytest.mark.parametrize("path", STACKS, ids=lambda path: path.stem)
def test_a_scanner_finds_nothing_in_the_children_of_a_stack(checkov: Path, tmp_path: Path, path: Path) -> None:
    children: list[Manifest] = []
    for body in yaml.safe_load_all(path.read_text()):
        body["metadata"].update(uid="1", generation=1)
        body["spec"]["image"] = body["spec"]["image"].rpartition(":")[0] + f"@{DIGEST}"
        service = parse(body)
        children += at_rest(service, render(service), 2)
    failed, passed = _failed(checkov, children, tmp_path)
    assert not {failure for failure in failed if not _is_excepted(failure)}
    assert passed > 80

"""For each check what it finds: changes of a service that leaves nothing open, and of a cluster that lacks nothing."""

from typing import Any

from tests.core.worlds import service

from hardened.api.names import SCHEMA_REVISION
from hardened.core.hardening.surroundings import Surroundings
from hardened.core.model.policy import Policy

DIGEST = "registry.example/shop@sha256:" + "0" * 64
READY, ALIVE = {"httpGet": {"path": "/health/ready"}}, {"httpGet": {"path": "/health/live"}}
PORTS = [{"name": "http", "containerPort": 8080}]
PROBES = {"readiness": READY, "liveness": ALIVE}
RESOURCES = {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}}
#: Leaves nothing open.
CLEAN: dict[str, Any] = {
    "image": DIGEST,
    "ports": PORTS,
    "probes": PROBES,
    "replicas": 2,
    "resources": RESOURCES,
    "network": {"ingressFrom": [{"podSelector": {"matchLabels": {"app": "web"}}}], "egressTo": []},
    "verify": {"beforeCutover": [{"name": "smoke", "http": {"path": "/"}}]},
}
SCALE = {"maxReplicas": 6, "cpu": 70}
HELPER: dict[str, Any] = {"name": "proxy", "image": DIGEST, "resources": {"limits": {"memory": "64Mi"}}}
KEY = "-----BEGIN RSA PRIVATE KEY-----\nx"
CLAIM = {"name": "data", "mountPath": "/data", "claim": {"size": "1Gi", "storageClassName": "fast"}}
BACKUP: dict[str, Any] = {
    "name": "nightly",
    "schedule": "30 4 * * *",
    "timeZone": "Europe/Berlin",
    "repository": {"secretName": "restic"},
    "source": {"volume": {"name": "data"}},
    "retention": {"daily": 7},
    "verify": {"schedule": "0 6 * * 0"},
}
#: One pod that keeps data: what two replicas are for others.
ONE: dict[str, Any] = {"autoscale": None, "verify": {"afterCutover": {"checks": [{"name": "smoke", "http": {"path": "/"}}]}}}


def stored(claim: dict[str, Any] = CLAIM["claim"], **more: Any) -> dict[str, Any]:
    """A service with a claim that two versions may write to."""
    return {"volumes": [{**CLAIM, "claim": {**claim, "accessModes": ["ReadWriteMany"], "shared": True}}], **more}


def backed_up(**change: Any) -> dict[str, Any]:
    return stored(backups=[{k: v for k, v in {**BACKUP, **change}.items() if v is not None}])


def peers(*ingress: dict[str, Any], egress: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    given = list(ingress) or CLEAN["network"]["ingressFrom"]
    return {"network": {"ingressFrom": given, "egressTo": egress or []}}


def scheduled(**fields: Any) -> dict[str, Any]:
    return {"scheduling": fields}


def probed(**changes: Any) -> dict[str, Any]:
    return {"probes": {**PROBES, **changes}}


FIELDS: dict[str, list[dict[str, Any]]] = {
    "HS001": [{"probes": {"liveness": ALIVE}}],
    "HS002": [{"probes": {"readiness": READY}}],
    "HS003": [{"image": "registry.example/shop:1"}],
    "HS004": [
        {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "known", "key": "b"}}}]},
        {"sidecars": [{**HELPER, "envFrom": [{"secretRef": {"name": "known"}}]}]},
    ],
    "HS005": [{"security": {"profile": "baseline"}}],
    "HS006": [{"replicas": 1}],
    "HS007": [{"replicas": None, "autoscale": {**SCALE, "minReplicas": 1}}],
    "HS008": [{"resources": {"requests": {"memory": "64Mi"}}}],
    "HS009": [{"replicas": None, "autoscale": SCALE, "resources": {"limits": {"memory": "128Mi"}}}],
    "HS010": [{"autoscale": SCALE, "size_manager": "kubectl"}],
    "HS011": [
        probed(liveness={**READY, "periodSeconds": 20}),
        probed(readiness={"tcpSocket": {"port": 8080}}, liveness={"tcpSocket": {"port": "http"}}),
        probed(readiness={"exec": {"command": ["true"]}}, liveness={"exec": {"command": ["true"]}}),
    ],
    "HS012": [probed(startup={**ALIVE, "periodSeconds": 10, "failureThreshold": 60})],
    "HS013": [probed(readiness={**READY, "initialDelaySeconds": 600}), probed(startup={**ALIVE, "initialDelaySeconds": 900})],
    "HS014": [probed(liveness={**ALIVE, "periodSeconds": 5})],
    "HS015": [probed(liveness={**ALIVE, "initialDelaySeconds": 120})],
    "HS016": [probed(liveness={"httpGet": {"path": "/health/live", "port": 9090}}), probed(liveness={"grpc": {"port": 9090}})],
    "HS017": [{"shutdown": {"drainSeconds": 0, "graceSeconds": 30}}],
    "HS018": [{"shutdown": {"drainSeconds": 27, "graceSeconds": 30}}],
    "HS019": [
        {"sidecars": [{**HELPER, "image": "registry.example/proxy:1"}]},
        {"verify": {"beforeCutover": [{"name": "job", "job": {"image": "registry.example/proxy:1", "command": ["true"]}}]}},
    ],
    "HS020": [{"image": "shop@sha256:" + "0" * 64}, {"image": "hardened/shop@sha256:" + "0" * 64}],
    "HS021": [{"initContainers": [{"name": "init", "image": DIGEST}]}],
    "HS022": [{"resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "1Gi"}}}],
    "HS023": [{"resources": {**RESOURCES, "requests": {"memory": "64Mi"}, "limits": {"memory": "128Mi", "cpu": "20m"}}}],
    "HS024": [
        {"volumes": [{"name": "cache", "mountPath": "/cache", "emptyDir": {"sizeLimit": "5Gi"}}]},
        {"volumes": [{"name": "cache", "mountPath": "/cache", "emptyDir": {"sizeLimit": "129Mi", "medium": "Memory"}}]},
    ],
    "HS025": [{"env": [{"name": "DB_PASSWORD", "value": "x"}]},
              {"sidecars": [{**HELPER, "env": [{"name": "apiToken.token", "value": "x"}]}]}],
    "HS026": [{"env": [{"name": "URL", "value": "postgres://app:x@db/"}]}, {"env": [{"name": "A", "value": KEY}]}],
    "HS027": [{"args": ["--db-password=x"]}, {"command": ["serve", "redis://:x@cache/0"]}],
    "HS028": [
        {"files": [{"mountPath": "/etc/shop", "data": {"server.key": "x"}}]},
        {"files": [{"mountPath": "/etc/shop", "data": {"a": KEY}}]},
    ],
    "HS029": [{"security": {"addCapabilities": ["NET_BIND_SERVICE"]}}],
    "HS030": [
        {"security": {"writablePaths": ["/tmp", "/etc/ssl"]}},
        {"volumes": [{"name": "cache", "mountPath": "/usr/local", "emptyDir": {}}]},
    ],
    "HS031": [{"network": {"egressTo": []}}],
    "HS032": [{"network": {"ingressFrom": CLEAN["network"]["ingressFrom"]}}],
    "HS033": [peers({"ipBlock": {"cidr": "0.0.0.0/0"}}), peers({"namespaceSelector": {}})],
    "HS034": [
        peers(egress=[{"ipBlock": {"cidr": "0.0.0.0/0"}}]),
        peers(egress=[{"ipBlock": {"cidr": "169.254.0.0/16", "except": ["169.254.1.0/24"]}}]),
    ],
    "HS035": [{"service": {"type": "NodePort"}}],
    "HS036": [
        {"availability": {"disruptionBudget": {"maxUnavailable": 0}}},
        {"availability": {"disruptionBudget": {"minAvailable": "51%"}}},
        {"availability": {"disruptionBudget": {"minAvailable": 2}}},
    ],
    "HS037": [{"availability": {"disruptionBudget": {"maxUnavailable": "100%"}}},
              {"availability": {"disruptionBudget": {"minAvailable": 0}}}],
    "HS038": [{"replicas": None, "autoscale": {**SCALE, "minReplicas": 6}}],
    "HS039": [{"replicas": None, "autoscale": {**SCALE, "cpu": 90}}],
    "HS040": [{"replicas": None, "autoscale": {**SCALE, "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}}}}],
    "HS041": [scheduled(tolerations=[{"key": "node.kubernetes.io/unreachable", "operator": "Exists"}])],
    "HS042": [scheduled(tolerations=[{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}])],
    "HS043": [{"suspend": True}],
    "HS045": [
        {"env": [{"name": "URL", "value": "http://$(HOST)/"}]},
        {"env": [{"name": "URL", "value": "http://$(HOST)/"}, {"name": "HOST", "value": "db"}]},
    ],
    "HS046": [
        {"volumes": [CLAIM], "backups": [BACKUP], **ONE},
        {"volumes": [CLAIM], "backups": [BACKUP], **ONE, "replicas": None},
    ],
    "HS047": [scheduled(spread=[{"topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule"}])],
    "HS048": [{"verify": None}, {"verify": {"afterCutover": {"window": "1m"}}}],
    "HS049": [{"release": {"progressDeadline": "30s"}}],
    "HS050": [{"release": {"historyLimit": 2}}],
    "HS051": [{"release": {"migrate": {"command": ["up"]}}}],
    "HS052": [backed_up() | {"release": {"migrate": {"command": ["up"], "undo": {"command": ["down"]}}}}],
    "HS053": [{**ONE, "release": {"strategy": "Recreate"}}],
    "HS054": [
        {
            **ONE,
            "ports": None,
            "network": {"egressTo": []},
            "verify": None,
            "probes": {"liveness": {"exec": {"command": ["true"]}}},
            "release": {"strategy": "Recreate", "progressDeadline": "1m"},
            "shutdown": {"graceSeconds": 60},
        }
    ],
    "HS055": [{"release": {"preview": {"replicas": 3}}}],
    "HS056": [{"verify": {**CLEAN["verify"], "afterCutover": {"maxRestarts": 3}}}],
    "HS057": [stored(), stored(backups=[{**BACKUP, "source": {"volume": {"name": "other"}}}])],
    "HS058": [backed_up(verify=None)],
    "HS059": [backed_up(retention=None)],
    "HS060": [backed_up(timeZone=None)],
    "HS061": [backed_up(schedule="30 2 * * *")],
    "HS062": [backed_up(repository={"secretName": "restic", "claim": {"name": "backups"}})],
    "HS063": [backed_up(suspend=True)],
    "HS064": [backed_up(maxAge="12h")],
    "HS065": [backed_up(verify={"schedule": "30 4 * * *"})],
}  # fmt: skip
FIELDS["HS057"][1]["volumes"] += [{**CLAIM, "name": "other", "mountPath": "/other", "claim": FIELDS["HS057"][0]["volumes"][0]["claim"]}]
#: Those that only other services can make wait: tested by themselves.
WAITS_FOR = ("HS044",)


def named(name: str, **fields: Any) -> dict[str, Any]:
    meta = {"name": name, **fields.pop("metadata", {})}
    return {"metadata": meta, **fields}


def node(name: str, **spec: Any) -> dict[str, Any]:
    return named(name, spec=spec, status={"allocatable": {"cpu": "4", "memory": "8Gi", "ephemeral-storage": "50Gi"}})


def quota(**hard: str) -> dict[str, Any]:
    return named("team", status={"hard": hard, "used": {name: "0" for name in hard}})


def bounds(**fields: Any) -> dict[str, Any]:
    return named("sizes", spec={"limits": [{"type": "Container", **fields}]})


TAINT = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}
#: A cluster that lacks nothing.
SURROUNDINGS = Surroundings(
    namespace=named("market"),
    secrets=frozenset({"known", "restic", "registry"}),
    config_maps={"known": named("known", data={"key": "x"})},
    claims=frozenset({"backups"}),
    services=frozenset({"redis"}),
    hardened_services=frozenset({"db"}),
    namesakes=(),
    quotas=(quota(**{"requests.cpu": "10", "requests.memory": "20Gi", "pods": "50"}),),
    limit_ranges=(bounds(min={"cpu": "10m"}, max={"memory": "2Gi"}, maxLimitRequestRatio={"cpu": "100"}),),
    nodes=(node("a"), node("b", taints=[{**TAINT, "effect": "PreferNoSchedule"}])),
    storage_classes=(named("fast"),),
    priority_classes=frozenset({"business"}),
    runtime_classes=frozenset({"gvisor"}),
    has_metrics=True,
    has_keda=True,
    crd_schema=SCHEMA_REVISION,
    operator_pods=2,
    has_action_policy=True,
    policy=Policy(prometheus_url="http://prometheus", service_types=frozenset({"NodePort"})),
)
QUERY = {"name": "errors", "prometheus": {"query": "up", "max": 1}}
QUERIED = {"verify": {**CLEAN["verify"], "afterCutover": {"checks": [QUERY]}}}
PROM_SCALE = {"replicas": None, "autoscale": {"maxReplicas": 6, "prometheus": [{"query": "up", "target": 1}]}}
CONFIG = {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "known", "key": "missing"}}}]}
FOREIGN = {"kind": "Service", **named("shop"), "spec": {}}
ADOPTABLE = {
    "kind": "Service",
    "metadata": {"name": "shop", "annotations": {"hardened.dev/adopt": "shop"}},
    "spec": {"selector": {"app": "shop"}, "ports": [{"port": 80}]},
}

LIVE: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = {
    "HS066": [({}, {"namespace": {}}), ({}, {"namespace": named("market", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})})],
    "HS067": [
        (
            {"security": {"profile": "baseline"}},
            {"namespace": named("market", metadata={"labels": {"pod-security.kubernetes.io/enforce": "restricted"}})},
        )
    ],
    "HS068": [
        ({"volumes": [{"name": "a", "mountPath": "/a", "secret": {"secretName": "missing"}}]}, {}),
        (backed_up(), {"secrets": frozenset()}),
    ],
    "HS069": [({"imagePullSecrets": [{"name": "missing"}]}, {})],
    "HS070": [(CONFIG, {}), ({"volumes": [{"name": "a", "mountPath": "/a", "configMap": {"name": "missing"}}]}, {})],
    "HS071": [(backed_up(), {"storage_classes": (named("slow"),)}), (stored({"size": "1Gi"}, backups=[BACKUP]), {})],
    "HS072": [(scheduled(priorityClassName="missing"), {})],
    "HS073": [(scheduled(runtimeClassName="missing"), {})],
    "HS074": [({"dependsOn": [{"service": "cache"}]}, {})],
    "HS075": [({"dependsOn": [{"tcp": "cache:6379"}]}, {})],
    "HS076": [(backed_up(repository={"secretName": "restic", "claim": {"name": "missing"}}), {})],
    "HS077": [({}, {"namesakes": (FOREIGN,)}), ({}, {"namesakes": (ADOPTABLE,)})],
    "HS078": [({}, {"quotas": (quota(pods="1"),)}), ({}, {"quotas": (quota(**{"requests.memory": "100Mi"}),)})],
    "HS079": [({"replicas": None, "autoscale": SCALE}, {"quotas": (quota(pods="4"),)})],
    "HS080": [
        ({}, {"limit_ranges": (bounds(max={"memory": "100Mi"}),)}),
        ({}, {"limit_ranges": (bounds(min={"cpu": "200m"}),)}),
        ({}, {"limit_ranges": (bounds(maxLimitRequestRatio={"memory": "1"}),)}),
        ({}, {"limit_ranges": (named("pods", spec={"limits": [{"type": "Pod", "max": {"memory": "100Mi"}}]}),)}),
    ],
    "HS081": [(scheduled(nodeSelector={"disk": "ssd"}), {}), ({}, {"nodes": (node("a", taints=[TAINT]), node("b", unschedulable=True))})],
    "HS082": [({"resources": {"requests": {"cpu": "5", "memory": "64Mi"}, "limits": {"memory": "128Mi"}}}, {})],
    "HS083": [({}, {"nodes": (node("a"), node("b", taints=[TAINT]))})],
    "HS084": [({}, {"crd_schema": "1"}), ({}, {"crd_schema": ""})],
    "HS085": [({}, {"operator_pods": 0})],
    "HS086": [({"replicas": None, "autoscale": SCALE}, {"has_metrics": False})],
    "HS087": [(PROM_SCALE, {"has_keda": False})],
    "HS088": [(QUERIED, {"policy": Policy()}), (PROM_SCALE, {"policy": Policy()})],
    "HS089": [({"podMetadata": {"labels": {"team": "shop"}}}, {}), ({"service": {"type": "LoadBalancer"}}, {})],
    "HS090": [(backed_up(), {"has_action_policy": False})],
}
#: What cannot be had alone: a baseline profile, and a repository in the cluster, are gaps anywhere.
COMPANIONS: dict[str, set[str]] = {"HS067": {"HS005"}, "HS076": {"HS062"}}
OTHERS = {"db": service({"image": DIGEST})}
#: Changes of the clean service that are no gaps.
QUIET: list[dict[str, Any]] = [
    {"replicas": None},
    {"replicas": 0},
    {"replicas": None, "autoscale": SCALE},
    backed_up(),
    backed_up(schedule="30 2 * * *", timeZone="Etc/UTC"),
    backed_up(schedule="0 * * * *", verify={"schedule": "30 4 * * *"}),
    backed_up() | {"release": {"backupFirst": "nightly", "migrate": {"command": ["up"], "undo": {"command": ["down"]}}}},
    {"dependsOn": [{"service": "db"}, {"tcp": "redis:6379"}, {"tcp": "db:5432"}]},
    {"availability": {"disruptionBudget": {"maxUnavailable": "50%"}}},
    {"availability": {"disruptionBudget": {"minAvailable": 1}}},
    {"sidecars": [HELPER]},
    scheduled(priorityClassName="business", runtimeClassName="gvisor"),
    {"imagePullSecrets": [{"name": "registry"}]},
    {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "known", "key": "key"}}}]},
    {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "missing", "key": "key", "optional": True}}}]},
    {"volumes": [{"name": "a", "mountPath": "/a", "secret": {"secretName": "missing", "optional": True}}]},
    {"env": [{"name": "HOST", "value": "db"}, {"name": "URL", "value": "http://$(HOST)/$$(HOST)"}]},
    {"files": [{"mountPath": "/etc/shop", "data": {"ca.pem": "-----BEGIN CERTIFICATE-----\nx"}}]},
    {"security": {"addCapabilities": ["NET_BIND_SERVICE"]}, "ports": [{"name": "http", "containerPort": 80}]},
    probed(startup={**ALIVE, "failureThreshold": 30}),
    peers(egress=[{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.169.254/32"]}}]),
    scheduled(tolerations=[{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]),
    QUERIED,
    PROM_SCALE,
]

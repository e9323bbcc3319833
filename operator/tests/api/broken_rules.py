"""Specs that break one rule across fields each, and attempts to reach what the API does not offer."""

from typing import Any

IMAGE = "registry.example/shop:1"


def spec(**fields: Any) -> dict[str, Any]:
    return {"image": IMAGE, **fields}


def _env(**source: Any) -> dict[str, Any]:
    return spec(env=[{"name": "a", **source}])


def _volume(**more: Any) -> dict[str, Any]:
    return {"name": "a", "mountPath": "/a", **more}


def _node(**requirement: Any) -> dict[str, Any]:
    term = {"matchExpressions": [{"key": "a", **requirement}]}
    return spec(
        scheduling={"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}}
    )


def _peer(**peer: Any) -> dict[str, Any]:
    return spec(network={"ingressFrom": [peer]})


def _probe(kind: str = "readiness", **probe: Any) -> dict[str, Any]:
    return spec(ports=PORTS, probes={kind: probe})


def _release(**release: Any) -> dict[str, Any]:
    return spec(ports=PORTS, release=release)


def _on_claim(strategy: str, **claim: Any) -> dict[str, Any]:
    return _release(strategy=strategy) | {"volumes": [_volume(claim={"size": "1Gi", **claim})]}


def _before(name: str = "a", **check: Any) -> dict[str, Any]:
    return spec(ports=PORTS, verify={"beforeCutover": [{"name": name, **check}]})


def _after(window: str = "1m", **check: Any) -> dict[str, Any]:
    return spec(ports=PORTS, verify={"afterCutover": {"window": window, "checks": [{"name": "a", **check}]}})


def _backup(volumes: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    usual = {"name": "a", "schedule": "30 3 * * *", "repository": {"secretName": "a"}, "source": {"postgres": {"secretName": "a"}}}
    return spec(backups=[{**usual, **more}]) | ({"volumes": volumes} if volumes else {})


PORTS = [{"name": "http", "containerPort": 8080}]
UDP = {"ports": [{"name": "game", "containerPort": 7000, "protocol": "UDP"}, *PORTS]}
HEADLESS = {"service": {"type": "Headless"}}
QUERY = {"query": "up", "min": 1}
EMPTY = {"emptyDir": {}}
_NODE = (
    "spec.scheduling.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values"
)

#: sentence -> (spec, the path that is named)
BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    **{
        f"the schedule {text!r}": (_backup(schedule=text), "spec.backups[0].schedule")
        for text in ("@daily", "@reboot", "0 0 * * 7", "* * * * * *", "60 * * * *", "5-3 * * * *", "0 0 31 2 *", "0 0 30,31 FEB *")
    },
    **{
        f"the time zone {text!r}": (_backup(timeZone=text), "spec.backups[0].timeZone")
        for text in ("Local", "Mars/Base", "+02:00", "europe/berlin", "../etc")
    },
    "a backup of nothing": (_backup(source={}), "spec.backups[0].source"),
    "a backup of two sources": (_backup(source={"redis": {"secretName": "a"}, "volume": {"name": "a"}}), "spec.backups[0].source"),
    "a retention of nothing": (_backup(retention={}), "spec.backups[0].retention"),
    "sql and a command": (_backup(verify={"schedule": "0 5 * * *", "sql": "select true", "command": ["a"]}), "spec.backups[0].verify"),
    "sql of files": (
        _backup(source={"command": {"command": ["a"]}}, verify={"schedule": "0 5 * * *", "sql": "select true"}), "spec.backups[0].verify.sql"),
    "sql that is a command of psql": (
        _backup(verify={"schedule": "0 5 * * *", "sql": "\\! id"}), "spec.backups[0].verify.sql"),
    "a volume restored while its own pods go on": (
        _backup(volumes=[_volume(claim={"size": "1Gi"})], source={"volume": {"name": "a"}}, stops="Nothing"), "spec.backups[0].stops"),
    "a verification at no time": (_backup(verify={"schedule": "@weekly"}), "spec.backups[0].verify.schedule"),
    "a backup of no volume": (_backup(source={"volume": {"name": "a"}}), "spec.backups"),
    "a backup of a volume without a claim": (_backup([_volume(emptyDir={})], source={"volume": {"name": "a"}}), "spec.backups"),
    "a backup of a volume that one pod can mount": (
        _backup([_volume(claim={"size": "1Gi", "accessModes": ["ReadWriteOncePod"]})], source={"volume": {"name": "a"}}), "spec.backups"),
    "a backup first of a service that has none": (spec(release={"backupFirst": "a"}), "spec.release.backupFirst"),
    "a backup first that there is not": ({**_backup(), "release": {"backupFirst": "b"}}, "spec.release.backupFirst"),
    "no tag": ({"image": "shop"}, "spec.image"),
    "no tag behind a registry's port": ({"image": "host:5000/shop"}, "spec.image"),
    "the tag latest": ({"image": "registry.example/shop:latest"}, "spec.image"),
    "an init container without a tag": (spec(initContainers=[{"name": "a", "image": "shop"}]), "spec.initContainers[0].image"),
    "a sidecar at latest": (spec(sidecars=[{"name": "a", "image": "shop:latest"}]), "spec.sidecars[0].image"),
    "a variable with a value and a source": (_env(value="", valueFrom={"fieldRef": {"fieldPath": "metadata.name"}}), "spec.env[0]"),
    "a variable's source that is none": (_env(valueFrom={}), "spec.env[0].valueFrom"),
    "a variable with two sources": (
        _env(valueFrom={"fieldRef": {"fieldPath": "metadata.name"}, "secretKeyRef": {"name": "a", "key": "a"}}), "spec.env[0].valueFrom"),
    "variables from nothing": (spec(envFrom=[{"prefix": "A"}]), "spec.envFrom[0]"),
    "variables from two": (spec(envFrom=[{"secretRef": {"name": "a"}, "configMapRef": {"name": "a"}}]), "spec.envFrom[0]"),
    "memory counted in thousandths": (
        _env(valueFrom={"resourceFieldRef": {"resource": "limits.memory", "divisor": "1m"}}), "spec.env[0].valueFrom.resourceFieldRef.divisor"),
    "cpu counted in bytes": (
        _env(valueFrom={"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1Mi"}}), "spec.env[0].valueFrom.resourceFieldRef.divisor"),
    "a request above its limit": (spec(resources={"requests": {"cpu": "2"}, "limits": {"cpu": "1500m"}}), "spec.resources.requests"),
    "a request above its limit in other units": (
        spec(resources={"requests": {"memory": "1Gi"}, "limits": {"memory": "1000M"}}), "spec.resources.requests"),
    "half a device": (spec(resources={"limits": {"example.com/gpu": "500m"}}), "spec.resources.limits"),
    "a device without a limit": (spec(resources={"requests": {"example.com/gpu": 1}}), "spec.resources.limits"),
    "fewer devices than the limit": (
        spec(resources={"requests": {"example.com/gpu": 1}, "limits": {"example.com/gpu": 2}}), "spec.resources.limits"),
    "a probe of nothing": (_probe(periodSeconds=5), "spec.probes.readiness"),
    "a probe of two": (_probe(tcpSocket={}, exec={"command": ["a"]}), "spec.probes.readiness"),
    "a timeout above the period": (_probe(tcpSocket={}, timeoutSeconds=3, periodSeconds=2), "spec.probes.readiness.timeoutSeconds"),
    "a timeout above the period that is left out": (_probe(tcpSocket={}, timeoutSeconds=11), "spec.probes.readiness.timeoutSeconds"),
    "a liveness probe that must pass twice": (_probe("liveness", tcpSocket={}, successThreshold=2), "spec.probes.liveness.successThreshold"),
    "a startup probe that must pass twice": (_probe("startup", tcpSocket={}, successThreshold=2), "spec.probes.startup.successThreshold"),
    "a probe of a port that is not there": (_probe(tcpSocket={"port": "admin"}), "spec.probes"),
    "a worker's probe without a number": (spec(probes={"liveness": {"httpGet": {}}}), "spec.probes"),
    "a worker's probe of a name": (spec(probes={"startup": {"tcpSocket": {"port": "http"}}}), "spec.probes"),
    "a drain as long as the grace": (spec(shutdown={"drainSeconds": 30}), "spec.shutdown.drainSeconds"),
    "a grace as short as the drain": (spec(shutdown={"graceSeconds": 5}), "spec.shutdown.drainSeconds"),
    "a least above the most": (spec(autoscale={"minReplicas": 3, "maxReplicas": 2, "cpu": 70}), "spec.autoscale.minReplicas"),
    "a least that is left out above the most": (spec(autoscale={"maxReplicas": 1, "cpu": 70}), "spec.autoscale.minReplicas"),
    "an autoscaler without a metric": (spec(autoscale={"maxReplicas": 3}), "spec.autoscale"),
    "a size by what is of one colour alone": (
        spec(autoscale={"maxReplicas": 3, "prometheus": [{"query": 'sum(up{color="$(color)"})', "target": 1}]}),
        "spec.autoscale.prometheus[0].query"),
    "a size by what is of one revision alone": (
        spec(autoscale={"maxReplicas": 3, "prometheus": [{"query": 'sum(up{revision="$(revision)"})', "target": 1}]}),
        "spec.autoscale.prometheus[0].query"),
    "a target of nothing": (
        spec(autoscale={"maxReplicas": 3, "prometheus": [{"query": "up", "target": 0}]}), "spec.autoscale.prometheus[0].target"),
    "a target that KEDA cannot count": (
        spec(autoscale={"maxReplicas": 3, "prometheus": [{"query": "up", "target": 0.0005}]}), "spec.autoscale.prometheus[0].target"),
    "a capability of the baseline": (spec(security={"addCapabilities": ["CHOWN"]}), "spec.security.addCapabilities"),
    "a capability of the baseline, restricted by name": (
        spec(security={"profile": "restricted", "addCapabilities": ["NET_BIND_SERVICE", "KILL"]}), "spec.security.addCapabilities"),
    "a label of ours": (spec(podMetadata={"labels": {"hardened.dev/color": "green"}}), "spec.podMetadata.labels"),
    "a label of Kubernetes' own": (spec(podMetadata={"labels": {"app.kubernetes.io/name": "x"}}), "spec.podMetadata.labels"),
    "an annotation of ours": (spec(podMetadata={"annotations": {"hardened.dev/applied": "x"}}), "spec.podMetadata.annotations"),
    "an annotation of ours on the account": (
        spec(serviceAccount={"annotations": {"hardened.dev/adopt": "x"}}), "spec.serviceAccount.annotations"),
    "an annotation of ours on the Service": (
        spec(service={"annotations": {"hardened.dev/serving-epoch": "x"}}), "spec.service.annotations"),
    "an annotation of Kubernetes' own on the Service": (
        spec(service={"annotations": {"app.kubernetes.io/managed-by": "x"}}), "spec.service.annotations"),
    "a budget of nothing": (spec(availability={"disruptionBudget": {}}), "spec.availability.disruptionBudget"),
    "a budget of two": (
        spec(availability={"disruptionBudget": {"maxUnavailable": 1, "minAvailable": 1}}), "spec.availability.disruptionBudget"),
    "a volume of nothing": (spec(volumes=[_volume()]), "spec.volumes[0]"),
    "a volume of two": (spec(volumes=[_volume(emptyDir={}, secret={"secretName": "a"})]), "spec.volumes[0]"),
    "a volume with the operator's name": (spec(volumes=[_volume(**EMPTY) | {"name": "writable-0"}]), "spec.volumes[0].name"),
    "a volume with the operator's other name": (spec(volumes=[_volume(**EMPTY) | {"name": "files-a"}]), "spec.volumes[0].name"),
    "two modes beside ReadWriteOncePod": (
        spec(volumes=[_volume(claim={"size": "1Gi", "accessModes": ["ReadWriteOncePod", "ReadWriteOnce"]})]),
        "spec.volumes[0].claim.accessModes"),
    "two volumes at one path": (spec(volumes=[_volume(**EMPTY), _volume(**EMPTY) | {"name": "b"}]), "spec.volumes"),
    "a volume at a writable path": (spec(volumes=[_volume(**EMPTY)], security={"writablePaths": ["/a"]}), "spec.volumes"),
    "a volume at the writable path by default": (spec(volumes=[_volume(**EMPTY) | {"mountPath": "/tmp"}]), "spec.volumes"),
    "a volume at the path of files": (spec(volumes=[_volume(**EMPTY)], files=[{"mountPath": "/a", "data": {"a": ""}}]), "spec.volumes"),
    "files at a writable path": (spec(files=[{"mountPath": "/a", "data": {"a": ""}}], security={"writablePaths": ["/a"]}), "spec.volumes"),
    "files at the writable path by default": (spec(files=[{"mountPath": "/tmp", "data": {"a": ""}}]), "spec.volumes"),
    "a file at the path of a volume": (
        spec(volumes=[_volume(**EMPTY) | {"mountPath": "/a/b"}], files=[{"mountPath": "/a", "data": {"a": "", "b": ""}}]), "spec.files"),
    "a file at a writable path": (
        spec(files=[{"mountPath": "/a", "data": {"b": ""}}], security={"writablePaths": ["/a/b"]}), "spec.files"),
    **{
        f"a volume at {path}": (spec(volumes=[_volume(**EMPTY) | {"mountPath": path}]), "spec.volumes[0].mountPath")
        for path in ("/etc", "/usr", "/usr/bin", "/lib64", "/proc", "/proc/sys", "/sys/fs", "/dev/null")
    },
    **{
        f"a writable {path}": (spec(security={"writablePaths": ["/tmp", path]}), "spec.security.writablePaths")
        for path in ("/etc", "/bin", "/usr/lib", "/dev", "/sys")
    },
    **{
        f"files in {path}": (spec(files=[{"mountPath": path, "data": {"a": ""}}]), "spec.files[0].mountPath")
        for path in ("/bin", "/usr", "/usr/sbin", "/lib", "/proc/1", "/sys", "/dev")
    },
    "a sidecar's mount at /etc": (
        spec(volumes=[_volume(**EMPTY)], sidecars=[{"name": "a", "image": IMAGE, "volumeMounts": [{"name": "a", "mountPath": "/etc"}]}]),
        "spec.sidecars[0].volumeMounts[0].mountPath"),
    "a mount of no volume": (
        spec(initContainers=[{"name": "a", "image": IMAGE, "volumeMounts": [{"name": "a", "mountPath": "/a"}]}]), "spec.volumes"),
    "a sidecar's mount of another volume": (
        spec(volumes=[_volume(**EMPTY)], sidecars=[{"name": "a", "image": IMAGE, "volumeMounts": [{"name": "b", "mountPath": "/a"}]}]),
        "spec.volumes"),
    "two ports with one number": (spec(ports=[*PORTS, {"name": "b", "containerPort": 8080, "port": 81}]), "spec.ports"),
    "two ports with one number, said and left out": (
        spec(ports=[*PORTS, {"name": "b", "containerPort": 8080, "port": 81, "protocol": "TCP"}]), "spec.ports"),
    "two ports with one port of the Service": (spec(ports=[*PORTS, {"name": "b", "containerPort": 8081, "port": 8080}]), "spec.ports"),
    "an init container with the application's name": (spec(initContainers=[{"name": "app", "image": IMAGE}]), "spec.sidecars"),
    "a sidecar with the application's name": (spec(sidecars=[{"name": "app", "image": IMAGE}]), "spec.sidecars"),
    "an init container and a sidecar of one name": (
        spec(initContainers=[{"name": "a", "image": IMAGE}], sidecars=[{"name": "a", "image": IMAGE}]), "spec.sidecars"),
    "In without values": (_node(operator="In"), _NODE),
    "In with no values": (_node(operator="In", values=[]), _NODE),
    "Exists with values": (_node(operator="Exists", values=["a"]), _NODE),
    "Exists with an empty list": (_node(operator="Exists", values=[]), _NODE),
    "Gt with text": (_node(operator="Gt", values=["a"]), _NODE),
    "Lt with two numbers": (_node(operator="Lt", values=["1", "2"]), _NODE),
    "a pod's label compared by number": (
        _peer(podSelector={"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}),
        "spec.network.ingressFrom[0].podSelector.matchExpressions[0].operator"),
    "a pod's NotIn without values": (
        _peer(podSelector={"matchExpressions": [{"key": "a", "operator": "NotIn"}]}),
        "spec.network.ingressFrom[0].podSelector.matchExpressions[0].values"),
    "a toleration that Exists with a value": (
        spec(scheduling={"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]}), "spec.scheduling.tolerations[0].value"),
    "a toleration of every taint": (spec(scheduling={"tolerations": [{"operator": "Exists"}]}), "spec.scheduling.tolerations[0].key"),
    "seconds of a toleration without an effect": (
        spec(scheduling={"tolerations": [{"key": "a", "tolerationSeconds": 1}]}), "spec.scheduling.tolerations[0].tolerationSeconds"),
    "seconds of a toleration with another effect": (
        spec(scheduling={"tolerations": [{"key": "a", "effect": "NoSchedule", "tolerationSeconds": 1}]}),
        "spec.scheduling.tolerations[0].tolerationSeconds"),
    "the priority of the cluster's own parts": (
        spec(scheduling={"priorityClassName": "system-cluster-critical"}), "spec.scheduling.priorityClassName"),
    "a peer that is nobody": (_peer(), "spec.network.ingressFrom[0]"),
    "a peer that is pods and addresses": (_peer(podSelector={}, ipBlock={"cidr": "10.0.0.0/8"}), "spec.network.ingressFrom[0]"),
    "an exception outside": (_peer(ipBlock={"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16"]}), "spec.network.ingressFrom[0].ipBlock.except"),
    "an exception of everything": (_peer(ipBlock={"cidr": "10.0.0.0/8", "except": ["10.0.0.0/8"]}), "spec.network.ingressFrom[0].ipBlock.except"),
    "an exception of the other family": (_peer(ipBlock={"cidr": "10.0.0.0/8", "except": ["fd00::/16"]}), "spec.network.ingressFrom[0].ipBlock.except"),
    "a prefix that is too long": (_peer(ipBlock={"cidr": "10.0.0.0/33"}), "spec.network.ingressFrom[0].ipBlock.cidr"),
    "a prefix with a zero before it": (_peer(ipBlock={"cidr": "10.0.0.0/08"}), "spec.network.ingressFrom[0].ipBlock.cidr"),
    "an address with a zero before it": (_peer(ipBlock={"cidr": "010.0.0.0/8"}), "spec.network.ingressFrom[0].ipBlock.cidr"),
    "IPv4 within IPv6": (_peer(ipBlock={"cidr": "::ffff:1.2.3.4/96"}), "spec.network.ingressFrom[0].ipBlock.cidr"),
    "a span of ports that ends before it begins": (
        spec(network={"egressTo": [{"podSelector": {}, "ports": [{"port": 80, "endPort": 79}]}]}), "spec.network.egressTo[0].ports[0].endPort"),
    "a claim of one pod that is shared": (
        spec(volumes=[_volume(claim={"size": "1Gi", "accessModes": ["ReadWriteOncePod"], "shared": True})]), "spec.volumes[0].claim.shared"),
    "a dependency on nothing": (spec(dependsOn=[{}]), "spec.dependsOn[0]"),
    "a dependency on two": (spec(dependsOn=[{"service": "a", "tcp": "a:1"}]), "spec.dependsOn[0]"),
    "a promotion by time that nobody has to give": (_release(autoPromoteAfter="1m"), "spec.release.autoPromoteAfter"),
    "a promotion by time that is said to be automatic": (
        _release(promotion="Automatic", autoPromoteAfter="1m"), "spec.release.autoPromoteAfter"),
    "BlueGreen without ports": (spec(release={"strategy": "BlueGreen"}), "spec.release.strategy"),
    "BlueGreen with no ports": (spec(ports=[], release={"strategy": "BlueGreen"}), "spec.release.strategy"),
    "BlueGreen of a headless service": (_release(strategy="BlueGreen") | HEADLESS, "spec.release.strategy"),
    "BlueGreen on a claim of one node": (_on_claim("BlueGreen"), "spec.release.strategy"),
    "BlueGreen on a claim that is said not to be shared": (_on_claim("BlueGreen", shared=False), "spec.release.strategy"),
    "BlueGreen on a claim of many nodes": (_on_claim("BlueGreen", accessModes=["ReadWriteMany"]), "spec.release.strategy"),
    "RollingUpdate on a claim of one node": (_on_claim("RollingUpdate"), "spec.release.strategy"),
    "RollingUpdate on a claim that many may read, and one write": (
        _on_claim("RollingUpdate", accessModes=["ReadOnlyMany", "ReadWriteOnce"]), "spec.release.strategy"),
    "a promotion by hand of a rolling update": (_release(strategy="RollingUpdate", promotion="Manual"), "spec.release.promotion"),
    "a promotion by hand of a worker": (spec(release={"promotion": "Manual"}), "spec.release.promotion"),
    "a promotion by hand of a headless service": (_release(promotion="Manual") | HEADLESS, "spec.release.promotion"),
    "a promotion by hand on a claim of one node": (
        _release(promotion="Manual") | {"volumes": [_volume(claim={"size": "1Gi"})]}, "spec.release.promotion"),
    "a preview of a rolling update": (_release(strategy="RollingUpdate", preview={}), "spec.release.preview"),
    "a preview of a worker": (spec(release={"preview": {"replicas": 2}}), "spec.release.preview"),
    "a preview where one version ends first": (_release(strategy="Recreate", preview={"replicas": 1}), "spec.release.preview"),
    "checks of a worker before its cutover": (
        spec(verify={"beforeCutover": [{"name": "a", "prometheus": QUERY}]}), "spec.verify.beforeCutover"),
    "checks before a rolling update": (
        _before(http={}) | {"release": {"strategy": "RollingUpdate"}}, "spec.verify.beforeCutover"),
    "a check of nothing": (_before(), "spec.verify.beforeCutover[0]"),
    "a check of two": (_after(http={}, tcp={}), "spec.verify.afterCutover.checks[0]"),
    "a check that cannot fail": (_before(http={"count": 3, "failureLimit": 3}), "spec.verify.beforeCutover[0].http.failureLimit"),
    "a check of one request that cannot fail": (_before(grpc={"failureLimit": 1}), "spec.verify.beforeCutover[0].grpc.failureLimit"),
    "a connection that cannot fail": (_after(tcp={"count": 1, "failureLimit": 2}), "spec.verify.afterCutover.checks[0].tcp.failureLimit"),
    "a job at latest": (_before(job={"image": "shop:latest", "command": ["a"]}), "spec.verify.beforeCutover[0].job.image"),
    "a job without a tag": (_before(job={"image": "shop", "command": ["a"]}), "spec.verify.beforeCutover[0].job.image"),
    "more answers than requests": (_before(load={"rate": 10, "minRate": 11}), "spec.verify.beforeCutover[0].load.minRate"),
    "a query without a bound": (_after(prometheus={"query": "up"}), "spec.verify.afterCutover.checks[0].prometheus"),
    "bounds with nothing between": (
        _after(prometheus={"query": "up", "min": 0.02, "max": 0.01}), "spec.verify.afterCutover.checks[0].prometheus.min"),
    "one name before and after": (
        _before(http={}) | {"verify": {"beforeCutover": [{"name": "a", "http": {}}], "afterCutover": {"checks": [{"name": "a", "http": {}}]}}},
        "spec.verify.afterCutover.checks"),
    "looks that are further apart than the window": (
        _after("10s", prometheus={**QUERY, "interval": "11s"}), "spec.verify.afterCutover.checks"),
    "looks that are further apart than a small window": (_after("9s", prometheus=QUERY), "spec.verify.afterCutover.checks"),
    "looks that are further apart than the window by default": (
        spec(ports=PORTS, verify={"afterCutover": {"checks": [{"name": "a", "prometheus": {**QUERY, "interval": "11s"}}]}}),
        "spec.verify.afterCutover.checks"),
    "load for longer than the window": (_after("29s", load={"rate": 1}), "spec.verify.afterCutover.checks"),
    "a job for longer than the window": (_after("4m59s", job={"command": ["a"]}), "spec.verify.afterCutover.checks"),
    "a check of a port that is not there": (_before(http={"port": "admin"}), "spec.verify.beforeCutover"),
    "a check of a port among no ports": (
        spec(ports=[], verify={"afterCutover": {"checks": [{"name": "a", "http": {}}]}}), "spec.verify.afterCutover.checks"),
    "a worker's check by gRPC": (spec(verify={"afterCutover": {"checks": [{"name": "a", "grpc": {}}]}}), "spec.verify.afterCutover.checks"),
    "a worker's check of a connection": (spec(verify={"afterCutover": {"checks": [{"name": "a", "tcp": {}}]}}), "spec.verify.afterCutover.checks"),
    "a check of a port without TCP": (_before(http={"port": "game"}) | UDP, "spec.verify.beforeCutover"),
    "load on a port without TCP": (_after(load={"rate": 1, "port": "game"}) | UDP, "spec.verify.afterCutover.checks"),
    "a check where no port takes connections": (
        _after(grpc={}) | {"ports": [{**PORTS[0], "protocol": "SCTP"}]}, "spec.verify.afterCutover.checks"),
    "a check with the name of the probe": (_before("zero-loss", http={}), "spec.verify.beforeCutover[0].name"),
    "more requests than the window has time for": (_after("8s", http={"count": 10}), "spec.verify.afterCutover.checks"),
    "more requests than the window by default has time for": (
        spec(ports=PORTS, verify={"afterCutover": {"checks": [{"name": "a", "tcp": {"count": 7, "interval": "2s"}}]}}),
        "spec.verify.afterCutover.checks"),
    "more requests than the release has time for": (_before(grpc={"count": 11, "interval": "1m"}), "spec.verify.beforeCutover"),
    "as many requests as the release has seconds for": (
        _before(http={"count": 11}) | {"release": {"progressDeadline": "10s"}}, "spec.verify.beforeCutover"),
    "load on a port that is not there": (_after(load={"rate": 1, "port": "admin"}), "spec.verify.afterCutover.checks"),
    "a job as long as the release may take": (
        _before(job={"command": ["a"], "deadline": "10m"}), "spec.verify.beforeCutover"),
    "load for longer than the release may take": (
        _before(load={"rate": 1}) | {"release": {"progressDeadline": "30s"}}, "spec.verify.beforeCutover"),
    "looks that are further apart than the release may take": (
        _before(prometheus=QUERY) | {"release": {"progressDeadline": "10s"}}, "spec.verify.beforeCutover"),
}  # fmt: skip

#: The same of a HardenedServiceAction.
BROKEN_ACTIONS: dict[str, tuple[dict[str, Any], str]] = {
    **{
        f"{action} of no revision": ({"service": "shop", "action": action, "requestedBy": "jane"}, "spec.revision")
        for action in ("Promote", "Abort", "Retry")
    },
    "a backup of no name": ({"service": "shop", "action": "Backup", "requestedBy": "jane"}, "spec.backup"),
    "a verification of no backup": ({"service": "shop", "action": "VerifyBackup", "requestedBy": "jane"}, "spec.backup"),
    "a restore of no backup": ({"service": "shop", "action": "Restore", "snapshot": "0123abcd", "requestedBy": "jane"}, "spec.backup"),
    "a restore of no snapshot": ({"service": "shop", "action": "Restore", "backup": "nightly", "requestedBy": "jane"}, "spec.snapshot"),
    "a backup of a snapshot": (
        {"service": "shop", "action": "Backup", "backup": "nightly", "snapshot": "0123abcd", "requestedBy": "jane"},
        "spec.snapshot",
    ),
    "a backup into a database": (
        {"service": "shop", "action": "Backup", "backup": "nightly", "into": "then", "requestedBy": "jane"},
        "spec.into",
    ),
    "a retry with data": (
        {"service": "shop", "action": "Retry", "revision": "0123456789ab", "withData": True, "requestedBy": "jane"},
        "spec.withData",
    ),
    "an abort of both": (
        {"service": "shop", "action": "Abort", "backup": "nightly", "revision": "0123456789ab", "requestedBy": "jane"},
        "spec.revision",
    ),
    "a rollback of a backup": ({"service": "shop", "action": "Rollback", "backup": "nightly", "requestedBy": "jane"}, "spec.backup"),
}

#: Field -> value: what a Pod can say and a HardenedService cannot. The API server drops it; told to be strict, it refuses it, as parse does.
_POD: dict[str, Any] = {
    "hostNetwork": True, "hostPID": True, "hostIPC": True, "nodeName": "node0", "serviceAccountName": "default",
    "automountServiceAccountToken": True, "shareProcessNamespace": True, "hostUsers": True, "dnsPolicy": "None", "dnsConfig": {"nameservers": ["10.0.0.1"]},
    "hostAliases": [{"ip": "127.0.0.1"}], "schedulerName": "mine", "hostname": "a", "subdomain": "a", "setHostnameAsFQDN": True, "overhead": {"cpu": "1"},
    "securityContext": {"runAsUser": 0}, "ephemeralContainers": [{"name": "a"}], "restartPolicy": "Never", "template": {}, "podSpec": {}, "namespace": "kube-system",
    "ownerReferences": [{"uid": "a"}], "finalizers": ["a"], "resourceClaims": [{"name": "a"}], "readinessGates": [{"conditionType": "a"}],
}  # fmt: skip
_CONTAINER: dict[str, Any] = {
    "privileged": True, "securityContext": {"privileged": True}, "lifecycle": {"postStart": {"exec": {"command": ["a"]}}}, "stdin": True, "tty": True,
    "volumeDevices": [{"name": "a", "devicePath": "/dev/sda"}], "imagePullPolicy": "Never", "terminationMessagePath": "/etc/passwd", "workingDir": "/",
    "resizePolicy": [], "restartPolicy": "Never", "ports": [{"name": "a", "containerPort": 1, "hostPort": 1}],
}  # fmt: skip
_SECURITY: dict[str, Any] = {
    "privileged": True, "allowPrivilegeEscalation": True, "runAsNonRoot": False, "readOnlyRootFilesystem": False, "procMount": "Unmasked",
    "seccompProfile": {"type": "Unconfined"}, "appArmorProfile": {"type": "Unconfined"}, "seLinuxOptions": {"type": "spc_t"}, "sysctls": [{"name": "a"}],
    "windowsOptions": {"hostProcess": True}, "supplementalGroups": [0], "capabilities": {"add": ["SYS_ADMIN"]}, "dropCapabilities": [],
}  # fmt: skip
_VOLUMES: dict[str, Any] = {
    "hostPath": {"path": "/"}, "nfs": {"server": "a", "path": "/"}, "csi": {"driver": "a"}, "projected": {}, "downwardAPI": {}, "iscsi": {}, "image": {},
    "ephemeral": {}, "fc": {}, "glusterfs": {}, "cephfs": {}, "persistentVolumeClaim": {"claimName": "theirs"}, "mountPropagation": "Bidirectional",
}  # fmt: skip


def _unknown() -> dict[str, tuple[dict[str, Any], str]]:
    volume = spec(volumes=[_volume(**EMPTY)])
    found: dict[str, tuple[dict[str, Any], str]] = {f"a pod's {k}": (spec(**{k: v}), f"spec.{k}") for k, v in _POD.items()}
    for kind in ("initContainers", "sidecars"):
        found |= {
            f"{kind} with {k}": (spec(**{kind: [{"name": "a", "image": IMAGE, k: v}]}), f"spec.{kind}[0].{k}")
            for k, v in _CONTAINER.items()
        }
    found |= {f"security.{k}": (spec(security={k: v}), f"spec.security.{k}") for k, v in _SECURITY.items()}
    found |= {
        f"a volume of {k}": ({**volume, "volumes": [volume["volumes"][0] | {k: v}]}, f"spec.volumes[0].{k}") for k, v in _VOLUMES.items()
    }
    for where, value in {"secretRef": {"name": "a"}, "configMapRef": {"name": "a"}}.items():
        found[f"{where} in another namespace"] = (
            spec(envFrom=[{where: {**value, "namespace": "b"}}]),
            f"spec.envFrom[0].{where}.namespace",
        )
    for kind in ("httpGet", "tcpSocket"):
        found[f"{kind} of another host"] = (_probe(**{kind: {"host": "169.254.169.254"}}), f"spec.probes.readiness.{kind}.host")
    term = {"labelSelector": {}, "topologyKey": "a", "namespaces": ["kube-system"]}
    affinity = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    path = "spec.scheduling.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].namespaces"
    found["pods of another namespace"] = (spec(scheduling={"affinity": affinity}), path)
    found["a port of the host"] = (spec(ports=[{**PORTS[0], "hostPort": 80}]), "spec.ports[0].hostPort")
    found["a node port"] = (spec(ports=[{**PORTS[0], "nodePort": 30000}]), "spec.ports[0].nodePort")
    for kind in ("http", "grpc", "tcp", "load"):
        for field in ("host", "url", "service" if kind != "grpc" else "namespace"):
            check = {"rate": 1} if kind == "load" else {}
            found[f"a check by {kind} with a {field}"] = (
                _before(**{kind: {**check, field: "a"}}),
                f"spec.verify.beforeCutover[0].{kind}.{field}",
            )
    found["a query of another Prometheus"] = (_after(prometheus={**QUERY, "url": "a"}), "spec.verify.afterCutover.checks[0].prometheus.url")
    found["a dependency in another namespace"] = (spec(dependsOn=[{"service": "a", "namespace": "b"}]), "spec.dependsOn[0].namespace")
    for field in ("externalIPs", "loadBalancerIP", "externalName", "selector"):
        found[f"a Service's {field}"] = (spec(service={field: "a"}), f"spec.service.{field}")
    return found


ESCAPES = _unknown()

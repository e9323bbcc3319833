"""What the API server fills in, for the kinds and fields that Hardened writes."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.memory.fields import Body

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_BINARY = {"Ki": 1024, "Mi": 1024**2, "Gi": 1024**3, "Ti": 1024**4, "Pi": 1024**5, "Ei": 1024**6}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_QUANTITY = re.compile(r"([+-]?[0-9.]+)([KMGTPE]i|[numkMGTPE]?)")


def quantity(value: Any) -> Any:
    """A quantity as the server writes it back. Examples: "1000m" -> "1"; 0.5 -> "500m"; "1024Mi" -> "1Gi"; "1.5Gi" -> "1536Mi";
    "1.001Ki" -> "1025024m"."""
    matched = _QUANTITY.fullmatch(str(value))
    if matched is None:
        return value
    number, suffix = Decimal(matched[1]), matched[2]
    if not number:
        return "0"
    amount = number * _BINARY.get(suffix, 1)
    if suffix in _BINARY and amount == int(amount):
        unit = next((name for name, factor in reversed(_BINARY.items()) if amount % factor == 0), "")
        return f"{int(amount) // _BINARY[unit]}{unit}" if unit else str(int(amount))
    nano = int(amount.scaleb(9 + _DECIMAL.get(suffix, 0)))
    unit = next(name for name, power in reversed(_DECIMAL.items()) if nano % 10 ** (9 + power) == 0)
    return f"{nano // 10 ** (9 + _DECIMAL[unit])}{unit}"


def deployment(body: Body) -> None:
    spec = body.setdefault("spec", {})
    _fill(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    if not spec.get("paused"):
        spec.pop("paused", None)
    strategy = spec.setdefault("strategy", {})
    _fill(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        _fill(strategy.setdefault("rollingUpdate", {}), maxSurge="25%", maxUnavailable="25%")
    pod_spec(spec.setdefault("template", {}).setdefault("spec", {}))


def pod(body: Body) -> None:
    pod_spec(body.setdefault("spec", {}))
    _fill(body["spec"], enableServiceLinks=True)
    for container in body["spec"].get("containers", ()):
        for name, limit in container["resources"].get("limits", {}).items():
            container["resources"].setdefault("requests", {}).setdefault(name, limit)


def pod_spec(spec: Body) -> None:
    _fill(spec, restartPolicy="Always", dnsPolicy="ClusterFirst", schedulerName="default-scheduler", terminationGracePeriodSeconds=30)
    spec.setdefault("securityContext", {})
    # The old name of the field brings the new one back when only that is given up.
    if account := spec.get("serviceAccountName") or spec.get("serviceAccount"):
        spec |= {"serviceAccountName": account, "serviceAccount": account}
    for container in [*spec.get("containers", ()), *spec.get("initContainers", ())]:
        _container(container)
    for volume in spec.get("volumes", ()):
        for source in ("configMap", "secret", "projected", "downwardAPI"):
            if isinstance(volume.get(source), dict):
                _fill(volume[source], defaultMode=420)
        if isinstance(volume.get("emptyDir"), dict) and "sizeLimit" in volume["emptyDir"]:
            volume["emptyDir"]["sizeLimit"] = quantity(volume["emptyDir"]["sizeLimit"])


def _container(container: Body) -> None:
    last = str(container.get("image", "")).rpartition("/")[2]
    latest = "@" not in last and (":" not in last or last.endswith(":latest"))
    _fill(
        container,
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
        imagePullPolicy="Always" if latest else "IfNotPresent",
    )
    resources = container.setdefault("resources", {})
    for part in ("limits", "requests"):
        if part in resources:
            resources[part] = {name: quantity(value) for name, value in resources[part].items()}
    for port in container.get("ports", ()):
        _fill(port, protocol="TCP")
    for variable in container.get("env", ()):
        if "fieldRef" in (variable.get("valueFrom") or {}):
            _fill(variable["valueFrom"]["fieldRef"], apiVersion="v1")
    for name in _PROBES:
        if isinstance(probe := container.get(name), dict):
            _fill(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
            if "httpGet" in probe:
                _fill(probe["httpGet"], path="/", scheme="HTTP")
            if "grpc" in probe:
                _fill(probe["grpc"], service="")
    for hook in (container.get("lifecycle") or {}).values():
        if isinstance(hook, dict) and "httpGet" in hook:
            _fill(hook["httpGet"], path="/", scheme="HTTP")


def service(body: Body) -> None:
    spec = body.setdefault("spec", {})
    _fill(spec, type="ClusterIP", sessionAffinity="None")
    for port in spec.get("ports", ()):
        _fill(port, protocol="TCP", targetPort=port.get("port"))
    if spec["type"] != "ExternalName":
        _fill(spec, internalTrafficPolicy="Cluster")
    if spec["type"] in ("NodePort", "LoadBalancer"):
        _fill(spec, externalTrafficPolicy="Cluster")
    else:
        spec.pop("externalTrafficPolicy", None)
        for port in spec.get("ports", ()):
            port.pop("nodePort", None)
    if spec["sessionAffinity"] == "ClientIP":
        spec.setdefault("sessionAffinityConfig", {}).setdefault("clientIP", {}).setdefault("timeoutSeconds", 10800)
    else:
        spec.pop("sessionAffinityConfig", None)
    body.setdefault("status", {"loadBalancer": {}})


def network_policy(body: Body) -> None:
    spec = body.setdefault("spec", {})
    spec.setdefault("podSelector", {})
    for rule in [*spec.get("ingress", ()), *spec.get("egress", ())]:
        for port in rule.get("ports", ()):
            _fill(port, protocol="TCP")
    _fill(spec, policyTypes=["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])


def claim(body: Body) -> None:
    spec = body.setdefault("spec", {})
    _fill(spec, volumeMode="Filesystem")
    requests = (spec.get("resources") or {}).get("requests") or {}
    for name in requests:
        requests[name] = quantity(requests[name])
    body.setdefault("status", {"phase": "Pending"})


def job(body: Body) -> None:
    _job_spec(body.setdefault("spec", {}))
    body.setdefault("status", {})


def cron_job(body: Body) -> None:
    spec = body.setdefault("spec", {})
    _fill(spec, concurrencyPolicy="Allow", suspend=False, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1)
    _job_spec(spec.setdefault("jobTemplate", {}).setdefault("spec", {}), is_template=True)
    body.setdefault("status", {})


def _job_spec(spec: Body, *, is_template: bool = False) -> None:
    if not is_template:
        _fill(spec, completions=1, parallelism=1, completionMode="NonIndexed", suspend=False, podReplacementPolicy="Failed")
    _fill(spec, backoffLimit=6)
    pod_spec(spec.setdefault("template", {}).setdefault("spec", {}))


def autoscaler(body: Body) -> None:
    """pkg/apis/autoscaling/v2/defaults.go: with a behaviour both ways get all their fields, but for the window of scaleDown."""
    spec = body.setdefault("spec", {})
    _fill(spec, minReplicas=1)
    if "behavior" in spec:
        percent = {"type": "Percent", "value": 100, "periodSeconds": 15}
        up, down = (spec["behavior"].setdefault(way, {}) for way in ("scaleUp", "scaleDown"))
        pods = {"type": "Pods", "value": 4, "periodSeconds": 15}
        _fill(up, stabilizationWindowSeconds=0, selectPolicy="Max", policies=[pods, percent])
        _fill(down, selectPolicy="Max", policies=[dict(percent)])


def _fill(part: Body, **values: Any) -> None:
    for name, value in values.items():
        part.setdefault(name, value)


Defaulter = Callable[[Body], None]

DEFAULTS: dict[str, Defaulter] = {
    "CronJob": cron_job,
    "Deployment": deployment,
    "Job": job,
    "Pod": pod,
    "Service": service,
    "NetworkPolicy": network_policy,
    "PersistentVolumeClaim": claim,
    "HorizontalPodAutoscaler": autoscaler,
}

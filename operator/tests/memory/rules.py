"""What the API server refuses as Invalid (422), for the mistakes that an operator can make. Each rule: (new, old or None) -> messages."""

import re
from collections.abc import Callable, Iterator

from tests.memory.fields import Body

_SUBDOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SERVICE_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?)?")

Rule = Callable[[Body, Body | None], Iterator[str]]


def metadata(new: Body, old: Body | None) -> Iterator[str]:
    meta = new["metadata"]
    if not _SUBDOMAIN.fullmatch(meta["name"]):
        yield f'metadata.name: Invalid value: "{meta["name"]}": a lowercase RFC 1123 subdomain must consist of lower case alphanumerics'
    for value in (meta.get("labels") or {}).values():
        if not isinstance(value, str) or not _LABEL_VALUE.fullmatch(value):
            yield f'metadata.labels: Invalid value: "{value}"'
    for owner in meta.get("ownerReferences") or ():
        if not all(owner.get(field) for field in ("apiVersion", "kind", "name", "uid")):
            yield "metadata.ownerReferences: Required value: apiVersion, kind, name and uid"


def deployment(new: Body, old: Body | None) -> Iterator[str]:
    spec = new["spec"]
    if spec["replicas"] < 0:
        yield f"spec.replicas: Invalid value: {spec['replicas']}: must be greater than or equal to 0"
    if spec["strategy"].get("type") == "Recreate" and "rollingUpdate" in spec["strategy"]:
        yield "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"
    selector = (spec.get("selector") or {}).get("matchLabels") or {}
    labels = (spec["template"].get("metadata") or {}).get("labels") or {}
    if not selector:
        yield "spec.selector: Required value"
    elif not selector.items() <= labels.items():
        yield "spec.template.metadata.labels: Invalid value: `selector` does not match template `labels`"
    if old is not None and old["spec"].get("selector") != spec.get("selector"):
        yield "spec.selector: Invalid value: field is immutable"
    containers = spec["template"]["spec"].get("containers") or []
    if not containers:
        yield "spec.template.spec.containers: Required value"
    names = [container.get("name") for container in containers]
    if len(set(names)) != len(names):
        yield "spec.template.spec.containers: Duplicate value"
    for index, container in enumerate(containers):
        if not container.get("image"):
            yield f"spec.template.spec.containers[{index}].image: Required value"


def service(new: Body, old: Body | None) -> Iterator[str]:
    spec = new["spec"]
    if not _SERVICE_NAME.fullmatch(new["metadata"]["name"]):
        yield f'metadata.name: Invalid value: "{new["metadata"]["name"]}": a DNS-1035 label'
    if not spec.get("ports") and spec.get("clusterIP") != "None" and spec["type"] != "ExternalName":
        yield "spec.ports: Required value"
    ports = [(port.get("port"), port.get("protocol")) for port in spec.get("ports") or ()]
    if len(set(ports)) != len(ports):
        yield "spec.ports: Duplicate value"
    if len(ports) > 1 and any(not port.get("name") for port in spec["ports"]):
        yield "spec.ports[0].name: Required value"
    if old is not None and old["spec"].get("clusterIP") != spec.get("clusterIP"):
        yield "spec.clusterIPs[0]: Invalid value: field is immutable"


def config_map(new: Body, old: Body | None) -> Iterator[str]:
    if old is None or not old.get("immutable"):
        return
    if not new.get("immutable"):
        yield "immutable: Forbidden: field is immutable when `immutable` is set"
    if any(new.get(field) != old.get(field) for field in ("data", "binaryData")):
        yield "data: Forbidden: field is immutable when `immutable` is set"


def controller_revision(new: Body, old: Body | None) -> Iterator[str]:
    if "revision" not in new or new["revision"] < 0:
        yield "revision: Invalid value: must be greater than or equal to 0"
    if old is not None and old.get("data") != new.get("data"):
        yield "data: Invalid value: field is immutable"


def lease(new: Body, old: Body | None) -> Iterator[str]:
    spec = new.get("spec") or {}
    if spec.get("leaseDurationSeconds", 1) <= 0:
        yield "spec.leaseDurationSeconds: Invalid value: must be greater than 0"


def claim(new: Body, old: Body | None) -> Iterator[str]:
    if not new["spec"].get("accessModes"):
        yield "spec.accessModes: Required value: at least 1 access mode is required"
    if old is not None and {**old["spec"], "resources": None, "volumeName": None} != {**new["spec"], "resources": None, "volumeName": None}:
        yield "spec: Forbidden: spec is immutable after creation except resources.requests for bound claims"


RULES: dict[str, tuple[Rule, ...]] = {
    "Deployment": (metadata, deployment),
    "Service": (metadata, service),
    "ConfigMap": (metadata, config_map),
    "ControllerRevision": (metadata, controller_revision),
    "Lease": (metadata, lease),
    "PersistentVolumeClaim": (metadata, claim),
}


#: Top-level fields by kind, beyond apiVersion, kind and metadata.
_FIELDS: dict[str, set[str]] = {
    "ConfigMap": {"data", "binaryData", "immutable"},
    "ControllerRevision": {"data", "revision"},
    "EndpointSlice": {"addressType", "endpoints", "ports"},
    "ServiceAccount": {"automountServiceAccountToken", "imagePullSecrets", "secrets"},
}


def misfits(kind: str, body: Body) -> list[str]:
    """What does not fit the schema: unknown top-level fields, and the text fields into which numbers slip most easily."""
    known = _FIELDS.get(kind, {"spec", "status"}) | {"apiVersion", "kind", "metadata"}
    found = [f".{field}: field not declared in schema" for field in body if field not in known and kind != "Event"]
    texts = {f".metadata.{part}": body["metadata"].get(part) for part in ("labels", "annotations")}
    if kind == "ConfigMap":
        texts[".data"] = body.get("data")
    if kind == "Deployment":
        pod = ((body.get("spec") or {}).get("template") or {}).get("spec") or {}
        for container in pod.get("containers") or ():
            for variable in container.get("env") or ():
                texts[f".env[{variable.get('name')}]"] = {"value": variable.get("value", "")}
    for path, part in texts.items():
        found += [f"{path}.{key}: expected string" for key, value in (part or {}).items() if not isinstance(value, str)]
    return found


def violations(kind: str, new: Body, old: Body | None) -> list[str]:
    return [message for rule in RULES.get(kind, (metadata,)) for message in rule(new, old)]

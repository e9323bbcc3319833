"""An Ingress of ingress-nginx: the services behind it. The Ingress itself stays, and leads to a Service of the same name and port."""

from collections.abc import Iterator, Mapping
from typing import Any

from hardenctl.converting.deployment import workload_of
from hardenctl.converting.finish import finished
from hardenctl.converting.notes import CannotConvert, Converted, Notes, items, mapping
from hardenctl.converting.objects import Objects, called, name_of
from hardenctl.converting.workload import Workload, converted

KIND = "Ingress"
_NGINX = "nginx.ingress.kubernetes.io/"
#: What the port says by itself, by backend-protocol.
_PROTOCOLS = {"GRPC": "grpc", "GRPCS": "grpc", "HTTPS": "https"}
_CANARY = "a new version is checked beside the one that serves, and gets all requests at once: there are no weights"


def services_of(objects: Objects, images: Mapping[str, str]) -> list[Converted]:
    """One service for each backend of an Ingress. Raises CannotConvert."""
    found: dict[str, Converted] = {}
    for ingress in objects.of(KIND):
        annotations = mapping(mapping(ingress.get("metadata")).get("annotations"))
        if str(annotations.get(f"{_NGINX}canary")) == "true":
            continue
        for backend in _backends(ingress):
            name = str(backend.get("name"))
            if name not in found:
                found[name] = _service(ingress, annotations, backend, objects, images)
    for each in found.values():
        _leave_canaries(objects, each.notes)
    if not found:
        raise CannotConvert("no Ingress of the file leads to a Service", "name it in spec.rules[].http.paths[].backend.service")
    return list(found.values())


def _backends(ingress: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    spec = mapping(ingress.get("spec"))
    default = mapping(mapping(spec.get("defaultBackend")).get("service"))
    if default:
        yield default
    for rule in items(spec.get("rules")):
        for path in items(mapping(rule.get("http")).get("paths")):
            backend = mapping(mapping(path.get("backend")).get("service"))
            if backend:
                yield backend


def _service(
    ingress: Mapping[str, Any], annotations: Mapping[str, Any], backend: Mapping[str, Any], objects: Objects, images: Mapping[str, str]
) -> Converted:
    notes, name = Notes(), str(backend.get("name"))
    _explain(ingress, annotations, name, notes)
    service = objects.named("Service", name)
    workload = _workload(service, objects)
    if workload is None:
        found = _alone(ingress, name, backend, service, images, notes)
    else:
        found = converted(Workload(workload.manifest, workload.template, services=(name,)), objects, images, notes)
    _say_protocol(found, ingress, annotations, backend)
    return found


def _workload(service: Mapping[str, Any] | None, objects: Objects) -> Workload | None:
    selector = mapping(mapping((service or {}).get("spec")).get("selector"))
    for each in objects.of("Deployment"):
        workload = workload_of(each)
        if selector and all(workload.labels.get(key) == value for key, value in selector.items()):
            return workload
    return None


def _alone(
    ingress: Mapping[str, Any],
    name: str,
    backend: Mapping[str, Any],
    service: Mapping[str, Any] | None,
    images: Mapping[str, str],
    notes: Notes,
) -> Converted:
    """A backend of which the file has no Deployment: the Ingress, and its Service, say no more of it than a port."""
    if name not in images and "" not in images:
        raise CannotConvert(
            f"the file has no Deployment behind Service {name} of {called(ingress)}",
            f"add it to the file, or name the image: --image {name}=IMAGE",
        )
    wanted = mapping(backend.get("port"))
    ports = items(mapping((service or {}).get("spec")).get("ports"))
    port = next((each for each in ports if wanted.get("name") == each.get("name") or wanted.get("number") == each.get("port")), {})
    number = port.get("port") or wanted.get("number")
    if not isinstance(number, int):
        raise CannotConvert(
            f"{called(ingress)} leads to port {wanted.get('name')} of Service {name}, which is not in the file", "add the Service"
        )
    target = port.get("targetPort")
    inside = target if isinstance(target, int) else number
    notes.guessed("spec.ports", f"the application listens on {inside}")
    made: dict[str, Any] = {"name": str(port.get("name") or wanted.get("name") or "http"), "containerPort": inside}
    if number != inside:
        made["port"] = number
    notes.guessed("spec.replicas", "2, as the file has no Deployment")
    namespace = mapping(ingress.get("metadata")).get("namespace")
    meta = {"name": name, **({"namespace": namespace} if namespace else {})}
    return finished(called(ingress), meta, {"image": "", "ports": [made], "replicas": 2}, images, notes)


def _explain(ingress: Mapping[str, Any], annotations: Mapping[str, Any], name: str, notes: Notes) -> None:
    notes.left_out(called(ingress), f"it stays as it is, and leads to Service {name}, which keeps its name and its port")
    for key in annotations:
        short = str(key).removeprefix(_NGINX)
        if short == key or short == "backend-protocol":
            continue
        if short.startswith("affinity") or short.startswith("session-cookie"):
            notes.left_out(f"{called(ingress)} {short}", "the cookie stays the Ingress's; it names a pod, and a cutover changes all pods")
        elif short in ("service-upstream", "upstream-vhost"):
            notes.left_out(f"{called(ingress)} {short}", "it stays the Ingress's")


def _say_protocol(found: Converted, ingress: Mapping[str, Any], annotations: Mapping[str, Any], backend: Mapping[str, Any]) -> None:
    protocol = _PROTOCOLS.get(str(annotations.get(f"{_NGINX}backend-protocol") or ""))
    wanted = mapping(backend.get("port"))
    for port in found.body["spec"].get("ports") or ():
        if wanted.get("name") == port["name"] or wanted.get("number") == port.get("port", port["containerPort"]):
            if protocol and "appProtocol" not in port:
                port["appProtocol"] = protocol
                found.notes.guessed(f"spec.ports[{port['name']}].appProtocol", f"{protocol}, as {called(ingress)} says of its backend")
            return
    text = f"{called(ingress)} leads to port {wanted.get('name') or wanted.get('number')}, which the Service would not have: correct it"
    found.notes.guessed("spec.ports", text)


def _leave_canaries(objects: Objects, notes: Notes) -> None:
    for ingress in objects.of(KIND):
        annotations = mapping(mapping(ingress.get("metadata")).get("annotations"))
        if str(annotations.get(f"{_NGINX}canary")) == "true":
            notes.left_out(f"{called(ingress)} {_NGINX}canary", f"{_CANARY}; delete {name_of(ingress)} and what is behind it")

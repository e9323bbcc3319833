"""The ports of an application, as its Service leads to them."""

from collections.abc import Mapping
from typing import Any

from hardenctl.converting.notes import Notes, items, leave, mapping, without_empty
from hardenctl.converting.objects import called
from hardenctl.converting.shape import known

_HANDLED = (
    "selector", "ports", "type", "sessionAffinity", "trafficDistribution", "clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy",
    "internalTrafficPolicy", "allocateLoadBalancerNodePorts",
)  # fmt: skip
_WHY = {
    "externalTrafficPolicy": "the Service leads to pods of all nodes",
    "loadBalancerIP": "use an annotation of the load balancer's, in service.annotations",
    "publishNotReadyAddresses": "only ready pods get requests",
}


def ports_of(container: Mapping[str, Any], service: Mapping[str, Any] | None, notes: Notes, where: str) -> list[dict[str, Any]]:
    """spec.ports, those of the Service first. where: the container, in the source."""
    declared = [_declared(each, notes, where) for each in items(container.get("ports"))]
    led: list[dict[str, Any]] = []
    for port in items(mapping(service.get("spec")).get("ports")) if service else ():
        target = _target(port, declared, notes, called(service or {}))
        if target is None or any(each is target for each in led):
            if target is not None:
                notes.left_out(f"{called(service or {})} spec.ports[{port.get('port')}]", "a second port that leads to the same one")
            continue
        target["name"] = target.get("name") or port.get("name")
        target |= without_empty({"port": port.get("port"), "appProtocol": port.get("appProtocol")})
        led.append(target)
    rest = [each for each in declared if not any(each is other for other in led)]
    return _named(led + _free(led, rest, notes, where, is_led=service is not None))


def _declared(port: Mapping[str, Any], notes: Notes, where: str) -> dict[str, Any]:
    leave(notes, f"{where}.ports[{port.get('containerPort')}]", port, ("name", "containerPort", "protocol"), {"hostIP": ""})
    found = {key: port.get(key) for key in ("name", "containerPort", "protocol")}
    return {key: value for key, value in found.items() if value is not None and (key, value) != ("protocol", "TCP")}


def _target(port: Mapping[str, Any], declared: list[dict[str, Any]], notes: Notes, service: str) -> dict[str, Any] | None:
    wanted, protocol = port.get("targetPort") or port.get("port"), port.get("protocol") or "TCP"
    for each in declared:
        if wanted in (each.get("name"), each.get("containerPort")) and each.get("protocol", "TCP") == protocol:
            return each
    if not isinstance(wanted, int):
        notes.left_out(f"{service} spec.ports[{port.get('port')}]", f"no container has a port {wanted}")
        return None
    made: dict[str, Any] = {"containerPort": wanted, **({} if protocol == "TCP" else {"protocol": protocol})}
    notes.guessed("spec.ports", f"{wanted}, which {service} leads to and no container declares")
    declared.append(made)
    return made


def _free(led: list[dict[str, Any]], rest: list[dict[str, Any]], notes: Notes, where: str, *, is_led: bool) -> list[dict[str, Any]]:
    """The ports that the Service has not led to, where it can: each gets a port on it."""
    taken = {(each.get("port") or each.get("containerPort"), each.get("protocol", "TCP")) for each in led}
    found = []
    for each in rest:
        number, name = each.get("containerPort"), each.get("name") or each.get("containerPort")
        if (number, each.get("protocol", "TCP")) in taken:
            notes.left_out(f"{where}.ports[{name}]", f"port {number} of the Service leads elsewhere")
            continue
        if is_led:
            notes.changed(f"{where}.ports[{name}]", f"the Service has port {number}, too")
        found.append(each)
    return found


def _named(ports: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each with a name, in the order of the fields of the API; of two alike, the first."""
    found: dict[str, dict[str, Any]] = {}
    for at, each in enumerate(ports):
        name = str(
            each.get("name") or ("http" if at == 0 and each.get("protocol", "TCP") == "TCP" else f"port-{each.get('containerPort')}")
        )
        if name in found:
            name = f"port-{each.get('containerPort')}"
        number = each.get("port")
        rest = {"port": None if number == each.get("containerPort") else number, "protocol": each.get("protocol")}
        more = {**rest, "appProtocol": each.get("appProtocol")}
        found[name] = {"name": name, "containerPort": each.get("containerPort"), **without_empty(more)}
    return list(found.values())


def service_settings(service: Mapping[str, Any], notes: Notes) -> dict[str, Any]:
    """spec.service."""
    spec, where = mapping(service.get("spec")), called(service)
    leave(notes, f"{where} spec", spec, _HANDLED, _WHY)
    annotations = {
        key: value
        for key, value in mapping(mapping(service.get("metadata")).get("annotations")).items()
        if not key.startswith(("kubectl.kubernetes.io/", "meta.helm.sh/"))
    }
    kind = "Headless" if spec.get("clusterIP") == "None" else spec.get("type") or "ClusterIP"
    if kind in ("NodePort", "LoadBalancer") and any(each.get("nodePort") for each in items(spec.get("ports"))):
        notes.left_out(f"{where} spec.ports[].nodePort", "the cluster chooses it")
    affinity = spec.get("sessionAffinity") or "None"
    found = {
        "type": kind if kind != "ClusterIP" else None,
        "annotations": annotations,
        "sessionAffinity": affinity if affinity != "None" else None,
        "trafficDistribution": spec.get("trafficDistribution"),
    }
    if annotations or kind in ("NodePort", "LoadBalancer"):
        notes.guessed("spec.service", "the operator's settings allow this type and these annotations")
    return known(notes, f"{where} spec", "service", without_empty(found))  # type: ignore[no-any-return]

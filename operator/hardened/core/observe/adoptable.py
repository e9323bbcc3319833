"""Whether a Service that was there before its HardenedService may be taken over, and what stands in the way of that."""

from collections.abc import Callable, Mapping
from typing import Any

from hardened.api import names
from hardened.api.parse import HardenedService
from hardened.core.observe.fixed import is_headless
from hardened.core.observe.presence import is_deleting

#: What is said of it, whatever is the matter.
_FOREIGN = "already exists and does not belong to this service"


def consents(live: Mapping[str, Any], service: str) -> bool:
    """Whether a person let this object be taken over by the HardenedService of this name."""
    return _adopted_by(live) == service


def refusal(svc: HardenedService, wanted: Mapping[str, Any] | None, live: Mapping[str, Any], ready: int = 0, replicas: int = 0) -> str:
    """Why a foreign Service of the service's name is not taken over, with what to do; "" where it is, once the gate is passed.

    wanted: the Service as it would be; None for a worker, which needs none. ready: how many pods serve it, as far as is known; replicas:
    how many are to serve it then.
    """
    what, otherwise = f"Service {svc.name} {_FOREIGN}", "delete or rename it, or rename the service"
    if wanted is None:
        return f"{what}; {otherwise}"
    why = hindrance(svc, wanted, live)
    if consents(live, svc.name):
        why = why or _is_shrunk(svc, ready, replicas)
        return f"{what}, and cannot be taken over: {why}" if why else ""
    named = _adopted_by(live)
    if named:
        return f"{what}: its annotation {names.ADOPT_ANNOTATION} names {named}, and not {svc.name}"
    if why:
        return f"{what}; {otherwise}. It cannot be taken over as it is: {why}"
    command = f"kubectl annotate service {svc.name} -n {svc.namespace} {names.ADOPT_ANNOTATION}={svc.name}"
    return f"{what}; to have it taken over once the new pods have passed their checks: {command}; or {otherwise}"


def hindrance(svc: HardenedService, wanted: Mapping[str, Any], live: Mapping[str, Any]) -> str:
    """What of a Service cannot be taken over without losing requests, with what to do; "" for nothing."""
    return next((why for check in _CHECKS if (why := check(svc, wanted, live))), "")


def _adopted_by(live: Mapping[str, Any]) -> str:
    return str((live["metadata"].get("annotations") or {}).get(names.ADOPT_ANNOTATION, ""))


def _is_shrunk(svc: HardenedService, ready: int, replicas: int) -> str:
    """Clients are never led on to fewer pods than serve them."""
    command = f"kubectl scale hardenedservice {svc.name} -n {svc.namespace} --replicas={ready}"
    return (
        f"{ready} ready pods serve it, and only {replicas} are wanted: {command}, or scale what serves down first"
        if ready > replicas
        else ""
    )


# ---- what stands in the way, the gravest first


def _is_going(_: HardenedService, __: Mapping[str, Any], live: Mapping[str, Any]) -> str:
    return "it is being deleted" if is_deleting(live) else ""


def _is_controlled(_: HardenedService, __: Mapping[str, Any], live: Mapping[str, Any]) -> str:
    owner = next((each for each in live["metadata"].get("ownerReferences") or () if each.get("controller")), None)
    return f"{owner.get('kind')} {owner.get('name')} controls it, and would write over it: end that first" if owner else ""


def _leads_elsewhere(_: HardenedService, __: Mapping[str, Any], live: Mapping[str, Any]) -> str:
    spec = live["spec"]
    if spec.get("type") == "ExternalName":
        return "it is of type ExternalName, and has neither pods nor an address to keep: delete it"
    return "" if spec.get("selector") else "it has no selector: whoever keeps its endpoints would have to end that first"


def _has_no_address(_: HardenedService, __: Mapping[str, Any], live: Mapping[str, Any]) -> str:
    return "it is headless: its clients know the pods, and could not be led over at once" if is_headless(live) else ""


def _is_switched_at_once(svc: HardenedService, _: Mapping[str, Any], __: Mapping[str, Any]) -> str:
    strategy = svc.spec.effective_strategy
    text = "only a blue-green release checks the new pods before clients are led to them: set spec.release.strategy: BlueGreen"
    return f"the service is released by {strategy}, and {text}" if strategy != "BlueGreen" else ""


def _differs(field: str, path: str) -> Callable[[HardenedService, Mapping[str, Any], Mapping[str, Any]], str]:
    default = {"type": "ClusterIP", "sessionAffinity": "None"}[field]

    def differs(_: HardenedService, wanted: Mapping[str, Any], live: Mapping[str, Any]) -> str:
        found = live["spec"].get(field, default)
        return f"its {field} is {found}: set {path}: {found}" if found != wanted["spec"].get(field, default) else ""

    return differs


def _loses_a_port(_: HardenedService, wanted: Mapping[str, Any], live: Mapping[str, Any]) -> str:
    mine = {_port_key(each): each for each in wanted["spec"]["ports"]}
    for each in live["spec"].get("ports") or ():
        port, protocol = _port_key(each)
        known, name = mine.get((port, protocol)), each.get("name")
        if known is None:
            return f"its clients may use port {port}/{protocol}: add it to spec.ports, or remove it from the Service"
        if not name and len(mine) > 1:
            return f"its port {port}/{protocol} has no name, as only a single port may: leave that one alone in spec.ports, at first"
        if name and name != known.get("name"):
            return f"its port {port}/{protocol} is known as {name}, to Ingresses and others: name it so in spec.ports"
    return ""


def _port_key(port: Mapping[str, Any]) -> tuple[Any, str]:
    return port.get("port"), str(port.get("protocol", "TCP"))


_CHECKS: tuple[Callable[[HardenedService, Mapping[str, Any], Mapping[str, Any]], str], ...] = (
    _is_going,
    _is_controlled,
    _leads_elsewhere,
    _has_no_address,
    _is_switched_at_once,
    _differs("type", "spec.service.type"),
    _differs("sessionAffinity", "spec.service.sessionAffinity"),
    _loses_a_port,
)

"""Whether the Services of a service can be what a release needs: their names are free, and what never changes of them is as it says."""

from collections.abc import Mapping
from typing import Any

from hardened.api import names
from hardened.api.parse import HardenedService, parse
from hardened.core.desired.service import is_previewed
from hardened.core.model.finding import Diagnosis
from hardened.core.model.reasons import Reason
from hardened.core.observe.facts import Facts
from hardened.core.observe.fixed import is_headless, is_otherwise
from hardened.errors import InvalidSpec

_PREVIEW = "preview"


def namesakes(name: str) -> frozenset[str]:
    """The names of services that may want a Service of a name that this one wants: the preview of `a` is `a-preview`.

    No other children of two services can share a name: every other kind ends in a part without a dash, or in a digest of all parts.
    """
    base = name.removesuffix(f"-{_PREVIEW}")
    return frozenset({names.child_name(name, _PREVIEW), *({base} if base not in ("", name) else ())})


def taken(facts: Facts) -> Diagnosis | None:
    """Another service that wants a Service of the same name. Both are told, and only a person can help."""
    found = _contested(facts)
    if found is None:
        return None
    name, other = found
    base = min(facts.svc.name, other, key=len)
    text = f"HardenedService {other} also needs Service {name}, which previews revisions of {base}"
    return Diagnosis(Reason.NAME_TAKEN, f"{text}: delete one of the two and create it under another name", is_final=True)


def fixed(facts: Facts) -> Diagnosis | None:
    """That the Service is headless and is not to be, or the other way round."""
    live, name = facts.active_service, facts.svc.name
    if live is None or not facts.asked.spec.ports or not is_otherwise(facts.asked, live):
        return None
    kind = "Headless" if is_headless(live) else live["spec"].get("type", "ClusterIP")
    said = f"Service {name} is {'' if is_headless(live) else 'not '}headless, which the API server never changes"
    held = "; until then no other revision is released" if _needs_another(facts) else ""
    command = f"kubectl delete service {name} -n {facts.svc.namespace}"
    again = "the operator then creates it again as in the spec, and clients cannot reach it meanwhile"
    remedy = f"set spec.service.type back to {kind}, or run: {command}; {again}"
    return Diagnosis(Reason.SERVICE_FIXED, f"{said}: {remedy}{held}", is_final=True)


def is_stopped(facts: Facts) -> bool:
    """Whether a release cannot begin: its Service is somebody else's, or cannot be switched. What serves goes on as it is."""
    contested = _contested(facts)
    return _needs_another(facts) or (contested is not None and facts.mine("Service", contested[0]) is None)


def _needs_another(facts: Facts) -> bool:
    """Whether the spec asks for switched traffic, and the Service is headless."""
    return facts.active_service is not None and is_headless(facts.active_service) and facts.asked.spec.effective_strategy == "BlueGreen"


def _contested(facts: Facts) -> tuple[str, str] | None:
    """The name of a Service, and of another HardenedService that wants it too."""
    svc, services = facts.svc, facts.observed.services
    preview, base = names.child_name(svc.name, _PREVIEW), svc.name.removesuffix(f"-{_PREVIEW}")
    if (facts.preview is not None or _wants_preview(svc)) and _has_ports(services.get(preview)):
        return preview, preview
    if base != svc.name and svc.spec.ports and _is_previewed(services.get(base)):
        return svc.name, base
    return None


def _wants_preview(svc: HardenedService) -> bool:
    return svc.spec.effective_strategy == "BlueGreen" and is_previewed(svc.spec)


def _is_previewed(body: Mapping[str, Any] | None) -> bool:
    """Of another service, as it is read. One whose spec cannot be used wants nothing."""
    try:
        return body is not None and not body["metadata"].get("deletionTimestamp") and _wants_preview(parse(body))
    except InvalidSpec:
        return False


def _has_ports(body: Mapping[str, Any] | None) -> bool:
    return body is not None and not body["metadata"].get("deletionTimestamp") and bool((body.get("spec") or {}).get("ports"))

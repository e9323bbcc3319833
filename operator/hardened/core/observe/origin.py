"""What a Service was like before it was taken over, and how it is written then, and once it is given back.

    somebody's, with consent ──── the cutover of the first release ───▶ ours, with what it was like as an annotation
              ▲                                                             │ the release fails under live traffic
              └──── given back, as soon as no endpoint is ours ◀── led back, and ours ◀┘

What it was like is written on the Service itself, in the same write that takes it over: no process can die between the two.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hardened.api import names
from hardened.core.model.manifest import Manifest, canonical

#: What the operator writes of a Service, and of a port. A node port stays whoever's it is.
_SPEC_FIELDS = ("type", "selector", "ports", "sessionAffinity", "trafficDistribution")
_PORT_FIELDS = ("name", "port", "protocol", "targetPort", "appProtocol")


@dataclass(frozen=True)
class Origin:
    """What a Service was like of all that a takeover writes."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    spec: Mapping[str, Any]

    @property
    def selector(self) -> Mapping[str, str]:
        """Whom it led to."""
        found: Mapping[str, str] = self.spec["selector"]
        return found


def origin_text(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> str:
    """What a Service is like of all that `wanted` would write, for its annotation."""
    meta, mine, spec = live["metadata"], wanted["metadata"], live["spec"]
    found = {
        "labels": _both(mine.get("labels") or {}, meta.get("labels") or {}),
        "annotations": _both(mine.get("annotations") or {}, meta.get("annotations") or {}),
        "spec": {**_both(wanted["spec"], spec), "ports": [_port(each) for each in spec.get("ports") or ()]},
    }
    return canonical(found)


def origin_of(live: Mapping[str, Any]) -> Origin | None:
    """What a Service of ours was like before it was taken over; None where it was made here, or nothing usable is said."""
    try:
        found = json.loads((live["metadata"].get("annotations") or {}).get(names.ADOPTED_ANNOTATION, ""))
    except (ValueError, RecursionError, TypeError):
        return None
    match found:
        case {"labels": dict(labels), "annotations": dict(annotations), "spec": {"selector": dict(selector), "ports": list(ports)} as spec}:
            is_sound = bool(selector and ports) and all(map(_is_text, (labels, annotations, selector)))
            if not is_sound or not all(isinstance(port, dict) for port in ports):
                return None
            known = {name: value for name, value in spec.items() if name in _SPEC_FIELDS}
            return Origin(labels, annotations, {**known, "ports": [_port(port) for port in ports]})
        case _:
            return None


def led_back(wanted: Manifest, origin: Origin) -> Manifest:
    """The Service as ours, and leading to whom it led before."""
    return {**wanted, "spec": {**wanted["spec"], **origin.spec}}


def given_back(wanted: Manifest, origin: Origin) -> Manifest:
    """The Service as somebody else's, as it was: without an owner, and without our labels."""
    meta = {key: wanted["metadata"][key] for key in ("name", "namespace")}
    meta |= {"labels": dict(origin.labels), "annotations": dict(origin.annotations)}
    return {"apiVersion": wanted["apiVersion"], "kind": wanted["kind"], "metadata": meta, "spec": dict(origin.spec)}


def adopted(wanted: Manifest, text: str) -> Manifest:
    """The Service with what it was like."""
    meta = wanted["metadata"]
    return {**wanted, "metadata": {**meta, "annotations": {**(meta.get("annotations") or {}), names.ADOPTED_ANNOTATION: text}}}


def named_as(wanted: Manifest, live: Mapping[str, Any]) -> Manifest:
    """The Service whose only port has no name, where that is so already.

    Nodes know the endpoints of a port by its name: while it gets one they would have none.
    """
    ports, known = wanted["spec"]["ports"], list(live["spec"].get("ports") or ())
    if len(ports) != 1 or len(known) != 1 or known[0].get("name"):
        return wanted
    return {**wanted, "spec": {**wanted["spec"], "ports": [{key: value for key, value in ports[0].items() if key != "name"}]}}


def is_adopted(live: Mapping[str, Any]) -> bool:
    """Whether it says what it was like before."""
    return names.ADOPTED_ANNOTATION in (live["metadata"].get("annotations") or {})


def _both(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> Manifest:
    return {key: live[key] for key in wanted if key in live}


def _port(port: Mapping[str, Any]) -> Manifest:
    return {key: port[key] for key in _PORT_FIELDS if key in port}


def _is_text(found: Mapping[str, Any]) -> bool:
    return all(isinstance(value, str) for value in found.values())

"""The ConfigMaps that a pod template refers to, and what of them is missing. Secrets are never read: of those the pods tell."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from hardened.core.model.manifest import Manifest

_REMEDY = "or mark the reference as optional"


class Reference(NamedTuple):
    """That pods need a ConfigMap."""

    name: str
    key: str = ""
    """Which of its keys, "" for none of them."""
    is_text: bool = False
    """It must be one of `data`, as for a variable."""


def references(template: Manifest) -> list[Reference]:
    """Everything that pods of the template cannot start without. What is optional is left out."""
    spec = template["spec"]
    containers = (*(spec.get("initContainers") or ()), *spec["containers"])
    found = [each for container in containers for each in _of_container(container)]
    return list(dict.fromkeys([*found, *(each for volume in spec.get("volumes") or () for each in _of_volume(volume))]))


def missing(wanted: list[Reference], found: Mapping[str, Manifest]) -> list[str]:
    """What is not there, each with what to do about it. found: the ConfigMaps that are there, by name."""
    return list(dict.fromkeys(text for each in wanted if (text := _problem(each, found.get(each.name)))))


def _of_container(container: Manifest) -> Iterator[Reference]:
    for variable in container.get("env") or ():
        ref = (variable.get("valueFrom") or {}).get("configMapKeyRef")
        if ref and not ref.get("optional"):
            yield Reference(ref["name"], ref["key"], is_text=True)
    for source in container.get("envFrom") or ():
        ref = source.get("configMapRef")
        if ref and not ref.get("optional"):
            yield Reference(ref["name"])


def _of_volume(volume: Manifest) -> Iterator[Reference]:
    projected = (volume.get("projected") or {}).get("sources") or ()
    for ref in (volume.get("configMap"), *(source.get("configMap") for source in projected)):
        if ref and not ref.get("optional"):
            yield Reference(ref["name"])
            yield from (Reference(ref["name"], item["key"]) for item in ref.get("items") or ())


def _problem(wanted: Reference, live: Mapping[str, Any] | None) -> str:
    name, key, is_text = wanted
    if live is None:
        return f"ConfigMap {name} does not exist: create it in this namespace, {_REMEDY}"
    keys = {*(live.get("data") or ()), *(() if is_text else live.get("binaryData") or ())}
    return f"ConfigMap {name} has no key {key}: add it, {_REMEDY}" if key and key not in keys else ""

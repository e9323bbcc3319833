"""The end of each conversion: what must be fixed is fixed, what would be an error is mended, and the parser has the last word."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hardenctl.converting.notes import CannotConvert, Converted, Notes, without_empty
from hardenctl.converting.shape import fitted
from hardened.api import names
from hardened.api.container import is_pinned
from hardened.api.parse import parse
from hardened.core.hardening.catalog import findings
from hardened.core.hardening.check import Subject

_ORDER = (
    "image", "command", "args", "env", "envFrom", "ports", "resources", "files", "volumes", "initContainers", "sidecars",
    "imagePullSecrets", "probes", "shutdown", "security", "scheduling", "dependsOn", "replicas", "autoscale", "service", "availability",
    "release", "verify",
)  # fmt: skip
_VARIABLE = re.compile(r"spec\.(?:(initContainers|sidecars)\[(\d+)\]\.)?env\[(\d+)\]")


def finished(source: str, meta: Mapping[str, Any], spec: Mapping[str, Any], images: Mapping[str, str], notes: Notes) -> Converted:
    """The HardenedService, which parses, and of which `preflight` finds no error in the fields. Raises CannotConvert."""
    name = str(meta["name"])
    found = without_empty({field: spec.get(field) for field in _ORDER})
    found["image"] = _image(name, str(found.get("image") or ""), images, notes, images.get("", ""))
    for helpers in ("initContainers", "sidecars"):
        found[helpers] = [
            {**each, "image": _image(str(each["name"]), str(each["image"]), images, notes)} for each in found.get(helpers, ())
        ]
    _one_pod_for_one_node(found, notes)
    body = {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": dict(meta), "spec": without_empty(found)}
    body = fitted(notes, body)
    _hide_secrets(name, body, notes)
    return Converted(source, body, notes)


def _image(name: str, image: str, images: Mapping[str, str], notes: Notes, alone: str = "") -> str:
    """A fixed version: what somebody has named, else what the source says. Raises CannotConvert where neither is one."""
    given = images.get(name) or alone
    if given:
        if not is_pinned(given):
            raise CannotConvert(f"the image of {name} that --image names, {given}, is no fixed version", "name a tag other than latest")
        if image != given:
            notes.changed("spec.image", f"{given}, as --image says, for {image or 'no image'}")
        return given
    if not image:
        raise CannotConvert(f"{name} has no image", f"name it: --image {name}=IMAGE")
    if not is_pinned(image):
        raise CannotConvert(f"the image of {name}, {image}, is no fixed version", f"name one: --image {name}={image.partition(':')[0]}:TAG")
    return image


def _one_pod_for_one_node(spec: dict[str, Any], notes: Notes) -> None:
    """A claim that one node mounts has one pod, and one version at a time."""
    for volume in spec.get("volumes") or ():
        claim = volume.get("claim")
        if not claim or volume.get("readOnly"):
            continue
        modes = set(claim.get("accessModes") or ("ReadWriteOnce",))
        if modes & {"ReadWriteMany", "ReadOnlyMany"}:
            if "ReadWriteMany" in modes and (spec.get("release") or {}).get("strategy") != "Recreate":
                claim["shared"] = True
                notes.guessed(f"spec.volumes[{volume['name']}].claim.shared", "true: two versions have written to it side by side before")
            continue
        notes.changed("spec.release.strategy", f"Recreate, since the claim {volume['name']} is for one version at a time")
        if spec.pop("autoscale", None):
            notes.left_out("spec.autoscale", f"the claim {volume['name']} is mounted by one node")
        if spec.get("replicas") != 1:
            spec["replicas"] = 1
            notes.changed("spec.replicas", f"1: the claim {volume['name']} is mounted by one node")
        for field in ("promotion", "preview", "autoPromoteAfter", "strategy"):
            (spec.get("release") or {}).pop(field, None)
        (spec.get("verify") or {}).pop("beforeCutover", None)


def _hide_secrets(name: str, body: dict[str, Any], notes: Notes) -> None:
    """Variables that hold a secret as plain text refer to one instead. Nothing of their values is told."""
    secret = f"{name}-secrets"
    svc = replace(parse(body), namespace=str(body["metadata"].get("namespace") or "default"))
    for finding in findings(Subject(svc, {})):
        found = _VARIABLE.fullmatch(finding.gap.path)
        if not found or finding.check.severity != "error":
            continue
        holder = body["spec"][found[1]][int(found[2])] if found[1] else body["spec"]
        variable = holder["env"][int(found[3])]
        holder["env"][int(found[3])] = {"name": variable["name"], "valueFrom": {"secretKeyRef": {"name": secret, "key": variable["name"]}}}
        text = f"its value is a secret, and so it is read from Secret {secret}, which you have to make: key {variable['name']}"
        notes.changed(f"spec.env[{variable['name']}]", text)

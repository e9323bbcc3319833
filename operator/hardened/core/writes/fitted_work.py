"""The Jobs and CronJobs of backups as they are made: asking for what the LimitRanges of the namespace allow.

Those are looked at right before one of them is made or changed, and where a pod of one is refused. At all other times a CronJob is to ask
for what it was made to ask for then.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from hardened.api import names
from hardened.api.quantity import amount
from hardened.core.desired.children import signed
from hardened.core.model.manifest import ChildKey, Manifest, digest, key_of
from hardened.core.needs import limits
from hardened.core.observe.observed import Observed


def lack_constraints(work: Iterable[Manifest], observed: Observed) -> bool:
    """Whether one of them is to be made or changed, or cannot run as it is, and nobody has looked what that one has to be like."""
    if observed.constraints is not None:
        return False
    left = (each for each in work if key_of(each) not in observed.refused)
    return bool(observed.tried_runs) or any(_is_to_be_written(signed(each), observed.children) for each in left)


def fitted_work(work: Iterable[Manifest], observed: Observed) -> list[Manifest]:
    """Signed, as they are to be."""
    return [_fitted(signed(each), observed) for each in work]


def _fitted(manifest: Manifest, observed: Observed) -> Manifest:
    if observed.constraints is None or not observed.constraints.is_known:
        return _as_it_is(manifest, observed.children.get(key_of(manifest)))
    template = _template(manifest)
    found = limits.fitted(template, observed.constraints.limit_ranges)
    return _with(manifest, found) if _asked(found) != _asked(template) else manifest


def _is_to_be_written(manifest: Manifest, children: Mapping[ChildKey, Manifest]) -> bool:
    live = children.get(key_of(manifest))
    return live is None or (manifest["kind"] == "CronJob" and not _is_as_wished(manifest, live))


def _is_as_wished(manifest: Manifest, live: Manifest) -> bool:
    """Whether it was made of the same wish: that is signed before it is fitted."""
    return _mark(live, names.APPLIED_ANNOTATION) == _mark(manifest, names.APPLIED_ANNOTATION)


def _as_it_is(manifest: Manifest, live: Manifest | None) -> Manifest:
    """With what a CronJob was made to ask for, unless somebody else changed that, or it is to be another one."""
    if live is None or manifest["kind"] != "CronJob" or not _is_as_wished(manifest, live):
        return manifest
    if _mark(live, names.FITTED_ANNOTATION) != digest(_asked(_template(live))):
        return manifest
    template, known = _template(manifest), _resources(_template(live))
    spec = template["spec"]
    lists = {
        kind: [{**each, "resources": known.get(each["name"], each.get("resources") or {})} for each in spec[kind]]
        for kind in ("initContainers", "containers")
        if spec.get(kind)
    }
    return _with(manifest, {**template, "spec": {**spec, **lists}})


def _with(manifest: Manifest, template: Manifest) -> Manifest:
    spec = manifest["spec"]
    if manifest["kind"] != "CronJob":
        return {**manifest, "spec": {**spec, "template": template}}
    meta = manifest["metadata"]
    marked = {**meta, "annotations": {**meta["annotations"], names.FITTED_ANNOTATION: digest(_asked(template))}}
    job = spec["jobTemplate"]
    return {**manifest, "metadata": marked, "spec": {**spec, "jobTemplate": {**job, "spec": {**job["spec"], "template": template}}}}


def _template(manifest: Manifest) -> Manifest:
    spec: Manifest = manifest["spec"]
    found: Manifest = spec["jobTemplate"]["spec"]["template"] if manifest["kind"] == "CronJob" else spec["template"]
    return found


def _resources(template: Manifest) -> dict[str, Manifest]:
    """By container."""
    spec = template["spec"]
    return {each["name"]: each.get("resources") or {} for kind in ("initContainers", "containers") for each in spec.get(kind) or ()}


def _asked(template: Manifest) -> Manifest:
    """What its containers ask for, as numbers: the server writes quantities in its own way."""
    return {
        name: {kind: {each: _number(value) for each, value in found[kind].items()} for kind in ("requests", "limits") if found.get(kind)}
        for name, found in _resources(template).items()
    }


def _number(value: object) -> str:
    return str(amount(str(value)).normalize())


def _mark(live: Mapping[str, Any], annotation: str) -> str:
    return str((live["metadata"].get("annotations") or {}).get(annotation, ""))

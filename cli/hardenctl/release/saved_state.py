"""What a new cluster has to know of a service so that its operator goes on with what served, and not with what was rejected.

Git has the spec. What it lacks are stored revisions: the one that was promoted last, and those that were rejected, which stay so.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hardened.api import names
from hardened.core.model.annotations import RevisionAnnotations, annotations_of
from hardened.core.model.manifest import Manifest
from hardened.core.model.written import rejection_of, stable_of
from hardened.core.observe.observed import Ownership, owner_of
from hardened.core.revisions.history import History
from hardened.core.revisions.revision import revision_of
from hardened.core.revisions.usable import problem

_REVISION = "ControllerRevision"
_APPS = "apps/v1"
#: A copy of the spec: whoever applies it next says it anew.
_COPY = "kubectl.kubernetes.io/last-applied-configuration"


@dataclass(frozen=True)
class Exported:
    """One service."""

    items: tuple[Manifest, ...]
    """Its revisions, and then the service itself: made in that order, none is looked at without what is known of it."""
    lacks: tuple[str, ...]
    """What could not be taken along, a sentence each."""


def exported(live: Mapping[str, Any], revisions: Iterable[Manifest]) -> Exported:
    """A service without what only its own cluster knows. revisions: the ControllerRevisions of its namespace."""
    meta, status, lacks = live["metadata"], live.get("status") or {}, []
    given = ({**each, "apiVersion": _APPS, "kind": _REVISION} for each in revisions)
    ours = [each for each in given if owner_of(each, meta["name"], str(meta.get("uid", ""))) is Ownership.OURS]
    kept = History.of(ours, lambda each: problem(meta["name"], each))
    marks = {revision_of(each): annotations_of(each, revision_of(each)) for each in kept.usable}
    remembered, pin = stable_of(status), rejection_of(status.get("pin"))
    stable = max(marks, key=lambda name: marks[name].promotion, default="")
    promotion = marks[stable].promotion if stable else 0
    if remembered and remembered.promotion > promotion:
        if remembered.target.revision in marks:
            stable = remembered.target.revision
            marks[stable] = marks[stable].promoted(remembered.promotion)
        else:
            lacks.append(f"its stable revision {remembered.target.revision} is not stored any more")
    elif not promotion:
        lacks.append("no revision of it was ever promoted: it is released as a new service")
    if pin and pin.revision not in marks:
        lacks.append(f"its rejected revision {pin.revision} is not stored any more: it would be released again")
    elif pin and pin.key not in {each.key for each in marks[pin.revision].rejections}:
        marks[pin.revision] = marks[pin.revision].rejected(pin)
    lacks += [f"{name} is not taken along: {why}" for name, why in kept.unusable.items()]
    wanted = [
        each for each in kept.usable if marks[revision_of(each)].rejections or (revision_of(each) == stable and promotion_of(marks, stable))
    ]
    return Exported((*(_revision(each, marks[revision_of(each)], meta["name"]) for each in wanted), service_alone(live)), tuple(lacks))


def promotion_of(marks: Mapping[str, RevisionAnnotations], revision: str) -> int:
    """Of a revision, 0 for one that was never promoted."""
    return marks[revision].promotion if revision in marks else 0


def service_alone(live: Mapping[str, Any]) -> Manifest:
    """A HardenedService as somebody would write it: without status, owners, and what the server has set."""
    meta = live["metadata"]
    annotations = {key: each for key, each in (meta.get("annotations") or {}).items() if key != _COPY}
    told = {"labels": meta.get("labels"), "annotations": annotations}
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {"name": meta["name"], "namespace": meta["namespace"], **{key: each for key, each in told.items() if each}},
        "spec": live.get("spec") or {},
    }


def _revision(live: Manifest, marks: RevisionAnnotations, service: str) -> Manifest:
    """As the operator takes it for its own without an owner: with its labels, and signed."""
    meta = live["metadata"]
    labels = {**(meta.get("labels") or {}), names.MANAGED_BY_LABEL: names.MANAGED_BY, names.SERVICE_LABEL: service}
    signed = (meta.get("annotations") or {}).get(names.APPLIED_ANNOTATION) or "imported"
    return {
        "apiVersion": _APPS,
        "kind": _REVISION,
        "metadata": {
            "name": meta["name"],
            "namespace": meta["namespace"],
            "labels": labels,
            "annotations": {**marks.written(), names.APPLIED_ANNOTATION: signed},
        },
        "revision": live.get("revision", 0),
        "data": live["data"],
    }


@dataclass(frozen=True)
class Saved:
    """One service of a file."""

    service: Manifest
    """Without what a server sets."""
    revisions: tuple[Manifest, ...]
    """In the order of the file."""


@dataclass(frozen=True)
class NotSaved:
    """What of a file is passed over."""

    kind: str
    namespace: str
    name: str
    why: str


def saved(items: Sequence[Any]) -> tuple[list[Saved], list[NotSaved]]:
    """The services of a file, and what else is in it, or cannot be used. items: documents; a List counts as its items."""
    found: dict[tuple[str, str], Manifest] = {}
    revisions: dict[tuple[str, str], list[Manifest]] = {}
    passed: list[NotSaved] = []
    for each in _flat(items):
        kind, namespace, name = _identity(each)
        why = _why_not(each, found)
        if why:
            passed.append(NotSaved(kind, namespace, name, why))
        elif kind == names.KIND:
            found[namespace, name] = service_alone(each)
        else:
            revisions.setdefault((namespace, each["metadata"]["labels"][names.SERVICE_LABEL]), []).append(each)
    for (namespace, service), those in revisions.items():
        if (namespace, service) not in found:
            why = f"the file has no service {service} that it belongs to"
            passed += [NotSaved(_REVISION, namespace, each["metadata"]["name"], why) for each in those]
    whole = [
        Saved(live, tuple(_revision(each, annotations_of(each, revision_of(each)), name) for each in revisions.get((namespace, name), ())))
        for (namespace, name), live in found.items()
    ]
    return whole, passed


def _flat(items: Sequence[Any]) -> Iterable[Any]:
    for each in items:
        if isinstance(each, Mapping) and each.get("kind") == "List" and isinstance(each.get("items"), list):
            yield from each["items"]
        else:
            yield each


def _identity(each: Any) -> tuple[str, str, str]:
    meta = each.get("metadata") if isinstance(each, Mapping) else None
    meta = meta if isinstance(meta, Mapping) else {}
    return str(each.get("kind", "")) if isinstance(each, Mapping) else "", str(meta.get("namespace") or ""), str(meta.get("name") or "")


def _why_not(each: Any, known: Mapping[tuple[str, str], Manifest]) -> str:
    """Why an object of a file is passed over, "" for one that is not."""
    kind, namespace, name = _identity(each)
    if not (namespace and name):
        return "it has no namespace, or no name: it was not exported"
    if kind == names.KIND:
        is_ours = each.get("apiVersion") == names.API_VERSION and isinstance(each.get("spec"), Mapping)
        return "the file has it twice" if (namespace, name) in known else "" if is_ours else f"it is none of {names.API_VERSION}"
    if kind != _REVISION or each.get("apiVersion") != _APPS:
        return "it is no HardenedService, and no revision of one"
    labels = each["metadata"].get("labels")
    service = labels.get(names.SERVICE_LABEL) if isinstance(labels, Mapping) else None
    if not isinstance(service, str) or not isinstance(each.get("data"), Mapping):
        return "it is no revision of a HardenedService"
    if not isinstance(each["metadata"].get("annotations") or {}, Mapping):
        return "its annotations cannot be read"
    return problem(service, each)

"""Revisions: what a version of a service is, and how it is stored."""

from collections.abc import Mapping
from typing import Any

from hardened.api.parse import HardenedService
from hardened.api.service import REVISION_FIELDS, HardenedServiceSpec
from hardened.core.desired.template import pod_template
from hardened.core.model.manifest import Manifest, digest
from hardened.core.model.revision import SCHEME, Revision

#: No revision has a higher number, whoever says so: the next one is to fit into what the API server takes.
NUMBER_LIMIT = 10**15


def revision_fields(spec: HardenedServiceSpec) -> Manifest:
    """The fields of the spec that make a revision, as they were written: a default that changes later must not make a new one."""
    written = spec.model_dump(by_alias=True, exclude_unset=True, exclude_none=True)
    return {name: written[name] for name in REVISION_FIELDS if name in written}


def revision_name(spec: HardenedServiceSpec) -> str:
    """The name of the revision that a spec asks for."""
    return digest({"scheme": SCHEME, "fields": revision_fields(spec)})


def key_of(revision: str, spec: HardenedServiceSpec) -> str:
    """What a rejection is remembered by: it holds as long as neither the revision nor what it has to pass changes."""
    checks = {"verify": spec.verify, "migrate": spec.release.migrate}
    written = {name: value.model_dump(mode="json", by_alias=True, exclude_unset=True) for name, value in checks.items() if value}
    return digest({"revision": revision, **written})


def render(svc: HardenedService) -> Revision:
    """The revision that the spec asks for, with a template from this renderer."""
    name = revision_name(svc.spec)
    return Revision(name, revision_fields(svc.spec), pod_template(svc, name))


def stored(live: Mapping[str, Any]) -> Revision | None:
    """The revision that a ControllerRevision holds, or None if it holds none of ours: its fields must have its name for a hash."""
    data, name = live.get("data"), revision_of(live)
    if not isinstance(data, Mapping) or not isinstance(data.get("fields"), Mapping) or not isinstance(data.get("template"), Mapping):
        return None
    if name != digest({"scheme": data.get("scheme"), "fields": data["fields"]}):
        return None
    return Revision(name, data["fields"], dict(data["template"]), str(data.get("renderer", "")), data)


def revision_of(live: Mapping[str, Any]) -> str:
    """The revision that a ControllerRevision is for. Labels can be stripped and changed; a name cannot."""
    return str(live["metadata"]["name"]).rpartition("-")[2]


def number_of(live: Mapping[str, Any]) -> int:
    """The number that a ControllerRevision was made with: of the two places it stands in, `data` is the one that nobody can change."""
    data = live.get("data")
    number = data.get("number") if isinstance(data, Mapping) else None
    found = number if type(number) is int else int(live.get("revision", 0))
    return min(max(found, 0), NUMBER_LIMIT)

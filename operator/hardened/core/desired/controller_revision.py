"""The ControllerRevision that stores a revision."""

from collections.abc import Mapping

from hardened.api.parse import HardenedService
from hardened.core.desired.metadata import metadata
from hardened.core.model.manifest import Manifest
from hardened.core.model.revision import SCHEME, Revision, object_name


def controller_revision(svc: HardenedService, revision: Revision, number: int, annotations: Mapping[str, str]) -> Manifest:
    """The object that stores a revision. number: 1 for the first, rising; its data never changes, its annotations may."""
    meta = metadata(svc, object_name(svc, revision.name), "revision", revision=revision.name)
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {**meta, "annotations": dict(annotations)} if annotations else meta,
        "revision": number,
        "data": dict(revision.data) if revision.data else _data(revision, number),
    }


def _data(revision: Revision, number: int) -> Manifest:
    return {
        "scheme": SCHEME,
        "renderer": revision.renderer,
        "number": number,
        "fields": dict(revision.fields),
        "template": revision.template,
    }

"""The immutable ConfigMap that holds a revision's files."""

from hardened.api.parse import HardenedService
from hardened.core.desired.metadata import metadata
from hardened.core.desired.template import files_key, files_name
from hardened.core.model.manifest import Manifest
from hardened.core.model.revision import Revision


def files(svc: HardenedService, revision: Revision) -> Manifest | None:
    """None for a revision without files."""
    given = revision.spec.files
    if not given:
        return None
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(svc, files_name(svc, revision.name), "files", revision=revision.name),
        "immutable": True,
        "data": {files_key(i, file): text for i, folder in enumerate(given) for file, text in folder.data.items()},
    }

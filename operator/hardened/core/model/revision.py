"""What a version of a service is."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hardened.api import names
from hardened.api.parse import HardenedService, parse_spec
from hardened.api.service import HardenedServiceSpec
from hardened.core.model.manifest import Manifest

#: Part of the hash: raised only if the same fields must ever mean another revision.
SCHEME = "1"
#: Which code rendered a stored template. A live Deployment keeps its stored template whatever this says.
RENDERER = "1"


@dataclass(frozen=True)
class Revision:
    """One version of a service."""

    name: str
    """12 hex digits, the hash of `fields`."""
    fields: Mapping[str, Any]
    """The revision's part of the spec as the team wrote it, by JSON name."""
    template: Manifest
    """The PodTemplateSpec, without the colour label."""
    renderer: str = RENDERER
    """Which code rendered it."""
    data: Mapping[str, Any] | None = None
    """What stores it, verbatim, since that can never be changed, also not by an operator that would store more; None for a revision that is
    not stored."""

    @property
    def image(self) -> str:
        """The application's image."""
        return str(self.fields["image"])

    @cached_property
    def spec(self) -> HardenedServiceSpec:
        """The revision's fields, typed."""
        return parse_spec(self.fields)


def object_name(svc: HardenedService, revision: str) -> str:
    """The name of a revision's ControllerRevision."""
    return names.child_name(svc.name, revision)

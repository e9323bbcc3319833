"""What the verbs print that write or take over manifests: `render`, `eject`, `state import`, `init` and others."""

from typing import Literal

from typing_extensions import TypedDict

from hardenctl.output.outcome import ResultWord
from hardenctl.output.shapes.common import AsInCluster


class Manifests(TypedDict):
    """Objects, as kubectl lists them."""

    apiVersion: Literal["v1"]
    kind: Literal["List"]
    items: list[AsInCluster]


class LeftBehind(TypedDict):
    """An object that the operator made."""

    kind: str
    name: str
    note: str
    """What becomes of it, empty for nothing."""


class Ejected(TypedDict):
    """A service that goes on without the operator; with --dry-run, one that would."""

    result: ResultWord
    namespace: str
    name: str
    left: list[LeftBehind]


class ImportedObject(TypedDict):
    """An object that was made; with --dry-run, one that would be."""

    kind: str
    namespace: str
    name: str


class NotImported(ImportedObject):
    """An object of the file that was not."""

    why: str


class Import(TypedDict):
    """What came of a file of `state export`."""

    result: Literal[ResultWord.OK, ResultWord.UNCHANGED, ResultWord.FAILED]
    made: list[ImportedObject]
    left: list[NotImported]
    """It is there already, or is nothing to import."""
    failed: list[NotImported]


class ConversionNote(TypedDict):
    """What became of a field."""

    service: str
    field: str
    """Of the source where it was changed or left out, else of the HardenedService."""
    message: str


class Conversion(TypedDict):
    """HardenedServices that were made of something else."""

    result: ResultWord
    source: Literal["Deployment", "Rollout", "Ingress", "compose"]
    services: list[AsInCluster]
    """As they are to be applied."""
    changed: list[ConversionNote]
    guessed: list[ConversionNote]
    leftOut: list[ConversionNote]

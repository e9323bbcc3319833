"""What the verbs print that ask the operator for something: `rollback`, `suspend`, `restore` and others."""

from typing import Literal

from typing_extensions import TypedDict

from hardenctl.output.outcome import ResultWord
from hardenctl.output.shapes.common import AsInCluster


class Asked(TypedDict):
    """What came of a HardenedServiceAction."""

    result: ResultWord
    namespace: str
    name: str
    verb: str
    revision: str
    action: str
    """The name of the request, empty where none was needed."""
    message: str
    hint: str
    next: str


class Done(Asked, total=False):
    """The same, with what the operator says of it once it is done."""

    outcome: AsInCluster


class Suspended(TypedDict):
    """Whether the operator leaves a service as it is."""

    result: Literal[ResultWord.SUSPENDED, ResultWord.OK, ResultWord.UNCHANGED]
    namespace: str
    name: str
    suspended: bool
    until: str | None
    """When it goes on by itself; null without an end, and where it is not suspended."""
    message: str
    next: str


class RecoveryPoint(TypedDict):
    """The moment that restored data is of."""

    snapshot: str
    at: str | None
    ageSeconds: int | None


class Restored(Done, total=False):
    """With the data that comes back, where any does."""

    recoveryPoint: RecoveryPoint
    seconds: float | None
    """How long it took; null where that was not waited for."""


class Untouched(TypedDict):
    """What a rollback leaves as it is."""

    secrets: list[str]
    configMaps: list[str]
    claims: list[str]


class RolledBack(Restored, total=False):
    """With what was not rolled back."""

    notRolledBack: Untouched | None
    """Null where nobody knows."""

"""What `deploy` prints."""

from typing import Literal

from typing_extensions import TypedDict

from hardenctl.output.outcome import ResultWord
from hardenctl.output.shapes.common import AsInCluster
from hardenctl.output.shapes.state import Summary


class Applied(Summary):
    """A service that was applied."""

    change: Literal["created", "configured", "unchanged", "applied"]
    """`applied` where what was there before may not be read."""


class Deployed(TypedDict):
    """What came of it; the worst of the services in `result`."""

    result: ResultWord
    services: list[Applied]


class Change(TypedDict):
    """An object that a release would change."""

    action: str
    kind: str
    name: str
    field: str
    manifest: AsInCluster


class Preview(TypedDict):
    """What a release of a service would change."""

    namespace: str
    name: str
    revision: str
    obstacle: str
    gaps: list[str]
    changes: list[Change]


class DryRun(TypedDict):
    """With --dry-run."""

    result: ResultWord
    services: list[Preview]

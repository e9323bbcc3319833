"""What the verbs print that judge, or are for a report: `preflight`, `check`, `report`, `version`."""

from typing import Literal

from typing_extensions import TypedDict

from hardenctl.output.outcome import ResultWord


class Judged(TypedDict):
    """A service that was checked."""

    namespace: str
    name: str
    file: str


class Finding(TypedDict):
    """A risk that was found."""

    id: str
    severity: Literal["error", "warn"]
    namespace: str
    name: str
    field: str
    file: str
    line: int | None
    column: int | None
    message: str
    fix: str
    link: str


class Skipped(TypedDict):
    """A check that was not done."""

    namespace: str
    name: str
    id: str
    reason: str


class Preflight(TypedDict):
    """Of every service that was checked."""

    result: ResultWord
    services: list[Judged]
    findings: list[Finding]
    skipped: list[Skipped]


class ReportedFile(TypedDict):
    """A file of a support bundle."""

    path: str
    """In the archive, below its folder."""
    bytes: int
    redactions: int
    """How many values were hidden in it."""


class NotReported(TypedDict):
    """What is not in a support bundle."""

    what: str
    why: str


class Report(TypedDict):
    """A support bundle that was written; `result` is warnings where something is missing."""

    result: ResultWord
    namespace: str
    name: str
    path: str
    bytes: int
    """Of the archive."""
    files: list[ReportedFile]
    """Beside manifest.json, which also names the places where something was hidden."""
    missing: list[NotReported]


class ClusterCheck(TypedDict):
    """A line of `check`."""

    name: str
    result: Literal["ok", "warning", "failed"]
    message: str
    hint: str


class Check(TypedDict):
    """Of the cluster."""

    result: ResultWord
    checks: list[ClusterCheck]


class ClientVersion(TypedDict):
    """Of this program."""

    result: ResultWord
    client: str


class Version(ClientVersion, total=False):
    """Of all; with --client, and where the cluster does not answer, of this program alone."""

    operator: str
    crd: str
    cluster: str

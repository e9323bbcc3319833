"""What `backup list` prints."""

from typing_extensions import TypedDict

from hardenctl.output.outcome import ResultWord
from hardenctl.output.shapes.common import AsInCluster


class Backup(TypedDict):
    """One of spec.backups."""

    name: str
    source: str
    schedule: str | None
    timeZone: str
    suspended: bool
    lastSuccess: AsInCluster | None
    lastFailure: AsInCluster | None
    running: AsInCluster | None
    nextAt: str | None
    ageSeconds: int | None
    maxAgeSeconds: int | None
    recoveryPointSeconds: int | None
    lastVerification: AsInCluster | None
    verificationAgeSeconds: int | None
    maxVerificationAgeSeconds: int | None
    good: bool
    verified: bool


class Backups(TypedDict):
    """In the order of the spec."""

    result: ResultWord
    namespace: str
    name: str
    backups: list[Backup]
    next: str

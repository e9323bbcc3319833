"""All checks, by their ids, and what asks them."""

from collections.abc import Iterator

from hardened.api.parse import HardenedService
from hardened.core.hardening.availability import AVAILABILITY
from hardened.core.hardening.backups import BACKUPS
from hardened.core.hardening.check import Finding, HardeningCheck, Subject
from hardened.core.hardening.cluster import REFERENCES
from hardened.core.hardening.gaps import GAPS
from hardened.core.hardening.installation import INSTALLATION
from hardened.core.hardening.pods import PODS
from hardened.core.hardening.releases import RELEASES
from hardened.core.hardening.room import ROOM
from hardened.core.hardening.security import SECURITY

#: In the order of their ids, by what they are about.
GROUPS: dict[str, tuple[HardeningCheck, ...]] = {
    "What the condition `Hardened` tells of": GAPS,
    "Pods": PODS,
    "Secrets, networks and rights": SECURITY,
    "Availability": AVAILABILITY,
    "Releases": RELEASES,
    "Data": BACKUPS,
    "What it refers to in the cluster": REFERENCES,
    "Room in the cluster": ROOM,
    "What the cluster has installed": INSTALLATION,
}
CHECKS: tuple[HardeningCheck, ...] = tuple(each for group in GROUPS.values() for each in group)


def findings(subject: Subject) -> Iterator[Finding]:
    """Everything that is found, in the order of the checks. Those that ask about the cluster find nothing where nobody has looked at it."""
    for each in CHECKS:
        yield from (Finding(each, gap) for gap in each.look(subject))


def gaps(svc: HardenedService) -> list[str]:
    """What the condition `Hardened` tells: one sentence for each of its checks that does not pass, each with its remedy."""
    asked = (each for each in CHECKS if each.in_condition)
    found = ((each, next(each.look(Subject(svc)), None)) for each in asked)
    return [str(Finding(each, gap)) for each, gap in found if gap]

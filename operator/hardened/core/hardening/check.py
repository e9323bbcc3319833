"""What a check is: a pure function with an id, and with what people are told of it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from hardened.api.parse import HardenedService
from hardened.core.hardening.surroundings import Surroundings

#: error: a release fails or waits for ever, data is lost, or a secret is in the open. warn: it runs, and less safely than it could.
Severity = Literal["error", "warn"]


@dataclass(frozen=True)
class Subject:
    """A service, and what is known of what is around it."""

    svc: HardenedService
    """As it was parsed."""
    others: Mapping[str, HardenedService] = field(default_factory=lambda: MappingProxyType({}))
    """The other services of its namespace, by name, as far as they are known."""
    cluster: Surroundings | None = None
    """What the cluster has; None where nobody has looked."""


@dataclass(frozen=True)
class Gap:
    """One place where a check does not pass."""

    path: str
    """The field, as kubectl prints it."""
    message: str
    """What is wrong. It never holds the value of a variable, a file or an argument."""
    fix: str = ""
    """What to do about it, as a clause; "" for the fix of the check."""


Look = Callable[[Subject], Iterator[Gap]]


@dataclass(frozen=True)
class HardeningCheck:
    """One check."""

    id: str
    """HS and three digits. It is never given to another check."""
    severity: Severity
    """How bad it is where it does not pass."""
    title: str
    """One sentence: what holds where it passes."""
    cause: str
    """Why that matters."""
    fix: str
    """What to do where it does not pass, as a clause."""
    example: str
    """YAML of a service, or of what it needs, that passes it."""
    look: Look
    """Gives each place where it does not pass."""
    in_condition: bool
    """Its gap is told by the condition `Hardened`."""
    needs: tuple[str, ...]
    """What of the Surroundings has to be known; () for a check that needs no cluster."""

    @property
    def is_live(self) -> bool:
        """Whether it asks about the cluster."""
        return bool(self.needs)


@dataclass(frozen=True)
class Finding:
    """A gap, and the check that found it."""

    check: HardeningCheck
    """Which one."""
    gap: Gap
    """What it found."""

    @property
    def fix(self) -> str:
        """What to do about it, as a clause."""
        return self.gap.fix or self.check.fix

    def __str__(self) -> str:
        return f"{self.gap.message} ({self.fix})"


def check(
    identity: str, severity: Severity, title: str, *, cause: str, fix: str, example: str, in_condition: bool = False
) -> Callable[[Look], HardeningCheck]:
    """Makes a check of a function that looks at the fields of services alone. in_condition: see HardeningCheck."""
    return lambda look: HardeningCheck(identity, severity, title, cause, fix, example, look, in_condition=in_condition, needs=())


def gap_check(identity: str, title: str, *, cause: str, fix: str, example: str) -> Callable[[Look], HardeningCheck]:
    """The same, for a check that the condition `Hardened` tells of."""
    return lambda look: HardeningCheck(identity, "warn", title, cause, fix, example, look, in_condition=True, needs=())


def live_check(
    identity: str, severity: Severity, title: str, *, needs: tuple[str, ...], cause: str, fix: str, example: str
) -> Callable[[Callable[[HardenedService, Surroundings], Iterator[Gap]]], HardeningCheck]:
    """Makes a check of a function that looks at what is around a service. needs: the fields of Surroundings that it reads.

    It is not asked where one of those is not known.
    """

    def made(look: Callable[[HardenedService, Surroundings], Iterator[Gap]]) -> HardeningCheck:
        def looks(subject: Subject) -> Iterator[Gap]:
            if subject.cluster and not subject.cluster.unknown(needs):
                yield from look(subject.svc, subject.cluster)

        return HardeningCheck(identity, severity, title, cause, fix, example, looks, in_condition=False, needs=needs)

    return made

"""What traffic can be led to, and what is there: targets, the two stacks, and the active Service."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

COLORS = ("blue", "green")


def other(color: str) -> str:
    """The other colour."""
    return COLORS[1 - COLORS.index(color)]


@dataclass(frozen=True)
class Target:
    """A revision in a colour: what a selector leads to."""

    color: str
    revision: str


@dataclass(frozen=True)
class Stack:
    """One colour as it is, or as it should be: then of `revision` and `wanted` alone.

    Its controller may not have seen the last change yet; `counted` and `come` say what it counted last all the same.
    """

    revision: str
    """The revision of its template."""
    wanted: int = 0
    """How many pods are asked for."""
    available: int = 0
    """How many pods of its revision are available."""
    is_settled: bool = True
    """No pod of another revision is left in it."""
    counted: int = 0
    """How many pods are available, of whatever revision."""
    come: int = 0
    """How many pods of this revision are available, at least."""
    pods: int = 0
    """How many pods there are, or are to be, before another template may be written; 0 for none, and where nobody knows what they run."""

    @property
    def ready(self) -> int:
        """How many pods take requests, where traffic leads to this revision."""
        return max(self.available, self.counted)


NO_STACK = Stack("")


@dataclass(frozen=True)
class Traffic:
    """The active Service, which clients use, as it is."""

    active_target: Target | None = None
    """Where its selector leads; None where that matches nobody, as before the first promotion."""
    is_strange: bool = False
    """Its selector is none that this operator writes."""
    ready: int = 0
    """Ready endpoints of the active target."""
    has_followed: bool = False
    """No endpoint is left of any other revision."""
    has_endpoints: bool = False
    """Some endpoint takes connections, whoever it is."""
    is_told: bool = True
    """There is an EndpointSlice of it. There always is one, also without endpoints, unless somebody took its labels."""
    fencing_token: str | None = None
    """The last token that it was marked with, see ReleaseState.recall_token; None where no Service is there."""


@dataclass(frozen=True)
class DesiredState:
    """What a step asks for: the revision and the size of each colour, and where traffic goes."""

    stacks: Mapping[str, Stack] = field(default_factory=lambda: MappingProxyType({}))
    """By colour. A colour that is not in it is to have no pods."""
    active_target: Target | None = None
    """Where clients are led."""
    preview_target: Target | None = None
    """Where the preview Service leads."""

"""Which calls a fault is for. Pure; the counting is done by whoever owns the run (see armed.py)."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from e2e.faults.calls import Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """The n-th of the calls that fit. None fits anything; `group=""` is the core group.

    name: a shell pattern. Calls written by the clock (leases, events) do not count, so that time does not shift the n-th call,
    unless `resource` names them or `background` lets everything in (for a partition, say).
    Examples: Where(nth=5), the fifth call; Where(is_write=True, nth=3), the third write;
    Where(verb="apply", resource="deployments", name="shop-*"), the first apply of such a Deployment.
    """

    verb: str | None = None
    group: str | None = None
    resource: str | None = None
    subresource: str | None = None
    namespace: str | None = None
    name: str | None = None
    is_write: bool | None = None
    background: bool = False
    nth: int = 1

    def __post_init__(self) -> None:
        if self.nth < 1:
            raise ValueError(f"nth counts from 1, not {self.nth}")

    def fits(self, operation: Operation) -> bool:
        """Whether the operation is of this sort, whatever its turn."""
        if operation.is_background and not self.background and self.resource is None:
            return False
        asked = (
            (self.verb, operation.verb),
            (self.group, operation.group),
            (self.resource, operation.resource),
            (self.subresource, operation.subresource),
            (self.namespace, operation.namespace),
            (self.is_write, operation.is_write),
        )
        return all(wanted is None or wanted == actual for wanted, actual in asked) and (
            self.name is None or fnmatchcase(operation.name, self.name)
        )

    def __str__(self) -> str:
        kind = "/".join(part for part in (self.group, self.resource, self.subresource) if part)
        verb = self.verb or ("write" if self.is_write else "call")
        return " ".join(part for part in (verb, kind, self.namespace, self.name, f"#{self.nth}") if part)

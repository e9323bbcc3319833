"""Who leads: the decisions of Lease election, without clock and calls.

    what is seen                                                    what to do
    no Lease                                                        Create
    ours (holderIdentity is our identity)                           Renew
    released (holderIdentity "")                                    Take
    another's, unchanged for its leaseDurationSeconds on our clock  Take
    another's, changed since                                        Wait

Times of day in the Lease are for people to read; no decision compares them. What counts is for how long the record has stayed the same on
our own monotonic clock (as in client-go's tools/leaderelection).
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, TypeAlias

from hardened.shell.api_server import Body
from hardened.shell.kinds import LEASE

#: leaseDurationSeconds of a released Lease, as client-go writes it: an observer that misses the empty holder waits no longer than that.
RELEASED_SECONDS: Final = 1


@dataclass(frozen=True)
class Create:
    pass


@dataclass(frozen=True)
class Renew:
    pass


@dataclass(frozen=True)
class Take:
    pass


@dataclass(frozen=True)
class Wait:
    pass


Move: TypeAlias = Create | Renew | Take | Wait


@dataclass(frozen=True, kw_only=True)
class LeaderState:
    """What one candidate knows. Times in seconds on its own monotonic clock."""

    identity: str
    lease_duration: float = 15
    renew_deadline: float = 10
    lease: Body | None = None
    """The Lease as last read or written; None when there was none."""
    observed_at: float = 0
    """When its record was first seen as it is."""
    renewed_at: float | None = None
    """When the last write that made or kept us the leader was *sent*; None when we do not lead. Others see the record later than that, so
    with renew_deadline < lease_duration we stop before they can begin."""

    def leads(self, now: float) -> bool:
        """Whether we may write at `now`: the Lease was renewed less than renew_deadline ago."""
        return self.renewed_at is not None and now - self.renewed_at < self.renew_deadline

    def deadline(self) -> float | None:
        """When leadership ends unless it is renewed."""
        return None if self.renewed_at is None else self.renewed_at + self.renew_deadline

    def observed(self, lease: Body | None, now: float) -> "LeaderState":
        """The Lease was read. Finding another's name in it ends our leadership."""
        at = self.observed_at if self.lease is not None and lease is not None and _record(lease) == _record(self.lease) else now
        renewed_at = self.renewed_at if lease is None or _holder(lease) == self.identity else None
        return replace(self, lease=lease, observed_at=at, renewed_at=renewed_at)

    def renewed(self, lease: Body, sent_at: float, now: float) -> "LeaderState":
        """Our create or update was taken."""
        return replace(self, lease=lease, observed_at=now, renewed_at=sent_at)

    def resigned(self) -> "LeaderState":
        return replace(self, renewed_at=None)

    def next_move(self, now: float) -> Move:
        """Examples: in the table on top of this module."""
        if self.lease is None:
            return Create()
        holder = _holder(self.lease)
        if holder == self.identity:
            return Renew()
        if not holder or now - self.observed_at >= _seconds(self.lease):
            return Take()
        return Wait()

    def to_write(self, move: Create | Renew | Take, namespace: str, name: str, today: datetime) -> Body:
        """The Lease to create or to put. It carries the resourceVersion that was read: the server takes it from one candidate only."""
        stamp = _stamp(today)
        spec = {"holderIdentity": self.identity, "leaseDurationSeconds": round(self.lease_duration), "renewTime": stamp}
        if isinstance(move, Create) or self.lease is None:
            spec |= {"acquireTime": stamp, "leaseTransitions": 0}
            return {"apiVersion": LEASE.api_version, "kind": LEASE.name, "metadata": {"namespace": namespace, "name": name}, "spec": spec}
        if isinstance(move, Take):
            spec |= {"acquireTime": stamp, "leaseTransitions": int(_record(self.lease).get("leaseTransitions") or 0) + 1}
        return self.lease | {"spec": _record(self.lease) | spec}

    def to_release(self, today: datetime) -> Body | None:
        """The Lease to put so that another can take it at once; None when it is not ours."""
        if self.lease is None or _holder(self.lease) != self.identity:
            return None
        spec = {"holderIdentity": "", "leaseDurationSeconds": RELEASED_SECONDS, "renewTime": _stamp(today)}
        return self.lease | {"spec": _record(self.lease) | spec}


def _stamp(today: datetime) -> str:
    """The MicroTime of a Lease; `today` in UTC."""
    return today.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _record(lease: Body) -> Any:
    return lease.get("spec") or {}


def _holder(lease: Body) -> str:
    return str(_record(lease).get("holderIdentity") or "")


def _seconds(lease: Body) -> float:
    """How long the holder may stay silent, by the record; at least 1 s, so that a Lease made by hand is not fought over."""
    return max(1.0, float(_record(lease).get("leaseDurationSeconds") or 0))

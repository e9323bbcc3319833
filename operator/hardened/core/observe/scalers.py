"""Which of the two autoscalers a service is to have now: a HorizontalPodAutoscaler of ours, or a ScaledObject, of which KEDA makes one.

Never both. The one that is to go is deleted, and seen gone, before the other is made: a deletion alone tells little, since KEDA holds its
ScaledObjects by a finalizer, and the HorizontalPodAutoscaler that KEDA made goes after that. Between the two the size stays.

A cluster may lack ScaledObjects, so they are not watched: one is read by name where status says that there may be one, which it does
before it is made, until nothing of it is left. The HorizontalPodAutoscaler that KEDA makes has our labels, and so is among what is watched.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from hardened.api.autoscale import Autoscale
from hardened.api.status import ScalingReason
from hardened.core.desired.autoscaler import KIND as AUTOSCALER
from hardened.core.desired.autoscaler import autoscaler
from hardened.core.desired.scaled_object import KIND as SCALED_OBJECT
from hardened.core.desired.scaled_object import hpa_name, scaled_object
from hardened.core.model.manifest import ChildKey, Manifest
from hardened.core.observe.facts import Facts
from hardened.core.observe.observed import Ownership, owner_of

#: What of a ScaledObject is not seen by way of its HorizontalPodAutoscaler is looked at this often: nobody tells of it.
LOOK_AGAIN = timedelta(minutes=1)
#: Whether KEDA was installed meanwhile.
UNKNOWN_WAIT = timedelta(minutes=5)
#: Whether what is to go has gone.
GONE_WAIT = timedelta(seconds=2)
_OURS, _BOTH = (AUTOSCALER,), (AUTOSCALER, SCALED_OBJECT)


@dataclass(frozen=True)
class Scalers:
    """What scales a service, and what is to."""

    wanted: Manifest | None = None
    """What should be there now; None also while the other one is to go first."""
    goes: tuple[str, ...] = ()
    """The kinds that go where they are not wanted."""
    unread: frozenset[ChildKey] = frozenset()
    """What has to be read by name before any of the rest counts."""
    is_by_keda: bool = False
    """There is a ScaledObject, or is to be one, or something of it may be left. Status says so before one is made."""
    is_news: bool = False
    """Status does not say so yet, and has to."""
    scaled_object: Manifest | None = None
    """The one that is there."""
    made: Manifest | None = None
    """The HorizontalPodAutoscaler that KEDA has made, as far as it is known."""
    lacks: tuple[ScalingReason, str] | None = None
    """Why `prometheus` has no effect, and what to do."""
    waits_for: str = ""
    """What has to go first."""
    look_at: datetime | None = None
    """When more may be known."""


def scalers_of(facts: Facts, server: str, now: datetime) -> Scalers:
    """server: the address of Prometheus in the operator's settings, "" for none."""
    return _Choice(facts, server, now).made()


class _Choice:
    """One decision. Holds what every part of it reads."""

    def __init__(self, facts: Facts, server: str, now: datetime) -> None:
        self._facts, self._svc, self._seen, self._now, self._server = facts, facts.svc, facts.observed, now, server
        self._key = ChildKey(SCALED_OBJECT, self._svc.name)
        self._object = self._seen.children.get(self._key)
        self._hpa = self._made_by_keda()
        self._is_told = told_by_keda(facts.before)
        self._may_be_there = self._is_told or self._hpa is not None

    def made(self) -> Scalers:
        scale = self._svc.spec.autoscale
        asks = scale is not None and scale.prometheus is not None
        if "autoscale" in self._svc.lacks:
            # Nobody knows what it asks for: nothing is made or deleted.
            return Scalers(is_by_keda=self._is_told)
        if not self._may_be_there and not (asks and self._server):
            return Scalers(autoscaler(self._svc), _OURS, lacks=self._lacks(scale))
        if self._is_unread(self._key):
            return Scalers(unread=frozenset({self._key}), is_by_keda=self._is_told)
        return self._by_keda() if asks and not self._lacks(scale) else self._by_ours(scale)

    def _by_keda(self) -> Scalers:
        """A ScaledObject, once nothing of ours scales."""
        found = Scalers(is_by_keda=True, scaled_object=self._object, made=self._hpa, look_at=self._now + LOOK_AGAIN)
        ours = ChildKey(AUTOSCALER, self._svc.name)
        if not self._is_told:
            # What is there stays until then.
            return replace(found, wanted=autoscaler(self._svc) if self._is_ours(ours) else None, is_news=True)
        if self._object is not None:
            return replace(found, wanted=scaled_object(self._svc, self._server), goes=_OURS)
        if self._is_unread(ours):
            return replace(found, unread=frozenset({ours}))
        if self._is_ours(ours) or ours in self._seen.hidden:
            return replace(found, goes=_OURS, waits_for=str(ours), look_at=self._now + GONE_WAIT)
        return replace(found, wanted=scaled_object(self._svc, self._server), goes=_OURS)

    def _by_ours(self, scale: Autoscale | None) -> Scalers:
        """A HorizontalPodAutoscaler, or nothing, once nothing of KEDA's scales."""
        lacks, made_by_keda = self._lacks(scale), ChildKey(AUTOSCALER, hpa_name(self._svc))
        left = Scalers(None, _BOTH, is_by_keda=True, scaled_object=self._object, made=self._hpa, lacks=lacks, look_at=self._now + GONE_WAIT)
        if self._is_ours(self._key):
            return replace(left, waits_for=str(self._key))
        if self._may_be_there and self._key in self._seen.hidden:
            return replace(left, waits_for=str(self._key), look_at=self._now + LOOK_AGAIN)
        if self._hpa is not None:
            return replace(left, waits_for=f"{AUTOSCALER} {self._hpa['metadata']['name']}")
        if self._is_told and self._is_unread(made_by_keda):
            return replace(left, unread=frozenset({made_by_keda}))
        return Scalers(autoscaler(self._svc), _BOTH, lacks=lacks, look_at=self._now + UNKNOWN_WAIT if lacks else None)

    def _lacks(self, scale: Autoscale | None) -> tuple[ScalingReason, str] | None:
        if scale is None or scale.prometheus is None:
            return None
        instead = "until then only cpu and memory count" if scale.cpu or scale.memory else "until then nothing scales"
        if not self._server:
            return "NoPrometheus", f"the operator's settings name no Prometheus: set prometheus.url of its chart; {instead}"
        if SCALED_OBJECT in self._seen.unknown_kinds:
            return "NoKEDA", f"autoscale.prometheus needs KEDA, which is not installed in this cluster: install it; {instead}"
        if self._key in self._seen.hidden:
            return "NoKEDA", f"the operator may not read ScaledObjects of KEDA's: install its chart of this version; {instead}"
        return None

    def _is_unread(self, key: ChildKey) -> bool:
        return key not in self._seen.children and key not in self._seen.gone and key not in self._seen.hidden

    def _is_ours(self, key: ChildKey) -> bool:
        """Whether it is there, and the service's, or that of one of its name which was deleted."""
        live = self._seen.children.get(key)
        return live is not None and owner_of(live, self._svc.name, self._svc.uid) is not Ownership.FOREIGN

    def _made_by_keda(self) -> Manifest | None:
        """Of a ScaledObject of the service's name."""
        for key, live in self._seen.children.items():
            owners = [(each.get("kind"), each.get("name")) for each in live["metadata"].get("ownerReferences") or ()]
            if key.kind == AUTOSCALER and (SCALED_OBJECT, self._svc.name) in owners:
                return live
        return None


def told_by_keda(before: Mapping[str, Any]) -> bool:
    """Whether status says that there may be a ScaledObject."""
    return (before.get("autoscale") or {}).get("kind") == SCALED_OBJECT

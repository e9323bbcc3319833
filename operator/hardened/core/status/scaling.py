"""What status tells of the autoscaler of a service."""

from dataclasses import replace
from datetime import datetime

from hardened.core.needs import headroom
from hardened.core.observe.autoscaling import Scaling, scaling_of
from hardened.core.observe.facts import Facts
from hardened.core.observe.scalers import Scalers
from hardened.core.release.decision import Decision


def told_of_scaling(facts: Facts, scalers: Scalers, decision: Decision, now: datetime) -> Scaling | None:
    """How it does, and what there is no room for; None without one."""
    found = scaling_of(facts, scalers, decision.replicas, now)
    quota = headroom.lacks(facts, decision.serving)
    if found is None or not quota:
        return found
    again = now + headroom.LOOK_AGAIN
    return replace(found, quota=quota, look_at=min(found.look_at, again) if found.look_at else again)

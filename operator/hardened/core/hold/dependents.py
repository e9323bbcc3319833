"""Who is stopped beside a service whose data is restored: the services of its namespace that depend on it, each in a hold of its own."""

from collections.abc import Mapping
from typing import Any

from hardened.core.model.hold import Hold, HoldPhase, hold_of
from hardened.core.model.manifest import Manifest
from hardened.core.needs.dependencies import named_services
from hardened.core.observe.facts import Facts
from hardened.core.observe.presence import is_deleting


def needed_services(body: Mapping[str, Any]) -> frozenset[str]:
    """The names of the services that a HardenedService depends on, and of the one whose restore stops it."""
    hold = hold_of(body.get("status") or {})
    return named_services(body) | ({hold.service} if hold and hold.service else set())


def leader(facts: Facts) -> tuple[str, Hold] | None:
    """The first service that it depends on whose restore stops those that do, with the hold of that; None where there is none."""
    for each in facts.svc.spec.depends_on or ():
        live = facts.observed.services.get(each.service or "")
        hold = hold_of(_status(live)) if live and not is_deleting(live) else None
        if hold and hold.stops == "Dependents" and not hold.service:
            return str(each.service), hold
    return None


def still_led(facts: Facts, hold: Hold) -> tuple[str, Hold] | None:
    """The service whose restore a hold belongs to, with the hold of that; None once that is over.

    It is asked by its name, whatever the spec says by now of what the service depends on. Where its status was wiped, nobody knows yet.
    """
    live = facts.observed.services.get(hold.service)
    if live is None or is_deleting(live):
        return None
    status = _status(live)
    theirs = hold_of(status)
    if theirs and not theirs.service and theirs.stops == "Dependents":
        return hold.service, theirs
    return None if status.get("conditions") else (hold.service, hold)


def late_dependents(facts: Facts, hold: Hold) -> str:
    """Which of those that depend on the service have pods, as far as their status tells; "" once none of them has."""
    late = sorted(filter(None, (_late(live, hold) for live in facts.observed.dependents if not is_deleting(live))))
    return f"waits for {'; '.join(late)}" if late else ""


def busy_dependents(facts: Facts) -> list[str]:
    """The names of those that are being released: they could not be stopped now."""
    found = [live["metadata"]["name"] for live in facts.observed.dependents if _is_released(_status(live))]
    return sorted(map(str, found))


def _late(live: Manifest, hold: Hold) -> str:
    name, theirs = str(live["metadata"]["name"]), hold_of(_status(live))
    if theirs and theirs.uid == hold.uid:
        return "" if theirs.phase is HoldPhase.RESTORING else f"service {name}: {theirs.message}"
    if (live.get("spec") or {}).get("suspend") or _status(live).get("phase") == "Suspended":
        return f"service {name}, which is suspended: its pods stay until it is not"
    if theirs and theirs.service:
        return f"service {name}: {theirs.message}"  # who holds it has the remedy
    if theirs:
        return f"service {name}, whose own restore has {'failed: repeat it, or abort it' if theirs.has_failed else 'not ended'}"
    return f"service {name}, which is being released" if _is_released(_status(live)) else f"service {name}, which has not stopped yet"


def _is_released(status: Mapping[str, Any]) -> bool:
    return str((status.get("release") or {}).get("step", "Keep")) != "Keep"


def _status(live: Mapping[str, Any]) -> Mapping[str, Any]:
    return live.get("status") or {}

"""The end of a rollback with data: the data is back, and only the target may have pods, until it serves.

While the pods are being stopped, the target's Deployment is written already, without pods. So there is one of each colour, which was
changed for this hold: nothing that was decided before can make pods of another revision. Once the data is back, the pods of the target
alone may run, see core.hold.children, and the release machine does the rest, as in any rollback: it leads clients to the target, promotes
it, and rejects what was left. Nothing else is released meanwhile. The hold is over with the rollback, in the same write of status.
"""

from dataclasses import replace
from datetime import datetime

from hardened.core.actions.log import LogEntry
from hardened.core.actions.restores import replacing
from hardened.core.model.hold import Hold, HoldPhase
from hardened.core.model.target import DesiredState, Stack, other
from hardened.core.observe.facts import Facts


def starting(before: Hold, entry: LogEntry, now: datetime) -> Hold:
    """The hold of a rollback whose data is back."""
    since = before.since if before.phase is HoldPhase.STARTING else now
    return replace(before, phase=HoldPhase.STARTING, since=since, message=entry.message)


def is_starting(facts: Facts, entries: tuple[LogEntry, ...]) -> bool:
    """Whether the target is to come up now, as status says, and nothing else is to be released. entries: as this look has them so far."""
    entry, hold = replacing(entries), facts.hold
    return hold is not None and hold.phase is HoldPhase.STARTING and entry is not None and entry.uid == hold.uid


def with_target(facts: Facts, wanted: DesiredState) -> DesiredState:
    """What should be, with the target's stack, which has no pods before its data is back."""
    hold, color = facts.hold, _idle_color(facts, facts.hold)
    if hold is None or not color or hold.phase is HoldPhase.STARTING:
        return wanted
    return replace(wanted, stacks={**wanted.stacks, color: Stack(hold.revision)})


def lacks_target(facts: Facts, hold: Hold) -> bool:
    """Whether the target's Deployment is not there yet."""
    color = _idle_color(facts, hold)
    return color != "" and color not in facts.deployments


def _idle_color(facts: Facts, hold: Hold | None) -> str:
    """Where the target comes up beside what served; "" where it takes its place in the same Deployment, and for a restore."""
    stable = facts.stable.target if facts.stable else None
    if hold is None or stable is None or hold.revision in ("", stable.revision) or facts.svc.spec.effective_strategy == "RollingUpdate":
        return ""
    color = other(stable.color)
    return color if facts.revision(hold.revision, color) else ""

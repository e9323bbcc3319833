"""Which changes of status are worth an Event."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from hardened.shell.recorder import EventType

#: A condition's type -> whether its being true is bad news.
_TOLD = {"Ready": False, "Stalled": True, "Drifted": True}


class Announcement(NamedTuple):
    """One Event: its type, reason and message."""

    type: EventType
    reason: str
    message: str


def announcements(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Announcement]:
    """An Event for each told condition whose status or reason changed. A repeated look at an unchanged world announces nothing."""
    known = {c["type"]: (c["status"], c["reason"]) for c in before.get("conditions") or ()}
    found = []
    for condition in after.get("conditions") or ():
        kind, state = condition["type"], (condition["status"], condition["reason"])
        if kind not in _TOLD or known.get(kind) == state or (kind not in known and condition["status"] == "False"):
            continue
        is_true = condition["status"] == "True"
        if not is_true and _TOLD[kind]:
            continue  # that something bad has ended is told by Ready
        is_warning = is_true if _TOLD[kind] else not is_true and condition["reason"] != "RollingOut"
        found.append(Announcement("Warning" if is_warning else "Normal", condition["reason"], condition["message"]))
    return list(dict.fromkeys(found))

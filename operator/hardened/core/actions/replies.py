"""What is written on the actions themselves: their status, their owner, and their end."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hardened.api import names
from hardened.api.duration import duration
from hardened.api.parse_action import parse_action
from hardened.api.text import plain
from hardened.core.actions.log import FINAL, LIMIT, LogEntry
from hardened.core.model.conditions import timestamp
from hardened.core.model.manifest import Manifest, without_none
from hardened.core.observe.rollout import instant
from hardened.errors import InvalidSpec

#: An action whose service is not there is refused after this long: both may be made at the same moment.
ORPHAN_PATIENCE = timedelta(minutes=5)
_DEFAULT_TTL = timedelta(hours=24)
#: How many actions of one service may wait to be judged: as many as can be remembered.
MOST_WAITING = LIMIT
#: How many more are told so; those beyond are deleted, since whoever makes so many reads no answers.
MOST_TOLD = 100
#: How many are answered in one look.
MOST_ANSWERS = 100
_CROWDED = f"{MOST_WAITING} actions of this service are already waiting: create it again once they are answered, or delete some of them"
_URGENT = ("Rollback", "Abort")


@dataclass(frozen=True)
class ActionReply:
    """What to write on one action."""

    name: str
    uid: str
    """Of the action as it was seen."""
    resource_version: str
    owner: Manifest | None = None
    """The reference that it lacks, None if it has it."""
    status: Manifest | None = None
    """None to leave it."""
    is_over: bool = False
    """It is to be deleted, and nothing else."""


def answers(
    bodies: Iterable[Mapping[str, Any]], entries: Sequence[LogEntry], owner: Manifest | None, now: datetime
) -> tuple[tuple[ActionReply, ...], datetime | None]:
    """What is to be written on these actions of one service, and when to look again.

    entries: as status.actions has them, for an action never says what the service's status does not; owner: a reference to the service,
    None where there is no such service. A status that says how the action ended is never written again.
    """
    found: list[ActionReply] = []
    later: list[datetime | None] = []
    mine = [body for body in bodies if concerns(body, owner)]
    crowd = {body["metadata"]["name"] for body in crowded(mine, entries)}
    told = sum((body.get("status") or {}).get("message") == _CROWDED for body in mine)
    for body in mine:
        if len(found) == MOST_ANSWERS:
            later.append(now)
            break
        goes_at = _goes_at(body)
        meta = body["metadata"]
        if meta["name"] in crowd and told < MOST_TOLD:
            told += 1
            found.append(ActionReply(meta["name"], meta["uid"], meta["resourceVersion"], status=_refused(_CROWDED, now)))
            continue
        if meta["name"] in crowd or (goes_at and goes_at <= now):
            found.append(ActionReply(meta["name"], meta["uid"], meta["resourceVersion"], is_over=True))
            continue
        status = plain(_status(body, entries, now) if owner else _orphaned(body, now))
        # Our own write is heard of by nobody: when what ends with it goes is known now.
        later.append(_goes_at({**body, "status": status} if status else body) or (None if owner else _refused_at(body)))
        missing = owner if owner and all(r.get("uid") != owner["uid"] for r in meta.get("ownerReferences") or ()) else None
        status = status if status != body.get("status") else None
        if status or (missing and not _is_unanswered(body)):
            found.append(ActionReply(meta["name"], meta["uid"], meta["resourceVersion"], missing, status))
    return tuple(found), min((at for at in later if at), default=None)


def crowded(bodies: Iterable[Mapping[str, Any]], entries: Iterable[LogEntry]) -> list[Mapping[str, Any]]:
    """Those of a service's actions that wait beyond MOST_WAITING: the youngest of those that are no more urgent than the others.

    They are never judged: else one that nobody answers would cost a little more at each look than the one before.
    """
    known = {entry.name for entry in entries}
    waiting = [body for body in bodies if _is_unanswered(body) and body["metadata"]["name"] not in known]
    return sorted(waiting, key=_turn)[MOST_WAITING:]


def _turn(body: Mapping[str, Any]) -> tuple[bool, str, str]:
    meta = body["metadata"]
    return ((body.get("spec") or {}).get("action") not in _URGENT, str(meta.get("creationTimestamp", "")), str(meta["name"]))


def concerns(body: Mapping[str, Any], owner: Manifest | None) -> bool:
    """Whether an action is to be looked at: not one that is being deleted, nor one of a service that had the same name before."""
    refs = [r for r in body["metadata"].get("ownerReferences") or () if r.get("kind") == names.KIND]
    is_of_another = owner is not None and refs and all(r.get("uid") != owner["uid"] for r in refs)
    return not is_of_another and not body["metadata"].get("deletionTimestamp")


def _is_unanswered(body: Mapping[str, Any]) -> bool:
    return not (body.get("status") or {}).get("phase")


def _status(body: Mapping[str, Any], entries: Sequence[LogEntry], now: datetime) -> Manifest | None:
    if (body.get("status") or {}).get("phase") in FINAL:
        return None
    meta = body["metadata"]
    entry = next((e for e in entries if e.name == meta["name"]), None)
    if entry is None:
        try:
            parse_action(body)
        except InvalidSpec as error:
            return _refused(str(error)[:4096], now)
        return None
    if entry.uid != meta["uid"]:
        return _refused("an action of this name existed before, and no action runs twice: use another name", now)
    result = without_none(
        revision=entry.revision or None,
        left=entry.left or None,
        backup=entry.backup or None,
        snapshot=entry.snapshot or None,
        into=entry.into or None,
        recoveryPoint=entry.recovery_point or None,
        before=entry.before or None,
    )
    return without_none(
        phase=entry.phase,
        message=entry.message,
        startedAt=timestamp(entry.started_at),
        finishedAt=timestamp(entry.finished_at) if entry.finished_at else None,
        result=result if result and entry.phase == "Succeeded" else None,
    )


def _orphaned(body: Mapping[str, Any], now: datetime) -> Manifest | None:
    refused_at = _refused_at(body)
    if (body.get("status") or {}).get("phase") in FINAL or refused_at is None or now < refused_at:
        return None
    return _refused(f"there is no HardenedService {body['spec'].get('service')} in this namespace", now)


def _refused_at(body: Mapping[str, Any]) -> datetime | None:
    """When an action of a service that is not there is refused."""
    created = instant(body["metadata"].get("creationTimestamp"))
    return created + ORPHAN_PATIENCE if created else None


def _refused(message: str, now: datetime) -> Manifest:
    return {"phase": "Refused", "message": message, "startedAt": timestamp(now), "finishedAt": timestamp(now)}


def _goes_at(body: Mapping[str, Any]) -> datetime | None:
    """When an action that is over is removed."""
    status = body.get("status") or {}
    if status.get("phase") not in FINAL:
        return None
    try:
        finished_at = instant(status.get("finishedAt"))
        ttl = (body.get("spec") or {}).get("ttl")
        return finished_at + (duration(ttl) if ttl else _DEFAULT_TTL) if finished_at else None
    except (ValueError, TypeError):
        return None

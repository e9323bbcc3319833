"""status.release and status.stable: how they are written down, and read again.

Status is not to be trusted: whoever may write it can write anything. What cannot be read counts as no record: stable serves, and the
release begins anew.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, get_args

from hardened.api.duration import duration, duration_text
from hardened.api.steps import Step
from hardened.api.strategy import Strategy
from hardened.core.model.manifest import Manifest, without_none
from hardened.core.model.proof import Counts, Proof
from hardened.core.model.reasons import Reason
from hardened.core.model.state import CheckOutcome, Migration, Rejection, ReleaseBackup, ReleaseState
from hardened.core.model.target import COLORS, Target

_TIMES = {
    "startedAt": "started_at",
    "enteredAt": "entered_at",
    "deadline": "deadline",
    "cutoverAt": "cutover_at",
    "windowEndsAt": "window_ends_at",
    "keepUntil": "keep_until",
    "recalledAt": "recalled_at",
    "confirmedAt": "confirmed_at",
    "pausedAt": "paused_at",
}
_LINE_LIMIT = 512


def written(state: ReleaseState) -> Manifest:
    """The state as status.release. Times carry microseconds: a window of a second is not to become none."""
    times = {name: stamp(getattr(state, field)) for name, field in _TIMES.items()}
    return without_none(
        revision=state.target.revision,
        color=state.target.color,
        key=state.key,
        strategy=state.strategy,
        step=str(state.step),
        replicas=state.replicas,
        available=state.available or None,
        rejected=True if state.is_rejected else None,
        probedAnew=True if state.is_probed_anew else None,
        checks=[_outcome(each) for each in state.outcomes] or None,
        rollback=True if state.is_rollback else None,
        left=rejection_written(state.left) if state.left else None,
        approved=True if state.is_approved else None,
        remaining=duration_text(state.remaining) if state.remaining is not None else None,
        yielded=True if state.has_released_slot else None,
        backup=_backup_written(state.backup) if state.backup else None,
        migration=str(state.migration) if state.migration else None,
        undoProblem=state.undo_problem[:_LINE_LIMIT] or None,
        **times,
    )


def state_of(status: Mapping[str, Any]) -> ReleaseState | None:
    """The state that a status holds, or None where it holds none that can be used."""
    found = status.get("release")
    if not isinstance(found, Mapping):
        return None
    try:
        times = {field: _moment(found.get(name)) for name, field in _TIMES.items()}
        started_at = times.pop("started_at")
        replicas, remaining, migration = found.get("replicas"), found.get("remaining"), found.get("migration")
        available = found.get("available")
        revision, color, key = found["revision"], found["color"], found["key"]
        strategy = found.get("strategy", "BlueGreen")
        is_sound = color in COLORS and isinstance(revision, str) and isinstance(key, str) and (replicas is None or type(replicas) is int)
        if started_at is None or not is_sound or strategy not in get_args(Strategy):
            return None
        return ReleaseState(
            Target(color, revision),
            key,
            Step(found["step"]),
            started_at,
            replicas=replicas,
            available=available if type(available) is int else 0,
            is_rejected=found.get("rejected") is True,
            is_probed_anew=found.get("probedAnew") is True,
            outcomes=tuple(_outcomes(found.get("checks"))),
            is_rollback=found.get("rollback") is True,
            left=rejection_of(found.get("left")),
            is_approved=found.get("approved") is True,
            remaining=duration(remaining) if remaining is not None else None,
            has_released_slot=found.get("yielded") is True,
            backup=_backup(found.get("backup")),
            migration=Migration(migration) if migration is not None else None,
            undo_problem=str(found.get("undoProblem", "")),
            strategy=strategy,
            **times,
        )
    except (KeyError, ValueError, TypeError):
        return None


@dataclass(frozen=True)
class Stable:
    """The last promoted revision, in its colour."""

    target: Target
    promotion: int
    """Its number, which no other promotion of the service has."""


def stable_written(stable: Stable) -> Manifest:
    """As status.stable."""
    return {"color": stable.target.color, "revision": stable.target.revision, "promotion": stable.promotion}


def stable_of(status: Mapping[str, Any]) -> Stable | None:
    """What a status remembers as stable, or None where it says nothing that can be used."""
    match status.get("stable"):
        case {"color": str(color), "revision": str(revision), "promotion": int(promotion)} if color in COLORS and promotion > 0:
            return Stable(Target(color, revision), promotion)
        case _:
            return None


def proof_written(proof: Proof) -> Manifest:
    """As status.proof."""
    return without_none(
        revision=proof.target.revision,
        color=proof.target.color,
        startedAt=stamp(proof.started_at),
        cutover=_counted(proof.cutover),
        removal=_counted(proof.removal),
        removedBy=stamp(proof.removed_by),
    )


def proof_of(status: Mapping[str, Any]) -> Proof | None:
    """The proof that a status holds, or None where it holds none that can be used."""
    match status.get("proof"):
        case {"revision": str(revision), "color": str(color), "startedAt": str(started), **rest} if color in COLORS:
            try:
                started_at, removed_by = _moment(started), _moment(rest.get("removedBy"))
            except (ValueError, TypeError):
                return None
            assert started_at, "it is a text"
            return Proof(Target(color, revision), started_at, _counts(rest.get("cutover")), _counts(rest.get("removal")), removed_by)
        case _:
            return None


def rejection_written(rejection: Rejection) -> Manifest:
    """As status.pin, which says why what the spec asks for is not released, and as status.release.left."""
    return {
        "revision": rejection.revision,
        "rejectedKey": rejection.key,
        "reason": str(rejection.reason),
        "message": rejection.message,
        **({"afterCutover": True} if rejection.after_cutover else {}),
    }


def rejection_of(found: Any) -> Rejection | None:
    """The rejection that a part of a status remembers, or None where it says nothing that can be used."""
    match found:
        case {"revision": str(revision), "rejectedKey": str(key), "reason": str(reason), "message": str(message), **rest}:
            is_known = reason in {str(each) for each in Reason}
            return Rejection(revision, key, Reason(reason), message, rest.get("afterCutover") is True) if is_known else None
        case _:
            return None


def _backup_written(backup: ReleaseBackup) -> Manifest:
    return without_none(
        name=backup.name,
        revision=backup.revision,
        job=backup.job or None,
        failures=backup.failures or None,
        message=backup.message[:_LINE_LIMIT] or None,
        againAt=stamp(backup.again_at),
        snapshot=backup.snapshot or None,
        at=stamp(backup.taken_at),
    )


def _backup(found: Any) -> ReleaseBackup | None:
    match found:
        case {"name": str(name), "revision": str(revision), **rest}:
            failures, job, snapshot = rest.get("failures"), str(rest.get("job", "")), str(rest.get("snapshot", ""))
            times = {"again_at": _moment(rest.get("againAt")), "taken_at": _moment(rest.get("at"))}
            count = failures if type(failures) is int else 0
            return ReleaseBackup(name, revision, job, count, str(rest.get("message", "")), snapshot=snapshot, **times)
        case _:
            return None


def _counted(counts: Counts | None) -> Manifest | None:
    return {"requests": counts.requests, "failed": counts.failed} if counts else None


def _counts(found: Any) -> Counts | None:
    match found:
        case {"requests": int(requests), "failed": int(failed)}:
            return Counts(requests, failed)
        case _:
            return None


def _outcome(outcome: CheckOutcome) -> Manifest:
    return {
        "name": outcome.name,
        "result": "Passed" if outcome.has_passed else "Failed",
        "message": outcome.message,
        "requests": outcome.requests,
        "failed": outcome.failed,
        **({"askedAt": stamp(outcome.asked_at)} if outcome.asked_at else {}),
    }


def _outcomes(entries: Any) -> Iterator[CheckOutcome]:
    for entry in entries if isinstance(entries, list) else ():
        match entry:
            case {
                "name": str(name),
                "result": str(result),
                "message": str(message),
                "requests": int(requests),
                "failed": int(failed),
                **rest,
            }:
                yield CheckOutcome(name, result == "Passed", message, requests, failed, _moment(rest.get("askedAt")))


def stamp(moment: datetime | None) -> str | None:
    """A moment as status has it, in UTC with microseconds; None for none."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if moment else None


def _moment(text: Any) -> datetime | None:
    """A moment with its time zone. Raises ValueError where there is none in it."""
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without a time zone")
    return moment

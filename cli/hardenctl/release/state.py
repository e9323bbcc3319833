"""The release that a status tells of, typed, for people to see.

A status can hold anything: what cannot be read is left out, and the step and the reasons of a newer operator are kept as they are written.
The operator reads the same (core/model/written.py), but takes the whole or nothing: it acts on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hardenctl.output.moments import moment, remaining
from hardenctl.release.verdict import Live, is_paused, is_seen, status
from hardened.api.steps import Step
from hardened.core.model.proof import Counts


@dataclass(frozen=True)
class CheckReading:
    """One check on the new revision."""

    name: str
    """Its name in the spec."""
    result: str
    """Passed, Failed, or what the operator calls a check that has not ended; "" for one that has not begun."""
    message: str
    """What it says, "" for nothing."""
    requests: int = 0
    """That it has sent, or times that it has asked; 0 if unknown."""
    failed: int = 0
    """Those of them that have failed."""

    def __str__(self) -> str:
        said = f"check {self.name}: {self.result or 'not begun'}"
        return f"{said}: {self.message}" if self.message else said


@dataclass(frozen=True)
class ProofReading:
    """What is known of requests that a release lost."""

    revision: str
    """The one that was released."""
    cutover: Counts | None = None
    """While clients were led on; None for no data."""
    removal: Counts | None = None
    """While the previous pods went; None for no data."""
    is_removing: bool = False
    """More is still counted."""

    def __str__(self) -> str:
        removal = "is watched" if self.is_removing else _counted(self.removal)
        return f"cutover: {_counted(self.cutover)}; removal of the previous pods: {removal}"


@dataclass(frozen=True)
class ReleaseReading:
    """A release at work."""

    revision: str
    """The one that is released."""
    color: str
    """Where it runs."""
    step: str
    """Where it is, as it is written: see steps."""
    is_paused: bool = False
    """A person holds it."""
    is_approved: bool = False
    """A person promoted it."""
    is_rollback: bool = False
    """It is gone back to, by hand or since the spec asks for it."""
    is_back: bool = False
    """In SwitchBack: traffic has left it."""
    remaining: str = ""
    """What was left of the deadline when it was paused, as the operator wrote it."""
    deadline: datetime | None = None
    """When the step has failed; in Approval: when it is promoted by itself."""
    window_ends_at: datetime | None = None
    """Of VerifyAfter."""
    keep_until: datetime | None = None
    """How long the previous colour is kept."""
    checks: tuple[CheckReading, ...] = ()
    """In the order of the status."""

    def timing(self, now: datetime) -> str:
        """What the step waits for, and how long yet. Example: "9m12s left"."""
        if self.is_paused:
            return f"paused, with {self.remaining} left" if self.remaining else "paused"
        match self.step:
            case Step.APPROVAL if self.is_approved:
                return "waits for a free slot"
            case Step.APPROVAL:
                left = remaining(self.deadline, now)
                return Step.APPROVAL.row.doing + (f", promoted automatically in {left}" if left else "")
            case Step.VERIFY_AFTER:
                left = remaining(self.window_ends_at, now)
                return ("waits for results" if left == "0s" else f"the window ends in {left}") if left else ""
            case Step.KEEP:
                left = remaining(self.keep_until, now)
                return f"the previous colour is kept for {left} more" if left else ""
            case Step.SWITCH_BACK:
                return "traffic has been switched back; its pods stay for a moment" if self.is_back else "traffic is being switched back"
            case Step.PREFLIGHT:
                return Step.PREFLIGHT.row.doing
            case Step.UNDO:
                return "its migration is being undone"
        left = remaining(self.deadline, now)
        return f"{left} left" if left else ""


@dataclass(frozen=True)
class PinReading:
    """Why the revision that the spec asks for is not released."""

    revision: str
    """That revision."""
    reason: str
    """In one word."""
    message: str
    """In a sentence."""
    after_cutover: bool = False
    """It had served by then, and was taken back."""
    key: str = ""
    """What its rejection is remembered by."""

    @property
    def cause(self) -> str:
        """Example: "CheckFailed: check smoke failed: 500"."""
        return ": ".join(filter(None, (self.reason, self.message)))


@dataclass(frozen=True)
class PendingReading:
    """A newer spec that waits."""

    revision: str
    """The one that the spec asks for."""
    message: str
    """What it waits for."""
    until: datetime | None = None
    """When its release begins at the earliest."""

    def text(self, now: datetime) -> str:
        """Example: "waits 28s: the previous pods must stay up first"."""
        left = remaining(self.until, now)
        return f"waits{f' {left}' if left else ''}: {self.message}" if self.message else "waits"


def pending_of(live: Live) -> PendingReading | None:
    """None where the spec's revision serves, is released, or is rejected."""
    found = _mapping(status(live).get("pending"))
    if not found.get("revision"):
        return None
    revision, message = (" ".join(str(found.get(name, "")).split()) for name in ("revision", "message"))
    return PendingReading(revision, message, moment(found, "until"))


def release_of(live: Live) -> ReleaseReading | None:
    """The release at work, None where there is none."""
    found = _mapping(status(live).get("release"))
    if not found.get("revision") or not found.get("step"):
        return None
    return ReleaseReading(
        revision=str(found["revision"]),
        color=str(found.get("color", "")),
        step=str(found["step"]),
        is_paused=is_paused(live),
        is_approved=found.get("approved") is True,
        is_rollback=found.get("rollback") is True,
        is_back=bool(found.get("confirmedAt")),
        remaining=str(found.get("remaining") or ""),
        deadline=moment(found, "deadline"),
        window_ends_at=moment(found, "windowEndsAt"),
        keep_until=moment(found, "keepUntil"),
        checks=tuple(_check(each) for each in found.get("checks") or () if isinstance(each, Mapping)),
    )


def proof_of(live: Live) -> ProofReading | None:
    """What the zero-loss probes of the last release have counted, None where there is none, or none that can be read."""
    found = _mapping(status(live).get("proof"))
    if not found.get("revision"):
        return None
    revision = " ".join(str(found["revision"]).split())
    return ProofReading(revision, _counts(found.get("cutover")), _counts(found.get("removal")), bool(found.get("removedBy")))


def pin_of(live: Live) -> PinReading | None:
    """The pin, None where what the spec asks for may be released."""
    found = _mapping(status(live).get("pin"))
    if not found.get("revision"):
        return None
    revision, reason, message = (" ".join(str(found.get(name, "")).split()) for name in ("revision", "reason", "message"))
    return PinReading(revision, reason, message, found.get("afterCutover") is True, str(found.get("rejectedKey", "")))


def stable_of(live: Live) -> str:
    """The last promoted revision, "" before the first promotion."""
    return str(_mapping(status(live).get("stable")).get("revision", ""))


def serving_of(live: Live) -> str:
    """The revision that takes the clients' requests, "" for none."""
    return str(_mapping(status(live).get("serving")).get("revision", ""))


def image_of(live: Live, revision: str) -> str:
    """The image of a revision that a status tells of, "" if it says nothing of it."""
    found = status(live)
    known = [*(found.get(name) for name in ("serving", "release", "pending")), *(found.get("history") or ())]
    images = (str(e.get("image", "")) for e in known if isinstance(e, Mapping) and e.get("revision") == revision)
    image = next(filter(None, images), "")
    return image or (str((live.get("spec") or {}).get("image", "")) if revision == _wanted(live) else "")


def _wanted(live: Live) -> str:
    """The revision that the spec asks for, "" where that is not sure: what is released may be an older one."""
    pending, pin = pending_of(live), pin_of(live)
    if not is_seen(live):
        return ""
    return pending.revision if pending else pin.revision if pin else ""


def _check(found: Mapping[str, Any]) -> CheckReading:
    name, result, message = (" ".join(str(found.get(key, "")).split()) for key in ("name", "result", "message"))
    requests, failed = (count if type(count := found.get(key)) is int and count >= 0 else 0 for key in ("requests", "failed"))
    return CheckReading(name, result, message, requests, failed)


def _counted(counts: Counts | None) -> str:
    return f"{counts.requests} requests, {counts.failed} failed" if counts else "no data"


def _counts(found: Any) -> Counts | None:
    match found:
        case {"requests": int(requests), "failed": int(failed)}:
            return Counts(requests, failed)
        case _:
            return None


def _mapping(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}

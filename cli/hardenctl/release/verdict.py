"""One word for how a HardenedService is, from its raw status."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hardenctl.output.moments import moment
from hardenctl.output.outcome import Exit, ResultWord
from hardenctl.release.steps import row_of
from hardened.api.steps import Step


@dataclass(frozen=True)
class ServiceVerdict:
    """How a service is."""

    result: ResultWord
    """In one word."""
    message: str
    """Why, for people."""
    reason: str = ""
    """Of the condition that decided, "" if none did."""

    @property
    def is_final(self) -> bool:
        """Nothing changes by waiting. Degraded is not final: the cause may pass."""
        return self.result in (ResultWord.HEALTHY, ResultWord.FAILED, ResultWord.SUSPENDED, ResultWord.DELETED) or self.is_taken_back

    @property
    def is_taken_back(self) -> bool:
        """The new version was rejected, or taken back, and the previous one serves."""
        return self.result in (ResultWord.REJECTED, ResultWord.ROLLED_BACK)

    @property
    def code(self) -> Exit:
        """Healthy, and on its way there, are no failure."""
        if self.is_taken_back:
            return Exit.REJECTED
        is_good = self.result in (ResultWord.HEALTHY, ResultWord.PENDING, ResultWord.PROGRESSING, ResultWord.PAUSED)
        return Exit.OK if is_good else Exit.FAILED


Live = Mapping[str, Any]
VerdictRule = Callable[[Live], ServiceVerdict | None]


def status(live: Live) -> Mapping[str, Any]:
    """The status, {} before there is one."""
    found = live.get("status")
    return found if isinstance(found, Mapping) else {}


def condition(live: Live, kind: str) -> Mapping[str, Any]:
    """One condition, {} if it is not set."""
    conditions = status(live).get("conditions") or ()
    return next((c for c in conditions if isinstance(c, Mapping) and c.get("type") == kind), {})


#: What the operator says of a container in a crash loop that shows no end of it: by itself it is no command.
_UNNAMED = "kubectl logs --previous"
_CONTAINER = re.compile(r"\bpod (\S+), container (\S+?): ")


def told(live: Live, message: str) -> str:
    """A message of the operator, with a command in it that can be pasted as it is.

    Example: "pod a-x, container app: …; see kubectl logs --previous" -> "…; see kubectl logs -n shop a-x -c app --previous".
    """
    named = _CONTAINER.search(message)
    if not named:
        return message
    whole = f"kubectl logs -n {live['metadata'].get('namespace', '')} {named[1]} -c {named[2]} --previous"
    return message.replace(_UNNAMED, whole)


def is_true(live: Live, kind: str) -> bool:
    """True when the condition is."""
    return condition(live, kind).get("status") == "True"


def is_paused(live: Live) -> bool:
    """A person holds the release."""
    return status(live).get("phase") == "Paused" or bool(_release(live).get("pausedAt"))


def waits_for_approval(live: Live) -> bool:
    """The release goes on when a person promotes it, and not before: nobody has, and nobody holds it for another reason."""
    release = _release(live)
    return release.get("step") == Step.APPROVAL and not release.get("approved") and not is_paused(live)


def _release(live: Live) -> Mapping[str, Any]:
    found = status(live).get("release")
    return found if isinstance(found, Mapping) else {}


def is_seen(live: Live) -> bool:
    """The operator has looked at the spec as it is now."""
    return int(status(live).get("observedGeneration") or -1) >= int(live["metadata"].get("generation") or 0)


def _leaving(live: Live) -> ServiceVerdict | None:
    return ServiceVerdict(ResultWord.DELETED, "it is being deleted") if live["metadata"].get("deletionTimestamp") else None


def _unseen(live: Live) -> ServiceVerdict | None:
    if is_seen(live):
        return None
    if int(status(live).get("observedGeneration") or -1) < 0:
        return ServiceVerdict(ResultWord.PENDING, "the operator has not seen it yet")
    return ServiceVerdict(ResultWord.PROGRESSING, "the operator has not seen the last change yet")


def _suspended(live: Live) -> ServiceVerdict | None:
    return _from_ready(live, ResultWord.SUSPENDED) if status(live).get("phase") == "Suspended" else None


def _held(live: Live) -> ServiceVerdict | None:
    # A restore replaces the data: whatever else a status says is of before.
    hold = status(live).get("hold")
    if not isinstance(hold, Mapping) or not hold.get("phase"):
        return None
    return _stalled(live) or _from_ready(live, ResultWord.PROGRESSING)


def _going_back(live: Live) -> ServiceVerdict | None:
    # What has failed is said at once; that the previous version serves, and that its data is as it was, only afterwards.
    is_under_way = status(live).get("phase") in _TAKEN_BACK and row_of(str(_release(live).get("step"))).is_going_back
    return _from_ready(live, ResultWord.PROGRESSING) if is_under_way else None


def _taken_back(live: Live) -> ServiceVerdict | None:
    result = _TAKEN_BACK.get(str(status(live).get("phase")))
    if result is None or not is_true(live, "Stalled") or not is_true(live, "Available"):
        return None
    found = condition(live, "Stalled")
    return _verdict(live, result, found)


def _stalled(live: Live) -> ServiceVerdict | None:
    if not is_true(live, "Stalled"):
        return None
    found = condition(live, "Stalled")
    return _verdict(live, ResultWord.FAILED, found)


def _ready(live: Live) -> ServiceVerdict | None:
    return _from_ready(live, ResultWord.HEALTHY) if is_true(live, "Ready") else None


def _paused(live: Live) -> ServiceVerdict | None:
    return _from_ready(live, ResultWord.PAUSED) if is_paused(live) or waits_for_approval(live) else None


def _degraded(live: Live) -> ServiceVerdict | None:
    return _from_ready(live, ResultWord.DEGRADED) if status(live).get("phase") == "Degraded" else None


def _from_ready(live: Live, result: ResultWord) -> ServiceVerdict:
    return _verdict(live, result, condition(live, "Ready"))


def _verdict(live: Live, result: ResultWord, found: Mapping[str, Any]) -> ServiceVerdict:
    return ServiceVerdict(result, told(live, str(found.get("message", ""))), str(found.get("reason", "")))


_TAKEN_BACK = {"Rejected": ResultWord.REJECTED, "RolledBack": ResultWord.ROLLED_BACK}

#: The first that applies decides.
RULES: tuple[VerdictRule, ...] = (_leaving, _unseen, _suspended, _held, _going_back, _taken_back, _stalled, _ready, _degraded, _paused)


#: For so long the pods of a release may look as if something was wrong with them: an image is pulled, a volume bound, a name not known yet.
SETTLING = timedelta(seconds=20)


def verdict_of(live: Live, now: datetime | None = None) -> ServiceVerdict:
    """How a service is. What no check claims is on its way.

    now: nothing is degraded in the first seconds of a release; None for what the status says by itself.
    """
    found = next((found for check in RULES if (found := check(live))), None) or _from_ready(live, ResultWord.PROGRESSING)
    if found.result is ResultWord.DEGRADED and now is not None and _has_just_begun(live, now):
        return ServiceVerdict(ResultWord.PROGRESSING, found.message, found.reason)
    return found


def _has_just_begun(live: Live, now: datetime) -> bool:
    release = _release(live)
    if release and row_of(str(release.get("step"))).is_going_back:
        return False
    began = moment(release, "startedAt") if release else None if _has_served(live) else moment(live["metadata"], "creationTimestamp")
    return began is not None and release.get("step") != Step.KEEP and now - began < SETTLING


def _has_served(live: Live) -> bool:
    return bool(status(live).get("stable"))


def is_available(live: Live) -> bool:
    """At least one pod takes requests, as far as the operator knows of the present spec."""
    return is_seen(live) and is_true(live, "Available")

"""What others have seen of a cause, in Events: the operator does not read them, and says without them what it can."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hardenctl.release.pods import container_named
from hardenctl.release.timeline import Happening
from hardened.core.model.manifest import Manifest
from hardened.core.model.reasons import Reason
from hardened.core.observe.failing_probes import by_liveness


@dataclass(frozen=True)
class Sight:
    """An Event that tells more of a reason."""

    kind: str
    """Of the object that it is about."""
    reason: str
    """Of the Event."""
    begins: str = ""
    """What its message begins with, and what is not repeated of it."""


_LIVENESS = Sight("Pod", "Unhealthy", "Liveness probe failed: ")
#: By the reason of a service, the most telling first.
_SIGHTS: Mapping[str, Sequence[Sight]] = {
    Reason.NOT_READY: (
        Sight("Pod", "Unhealthy", "Readiness probe failed: "),
        Sight("Pod", "Unhealthy", "Startup probe failed: "),
        Sight("Pod", "FailedMount"),
        Sight("Pod", "FailedAttachVolume"),
    ),
    Reason.IMAGE_PULL_FAILED: (Sight("Pod", "FailedToRetrieveImagePullSecret"),),
    Reason.UNSCHEDULABLE: (Sight("PersistentVolumeClaim", "ProvisioningFailed"),),
}


def with_witness(reason: str, message: str, pod: Manifest | None, container: str, timeline: Sequence[Happening]) -> str:
    """The sentence with the newest that was seen of it, before what it says to do.

    message: the cause, then a semicolon and the remedy. pod: that it is about, and a container of it, None and "" for none.
    Example: "… its readiness probe fails: GET /ready on port 80; see …" -> "… GET /ready on port 80: connection refused; see …".
    """
    if pod is None:
        return message
    if reason == Reason.CRASH_LOOPING:
        ended = _last_end(container_named(pod, container))
        probe = by_liveness(pod, container, ended.get("exitCode")) if ended and ended.get("reason") != "OOMKilled" else ""
        seen = _seen(_LIVENESS, pod, timeline) if probe else ""
        # Without the Event it may have been another who ended it.
        added = f"{probe.replace(', maybe', ',', 1)}: {seen}" if seen else probe
        return _inserted(message.replace(probe, "", 1) if probe else message, added)
    found = next((seen for sight in _SIGHTS.get(reason, ()) if (seen := _seen(sight, pod, timeline))), "")
    return _inserted(message, f": {found}") if found and found not in message else message


def _last_end(container: Mapping[str, Any]) -> Mapping[str, Any]:
    ends = ((container.get(place) or {}).get("terminated") for place in ("state", "lastState"))
    return next((ended for ended in ends if ended), {})


def _seen(sight: Sight, pod: Manifest, timeline: Sequence[Happening]) -> str:
    """The newest of it, "" for none. Events of another object than a pod are about what the pod waits for."""
    name = pod["metadata"]["name"]
    found = (
        each.message.removeprefix(sight.begins).rstrip(". ")
        for each in reversed(timeline)
        if (each.kind, each.reason) == (sight.kind, sight.reason)
        and each.message.startswith(sight.begins)
        and (each.kind != "Pod" or each.name == name)
    )
    return next(found, "")


def _inserted(message: str, added: str) -> str:
    head, semicolon, remedy = message.rpartition("; ")
    return f"{head}{added}{semicolon}{remedy}" if semicolon else f"{message}{added}"

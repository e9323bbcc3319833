"""What verifier pods and the pods of a new version say of it.

Whoever may write a pod's status can forge its message: nothing of it is trusted to be of any form, and what cannot be read is no data.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from hardened.api.parse import HardenedService
from hardened.core.model.input import Verdict
from hardened.core.model.manifest import Manifest
from hardened.core.model.reasons import Reason
from hardened.core.observe import diagnosis
from hardened.core.observe.failing_probes import describing
from hardened.core.observe.observed import Ownership, is_deleting, may_run, owner_of
from hardened.core.observe.task_pods import ended_in_time, interruption, is_over, own_container, own_part, own_state, own_status

#: Characters of a message that are kept.
_MESSAGE_LIMIT = 400
#: Characters of a path that a message shows: the cause has to fit as well.
_PATH_LIMIT = 100
#: What is said of a command of which nothing has run.
NEVER_STARTED = "its command could not be started"
_MOST_RESULTS = 64
#: A registry may be away for a moment.
IMAGE_PATIENCE = timedelta(minutes=1)


@dataclass(frozen=True)
class CheckResult:
    """What came of one check or probe."""

    name: str
    has_passed: bool
    message: str = ""
    """A sentence."""
    requests: int = 0
    """How many were made."""
    failed: int = 0
    """How many of them failed."""


@dataclass(frozen=True)
class Pending:
    """The verifier has not ended."""

    message: str = "the check pod has not ended yet"
    """What it waits for."""
    is_final: bool = False
    """Which will not come, unless somebody changes something."""


@dataclass(frozen=True)
class NoData:
    """The verifier will say nothing."""

    message: str
    """Why."""


@dataclass(frozen=True)
class Reported:
    """The verifier has ended, and said this."""

    results: tuple[CheckResult, ...]

    def result(self, name: str) -> CheckResult | None:
        """What came of one check, or None if nothing is known of it."""
        return next((result for result in self.results if result.name == name), None)


Results = Pending | NoData | Reported


def results_of(svc: HardenedService, pod: Mapping[str, Any]) -> Results:
    """What a live verifier pod has to say. A pod that was evicted, killed or ran out of its time says nothing, whatever it wrote."""
    return _results(svc, pod, _ended(svc, pod))


def _results(svc: HardenedService, pod: Mapping[str, Any], ended: Mapping[str, Any] | Pending | NoData) -> Results:
    if not isinstance(ended, Mapping):
        return ended
    found = read(str(ended.get("message") or ""))
    return found or NoData(f"check pod {pod['metadata']['name']} left no readable report")


def probe_result(svc: HardenedService, pod: Mapping[str, Any]) -> Results:
    """As `results_of`. A probe that was told to end before anybody accepted its first connection says nothing, and is to be made anew.

    So is one that was deleted: what it did not see may have been a loss.
    """
    found = _results(svc, pod, _ended(svc, pod, is_whole=True))
    is_empty = isinstance(found, Reported) and not found.results
    return NoData(f"check pod {pod['metadata']['name']} has sent no request") if is_empty else found


def _ended(
    svc: HardenedService, pod: Mapping[str, Any], *, takes_failures: bool = False, is_whole: bool = False
) -> Mapping[str, Any] | Pending | NoData:
    """How the pod's own container ended by itself; else why nothing is known. is_whole: what it says is worth nothing if it was told to."""
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    if owner_of(pod, svc.name, svc.uid) is not Ownership.OURS:
        return NoData(f"pod {name} does not belong to the operator; delete it")
    ended = own_state(pod).get("terminated")
    # The deadline is also how a verifier is told that it has asked for long enough: what it reports then is what it has. What it says of a
    # check is certain, whoever told it to end; how a command ends then is not, nor what a probe would have seen.
    why = interruption(pod)
    if why and (ended is None or takes_failures or is_whole or not is_deleting(pod) or _is_disrupted(pod)):
        is_leaving = is_deleting(pod) and not ended and not _is_disrupted(pod)
        said = "ended without a report" if is_leaving else "was lost"
        return NoData(f"check pod {name} {said} ({why})")
    if ended is None:
        is_over = status.get("phase") in ("Succeeded", "Failed", "Unknown") or is_deleting(pod)
        return NoData(f"check pod {name} ended without a report") if is_over else _pending(pod)
    if ended.get("exitCode") != 0 and not takes_failures:
        return NoData(f"check pod {name} ended with exit code {ended.get('exitCode', '?')} ({ended.get('reason', 'Error')})")
    return dict(ended)


def load_result(svc: HardenedService, pod: Mapping[str, Any], name: str) -> Results:
    """What came of a load check. A run that proves nothing, since the generator itself was late or nobody was asked, is no data.

    The report says it, as long as the exit code does not say otherwise: a failed check ends with one of its own.
    """
    ended = _ended(svc, pod, takes_failures=True)
    if not isinstance(ended, Mapping):
        return ended
    exited = f"exit code {ended.get('exitCode')} ({ended.get('reason', 'Completed')})"
    try:
        report = json.loads(str(ended.get("message") or ""))
        word, reasons, figures = report["verdict"], [str(reason) for reason in report["reasons"]], report["figures"]
        requests, failed = (_count(figures["requests"]), _count(figures["failed"])) if figures else (0, 0)
    except (ValueError, TypeError, KeyError, RecursionError):
        return NoData(f"load pod {pod['metadata']['name']} left no readable report: {exited}")
    message = _printable("; ".join(reasons))
    asked = _asked(pod) if message else ""
    if word == "Passed" and ended.get("exitCode") != 0:
        return NoData(f"the load check proves nothing: it reported a pass, but ended with {exited}")
    if word not in ("Passed", "Failed") or not requests:
        return NoData(f"the load check proves nothing: {message or 'no request was sent'}")
    return Reported((CheckResult(name, word == "Passed", asked + message or f"{requests} requests", requests, failed),))


def _asked(pod: Mapping[str, Any]) -> str:
    """What the load engine asks for, as it is told. Example: "GET /basket: "."""
    told = [str(word) for word in own_container(pod).get("args") or ()]
    path = next((value for word, value in pairwise(told) if word == "--path"), "")
    return f"GET {path[:_PATH_LIMIT]}: " if path else ""


def job_result(svc: HardenedService, pod: Mapping[str, Any], name: str) -> Results:
    """What came of a command of the team's: its exit code. Nothing that it printed is read: it may hold what is secret.

    An image that cannot be used at all fails it at once; one that does not come, at its deadline: a registry may be away for a moment.
    """
    status = pod.get("status") or {}
    is_late = status.get("reason") == "DeadlineExceeded" and not ended_in_time(pod)
    if is_late and owner_of(pod, svc.name, svc.uid) is Ownership.OURS:
        return Reported((CheckResult(name, False, _too_late(pod), 1, 1),))
    ended = _ended(svc, pod, takes_failures=True)
    if isinstance(ended, Pending) and ended.is_final:
        return Reported((CheckResult(name, False, _printable(ended.message), 1, 1),))
    if not isinstance(ended, Mapping):
        return ended
    code, cause = ended.get("exitCode"), ended.get("reason", "Completed")
    said = _printable(f"ended with exit code {code} ({cause}): {diagnosis.logs_command(pod)}")
    if cause in diagnosis.NEVER_RAN:
        said = _printable(f"{NEVER_STARTED}: {ended.get('message', cause)}")
    return Reported((CheckResult(name, code == 0, said, 1, int(code != 0)),))


def once_result(svc: HardenedService, pod: Mapping[str, Any], now: datetime) -> tuple[Verdict, str]:
    """How a pod ended that is not made again: what is not known to have ended well has failed. Until it has ended, nothing is known."""
    phase, name = (pod.get("status") or {}).get("phase"), pod["metadata"]["name"]
    if is_over(pod) and (why := interruption(pod)):
        return Verdict.FAILED, f"pod {name} was lost ({why}), and it is unknown how far it came"
    if phase == "Succeeded":
        return Verdict.PASSED, ""
    if is_over(pod):
        match job_result(svc, pod, name):
            case Pending(message=message) | NoData(message=message):
                return Verdict.FAILED, message
            case Reported(results=(result, *_)):
                return (Verdict.PASSED if result.has_passed else Verdict.FAILED), result.message
    cause = diagnosis.of_pods([own_part(pod)]) if phase == "Pending" else None
    if cause is None:
        return Verdict.UNKNOWN, f"pod {name} has not ended"
    is_late = now - datetime.fromisoformat(pod["metadata"]["creationTimestamp"]) >= IMAGE_PATIENCE
    is_hopeless = cause.reason is Reason.INVALID_IMAGE or (cause.reason is Reason.IMAGE_PULL_FAILED and is_late)
    return (Verdict.FAILED if is_hopeless else Verdict.UNKNOWN), cause.message


def _pending(pod: Mapping[str, Any]) -> Pending:
    cause = diagnosis.of_pods([own_part(pod)]) if pod.get("status", {}).get("phase") == "Pending" else None
    return Pending(cause.message, cause.is_final) if cause else Pending()


def _too_late(pod: Mapping[str, Any]) -> str:
    """Why a command was not done by its deadline. The kubelet has forgotten by then what it waited for, but not what it never had."""
    found = own_status(pod)
    state = found.get("state") or {}
    if "running" in state or (state.get("terminated") or {}).get("startedAt"):
        return "ran longer than its deadline"
    if found and not found.get("imageID"):
        image = own_container(pod).get("image", "")
        return f"did not start by its deadline: image {image} was not pulled; check its name and imagePullSecrets"
    return f"did not start by its deadline: see {describing(pod)}"


def read(message: str) -> Reported | None:
    """A report as a verifier writes it, or None for any other text."""
    try:
        report = json.loads(message)
        results = [_result(entry) for entry in report["results"][:_MOST_RESULTS]]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return Reported(tuple(results))


def verdict(results: Results, expected: Sequence[str]) -> tuple[Verdict, str]:
    """What the checks of these names say together: the first failure by their order, or that all passed, or what is missing."""
    match results:
        case Pending(message=message) | NoData(message=message):
            return Verdict.UNKNOWN, message
        case Reported():
            found = {name: results.result(name) for name in expected}
    failed = next((result for result in found.values() if result and not result.has_passed), None)
    if failed:
        return Verdict.FAILED, f"check {failed.name} failed: {failed.message}"
    missing = [name for name, result in found.items() if result is None]
    if missing:
        return Verdict.UNKNOWN, f"there is no result for {', '.join(missing)}"
    return Verdict.PASSED, f"{len(found)} checks passed"


def health(pods: Iterable[Manifest], least: int, max_restarts: int, since: datetime) -> tuple[Verdict, str]:
    """What the pods of the new version show by themselves. pods: of its colour and revision; least: how many must be ready.

    Failed once containers were restarted more than `max_restarts` times. A container whose last end was before `since` has settled, and
    does not count; one that ended again counts with all its restarts. Pods that leave are no failure of the version, nor are such as
    have left, and stay listed.
    """
    staying = [pod for pod in pods if may_run(pod) and not is_deleting(pod) and not _is_disrupted(pod)]
    ends = [(sum(_ends(container, since) for container in _containers(pod)), diagnosis.logs_command(pod)) for pod in staying]
    total = sum(count for count, _ in ends)
    if total > max_restarts:
        times = "once" if total == 1 else f"{total} times"
        cause = diagnosis.of_ends(pod for pod, (count, _) in zip(staying, ends, strict=True) if count)
        why = cause.message if cause else f"see {max(ends)[1]} --previous"
        return Verdict.FAILED, f"containers ended {times} ({max_restarts} allowed); {why}"
    ready = sum(_has_condition(pod, "Ready") for pod in staying)
    if ready < least:
        return Verdict.UNKNOWN, f"{ready} of {least} pods are ready"
    return Verdict.PASSED, f"{ready} pods are ready"


def _result(entry: Any) -> CheckResult:
    """Raises KeyError, TypeError or ValueError for what is none. Nothing passes without a request."""
    name, word, requests = entry["name"], entry["result"], _count(entry.get("requests"))
    if not isinstance(name, str) or word not in ("Passed", "Failed") or requests == 0:
        raise ValueError("no result")
    return CheckResult(name[:63], word == "Passed", _printable(str(entry.get("message", ""))), requests, _count(entry.get("failed")))


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text[:_MESSAGE_LIMIT])


def _count(value: Any) -> int:
    return value if type(value) is int and 0 <= value < 10**9 else 0


def _containers(pod: Manifest) -> list[Manifest]:
    """The states of the containers that are to run all the time: an init container that was tried again is part of a start."""
    sidecars = {c["name"] for c in (pod.get("spec") or {}).get("initContainers") or () if c.get("restartPolicy") == "Always"}
    status = pod.get("status") or {}
    inits = [c for c in status.get("initContainerStatuses") or () if c["name"] in sidecars]
    return [*inits, *(status.get("containerStatuses") or ())]


def _ends(container: Manifest, since: datetime) -> int:
    """How often a container has ended, 0 if the last time was before `since`."""
    state, last = container.get("state") or {}, (container.get("lastState") or {}).get("terminated")
    ended = state.get("terminated") or last
    # A container whose end nobody saw has no time: its node was lost.
    if not ended or not ended.get("finishedAt") or datetime.fromisoformat(ended["finishedAt"]) < since:
        return 0
    # The count rises when the container starts again.
    return int(container.get("restartCount", 0)) + (0 if "running" in state else 1)


def _is_disrupted(pod: Mapping[str, Any]) -> bool:
    return _has_condition(pod, "DisruptionTarget")


def _has_condition(pod: Mapping[str, Any], kind: str) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(c.get("type") == kind and c.get("status") == "True" for c in conditions)

"""Why a service is not Ready, or what its release waits for: the cause, and the chain from the spec to the pods and their Events."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hardenctl.output.moments import age
from hardenctl.release.budgets import Blocking
from hardenctl.release.pods import APP_CONTAINER, container_named, reading_of
from hardenctl.release.stacks import RunningStack
from hardenctl.release.state import image_of, pin_of, release_of, serving_of
from hardenctl.release.timeline import Happening
from hardenctl.release.tree import roles
from hardenctl.release.verdict import ServiceVerdict, condition, is_seen, status, told
from hardenctl.release.witness import with_witness
from hardened.api import names
from hardened.api.steps import Step
from hardened.core.model.finding import Diagnosis
from hardened.core.model.manifest import Manifest
from hardened.core.model.reasons import Reason
from hardened.core.observe import diagnosis

#: Reasons that only say that pods are not there yet: the pods themselves may say why.
_VAGUE = frozenset({"", Reason.ROLLING_OUT, Reason.PROGRESS_DEADLINE_EXCEEDED, Reason.NO_PODS_AVAILABLE})
#: Conditions that are worth a line where they are so, beside Ready.
_BESIDE = {"Drifted": "True", "BackedUp": "False", "Hardened": "False"}
#: How the operator names a container of a pod.
_CONTAINER = re.compile(r", container (\S+?): ")
#: Pods and Events that are shown one by one.
_MOST_PODS = 5
_MOST_EVENTS = 3


@dataclass(frozen=True)
class World:
    """A service, and what was read around it."""

    live: Mapping[str, Any]
    deployments: Sequence[Manifest]
    stacks: Sequence[RunningStack]
    pods: Sequence[Manifest]
    """Of the application."""
    timeline: Sequence[Happening]
    budgets: Sequence[Blocking] = ()
    """That stop each drain of a node with one of its pods."""


@dataclass(frozen=True)
class Cause:
    """Why a service is as it is."""

    reason: str
    """By the operator's list of reasons; "" for none."""
    sentence: str
    """For people."""
    revision: str = ""
    """That it is about, "" for none."""
    pod: str = ""
    """That shows it, "" for none."""
    has_pods: bool = False
    """There are pods of the revision, or of any where there is none."""
    container: str = ""
    """Of that pod, "" for the application's."""
    has_ended: bool = False
    """That container has ended: it has previous logs."""
    has_logs: bool = True
    """That container has run; True where no pod shows it."""


@dataclass(frozen=True)
class Link:
    """One step of the chain from the spec to an Event."""

    kind: str
    """spec, condition, budget, needs, release, check, revision, colour, pod or event."""
    name: str
    """Of it, "" where there is only one."""
    state: str
    """In a word or two, "" for nothing."""
    message: str
    """In a sentence, "" for nothing."""


def coming_revision(live: Mapping[str, Any]) -> str:
    """The revision that is asked for and does not serve as it should: the rejected one, the one that is released, else what serves."""
    release, pin = release_of(live), pin_of(live)
    if release and release.step != Step.KEEP:
        return release.revision
    return pin.revision if pin else serving_of(live)


def cause_of(world: World, verdict: ServiceVerdict) -> Cause:
    """The operator's own reason; where that only says that pods are awaited, what the operator's diagnosis makes of them by now."""
    pin, release, revision = pin_of(world.live), release_of(world.live), coming_revision(world.live)
    is_pinned = verdict.reason in (Reason.REJECTED, Reason.ROLLED_BACK)  # something else may be in the way by now
    if pin and is_pinned and (release is None or release.revision == pin.revision):
        word = "was rolled back" if pin.after_cutover else "was rejected"
        why = f": {pin.cause}" if pin.cause else ""
        sentence = f"revision {pin.revision} {word}{why}"
        # Its pods are gone, or will be before anybody has typed the next command.
        return Cause(_known(pin.reason) or verdict.reason, sentence, pin.revision)
    reason, message = verdict.reason, verdict.message
    if reason in _VAGUE:
        found = diagnosis_of(world, revision)
        if found:
            reason, message = str(found.reason), told(world.live, found.message)
    pod = next((p for p in world.pods if p["metadata"]["name"] in message), None)
    if pod is None:
        return Cause(reason, message, revision, has_pods=_has_pods(world, revision))
    named = _CONTAINER.search(message)
    container = named[1] if named else APP_CONTAINER
    runs = _runs(container_named(pod, container))
    return Cause(
        reason,
        with_witness(reason, message, pod, container, world.timeline),
        revision,
        str(pod["metadata"]["name"]),
        _has_pods(world, revision),
        container if container != APP_CONTAINER else "",
        has_ended=any("exitCode" in run for run in runs),
        has_logs=bool(runs),
    )


def _runs(container: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What a container has run, the present run among them: each leaves logs. Of one that could not be started there are none."""
    states = (container.get("state") or {}, container.get("lastState") or {})
    found = [state[kind] for state in states for kind in ("running", "terminated") if isinstance(state.get(kind), Mapping)]
    return [run for run in found if run.get("reason") not in diagnosis.NEVER_RAN]


def _has_pods(world: World, revision: str) -> bool:
    return any(revision in ("", reading_of(pod).revision) for pod in world.pods)


def diagnosis_of(world: World, revision: str) -> Diagnosis | None:
    """What the Deployment and the pods of a revision show. revision: "" for any."""
    of_deployments = (diagnosis.of_deployment(each) for each in world.deployments if _is_of(each, revision))
    found = next((each for each in of_deployments if each), None)
    return found or diagnosis.of_pods(pod for pod in world.pods if revision in ("", reading_of(pod).revision))


def chain_of(world: World, now: datetime) -> list[Link]:
    """From what the spec asks for to what its pods, and their newest warnings, say."""
    live, revision = world.live, coming_revision(world.live)
    around = (*_spec(live), *_budgets(world), *_release(live, now))
    return [*around, *_revision(world, revision), *_pods(world, revision), *_events(world, revision, now)]


def _spec(live: Mapping[str, Any]) -> Iterator[Link]:
    spec = live.get("spec") or {}
    seen = "" if is_seen(live) else "the operator has not seen the last change yet"
    yield Link("spec", f"generation {live['metadata'].get('generation', 0)}", str(spec.get("image", "")), seen)
    for kind, bad in _BESIDE.items():
        found = condition(live, kind)
        if found.get("status") == bad:
            yield Link("condition", kind, str(found.get("reason", "")), str(found.get("message", "")))
    for entry in status(live).get("dependencies") or ():
        if isinstance(entry, Mapping) and entry.get("state") != "Available":
            yield Link("needs", str(entry.get("service") or entry.get("tcp") or ""), str(entry.get("state", "")), "")


def _budgets(world: World) -> Iterator[Link]:
    yield from (Link("budget", each.name, "", each.why) for each in world.budgets)


def _release(live: Mapping[str, Any], now: datetime) -> Iterator[Link]:
    release = release_of(live)
    if release:
        yield Link("release", f"step {release.step}", release.timing(now), "")
        yield from (
            Link("check", each.name, each.result or "not begun", each.message) for each in release.checks if each.result != "Passed"
        )


def _revision(world: World, revision: str) -> Iterator[Link]:
    if not revision:
        return
    said = ", ".join(filter(None, (image_of(world.live, revision), *roles(world.live, revision))))
    yield Link("revision", revision, said, "")
    for stack in world.stacks:
        if stack.revision == revision and (stack.wanted or stack.ready):
            yield Link("colour", stack.color, f"{stack.ready} of {stack.wanted} pods ready", "")


def _pods(world: World, revision: str) -> Iterator[Link]:
    bodies = [(pod, reading_of(pod)) for pod in world.pods]
    late = [(pod, found) for pod, found in bodies if found.revision == revision and not found.is_ready]
    for pod, found in late[:_MOST_PODS]:
        yield Link("pod", found.name, found.short_state, _pod_message(pod))
    if len(late) > _MOST_PODS:
        yield Link("pod", f"and {len(late) - _MOST_PODS} more", "", "")


def _pod_message(pod: Manifest) -> str:
    found = diagnosis.of_pods([pod])
    return str(found.reason) if found else ""


def _events(world: World, revision: str, now: datetime) -> Iterator[Link]:
    """The newest warnings about the revision, each reason once."""
    newest: dict[tuple[str, str], Happening] = {}
    for each in reversed(world.timeline):
        # What the operator says of the service is the cause itself.
        if each.is_warning and each.kind != names.KIND and revision in ("", each.revision):
            newest.setdefault((each.kind, each.reason), each)
    for each in list(newest.values())[:_MOST_EVENTS]:
        count = f" (x{each.count})" if each.count > 1 else ""
        yield Link("event", f"{age(each.at, now)} ago", f"{each.reason}{count}", each.message)


def _known(reason: str) -> str:
    return reason if reason in set(Reason) else ""


def _is_of(deployment: Manifest, revision: str) -> bool:
    labels = (deployment["metadata"].get("labels") or {}) | (
        (((deployment.get("spec") or {}).get("template") or {}).get("metadata") or {}).get("labels") or {}
    )
    return revision in ("", labels.get(names.REVISION_LABEL))

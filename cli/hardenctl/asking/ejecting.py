"""Takes a service out of the operator's hands, step by step; each step may be the last before a kill, and the next run goes on from there.

The operator is told to stand still first: it would put the owner of a child back, and the garbage collector then deletes what has an owner
that is gone.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hardenctl.cluster import paths
from hardenctl.cluster.session import Session
from hardenctl.output.duration import Deadline
from hardenctl.output.outcome import CommandEnd, Exit, ResultWord
from hardenctl.release.verdict import is_seen, status
from hardened.api import names
from hardened.core.model.manifest import Manifest
from hardened.errors import Refused, Vanished

#: Seconds between two looks.
PAUSE = 0.3
_AUTOSCALER, _CRON_JOB, _KEDA = "HorizontalPodAutoscaler", "CronJob", "ScaledObject"


@dataclass(frozen=True)
class Left:
    """An object that stays behind."""

    kind: str
    """As the API has it."""
    name: str
    """metadata.name."""
    note: str = ""
    """What becomes of it, "" for nothing: it stays as it is."""

    def data(self) -> dict[str, str]:
        """For -o json."""
        return {"kind": self.kind, "name": self.name, "note": self.note}

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" + (f": {self.note}" if self.note else "")


def refuse_unsettled(live: Mapping[str, Any]) -> None:
    """Raises CommandEnd in the middle of a release or a restore: what is there then is not what should stay."""
    found = status(live)
    for field, word in (("release", "a release"), ("hold", "a restore")):
        if found.get(field):
            text = f"{word} is at work: what would stay behind is not what should serve"
            hint = "wait for its end, or abort it"
            raise CommandEnd(text, result=ResultWord.REFUSED, code=Exit.REFUSED, hint=hint)


def children(session: Session, name: str, uid: str | None) -> list[Manifest]:
    """The children of a service, with their kinds. uid: of the service; None for those that no HardenedService owns any more."""
    return [each for each in _labelled(session, name) if uid in _owners(each) or not _owners(each)]


def _labelled(session: Session, name: str) -> Iterator[Manifest]:
    for kind, collection in {**paths.CHILD_COLLECTIONS, **paths.OPTIONAL_COLLECTIONS}.items():
        selector = f"{names.SERVICE_LABEL}={name},{names.CHILD_SELECTOR}"
        try:
            items = session.cluster.get(paths.with_query(paths.within(collection, session.namespace), labelSelector=selector)).get("items")
        except Vanished:
            continue  # a kind that this cluster does not have
        except Refused:
            if kind not in paths.OPTIONAL_COLLECTIONS:
                raise
            continue
        yield from ({**each, "kind": kind} for each in items or ())


def _owners(child: Mapping[str, Any]) -> set[str]:
    found = child["metadata"].get("ownerReferences") or ()
    return {str(each.get("uid")) for each in found if each.get("kind") == names.KIND}


def left_behind(found: list[Manifest], kept: frozenset[str]) -> list[Left]:
    """What stays, in the order of the kinds. kept: the schedules that stay suspended."""
    color = serving_color(found)
    return [Left(each["kind"], each["metadata"]["name"], _note(each, color, kept)) for each in found]


def serving_color(found: list[Manifest]) -> str:
    """Of the stack that the clients' Service leads to, else of the only one with pods; "" for none."""
    selectors = [(each.get("spec") or {}).get("selector") or {} for each in found if each["kind"] == "Service"]
    selected = {str(each.get(names.COLOR_LABEL, "")) for each in selectors}
    running = [each for each in found if each["kind"] == "Deployment" and (each.get("spec") or {}).get("replicas")]
    colors = {str((each["metadata"].get("labels") or {}).get(names.COLOR_LABEL, "")) for each in running}
    for color in sorted(colors):
        if color in selected or len(colors) == 1:
            return color
    return ""


def _note(child: Mapping[str, Any], color: str, kept: frozenset[str]) -> str:
    match child["kind"]:
        case "HorizontalPodAutoscaler":
            return f"scales the Deployment of {color} from now on" if color else "scales nothing: delete it"
        case "ScaledObject":
            return "scales nothing any more: point its scaleTargetRef to the Deployment, or delete it"
        case "CronJob":
            return "stays suspended" if child["metadata"]["name"] in kept else "goes on by its schedule; nobody looks at its results"
        case "ControllerRevision":
            return "of use to the operator alone"
        case "Deployment" if not (child.get("spec") or {}).get("replicas"):
            return "has no pods; of use to the operator alone"
    return ""


def suspended_backups(live: Mapping[str, Any]) -> frozenset[str]:
    """The names of backups whose schedule somebody suspended in the spec."""
    return frozenset(str(each.get("name")) for each in (live.get("spec") or {}).get("backups") or () if each.get("suspend"))


def stand_still(session: Session, live: Manifest, deadline: Deadline) -> Manifest:
    """Suspends the service, and waits until the operator says that it changes nothing. Raises CommandEnd where it does not."""
    path = paths.service(session.namespace, live["metadata"]["name"])
    if not (live.get("spec") or {}).get("suspend"):
        live = session.cluster.merge(path, {"metadata": {"uid": live["metadata"]["uid"]}, "spec": {"suspend": True}})

    def looked() -> Manifest | None:
        found = session.cluster.get(path)
        return found if is_seen(found) and status(found).get("phase") == "Suspended" else None

    text = "the operator has not said that it leaves the service alone"
    suspended: Manifest = _until(looked, deadline, text, "is it running? then run this again")
    return suspended


def orphan(session: Session, live: Manifest, deadline: Deadline) -> None:
    """Deletes the HardenedService and nothing else, and waits until it is gone; the garbage collector takes the owner from each child."""
    path, uid = paths.service(session.namespace, live["metadata"]["name"]), live["metadata"]["uid"]
    if not live["metadata"].get("deletionTimestamp"):
        session.cluster.delete(path, {"propagationPolicy": "Orphan", "preconditions": {"uid": uid}})

    def gone() -> bool | None:
        try:
            return session.cluster.get(path)["metadata"]["uid"] != uid or None
        except Vanished:
            return True

    _until(gone, deadline, "the HardenedService is still there", "the garbage collector is at work; run it again to see its end")


def hand_over(session: Session, found: list[Manifest], kept: frozenset[str]) -> None:
    """Lets what was frozen go on: the autoscaler, now of the Deployment, and schedules. kept: names of backups that stay suspended."""
    color = serving_color(found)
    target = next((each for each in found if each["kind"] == "Deployment" and _color(each) == color), None)
    for each in found:
        path = paths.one(paths.children(each["kind"], session.namespace), each["metadata"]["name"]) if each["kind"] != _KEDA else ""
        if each["kind"] == _AUTOSCALER and target:
            reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": target["metadata"]["name"]}
            behavior = {way: {**rules, "selectPolicy": _thawed(rules)} for way, rules in (each["spec"].get("behavior") or {}).items()}
            session.cluster.merge(path, {"spec": {"scaleTargetRef": reference, "behavior": behavior or None}})
        if each["kind"] == _CRON_JOB and each["spec"].get("suspend") and _backup(each) not in kept:
            session.cluster.merge(path, {"spec": {"suspend": False}})


def _thawed(rules: Mapping[str, Any]) -> Any:
    found = rules.get("selectPolicy")
    return "Max" if found == "Disabled" else found


def _color(child: Mapping[str, Any]) -> str:
    return str((child["metadata"].get("labels") or {}).get(names.COLOR_LABEL, ""))


def _backup(child: Mapping[str, Any]) -> str:
    return str((child["metadata"].get("labels") or {}).get(names.BACKUP_LABEL, ""))


def _until(look: Callable[[], Any], deadline: Deadline, text: str, hint: str) -> Any:
    """What a look gives, as soon as it gives something."""
    while True:
        found = look()
        if found is not None:
            return found
        if deadline.within(PAUSE) < PAUSE:
            raise CommandEnd(text, result=ResultWord.TIMED_OUT, code=Exit.TIMED_OUT, hint=hint)
        time.sleep(PAUSE)

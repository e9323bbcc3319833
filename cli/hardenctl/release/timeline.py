"""What happened to a service, in the order of time: its own Events and those of its children, its revisions, actions and containers."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from hardenctl.cluster.paths import CHILD_COLLECTIONS, EVENTS, PODS, REPLICA_SETS, actions, with_query, within
from hardenctl.cluster.session import Session
from hardenctl.output.moments import moment
from hardenctl.release.pods import container_ends
from hardenctl.release.revisions import Stored
from hardenctl.release.verdict import status
from hardened.api import names
from hardened.core.model.manifest import Manifest
from hardened.errors import ApiFailure

#: The operator, as its Events name it.
OPERATOR = "hardened-operator"
#: Whose names are looked up, since their Events have no label: (kind, collection).
_LOOKED_UP = {
    "Pod": PODS,
    "ReplicaSet": REPLICA_SETS,
    **{kind: CHILD_COLLECTIONS[kind] for kind in ("Deployment", "Job", "CronJob", "PersistentVolumeClaim")},
}
#: Children that have the name of the service itself.
_NAMESAKES = ("Service", "HorizontalPodAutoscaler", "ScaledObject", "PodDisruptionBudget")
#: Of one second, causes before effects: the cluster counts no smaller times.
_RANK = {kind: at for at, kind in enumerate((names.ACTION_KIND, names.KIND, "ControllerRevision", "Deployment", "ReplicaSet"))}
_REVISION = re.compile(r"\b[0-9a-f]{12}\b")
_MOST_FIELDS = 4


@dataclass(frozen=True)
class Happening:
    """One line of a timeline."""

    at: datetime
    """When; of what happened several times the last."""
    who: str
    """The component or user."""
    kind: str
    """Of the object that it is about."""
    name: str
    """Of that object."""
    reason: str
    """In one word."""
    message: str
    """In a sentence, "" for nothing."""
    is_warning: bool = False
    """Something is not as it should be."""
    count: int = 1
    """How often."""
    revision: str = ""
    """That it is about, "" for none, or several."""

    def data(self) -> Manifest:
        """As JSON output has it."""
        return {
            "at": self.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "who": self.who,
            "kind": self.kind,
            "name": self.name,
            "type": "Warning" if self.is_warning else "Normal",
            "reason": self.reason,
            "message": self.message,
            "count": self.count,
            "revision": self.revision,
        }


def timeline_of(session: Session, live: Mapping[str, Any], kept: Iterable[Stored], tell: Callable[[str], None]) -> list[Happening]:
    """All that is known, the oldest first. kept: the stored revisions; tell: is told of what may not be read."""
    meta = live["metadata"]
    reader = _Reader(session, str(meta["namespace"]), tell)
    selector = f"{names.SERVICE_LABEL}={meta['name']}"
    children = {kind: reader.list(within(path, reader.namespace), selector) for kind, path in _LOOKED_UP.items()}
    asked = [each for each in reader.list(actions(reader.namespace)) if (each.get("spec") or {}).get("service") == meta["name"]]
    known = _Known(live, children, asked)
    events = [found for each in reader.list(within(EVENTS, reader.namespace)) if known.has(each) and (found := known.happening(each))]
    whole = [*events, *_revisions(kept), *_actions(live, asked), *_writes(live), *_container_ends(children["Pod"])]
    return sorted(whole, key=lambda each: (each.at, _RANK.get(each.kind, len(_RANK))))


def events_about(
    live: Mapping[str, Any], children: Mapping[str, list[Manifest]], asked: Iterable[Manifest], events: Iterable[Manifest]
) -> list[Manifest]:
    """Those of the Events of a namespace that are about the service. children: by kind; asked: its actions."""
    known = _Known(live, children, asked)
    return [each for each in events if known.has(each)]


@dataclass(frozen=True)
class _Reader:
    session: Session
    namespace: str
    tell: Callable[[str], None]

    def list(self, path: str, selector: str | None = None) -> list[Manifest]:
        """The objects of a collection; none for who may not read them, who is told so."""
        try:
            return list(self.session.cluster.get(with_query(path, labelSelector=selector)).get("items") or ())
        except ApiFailure as error:
            self.tell(f"{path.rpartition('/')[2]} are left out: {error}")
            return []


class _Known:
    """Which objects are the service's, gone ones as well, and which revision each belongs to."""

    def __init__(self, live: Mapping[str, Any], children: Mapping[str, list[Manifest]], asked: Iterable[Manifest]) -> None:
        meta = live["metadata"]
        self._name, self._uid = str(meta["name"]), meta.get("uid")
        self._revisions: dict[tuple[str, str], str] = {}
        for kind, found in children.items():
            for child in found:
                labels = child["metadata"].get("labels") or {}
                # A Deployment runs one revision after the other.
                revision = "" if kind == "Deployment" else str(labels.get(names.REVISION_LABEL, ""))
                self._revisions[kind, str(child["metadata"]["name"])] = revision
        for kind in _NAMESAKES:
            self._revisions[kind, self._name] = ""
        for each in asked:
            self._revisions[names.ACTION_KIND, str(each["metadata"]["name"])] = str((each.get("spec") or {}).get("revision") or "")
        colors = [names.child_name(self._name, color) for color in ("blue", "green")]
        #: What the names of pods and ReplicaSets that are gone begin with, the longest first.
        self._prefixes = {
            f"{name}-": revision for (kind, name), revision in self._revisions.items() if kind in ("ReplicaSet", "Deployment", "Job")
        } | {f"{name}-": "" for name in colors}

    def has(self, event: Mapping[str, Any]) -> bool:
        """Whether it is about the service."""
        about = event.get("involvedObject") or {}
        kind, name = str(about.get("kind", "")), str(about.get("name", ""))
        if kind == names.KIND:
            return name == self._name and about.get("uid") in (None, "", self._uid)
        return (kind, name) in self._revisions or (kind in ("Pod", "ReplicaSet") and self._prefix(name) is not None)

    def happening(self, event: Mapping[str, Any]) -> Happening | None:
        """The Event as one line; None where it does not say when."""
        at = _when(event)
        if at is None:
            return None
        about, series = event.get("involvedObject") or {}, event.get("series") or {}
        message = " ".join(str(event.get("message", "")).split())
        return Happening(
            at=at,
            who=str(event.get("reportingComponent") or (event.get("source") or {}).get("component") or "unknown"),
            kind=str(about.get("kind", "")),
            name=str(about.get("name", "")),
            reason=str(event.get("reason", "")),
            message=message,
            is_warning=event.get("type") == "Warning",
            count=int(series.get("count") or event.get("count") or 1),
            revision=self._revision(str(about.get("kind", "")), str(about.get("name", "")), message),
        )

    def _revision(self, kind: str, name: str, message: str) -> str:
        if found := self._revisions.get((kind, name)):
            return found
        if kind in ("Pod", "ReplicaSet") and (prefix := self._prefix(name)):
            return self._prefixes[prefix]
        words = {word.strip(",:;") for word in message.split()}
        own = {revision for (kind, name), revision in self._revisions.items() if kind in ("ReplicaSet", "Pod") and name in words}
        named = set(_REVISION.findall(message)) | own - {""}
        return named.pop() if len(named) == 1 else ""

    def _prefix(self, name: str) -> str | None:
        return max((prefix for prefix in self._prefixes if name.startswith(prefix)), key=len, default=None)


def _when(event: Mapping[str, Any]) -> datetime | None:
    found = [moment(event.get("series") or {}, "lastObservedTime")]
    found += [moment(event, field) for field in ("lastTimestamp", "eventTime", "firstTimestamp")]
    found.append(moment(event.get("metadata") or {}, "creationTimestamp"))
    return next((each for each in found if each), None)


def _revisions(kept: Iterable[Stored]) -> Iterator[Happening]:
    for each in kept:
        at = moment({"at": each.created_at}, "at")
        if at:
            number = f"revision {each.number}" if each.number else "revision"
            yield Happening(
                at, OPERATOR, "ControllerRevision", each.name, "RevisionStored", f"{number}: {each.image}", revision=each.revision
            )


def _actions(live: Mapping[str, Any], asked: Iterable[Manifest]) -> Iterator[Happening]:
    seen = set()
    for each in asked:
        meta, spec, came = each["metadata"], each.get("spec") or {}, each.get("status") or {}
        seen.add(meta["name"])
        about = Happening(
            at=moment(meta, "creationTimestamp") or datetime.min,
            who=str(spec.get("requestedBy") or "unknown"),
            kind=names.ACTION_KIND,
            name=str(meta["name"]),
            reason=str(spec.get("action", "")),
            message=str(spec.get("reason") or ""),
            revision=str(spec.get("revision") or ""),
        )
        if about.at.tzinfo:
            yield about
        yield from _end(about, came)
    for each in status(live).get("actions") or ():
        at = moment(each, "startedAt") if isinstance(each, Mapping) and each.get("name") not in seen else None
        if at:
            who, action, revision = str(each.get("by") or "unknown"), str(each.get("action", "")), str(each.get("revision") or "")
            about = Happening(at, who, names.ACTION_KIND, str(each["name"]), action, "", revision=revision)
            yield about
            yield from _end(about, each)


def _end(about: Happening, came: Mapping[str, Any]) -> Iterator[Happening]:
    at = moment(came, "finishedAt")
    if at:
        phase = str(came.get("phase", ""))
        message = f"{about.reason}: {came.get('message') or ''}".rstrip(": ")
        yield replace(about, at=at, who=OPERATOR, reason=phase, message=message, is_warning=phase in ("Failed", "Refused"))


def _writes(live: Mapping[str, Any]) -> Iterator[Happening]:
    """The last time that each manager wrote to the spec: who changed it, and which fields are theirs."""
    meta = live["metadata"]
    for entry in meta.get("managedFields") or ():
        at, fields = moment(entry, "time"), (entry.get("fieldsV1") or {}).get("f:spec")
        if at and isinstance(fields, Mapping) and entry.get("subresource") != "status":
            theirs = sorted(f"spec.{field[2:]}" for field in fields if field.startswith("f:"))
            more = f" and {len(theirs) - _MOST_FIELDS} more" if len(theirs) > _MOST_FIELDS else ""
            text = f"manages {', '.join(theirs[:_MOST_FIELDS])}{more}"
            yield Happening(at, str(entry.get("manager") or "unknown"), names.KIND, str(meta["name"]), "SpecWritten", text)


def _container_ends(pods: Iterable[Manifest]) -> Iterator[Happening]:
    for pod in pods:
        labels, name = pod["metadata"].get("labels") or {}, str(pod["metadata"]["name"])
        for container, ended in container_ends(pod):
            at, code = moment(ended, "finishedAt"), ended.get("exitCode")
            if at:
                # Its message is the application's own, and may hold what is secret.
                text = f"container {container} ended with exit code {'?' if code is None else code}"
                revision = str(labels.get(names.REVISION_LABEL, ""))
                yield Happening(
                    at, "kubelet", "Pod", name, str(ended.get("reason") or "Ended"), text, is_warning=code != 0, revision=revision
                )

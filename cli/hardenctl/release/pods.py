"""The pods of a service, as people look at them: which revision and colour, in what state."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hardenctl.cluster.paths import PODS, with_query, within
from hardenctl.cluster.session import Session
from hardenctl.output.moments import age, moment
from hardened.api import names
from hardened.core.model.manifest import Manifest

#: Of an application's pods, as a label says; pods of checks, backups and migrations have others.
_APP = f"{names.COMPONENT_LABEL}=app"
#: The container of the application.
APP_CONTAINER = "app"


@dataclass(frozen=True)
class PodReading:
    """One pod."""

    name: str
    """metadata.name."""
    revision: str
    """That it runs, "" if unknown."""
    color: str
    """blue or green, "" if unknown."""
    state: str
    """In one word, as kubectl shows it. Examples: Running, CrashLoopBackOff, Init:Error, Unschedulable, Terminating."""
    ready: int
    """Containers that are ready."""
    containers: int
    """Containers that there are to be."""
    restarts: int
    """Of all its containers."""
    created_at: str
    """As the cluster writes it, "" if unknown."""
    node: str
    """Where it runs, "" for nowhere yet."""
    stopped: frozenset[str] = frozenset()
    """Containers that have ended and are not started again yet: their last run is the present one, and not a previous one."""

    @property
    def has_ended(self) -> bool:
        """A container of it has ended at least once."""
        return self.restarts > 0 or bool(self.stopped)

    @property
    def is_ready(self) -> bool:
        """All of its containers are."""
        return self.state == "Running" and self.ready == self.containers > 0

    @property
    def short(self) -> str:
        """What tells it from the others of its colour. Example: api-green-6c9f-x2v1q -> x2v1q."""
        return self.name.rpartition("-")[2]

    @property
    def short_state(self) -> str:
        """With what is ready of it where that is not all. Example: "CrashLoopBackOff, 0 of 1 ready, 4 restarts"."""
        ready = "" if self.is_ready else f"{self.ready} of {self.containers} ready"
        restarts = f"{self.restarts} restart{'' if self.restarts == 1 else 's'}" if self.restarts else ""
        return ", ".join(filter(None, (self.state, ready, restarts)))

    def text(self, now: datetime) -> str:
        """One line of a tree. Example: "x2v1q   Running   12s"."""
        return f"{self.short}   {self.short_state}   {age(moment({'at': self.created_at}, 'at'), now)}"

    def data(self) -> Manifest:
        """As JSON output has it."""
        words = {"name": self.name, "revision": self.revision, "color": self.color, "state": self.state, "ready": self.is_ready}
        return words | {"restarts": self.restarts, "createdAt": self.created_at, "node": self.node}


def live_pods_of(session: Session, live: Mapping[str, Any]) -> list[Manifest]:
    """The pods of the application as the cluster has them, the oldest first. Raises ApiFailure."""
    meta = live["metadata"]
    selector = f"{names.SERVICE_LABEL}={meta['name']},{_APP}"
    found = session.cluster.get(with_query(within(PODS, meta["namespace"]), labelSelector=selector)).get("items") or ()
    return sorted(found, key=lambda pod: (str(pod["metadata"].get("creationTimestamp", "")), pod["metadata"]["name"]))


def reading_of(pod: Mapping[str, Any]) -> PodReading:
    """From the pod as the cluster has it."""
    meta, status = pod["metadata"], pod.get("status") or {}
    labels = meta.get("labels") or {}
    containers = [c for c in status.get("containerStatuses") or () if isinstance(c, Mapping)]
    wanted = (pod.get("spec") or {}).get("containers") or containers
    return PodReading(
        name=str(meta["name"]),
        revision=str(labels.get(names.REVISION_LABEL, "")),
        color=str(labels.get(names.COLOR_LABEL, "")),
        state=_state(meta, status),
        ready=sum(c.get("ready") is True for c in containers),
        containers=len(wanted),
        restarts=sum(int(c.get("restartCount") or 0) for c in _all_containers(status)),
        created_at=str(meta.get("creationTimestamp", "")),
        node=str((pod.get("spec") or {}).get("nodeName", "")),
        stopped=frozenset(str(c.get("name", "")) for c in _all_containers(status) if (c.get("state") or {}).get("terminated")),
    )


def container_ends(pod: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The containers that ended, each with how: as it is now, and before its last restart."""
    for container in _all_containers(pod.get("status") or {}):
        for place in ("lastState", "state"):
            ended = (container.get(place) or {}).get("terminated")
            if isinstance(ended, Mapping):
                yield str(container.get("name", "")), ended


def container_named(pod: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The status of one container, {} where there is none of that name."""
    return next((each for each in _all_containers(pod.get("status") or {}) if each.get("name") == name), {})


def _all_containers(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [c for kind in ("initContainerStatuses", "containerStatuses") for c in status.get(kind) or () if isinstance(c, Mapping)]


def _state(meta: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    if meta.get("deletionTimestamp"):
        return "Terminating"
    if status.get("reason"):
        return str(status["reason"])
    inits = _words(status.get("initContainerStatuses") or (), is_init=True)
    words = [f"Init:{word}" for word in inits] or _words(status.get("containerStatuses") or (), is_init=False)
    if words:
        return words[0]
    phase = str(status.get("phase", "Pending"))
    scheduled: Mapping[str, Any] = next((c for c in status.get("conditions") or () if c.get("type") == "PodScheduled"), {})
    return "Unschedulable" if phase == "Pending" and scheduled.get("reason") == "Unschedulable" else phase


def _words(containers: Iterable[Mapping[str, Any]], *, is_init: bool) -> list[str]:
    """What containers that do not run as they should are at, in one word each."""
    found = []
    for container in containers:
        state = container.get("state") or {}
        waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
        if waiting.get("reason") and not (is_init and waiting["reason"] == "PodInitializing"):
            found.append(str(waiting["reason"]))
        elif ended and (ended.get("exitCode") or not is_init):
            found.append(str(ended.get("reason") or f"ExitCode:{ended.get('exitCode', '?')}"))
    return found

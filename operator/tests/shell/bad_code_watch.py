"""Who watches a rollback with data: from the moment that its restore may write until it is over, no other revision may have a pod."""

from collections.abc import Callable
from typing import Any

from tests.memory.api_server import MemoryApiServer

from hardened.api import names
from hardened.shell.kinds import DEPLOYMENT, HARDENED_SERVICE, JOB, POD, Kind

Body = dict[str, Any]


class BadCodeWatch:
    """wrongs: each moment at which a Deployment made pods of another revision than the target, or such a pod ran, on data that was, or was
    being, restored. phases: of the hold, in their order. It is called with each event of the cluster.
    """

    def __init__(self, server: MemoryApiServer, target: Callable[[], str]) -> None:
        """target: the revision that alone may run on the data."""
        self._server, self._target = server, target
        self._is_watched = False
        self.wrongs: list[str] = []
        self.phases: list[str] = []

    def __call__(self, event: str, kind: Kind, obj: Body) -> None:
        if kind == HARDENED_SERVICE:
            status = obj.get("status") or {}
            hold = status.get("hold") or {}
            self.phases += [hold["phase"]] if hold and self.phases[-1:] != [hold["phase"]] else []
            is_at_work = any(entry["phase"] == "Running" and entry.get("backup") for entry in status.get("actions") or ())
            self._is_watched = self._is_watched and (bool(hold) or is_at_work)
        if kind == JOB and event == "ADDED" and obj["metadata"]["labels"].get(names.RUN_LABEL) == names.RESTORE:
            self._is_watched = True
        if self._is_watched:
            self.wrongs += [f"{kind.name} {obj['metadata']['name']}: {wrong}" for wrong in self._found()]

    def _found(self) -> list[str]:
        makers = [live for live in self._server.all(DEPLOYMENT) if live["spec"]["replicas"] and not _is_gated(live["spec"]["template"])]
        running = [pod for pod in self._server.all(POD) if _is_application(pod) and not _is_gated(pod)]
        named = [
            (f"{kind} {live['metadata']['name']}", _revision(meta))
            for kind, live, meta in (
                *(("Deployment", live, live["spec"]["template"]["metadata"]) for live in makers),
                *(("pod", pod, pod["metadata"]) for pod in running),
            )
        ]
        return [f"{name} of {revision}" for name, revision in named if revision != self._target()]


def _revision(meta: Body) -> str:
    return str(meta["labels"].get(names.REVISION_LABEL))


def _is_gated(template: Body) -> bool:
    return bool(template["spec"].get("schedulingGates"))


def _is_application(pod: Body) -> bool:
    return bool((pod["metadata"].get("labels") or {}).get(names.COMPONENT_LABEL) == "app")

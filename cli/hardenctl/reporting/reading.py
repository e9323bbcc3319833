"""Reads what a support bundle is made of. Whatever cannot be read is named, and stops nothing else; Secrets are never asked for."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hardenctl.cluster import installation, paths
from hardenctl.cluster.paths import CHILD_COLLECTIONS, EVENTS, OPTIONAL_COLLECTIONS, PODS, REPLICA_SETS
from hardenctl.cluster.session import Session
from hardenctl.release.timeline import events_about
from hardenctl.reporting.bundle import Findings, Missing
from hardened import __version__
from hardened.api import names
from hardened.core.model.manifest import Manifest
from hardened.errors import ApiFailure, Refused, Vanished

#: Objects of one page, and pages of one kind: of what there is more, the rest is not read.
PAGE, PAGES = 500, 8
#: Containers whose logs are read, of the service and of the operator.
LOGS, OPERATOR_LOGS = 40, 4
#: The last lines, and the most bytes of them, that are asked for of one container.
LINES, BYTES = 200, 256 * 1024
OPERATOR_LINES, OPERATOR_BYTES = 2000, 1024 * 1024
#: Seconds without a line after which a log is given up.
_QUIET = 15.0
#: What can be said of the operator's log without the words of an error: it is another team's, and nothing is wrong.
OPERATOR_LOG = "the operator's log"
_Found = TypeVar("_Found")


@dataclass
class Reader:
    """One run over one service."""

    session: Session
    live: Mapping[str, Any]
    """The service, as it is there."""
    found: Findings = field(default_factory=Findings)
    """What has been read so far."""
    versions: dict[str, str] = field(default_factory=lambda: {"hardenctl": __version__})
    """By what they are of."""

    def read(self) -> Findings:
        """All of it."""
        self.found.objects["service.yaml"] = dict(self.live)
        children = {kind: self._children(kind, path) for kind, path in CHILD_COLLECTIONS.items()}
        for kind, path in OPTIONAL_COLLECTIONS.items():
            self._children(kind, path, is_optional=True)
        pods = self._objects("pods.yaml", "Pod", paths.within(PODS, self._namespace), self._selector)
        replica_sets = self._objects("replicasets.yaml", "ReplicaSet", paths.within(REPLICA_SETS, self._namespace), self._selector)
        asked = self._asked()
        self._events({**children, "Pod": pods, "ReplicaSet": replica_sets}, asked)
        self._logs(pods)
        self._installation()
        return self.found

    @property
    def _namespace(self) -> str:
        return str(self.live["metadata"]["namespace"])

    @property
    def _selector(self) -> str:
        return f"{names.SERVICE_LABEL}={self.live['metadata']['name']}"

    def _children(self, kind: str, collection: str, *, is_optional: bool = False) -> list[Manifest]:
        path = paths.within(collection, self._namespace)
        return self._objects(f"children/{kind}.yaml", kind, path, self._selector, is_optional=is_optional)

    def _objects(self, file: str, kind: str, path: str, selector: str | None, *, is_optional: bool = False) -> list[Manifest]:
        items = self._tried(f"{kind}s", lambda: list(self._pages(path, selector, kind)), _none(), is_optional=is_optional)
        if items:
            self.found.objects[file] = items
        return items

    def _pages(self, path: str, selector: str | None, kind: str) -> Iterator[Manifest]:
        more: str | None = None
        for _ in range(PAGES):
            page = self.session.cluster.get(paths.with_query(path, labelSelector=selector, limit=PAGE, **{"continue": more}))
            for each in page.get("items") or ():
                # Which the items of a list lack.
                yield {"kind": kind, **each}
            more = (page.get("metadata") or {}).get("continue")
            if not more:
                return
        self._miss(f"{kind}s", f"there are more than {PAGE * PAGES}; the others were not read")

    def _asked(self) -> list[Manifest]:
        name, path = self.live["metadata"]["name"], paths.actions(self._namespace)
        every = self._tried("actions", lambda: list(self._pages(path, None, names.ACTION_KIND)), _none())
        asked = [each for each in every if (each.get("spec") or {}).get("service") == name]
        if asked:
            self.found.objects["actions.yaml"] = asked
        return asked

    def _events(self, children: Mapping[str, list[Manifest]], asked: Sequence[Manifest]) -> None:
        every = self._tried("Events", lambda: list(self._pages(paths.within(EVENTS, self._namespace), None, "Event")), _none())
        about = events_about(self.live, children, asked, every)
        if about:
            self.found.objects["events.yaml"] = about

    def _logs(self, pods: Sequence[Manifest]) -> None:
        wanted = [each for pod in pods for each in _runs_of(pod)]
        for pod, container, is_previous in wanted[:LOGS]:
            file = f"logs/{pod}/{container}{'.previous' if is_previous else ''}.log"
            self._log(f"the log of {pod}, container {container}", file, self._namespace, pod, container, is_previous=is_previous)
        if len(wanted) > LOGS:
            self._miss("logs", f"of {len(wanted)} runs of containers the first {LOGS} were read")

    def _log(self, what: str, file: str, namespace: str, pod: str, container: str, *, is_previous: bool = False) -> None:
        lines, most = (OPERATOR_LINES, OPERATOR_BYTES) if what == OPERATOR_LOG else (LINES, BYTES)
        path = paths.with_query(
            f"{paths.one(paths.within(PODS, namespace), pod)}/log",
            container=container,
            tailLines=lines,
            limitBytes=most,
            previous=is_previous or None,
        )
        found = self._tried(what, lambda: _bounded(self.session.cluster.lines(path, _QUIET), lines, most), None)
        if found is not None:
            self.found.logs[file] = found

    def _installation(self) -> None:
        cluster = self.session.cluster
        self.versions["cluster"] = self._tried("the cluster's version", lambda: str(cluster.get(paths.VERSION).get("gitVersion", "")), "")
        self.versions["crd"] = self._tried("the CRD", lambda: installation.crd(cluster).version, "")
        self.versions["operator"] = self._tried("the operator's version", lambda: installation.operator(cluster).version, "")
        operator = self._tried("the operator's Deployment", lambda: installation.deployment(cluster), None)
        if operator is None:
            return
        self.found.objects["operator/deployment.yaml"] = {"kind": "Deployment", **operator}
        namespace = str(operator["metadata"]["namespace"])
        path = paths.within(PODS, namespace)
        pods = self._tried(OPERATOR_LOG, lambda: list(self._pages(path, paths.OPERATOR_LABEL, "Pod")), _none())
        if pods:
            self.found.objects["operator/pods.yaml"] = pods
        for pod, container, is_previous in [each for one in pods for each in _runs_of(one)][:OPERATOR_LOGS]:
            file = f"operator/logs/{pod}/{container}{'.previous' if is_previous else ''}.log"
            self._log(OPERATOR_LOG, file, namespace, pod, container, is_previous=is_previous)

    def _tried(self, what: str, read: Callable[[], _Found], otherwise: _Found, *, is_optional: bool = False) -> _Found:
        if self.session.deadline.has_passed:
            self._miss(what, "no time was left: give it more with --timeout")
            return otherwise
        try:
            return read()
        except ApiFailure as error:
            if not (is_optional and self._is_none(error)):
                self._miss(what, str(error))
            return otherwise

    def _is_none(self, error: ApiFailure) -> bool:
        """Of a kind that a cluster may lack: it has none. Who has no right to a kind is not told whether there is one, but what has no use
        for it has none of it."""
        scaled_by = (self.live.get("spec") or {}).get("autoscale") or {}
        return isinstance(error, Vanished) or (isinstance(error, Refused) and not scaled_by.get("prometheus"))

    def _miss(self, what: str, why: str) -> None:
        if Missing(what, why) not in self.found.missing:
            self.found.missing.append(Missing(what, why))


def _none() -> list[Manifest]:
    return []


def _runs_of(pod: Mapping[str, Any]) -> Iterator[tuple[str, str, bool]]:
    """(pod, container, previous run): each container that has run, and the run before where it was restarted."""
    status = pod.get("status") or {}
    for kind in ("containerStatuses", "initContainerStatuses"):
        for each in status.get(kind) or ():
            state = each.get("state") or {}
            if "waiting" not in state:
                yield str(pod["metadata"]["name"]), str(each.get("name", "")), False
            if each.get("restartCount"):
                yield str(pod["metadata"]["name"]), str(each.get("name", "")), True


def _bounded(lines: Iterator[str], most: int, size: int) -> list[str]:
    """What the server sends, as long as it keeps to what it was asked for."""
    found: list[str] = []
    for line in lines:
        size -= len(line)
        if len(found) >= most or size < 0:
            break
        found.append(line)
    return found

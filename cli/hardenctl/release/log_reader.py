"""The logs of a service's pods: once, or as they come, over pods that are replaced and connections that are cut."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from hardenctl.cluster.api_cluster import Cluster
from hardenctl.cluster.paths import PODS, one, with_query, within
from hardenctl.release.pods import PodReading
from hardened.errors import ApiFailure, TryAgain

#: Seconds between two looks for pods that are new.
POLL_SECONDS = 2.0
#: What a node answers, as if it were the log, while it replaces a container.
_REMOVED = "unable to retrieve container logs for "
#: A stream without a line for so many seconds may be dead, and is opened anew where it stopped.
QUIET_SECONDS = 300.0


@dataclass(frozen=True)
class LogRequest:
    """What of a log is asked for."""

    container: str
    """Of each pod."""
    tail: int = -1
    """The last lines of each pod, -1 for all."""
    since: float | None = None
    """Seconds, None for all."""
    previous: bool = False
    """Of the container before its last restart."""
    timestamps: bool = False
    """Each line begins with its time."""


@dataclass(frozen=True)
class PodLog:
    """The log of one pod."""

    pod: PodReading
    lines: tuple[str, ...] = ()
    problem: str = ""
    """Why there is none, "" for nothing."""


def read(cluster: Cluster, namespace: str, pod: PodReading, request: LogRequest) -> PodLog:
    """The log as it is now. Raises ApiFailure where the caller may not read it, or the server does not answer."""
    path = _path(namespace, pod.name, request, tail=request.tail)
    try:
        lines = tuple(cluster.lines(path, QUIET_SECONDS))
        if len(lines) == 1 and _REMOVED in lines[0]:
            return PodLog(pod, problem="the node has removed that container; try again after the next restart")
        return PodLog(pod, lines)
    except ApiFailure as error:
        if error.status not in (400, 404):
            raise
        return PodLog(pod, problem=error.message)


def _path(namespace: str, pod: str, request: LogRequest, *, tail: int = -1, follow: bool = False, since_time: str = "") -> str:
    seconds = max(1, round(request.since)) if request.since is not None and not since_time else None
    return with_query(
        f"{one(within(PODS, namespace), pod)}/log",
        container=request.container,
        follow=follow or None,
        previous=request.previous or None,
        tailLines=tail if tail >= 0 and not since_time else None,
        sinceSeconds=seconds,
        sinceTime=since_time or None,
        timestamps=(request.timestamps or follow) or None,
    )


@dataclass
class LogFollower:
    """Prints lines of all pods as they come.

    pods: the pods as they are now; show: is given each line with its pod; tell: is told what goes wrong; pause: waits some seconds. Lines
    of one pod are in order; those of several come as the server sends them. show and tell are called from several threads, one at a time.
    """

    cluster: Cluster
    namespace: str
    request: LogRequest
    pods: Callable[[], Sequence[PodReading]]
    show: Callable[[PodReading, str], None]
    tell: Callable[[str], None]
    pause: Callable[[float], None]
    _threads: dict[str, threading.Thread] = field(default_factory=dict)
    _last: dict[str, str] = field(default_factory=dict)
    _ended: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _failure: ApiFailure | None = None

    def run(self) -> None:
        """Until there is no pod any more. Raises ApiFailure for what trying again does not mend."""
        failures = 0
        while True:
            try:
                found = self.pods()
                failures = 0
            except TryAgain as error:
                if error.status == 401:
                    raise
                failures += 1
                if failures == 1:
                    self._say(f"the cluster does not answer: {error}; trying again")
                self.pause(POLL_SECONDS)
                continue
            for pod in found:
                self._follow(pod)
            if self._failure:
                raise self._failure
            if not found and not any(thread.is_alive() for thread in self._threads.values()):
                return
            self.pause(POLL_SECONDS)

    def _follow(self, pod: PodReading) -> None:
        thread = self._threads.get(pod.name)
        # What its container has said to its end is known; after a restart there is more.
        has_ended = self._ended.get(pod.name) == pod.restarts and pod.state != "Running"
        if has_ended or (thread and thread.is_alive()):
            return
        self._threads[pod.name] = threading.Thread(target=self._read, args=(pod,), name=f"logs of {pod.name}", daemon=True)
        self._threads[pod.name].start()

    def _read(self, pod: PodReading) -> None:
        seen = self._last.get(pod.name, "")
        begin = _whole_second(seen) if seen else ""
        path = _path(self.namespace, pod.name, self.request, tail=self.request.tail, follow=True, since_time=begin)
        try:
            for stamp, line in _stamped(self.cluster.lines(path, QUIET_SECONDS)):
                # The server begins at a whole second: what was shown of it is not shown again.
                if _order(stamp) > _order(seen):
                    self._last[pod.name] = stamp
                    self._show(pod, f"{stamp} {line}" if self.request.timestamps else line)
            self._ended[pod.name] = pod.restarts
        except TryAgain:
            pass  # it was cut off: the next look opens it again
        except ApiFailure as error:
            # 400: it has not started yet; 404: it is gone.
            if error.status not in (400, 404):
                self._failure = error

    def _show(self, pod: PodReading, line: str) -> None:
        with self._lock:
            self.show(pod, line)

    def _say(self, text: str) -> None:
        with self._lock:
            self.tell(text)


def _stamped(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        stamp, _, rest = line.partition(" ")
        yield stamp, rest


def _order(stamp: str) -> tuple[str, str]:
    """By time: the server drops zeros at the end of a fraction. Example: 2026-01-02T03:04:05.1Z is before 2026-01-02T03:04:05.12Z."""
    second, _, fraction = stamp.rstrip("Z").partition(".")
    return second, fraction.ljust(9, "0")


def _whole_second(stamp: str) -> str:
    return f"{stamp.rstrip('Z').partition('.')[0]}Z"

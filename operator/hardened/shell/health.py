"""Signs of life: whether the process should be started anew. Pure but for what it was told."""

from collections.abc import Iterable
from typing import Final

#: Seconds of silence of a watch: `watches` has it renewed each 120 s, and each attempt of it is a sign of life.
WATCH_LIMIT: Final = 180.0
#: Seconds without progress of a queue in which something waits: four times the longest API call.
QUEUE_LIMIT: Final = 60.0
#: Seconds by which the event loop may be late.
LAG_LIMIT: Final = 5.0
#: Seconds between two `ticked`: the shell calls it from a task of its own.
TICK: Final = 1.0


class Liveness:
    """All times in seconds on one monotonic clock, given by the caller. Nothing is wrong before something had the time to go wrong."""

    def __init__(self, kinds: Iterable[str], now: float) -> None:
        self._seen = dict.fromkeys(kinds, now)
        self._has_begun = False
        self._heartbeat = now
        self._ticked = now
        self._lag = 0.0

    def saw(self, kind: str, now: float) -> None:
        """The watch of this kind lives: it was told something, or asks. Kinds that are not watched are ignored.

        That it asks is enough: a watch that is dead does not, and one whose API server is away is not helped by a new process.
        """
        if not self._has_begun:
            self._seen = dict.fromkeys(self._seen, now)
        elif kind in self._seen:
            self._seen[kind] = now

    def leave_out(self, kinds: Iterable[str]) -> None:
        """These kinds are not on the cluster, and not watched."""
        for kind in kinds:
            self._seen.pop(kind, None)

    def begin(self, now: float) -> None:
        """Each kind is watched from now on. Until then they are asked for one after the other, and a sign of anything stands for all."""
        self._has_begun = True
        self._seen = dict.fromkeys(self._seen, now)

    def beat(self, heartbeat: float) -> None:
        """The work queue's heartbeat, as WorkQueue.heartbeat() says."""
        self._heartbeat = heartbeat

    def ticked(self, now: float) -> None:
        """The event loop came round; due each TICK seconds."""
        self._lag = max(0.0, now - self._ticked - TICK)
        self._ticked = now

    def lag(self, now: float) -> float:
        """How late the event loop is, or last was."""
        return max(self._lag, now - self._ticked - TICK, 0.0)

    def problems(self, now: float) -> list[str]:
        """What should end this process, as sentences; empty when it is well."""
        problems = [
            f"no sign of life of the watch of {kind} for {now - at:.0f} s (limit {WATCH_LIMIT:.0f} s)"
            for kind, at in sorted(self._seen.items())
            if now - at >= WATCH_LIMIT
        ]
        if (silence := now - self._heartbeat) >= QUEUE_LIMIT:
            problems.append(f"the work queue has made no progress for {silence:.0f} s (limit {QUEUE_LIMIT:.0f} s)")
        if (lag := self.lag(now)) >= LAG_LIMIT:
            problems.append(f"the event loop is {lag:.1f} s late (limit {LAG_LIMIT:.0f} s)")
        return problems

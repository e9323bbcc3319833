"""What all looks of a process have in common."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from hardened.core.model.policy import Policy
from hardened.shell.api_server import ApiServer, Body
from hardened.shell.cache import Cache
from hardened.shell.metrics import Metrics
from hardened.shell.namespace_reader import NamespaceReader
from hardened.shell.questions import Questions
from hardened.shell.recorder import Recorder
from hardened.shell.release_slots import ReleaseSlots
from hardened.shell.workqueue import Key, WorkQueue
from hardened.shell.writer import Writer


@dataclass(frozen=True)
class Shared:
    """What reads, writes and tells, for every service."""

    api: ApiServer
    cache: Cache
    queue: WorkQueue
    writer: Writer
    namespaces: NamespaceReader
    questions: Questions
    metrics: Metrics
    recorder: Recorder
    slots: ReleaseSlots
    policy: Policy
    now: Callable[[], datetime]
    """The wall clock, timezone-aware."""

    def see_slot(self, key: Key, status: Body) -> None:
        """Takes the status of a service, and has those looked at that may begin to work since a slot has become free."""
        for waiting in self.slots.saw(key, status):
            self.queue.add(waiting)

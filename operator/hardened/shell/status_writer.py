"""The status of a service as it is told: written where it differs, counted, and turned into Events."""

from datetime import timedelta
from typing import Final

from hardened.core.model.manifest import digest
from hardened.core.status.status import has_news
from hardened.shell.api_server import Body
from hardened.shell.remembered import Remembered, WrittenStatus
from hardened.shell.shared import Shared
from hardened.shell.status_events import status_events
from hardened.shell.workqueue import Key

#: Numbers of pods alone are written this long after the last status at the soonest: while pods come and go there are others at once.
NUMBERS_PAUSE: Final = timedelta(seconds=5)


class StatusWriter:
    """Of one service."""

    def __init__(self, shared: Shared, key: Key, known: Remembered) -> None:
        self._shared, self._key, self._known = shared, key, known

    async def tell(self, body: Body, status: Body | None) -> bool:
        """One status write, if it differs. Whether there was one. Other numbers alone wait for their time, or for something to be said.

        body: the service that it was decided on; status: None for nothing to tell. Raises an ApiFailure when the server has not taken it.
        """
        if status is None:
            return False
        metrics, key, before = self._shared.metrics, self._key, body.get("status")
        metrics.set_phase(key, status["phase"])
        metrics.releases.saw(key, before or {}, self._shared.now())
        metrics.backups.saw(key, before or {})
        wanted = digest(status, 64)
        # Taken before the status is written: while that is under way, others are planned.
        self._shared.see_slot(key, status)
        if self._is_there(before, status, wanted):
            return False
        wait = self._wait(before, status)
        if wait:
            self._shared.queue.add_after(key, wait.total_seconds())
            return False
        told = await self._shared.writer.apply_status(key, body, status)
        self._known.status = WrittenStatus(wanted, told.live.get("status"), self._shared.now(), told.meant, told.lacks)
        metrics.releases.saw(key, told.live.get("status") or {}, self._shared.now())
        metrics.backups.saw(key, told.live.get("status") or {})
        for event in status_events(before or {}, status):
            self._shared.recorder.record(body, event.type, event.reason, event.message)
        return True

    def _is_there(self, before: Body | None, status: Body, wanted: str) -> bool:
        written = self._known.status
        return before == status or (written is not None and written.wanted == wanted and before in (written.stored, written.meant))

    def _wait(self, before: Body | None, status: Body) -> timedelta:
        """How long it waits, zero for not at all."""
        written = self._known.status
        since = self._shared.now() - written.at if written else NUMBERS_PAUSE
        if before and timedelta() <= since < NUMBERS_PAUSE and not has_news(before, status):
            return NUMBERS_PAUSE - since
        return timedelta()

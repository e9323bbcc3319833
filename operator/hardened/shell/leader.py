"""Leader election over a Lease: the thin loop around leader_state."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from hardened.errors import ApiFailure, LookAgain, Vanished
from hardened.shell.api_server import ApiServer, Body
from hardened.shell.kinds import LEASE
from hardened.shell.leader_state import Create, LeaderState, Wait
from hardened.shell.settings import Settings

logger = logging.getLogger(__name__)

Callback = Callable[[], None]


def _today() -> datetime:
    return datetime.now(UTC)


class Leader:
    """Takes part in the election until the leadership is lost.

    `run` returns when leadership was lost, after on_lost: the process should end, and be started anew as a candidate.
    clock: monotonic seconds, the event loop's for a real run; one that stands still while the machine sleeps would hide a lost Lease.
    """

    def __init__(
        self,
        api: ApiServer,
        settings: Settings,
        *,
        clock: Callable[[], float],
        rng: random.Random,
        on_started: Callback,
        on_lost: Callback,
        today: Callable[[], datetime] = _today,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._api = api
        self._namespace = settings.lease_namespace
        self._name = settings.lease_name
        self._period = settings.retry_period
        self._clock = clock
        self._rng = rng
        self._on_started = on_started
        self._on_lost = on_lost
        self._today = today
        self._sleep = sleep
        self._has_read = False
        self._has_started = False
        self._has_released = False
        self.state = LeaderState(identity=settings.identity, lease_duration=settings.lease_duration, renew_deadline=settings.renew_deadline)

    @property
    def is_leader(self) -> bool:
        """Whether this process may write, now. Asks the clock: a process that was stopped for a minute does not believe that it leads."""
        return self.state.leads(self._clock())

    async def run(self) -> None:
        """Candidate, then leader. How often it looks varies within 20 %, so that candidates do not move in step."""
        while not self._is_over():
            await self._attempt()
            if self._is_over():
                break
            if self.is_leader and not self._has_started:
                logger.info("%s leads", self.state.identity)
                self._has_started = True
                self._on_started()
            await self._sleep(self._pause())
        if not self._has_released:
            logger.error("%s no longer leads", self.state.identity)
            self._on_lost()

    async def release(self) -> None:
        """Gives the Lease up, if it is ours, so that a standby takes it within its next look. From its first line on is_leader is False.

        Never raises an ApiFailure: without this call the Lease just runs out. Call it when the last write is done.
        """
        self._has_released = True
        did_lead = self.state.renewed_at is not None
        self.state = self.state.resigned()
        if not did_lead:
            return
        try:
            async with asyncio.timeout(self._patience()):
                if not await self._put_released():
                    # A renewal was on its way when we began: look at what it left, and release that.
                    lease = await self._read()
                    self.state = self.state.observed(lease, self._clock())
                    await self._put_released()
        except (ApiFailure, TimeoutError) as error:
            logger.warning("the lease could not be released, it runs out by itself: %s", error)

    async def _put_released(self) -> bool:
        lease = self.state.to_release(self._today())
        if lease is None:
            return True
        try:
            await self._api.update(LEASE, lease)
        except LookAgain:
            return False
        return True

    def _is_over(self) -> bool:
        return self._has_released or (self._has_started and not self.is_leader)

    def _pause(self) -> float:
        """Seconds to the next attempt: a retry_period for a leader, but not past the moment at which its leadership ends.

        Half of one for a standby: how soon it looks is what a handover takes, and a look is one read.
        """
        seconds = self._period * self._rng.uniform(0.8, 1.2) * (1 if self.is_leader else 0.5)
        return min(seconds, self._left())

    def _left(self) -> float:
        """Seconds until our leadership ends, unless it is renewed; without end when we do not lead."""
        deadline = self.state.deadline()
        return deadline - self._clock() if deadline is not None and self.is_leader else float("inf")

    async def _attempt(self) -> None:
        """One look, and one write where one is due; failures leave the state as it is, to run out."""
        try:
            async with asyncio.timeout(self._patience()):
                await self._look_and_write()
        except TimeoutError:
            logger.warning("the lease %s/%s was not answered for in time", self._namespace, self._name)
            self._has_read = False
        except ApiFailure as error:
            # Whether a failed write was taken is unknown: read before the next one.
            logger.warning("lease %s/%s: %s", self._namespace, self._name, error)
            self._has_read = False

    def _patience(self) -> float:
        """Seconds for one attempt: half the renew deadline leaves time for a second one, and never past the end of leadership."""
        return min(self.state.renew_deadline / 2, self._left())

    async def _look_and_write(self) -> None:
        # A leader that knows its last write puts the next one on top of it; all others read first.
        if not (self._has_read and self.is_leader):
            lease = await self._read()
            # Only now the state: what it was before the read may have been given up meanwhile.
            self.state = self.state.observed(lease, self._clock())
        if self._has_released:
            # The Lease is free, and it is we who freed it: a process that ends does not take it back.
            return
        sent_at = self._clock()
        move = self.state.next_move(sent_at)
        if isinstance(move, Wait):
            return
        body = self.state.to_write(move, self._namespace, self._name, self._today())
        written = await (self._api.create(LEASE, body) if isinstance(move, Create) else self._api.update(LEASE, body))
        if self._has_released:
            return
        self.state = self.state.renewed(written, sent_at, self._clock())
        self._has_read = True

    async def _read(self) -> Body | None:
        try:
            return await self._api.get(LEASE, self._namespace, self._name)
        except Vanished:
            return None

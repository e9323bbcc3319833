"""Slots that many want and few can have at a time: shared out by namespace, and within one by service."""

import asyncio
from collections import Counter
from typing import Final

from hardened.shell.workqueue import Key

#: Of all slots, what one namespace may hold, and what one service may.
NAMESPACE_SHARE: Final = 0.5
SERVICE_SHARE: Final = 0.25


class Slots:
    """So many at a time. A free one goes to the namespace that holds the fewest, in it to the service that does, then to who came first."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._by_service: Counter[Key] = Counter()
        self._by_namespace: Counter[str] = Counter()
        self._waiting: dict[asyncio.Future[None], Key] = {}  # in the order in which they came

    async def take(self, owner: Key) -> None:
        """Waits for a slot. Each one that was taken is to be given back."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[turn] = owner
        self._hand_out()
        try:
            await turn
        except asyncio.CancelledError:
            self._waiting.pop(turn, None)
            if turn.done() and not turn.cancelled():
                self.give_back(owner)
            raise

    def give_back(self, owner: Key) -> None:
        """The slot of this owner is free."""
        self._by_service[owner] -= 1
        self._by_namespace[owner.namespace] -= 1
        self._by_service += Counter()  # forgets those at zero
        self._by_namespace += Counter()
        self._hand_out()

    def _hand_out(self) -> None:
        while self._by_service.total() < self._count:
            turn = min(filter(self._may_have, self._waiting), key=self._held, default=None)
            if turn is None:
                return
            owner = self._waiting.pop(turn)
            self._by_service[owner] += 1
            self._by_namespace[owner.namespace] += 1
            if not turn.done():
                turn.set_result(None)

    def _may_have(self, turn: asyncio.Future[None]) -> bool:
        of_namespace, of_service = self._held(turn)
        is_within = of_namespace < max(1, self._count * NAMESPACE_SHARE) and of_service < max(1, self._count * SERVICE_SHARE)
        return is_within and not turn.done()

    def _held(self, turn: asyncio.Future[None]) -> tuple[int, int]:
        owner = self._waiting[turn]
        return self._by_namespace[owner.namespace], self._by_service[owner]

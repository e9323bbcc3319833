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
        # By namespace and service, in the order in which they came: who has a share already is passed over at once, however many wait.
        self._waiting: dict[str, dict[Key, dict[asyncio.Future[None], None]]] = {}

    async def take(self, owner: Key) -> None:
        """Waits for a slot. Each one that was taken is to be given back."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(owner.namespace, {}).setdefault(owner, {})[turn] = None
        self._hand_out()
        try:
            await turn
        except asyncio.CancelledError:
            self._leave(owner, turn)
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
        while self._by_service.total() < self._count and (owner := self._next()):
            turn = next(iter(self._waiting[owner.namespace][owner]))
            self._leave(owner, turn)
            if not turn.done():
                self._by_service[owner] += 1
                self._by_namespace[owner.namespace] += 1
                turn.set_result(None)

    def _next(self) -> Key | None:
        most, most_of_service = (max(1, self._count * share) for share in (NAMESPACE_SHARE, SERVICE_SHARE))
        namespaces = [namespace for namespace in self._waiting if self._by_namespace[namespace] < most]
        for namespace in sorted(namespaces, key=self._by_namespace.__getitem__):
            services = [owner for owner in self._waiting[namespace] if self._by_service[owner] < most_of_service]
            if services:
                return min(services, key=self._by_service.__getitem__)
        return None

    def _leave(self, owner: Key, turn: asyncio.Future[None]) -> None:
        services = self._waiting.get(owner.namespace, {})
        turns = services.get(owner, {})
        turns.pop(turn, None)
        if not turns:
            services.pop(owner, None)
        if not services:
            self._waiting.pop(owner.namespace, None)

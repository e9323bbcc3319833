"""What is asked of Prometheus for each service. A look waits for an answer as long as most take; who is slow is waited for beside it."""

import asyncio
import functools
from collections.abc import Callable, Sequence
from typing import Final

from hardened.core.model.measurement import Query, Sample
from hardened.shell.prometheus import Prometheus
from hardened.shell.workqueue import Key

#: Seconds. There are as many looks at a time as there are workers: those of one team are not to wait in all of them.
PATIENCE: Final = 0.1


class Questions:
    """look: called with a service once there is an answer that it did not wait for."""

    def __init__(self, prometheus: Prometheus, look: Callable[[Key], None]) -> None:
        self._prometheus, self._look = prometheus, look
        self._asked: dict[Key, dict[Query, asyncio.Task[Sample]]] = {}
        self._late: set[asyncio.Task[Sample]] = set()  # of those whose end is to be told of

    async def ask(self, key: Key, queries: Sequence[Query]) -> tuple[dict[str, Sample], frozenset[str]]:
        """The answers by the check, as far as they are there; and the checks of which they are not.

        What was asked before, and is not asked now, is given up.
        """
        asked = self._asked.setdefault(key, {})
        for query in asked.keys() - set(queries):
            asked.pop(query).cancel()
        for query in queries:
            if query not in asked:
                asked[query] = asyncio.create_task(self._prometheus.ask(query, key))
        done, late = await asyncio.wait(asked.values(), timeout=PATIENCE)
        for task in late - self._late:
            self._late.add(task)
            task.add_done_callback(functools.partial(self._told, key))
        samples = {query.name: asked.pop(query).result() for query in list(asked) if asked[query] in done}
        missing = frozenset(query.name for query in asked)
        if not asked:
            del self._asked[key]
        return samples, missing

    def forget(self, key: Key) -> None:
        """The service is gone."""
        for task in self._asked.pop(key, {}).values():
            task.cancel()

    def _told(self, key: Key, task: asyncio.Task[Sample]) -> None:
        self._late.discard(task)
        if not task.cancelled():
            self._look(key)

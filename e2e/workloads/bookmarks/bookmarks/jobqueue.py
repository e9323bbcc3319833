"""The queue in Redis: which jobs wait, and which worker has which. Nothing is here alone: see jobs.py.

`ready` is the list of waiting jobs, `taken:W` that of worker W, and `known` the set of all ids in any of them: an id is offered as often
as one likes, and is in one list at most. Each step that touches two of them is one script, which Redis does as a whole or not at all.
"""

import asyncio
from random import Random
from typing import Any

from redis import asyncio as redis
from redis.exceptions import RedisError

from . import backoff, log
from .settings import Settings

#: What is raised where Redis is away, or too slow.
AWAY = (RedisError, OSError, asyncio.TimeoutError)
_PREFIX = "bookmarks:"
READY, KNOWN, WORKERS = f"{_PREFIX}ready", f"{_PREFIX}known", f"{_PREFIX}workers"
_TAKE_S = 1
_TIMEOUT_S = 5
_OFFER = """
local added = 0
for _, id in ipairs(ARGV) do
  if redis.call('SADD', KEYS[2], id) == 1 then redis.call('LPUSH', KEYS[1], id); added = added + 1 end
end
return added
"""
_DONE = "redis.call('LREM', KEYS[1], 1, ARGV[1]); return redis.call('SREM', KEYS[2], ARGV[1])"
_GIVE_BACK = "if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 1 then return redis.call('RPUSH', KEYS[2], ARGV[1]) end return 0"
_RECLAIM = """
if redis.call('EXISTS', KEYS[1]) == 1 then return -1 end
local moved = 0
while redis.call('LMOVE', KEYS[2], KEYS[3], 'LEFT', 'RIGHT') do moved = moved + 1 end
redis.call('SREM', KEYS[4], ARGV[1])
return moved
"""
_MEND = """
local there, lost = {}, 0
for at = 2, #KEYS do
  for _, id in ipairs(redis.call('LRANGE', KEYS[at], 0, -1)) do there[id] = true end
end
for _, id in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  if not there[id] then redis.call('SREM', KEYS[1], id); lost = lost + 1 end
end
return lost
"""


class JobQueue:
    """What one process asks of Redis. Everything raises one of AWAY where Redis is away.

    No call is ever cancelled half-way: a connection that is given up with its answer still to come would hand it to the next caller.
    """

    def __init__(self, settings: Settings, connections: int) -> None:
        timeouts = {"socket_timeout": _TIMEOUT_S, "socket_connect_timeout": 2}
        password = settings.redis_password or None
        pool = redis.BlockingConnectionPool.from_url(
            settings.redis_url, max_connections=connections, timeout=_TIMEOUT_S, password=password, decode_responses=True, **timeouts
        )
        self._redis: Any = redis.Redis(connection_pool=pool)
        scripts = (_OFFER, _DONE, _GIVE_BACK, _RECLAIM, _MEND)
        self._offer, self._done, self._give_back, self._reclaim, self._mend = map(self._redis.register_script, scripts)
        self.why_not = "not looked at yet"

    async def close(self) -> None:
        await self._redis.close()
        await self._redis.connection_pool.disconnect()

    async def offer(self, jobs: list[int]) -> int:
        """Puts those in line that are in none. How many that were."""
        return int(await self._offer(keys=[READY, KNOWN], args=jobs))

    async def waiting(self) -> int:
        """How many wait."""
        return int(await self._redis.llen(READY))

    async def take(self, worker: str) -> int | None:
        """The next job, which is this worker's from now on; None where there was none for a second."""
        found = await self._redis.blmove(READY, _taken(worker), _TAKE_S, "RIGHT", "LEFT")
        return None if found is None else int(found)

    async def done(self, worker: str, job: int) -> None:
        """The job is over."""
        await self._done(keys=[_taken(worker), KNOWN], args=[job])

    async def give_back(self, worker: str, job: int) -> None:
        """The job is next in line again."""
        await self._give_back(keys=[_taken(worker), READY], args=[job])

    async def taken(self, worker: str) -> set[int]:
        """What this worker has."""
        return {int(each) for each in await self._redis.lrange(_taken(worker), 0, -1)}

    async def beat(self, worker: str, lease: float) -> None:
        """This worker lives, and is to be believed so for that many seconds."""
        async with self._redis.pipeline(transaction=True) as both:
            both.set(_alive(worker), "1", px=int(lease * 1000))
            both.sadd(WORKERS, worker)
            await both.execute()

    async def leave(self, worker: str) -> None:
        """This worker ends: what it still has is reclaimed at once."""
        await self._redis.delete(_alive(worker))
        await self.reclaim(worker)

    async def reclaim(self, worker: str) -> int:
        """Puts back what a worker had that has not been heard of for its lease. How many jobs that were; -1: it lives."""
        return int(await self._reclaim(keys=[_alive(worker), _taken(worker), READY, WORKERS], args=[worker]))

    async def workers(self) -> dict[str, int]:
        """Who works, or did when it was last heard of, and how many jobs each has; also whoever has jobs and was never heard of."""
        holders = {key.removeprefix(_taken("")) async for key in self._redis.scan_iter(match=f"{_taken('')}*", count=1000)}
        names = sorted(holders | set(await self._redis.smembers(WORKERS)))
        return {name: int(await self._redis.llen(_taken(name))) for name in names}

    async def mend(self) -> int:
        """Has jobs offered again that are in no list, though they should be. How many. One too many does no harm: see jobs.py."""
        return int(await self._mend(keys=[KNOWN, READY, *(_taken(worker) for worker in await self.workers())]))

    async def watch(self, stop: asyncio.Event) -> None:
        """Keeps `why_not` true: "" while Redis answers."""
        rng, failures = Random(), 0
        while not stop.is_set():
            try:
                await self._redis.ping()
                self._say("")
                failures = 0
            except AWAY as error:
                self._say(log.told(error))
                failures += 1
            await backoff.wait(stop, backoff.delay(failures, first=0.2, most=2, rng=rng) if failures else 2)

    def _say(self, why_not: str) -> None:
        if bool(why_not) != bool(self.why_not) or self.why_not == "not looked at yet":
            log.write("redis", "warning" if why_not else "info", isThere=not why_not, reason=why_not)
        self.why_not = why_not


def _taken(worker: str) -> str:
    return f"{_PREFIX}taken:{worker}"


def _alive(worker: str) -> str:
    return f"{_PREFIX}alive:{worker}"

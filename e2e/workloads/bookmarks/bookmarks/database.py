"""The pool of connections to PostgreSQL, and whether it can be used: it may be away at the start, and at any time after."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import asyncpg

from . import backoff, log
from .settings import Settings

Connection = Any  # asyncpg has no types

#: What is raised where the database is away, or too slow. It may come back: whoever has time tries again.
AWAY = (
    OSError,
    asyncio.TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what asyncpg makes of a connection that breaks between two of its own steps
    asyncpg.ReadOnlySQLTransactionError,
)
_CONNECT_S = 2.0
_LOOK_S = 2.0


class Away(Exception):
    """The database cannot be used now."""


class Database:
    """A bounded pool. `watch` keeps `why_not` true to the world: "" while the database is there with the schema that is needed.

    schema: the version that it must have, or a later one.
    """

    def __init__(self, settings: Settings, schema: int) -> None:
        self.why_not = "not looked at yet"
        self._settings, self._schema = settings, schema
        self._pool: Any = None
        self._own: Any = None
        self._wake = asyncio.Event()

    @property
    def connections(self) -> int:
        return int(self._pool.get_size()) if self._pool else 0

    async def open(self) -> None:
        """Connects to nothing yet: connections are made when they are needed."""
        timeouts = {"timeout": _CONNECT_S, "command_timeout": self._settings.statement_timeout}
        self._pool = await asyncpg.create_pool(min_size=0, max_size=self._settings.pool, **timeouts)

    async def close(self) -> None:
        """Ends all connections, at once."""
        for each in (self._pool, self._own):
            if each:
                each.terminate()

    @contextlib.asynccontextmanager
    async def use(self) -> AsyncIterator[Connection]:
        """A connection. Raises Away at once where the database is known to be away, and no later than the timeouts where it is not yet."""
        if self.why_not:
            raise Away(self.why_not)
        try:
            async with self._pool.acquire(timeout=_CONNECT_S + 1) as connection:
                yield connection
        except TimeoutError as error:  # one slow statement, or too many at once: the server may be well
            raise Away(log.told(error)) from error
        except AWAY as error:
            await self._lost(error)
            raise Away(log.told(error)) from error

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """As `use`, in a transaction: all of what is written, or nothing."""
        async with self.use() as connection, connection.transaction():
            yield connection

    async def watch(self, stop: asyncio.Event) -> None:
        """Looks every two seconds, and at once after a failure; while the database is away, first quickly and then slower."""
        rng, failures = Random(), 0
        while not stop.is_set():
            self._wake.clear()
            try:
                found = await self._look()
                self._say("" if found >= self._schema else f"the schema is at version {found}, and this program needs {self._schema}")
            except (*AWAY, asyncpg.PostgresError) as error:
                await self._lost(error)
            failures = failures + 1 if self.why_not else 0
            pause = backoff.delay(failures, first=0.2, most=_LOOK_S, rng=rng) if failures else _LOOK_S
            await self._pause(stop, pause)

    async def _look(self) -> int:
        """The version of the schema, over a connection of its own: that the pool is exhausted is no news of the server."""
        if self._own is None or self._own.is_closed():
            self._own = await asyncpg.connect(timeout=_CONNECT_S, command_timeout=_LOOK_S)
        try:
            return await version(self._own)
        except BaseException:
            self._own.terminate()
            raise

    async def _pause(self, stop: asyncio.Event, seconds: float) -> None:
        stopped, woken = asyncio.ensure_future(stop.wait()), asyncio.ensure_future(self._wake.wait())
        _, pending = await asyncio.wait({stopped, woken}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for each in pending:
            each.cancel()

    async def _lost(self, error: BaseException) -> None:
        was_there = not self.why_not
        self._say(log.told(error))
        if was_there:
            # The others lead to the same server: one that is gone without a word would keep each of them for a whole timeout.
            await self._pool.expire_connections()
            self._wake.set()

    def _say(self, why_not: str) -> None:
        if bool(why_not) != bool(self.why_not) or self.why_not == "not looked at yet":
            log.write("database", "warning" if why_not else "info", isThere=not why_not, reason=why_not)
        self.why_not = why_not


async def version(connection: Connection) -> int:
    """The newest migration that the database has; 0 for none."""
    if not await connection.fetchval("SELECT to_regclass('schema_migrations') IS NOT NULL"):
        return 0
    return int(await connection.fetchval("SELECT coalesce(max(version), 0) FROM schema_migrations"))

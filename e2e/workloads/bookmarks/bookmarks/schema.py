"""The migrations, in order. Each one runs in a transaction of its own, and so does what undoes it; an advisory lock admits one at a time.

Each adds, and takes nothing away that the version before it uses: it runs while the old pods serve, and they go on until the new ones do.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from time import monotonic

import asyncpg

from . import backoff, log
from .database import AWAY, Connection, version
from .settings import Settings

Work = Callable[[Connection, str], Awaitable[None]]


@dataclass(frozen=True)
class Migration:
    """One step of the schema. Its version is its place in the list, from 1."""

    name: str
    up: str
    down: str


MIGRATIONS = (
    Migration(
        "bookmarks and their audit log",
        """
        CREATE TABLE bookmarks (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            url text NOT NULL,
            title text NOT NULL,
            tags text[] NOT NULL DEFAULT '{}',
            site text,
            enriched_at timestamptz,
            created_at timestamptz NOT NULL DEFAULT now()
        );
        CREATE TABLE audit_log (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            at timestamptz NOT NULL DEFAULT now(),
            actor text NOT NULL,
            action text NOT NULL,
            subject text NOT NULL,
            request_id text NOT NULL
        );
        """,
        "DROP TABLE audit_log; DROP TABLE bookmarks;",
    ),
    Migration(
        "jobs, which are also the outbox, and their failures",
        """
        CREATE TABLE jobs (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            bookmark_id bigint NOT NULL REFERENCES bookmarks ON DELETE CASCADE,
            request_id text NOT NULL,
            state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'done', 'dead')),
            attempts int NOT NULL DEFAULT 0,
            error text,
            offer_at timestamptz NOT NULL DEFAULT now(),
            created_at timestamptz NOT NULL DEFAULT now(),
            ended_at timestamptz
        );
        CREATE INDEX jobs_bookmark ON jobs (bookmark_id);
        CREATE INDEX jobs_queued ON jobs (offer_at) WHERE state = 'queued';
        CREATE INDEX jobs_dead ON jobs (id) WHERE state = 'dead';
        CREATE INDEX jobs_done ON jobs (ended_at) WHERE state = 'done';
        CREATE TABLE job_failures (
            job_id bigint NOT NULL REFERENCES jobs ON DELETE CASCADE,
            attempt int NOT NULL,
            error text NOT NULL,
            at timestamptz NOT NULL DEFAULT now()
        );
        CREATE INDEX job_failures_job ON job_failures (job_id);
        """,
        "DROP TABLE job_failures; DROP TABLE jobs;",
    ),
    Migration(
        "search",
        """
        -- Without what is between words: PostgreSQL's parser would take an address for one word.
        ALTER TABLE bookmarks ADD COLUMN words tsvector GENERATED ALWAYS AS
            (to_tsvector('simple', regexp_replace(title || ' ' || url, '[^[:alnum:]]+', ' ', 'g'))) STORED;
        CREATE INDEX bookmarks_words ON bookmarks USING gin (words);
        CREATE INDEX bookmarks_tags ON bookmarks USING gin (tags);
        """,
        "DROP INDEX bookmarks_tags; ALTER TABLE bookmarks DROP COLUMN words;",
    ),
)
NEWEST = len(MIGRATIONS)
_LOCK = 0x626F6F6B  # "book": whoever migrates this database holds it
_TABLE = """
    CREATE TABLE IF NOT EXISTS schema_migrations (
        version int PRIMARY KEY, name text NOT NULL, release text NOT NULL, at timestamptz NOT NULL DEFAULT now())
"""


async def migrate(settings: Settings) -> int:
    """Brings the database up to this program's schema. 0: it is there; 1: it is not, and the log says why."""
    return await _locked(settings, _up)


async def undo(settings: Settings) -> int:
    """Takes back what `migrate` did for this very release, newest first: nothing where it did nothing."""
    return await _locked(settings, _down)


async def _up(connection: Connection, release: str) -> None:
    await connection.execute(_TABLE)
    for number in range(await version(connection) + 1, NEWEST + 1):
        migration = MIGRATIONS[number - 1]
        async with connection.transaction():
            await connection.execute(migration.up)
            insert = "INSERT INTO schema_migrations (version, name, release) VALUES ($1, $2, $3)"
            await connection.execute(insert, number, migration.name, release)
        log.write("migrated", version=number, name=migration.name, release=release)


async def _down(connection: Connection, release: str) -> None:
    await connection.execute(_TABLE)
    while (number := await version(connection)) and number <= NEWEST:
        if await connection.fetchval("SELECT release FROM schema_migrations WHERE version = $1", number) != release:
            return
        async with connection.transaction():
            await connection.execute(MIGRATIONS[number - 1].down)
            await connection.execute("DELETE FROM schema_migrations WHERE version = $1", number)
        log.write("undone", version=number, name=MIGRATIONS[number - 1].name, release=release)


async def _locked(settings: Settings, work: Work) -> int:
    rng, failures, until = Random(), 0, monotonic() + settings.migrate_within
    while True:
        try:
            await _once(settings, work)
            return 0
        except AWAY as error:
            failures += 1
            pause = backoff.delay(failures, first=0.2, most=5, rng=rng)
            if monotonic() + pause > until:
                log.write("failed", "error", reason=log.told(error))
                return 1
            log.write("waiting", "warning", reason=log.told(error), seconds=round(pause, 1))
            await asyncio.sleep(pause)
        except asyncpg.PostgresError as error:
            log.write("failed", "error", reason=log.told(error))
            return 1


async def _once(settings: Settings, work: Work) -> None:
    connection = await asyncpg.connect(timeout=5)
    try:
        # Of the session, and so gone with it: a migration that was killed leaves no lock behind.
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await work(connection, settings.hardened_revision)
        log.write("finished", version=await version(connection))
    finally:
        await connection.close(timeout=5)

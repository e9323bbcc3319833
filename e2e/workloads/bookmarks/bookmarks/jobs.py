"""Jobs in PostgreSQL: the truth, of which Redis has a copy to hand out.

A job is `queued` until it is `done` or `dead`. `offer_at` says when it is to be offered to Redis (again): at once when it is made, later
when it failed, and once more when nobody has finished it for a while, since Redis may have lost it.
"""

from dataclasses import dataclass
from typing import Any

from . import log, store
from .database import Connection
from .enrich import Found


@dataclass(frozen=True)
class Job:
    """One attempt at a job. attempt: counts from 1. request_id: of the request that made it."""

    id: int
    bookmark: int
    url: str
    attempt: int
    request_id: str


async def due(connection: Connection, limit: int, lost_after: float) -> list[int]:
    """Ids of jobs that Redis should be offered now, at most so many; each is due again after `lost_after` seconds. In a transaction:
    what another worker offers at the same time is left to it."""
    query = """
        UPDATE jobs SET offer_at = now() + $2 * interval '1 second' WHERE id IN (
            SELECT id FROM jobs WHERE state = 'queued' AND offer_at <= now() ORDER BY offer_at LIMIT $1 FOR UPDATE SKIP LOCKED)
        RETURNING id
    """
    return sorted(each["id"] for each in await connection.fetch(query, limit, lost_after))


async def begin(connection: Connection, number: int, lost_after: float) -> Job | None:
    """Counts an attempt, and that before it is made: a job that kills its worker is counted too. None: there is nothing left to do."""
    query = """
        UPDATE jobs SET attempts = attempts + 1, offer_at = now() + $2 * interval '1 second'
        FROM bookmarks b WHERE jobs.id = $1 AND state = 'queued' AND b.id = bookmark_id
        RETURNING jobs.id, bookmark_id, b.url, attempts, request_id
    """
    found = await connection.fetchrow(query, number, lost_after)
    return Job(*found.values()) if found else None


async def finish(connection: Connection, job: Job, found: Found) -> bool:
    """The effect and the word that it is done, in a transaction. False: somebody else was quicker, and nothing was changed."""
    query = "UPDATE jobs SET state = 'done', error = NULL, ended_at = now() WHERE id = $1 AND state = 'queued' RETURNING id"
    if await connection.fetchval(query, job.id) is None:
        return False
    change = """
        UPDATE bookmarks SET site = $2, title = CASE title WHEN '' THEN $3 ELSE title END, enriched_at = now(),
            tags = ARRAY(SELECT DISTINCT unnest(tags || $4::text[]) ORDER BY 1) WHERE id = $1
    """
    await connection.execute(change, job.bookmark, found.site, found.title, list(found.tags))
    return True


async def fail(connection: Connection, job: Job, error: str, again_in: float | None) -> None:
    """Writes the failure down. again_in: seconds until the next attempt; None: it was the last, and the job is a dead letter."""
    state = "dead" if again_in is None else "queued"
    change = """
        UPDATE jobs SET state = $2, error = $3, offer_at = now() + $4 * interval '1 second',
            ended_at = CASE $2 WHEN 'dead' THEN now() END WHERE id = $1 AND state = 'queued'
    """
    await connection.execute(change, job.id, state, error, again_in or 0.0)
    await connection.execute("INSERT INTO job_failures (job_id, attempt, error) VALUES ($1, $2, $3)", job.id, job.attempt, error)
    if state == "dead":
        await store.audit(connection, "worker", "dead-letter", f"job {job.id}")


async def give_back(connection: Connection, job: Job) -> None:
    """The attempt was broken off by a worker that ends, and does not count."""
    await connection.execute("UPDATE jobs SET attempts = attempts - 1, offer_at = now() WHERE id = $1 AND state = 'queued'", job.id)


async def revive(connection: Connection, number: int, actor: str) -> bool:
    """A dead letter is tried again, with all its attempts. False: no dead letter has that id."""
    change = """
        UPDATE jobs SET state = 'queued', attempts = 0, offer_at = now(), ended_at = NULL, request_id = $2
        WHERE id = $1 AND state = 'dead' RETURNING id
    """
    if await connection.fetchval(change, number, log.request_id.get()) is None:
        return False
    await store.audit(connection, actor, "retry", f"job {number}")
    return True


async def forget(connection: Connection, keep_days: float) -> None:
    """Deletes jobs that have been done for so long, some thousand at a time."""
    old = "SELECT id FROM jobs WHERE state = 'done' AND ended_at < now() - $1 * interval '1 day' LIMIT 5000"
    await connection.execute(f"DELETE FROM jobs WHERE id IN ({old})", keep_days)


async def counts(connection: Connection) -> dict[str, Any]:
    """How many jobs wait (of which `delayed` for their next attempt), the age of the oldest in seconds, and how many are dead letters."""
    query = """
        SELECT count(*) FILTER (WHERE state = 'queued') AS waiting,
            count(*) FILTER (WHERE state = 'queued' AND attempts > 0) AS delayed,
            count(*) FILTER (WHERE state = 'dead') AS dead,
            coalesce(extract(epoch FROM now() - min(created_at) FILTER (WHERE state = 'queued')), 0)::float AS oldest
        FROM jobs WHERE state IN ('queued', 'dead')
    """
    found = await connection.fetchrow(query)
    return {"waiting": found["waiting"], "delayed": found["delayed"], "dead": found["dead"], "oldestSeconds": round(found["oldest"], 1)}


async def dead_letters(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """The newest dead letters, with what failed."""
    query = "SELECT id, bookmark_id, attempts, error, request_id, ended_at FROM jobs WHERE state = 'dead' ORDER BY id DESC LIMIT $1"
    return [store.row(each) for each in await connection.fetch(query, limit)]

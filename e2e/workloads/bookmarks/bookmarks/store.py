"""Bookmarks and the audit log in PostgreSQL. A bookmark, what the log says of it, and its job are written in one transaction."""

import json
from typing import Any

from . import log
from .database import Connection

Row = dict[str, Any]
_MATCH = {"words": "words @@ plainto_tsquery('simple', $3)", "tag": "tags @> $3::text[]"}
_FIELDS = "id, url, title, tags, site, enriched_at, created_at"


async def create(connection: Connection, url: str, title: str, tags: list[str], actor: str) -> Row:
    """The new bookmark. The job that is to enrich it cannot be lost: it is there if and only if the bookmark is."""
    insert = f"INSERT INTO bookmarks (url, title, tags) VALUES ($1, $2, $3) RETURNING {_FIELDS}"
    found = row(await connection.fetchrow(insert, url, title, tags))
    await connection.execute("INSERT INTO jobs (bookmark_id, request_id) VALUES ($1, $2)", found["id"], log.request_id.get())
    await audit(connection, actor, "create", f"bookmark {found['id']}")
    return found


async def delete(connection: Connection, number: int, actor: str) -> bool:
    """Whether it was there. Its job goes with it."""
    gone = await connection.fetchval("DELETE FROM bookmarks WHERE id = $1 RETURNING id", number)
    if gone is not None:
        await audit(connection, actor, "delete", f"bookmark {number}")
    return gone is not None


async def get(connection: Connection, number: int) -> Row | None:
    """The bookmark of that id."""
    found = await connection.fetchrow(f"SELECT {_FIELDS} FROM bookmarks WHERE id = $1", number)
    return row(found) if found else None


async def page(connection: Connection, *, below: int, limit: int, words: str = "", tag: str = "") -> list[Row]:
    """The newest bookmarks whose id is below that, newest first.

    words: all of which are in the title or the URL; or tag: one that they have.
    """
    if not words and not tag:
        query = f"SELECT {_FIELDS} FROM bookmarks WHERE id < $1 ORDER BY id DESC LIMIT $2"
        return [row(each) for each in await connection.fetch(query, below, limit)]
    # First by the words alone: going through all of it, newest first, until enough is found takes longest where nothing is.
    query = f"""
        WITH found AS MATERIALIZED (SELECT id FROM bookmarks WHERE {_MATCH["words" if words else "tag"]} AND id < $1)
        SELECT {_FIELDS} FROM bookmarks JOIN (SELECT id FROM found ORDER BY id DESC LIMIT $2) newest USING (id) ORDER BY id DESC
    """
    return [row(each) for each in await connection.fetch(query, below, limit, words or [tag])]


async def audit(connection: Connection, actor: str, action: str, subject: str) -> None:
    """Writes down who did what."""
    insert = "INSERT INTO audit_log (actor, action, subject, request_id) VALUES ($1, $2, $3, $4)"
    await connection.execute(insert, actor, action, subject, log.request_id.get())


async def audited(connection: Connection, *, below: int, limit: int) -> list[Row]:
    """The newest entries of the audit log whose id is below that, newest first."""
    query = "SELECT id, at, actor, action, subject, request_id FROM audit_log WHERE id < $1 ORDER BY id DESC LIMIT $2"
    return [row(each) for each in await connection.fetch(query, below, limit)]


def row(record: Any) -> Row:
    """As JSON has it."""
    found: Row = json.loads(json.dumps({_camel(name): value for name, value in record.items()}, default=lambda at: at.isoformat()))
    return found


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)

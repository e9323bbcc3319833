"""What the environment says. How to reach PostgreSQL is said by libpq's own variables: PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE."""

from collections.abc import Mapping
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Settings:
    """Each field is an environment variable of the same name in upper case. Times are in seconds."""

    host: str = "0.0.0.0"
    #: 0 takes a free one; the log line `started` names it.
    port: int = 8080
    version: str = "dev"
    redis_url: str = "redis://redis:6379/0"
    redis_password: str = ""
    #: Connections to PostgreSQL, for each process.
    pool: int = 10
    #: After this time a statement has failed.
    statement_timeout: float = 5.0
    #: How long requests are taken after SIGTERM: endpoints go later than the signal comes, and kept connections end with an answer.
    linger: float = 3.0
    #: How long requests that are under way may take after SIGTERM, and jobs before they are given back.
    drain: float = 20.0
    #: Jobs that one worker works on at a time.
    concurrency: int = 4
    #: A worker that has not been heard of for so long is dead, and what it had goes to others.
    lease: float = 10.0
    #: A job that Redis should have, and that nobody has finished for so long, is offered to Redis again.
    lost_after: float = 15.0
    #: How often the outbox is looked at.
    poll: float = 0.25
    #: Attempts at a job before it is a dead letter, and the wait after the first one; it doubles up to `retry_most`.
    attempts: int = 5
    retry_first: float = 1.0
    retry_most: float = 300.0
    #: How long the work of a job takes: what fetching a page would, if there were one to fetch.
    job_seconds: float = 0.0
    #: Jobs that are done are deleted after so many days.
    keep_days: float = 7.0
    #: How long `migrate` waits for the database, in all.
    migrate_within: float = 120.0
    #: Which release a migration belongs to. The operator says it.
    hardened_revision: str = ""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Settings":
        """Raises ValueError that names the variable and what it must be."""
        found: dict[str, str | int | float] = {}
        for field in fields(cls):
            name = field.name.upper()
            if name in environ:
                found[field.name] = _read(name, environ[name], field.type)
        return cls(**found)  # type: ignore[arg-type]


def _read(name: str, text: str, kind: object) -> str | int | float:
    if kind is str:
        return text
    try:
        value = int(text) if kind is int else float(text)
    except ValueError:
        raise ValueError(f"{name}: {text!r} is not {'a whole number' if kind is int else 'a number'}") from None
    if not 0 <= value < 1e9:
        raise ValueError(f"{name}: {text} is not between 0 and 1000000000")
    return value

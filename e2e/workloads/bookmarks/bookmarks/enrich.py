"""What the worker makes of a bookmark. A real one would fetch the page; nothing beyond the cluster can be reached here: the URL must do."""

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit


class CannotEnrich(Exception):
    """This attempt failed; a later one may not."""


@dataclass(frozen=True)
class Found:
    """What a bookmark gains: the site's name, a title where it has none, and tags, in lower case."""

    site: str
    title: str
    tags: tuple[str, ...]


def enrich(url: str) -> Found:
    """The same for the same URL, however often it is asked.

    Example: "https://www.postgresql.org/docs/15/sql-select.html" -> site "postgresql.org", title "sql select", tags docs, postgresql.
    Raises CannotEnrich for a host under `.invalid`, the name that never resolves (RFC 2606): so a failure can be had on purpose.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").removeprefix("www.")
    if host == "invalid" or host.endswith(".invalid"):
        raise CannotEnrich(f"no such host: {host}")
    path = [unquote(part) for part in parts.path.split("/") if part]
    last = re.sub(r"\.[a-z0-9]{1,5}$", "", path[-1]) if path else host
    title = " ".join(re.split(r"[\s_-]+", last)).strip()[:200] or host
    words = {word.lower() for word in path[:-1] if re.fullmatch(r"[A-Za-z]{3,24}", word)}
    name = host.rpartition(".")[0].rpartition(".")[2]
    return Found(host, title, tuple(sorted(words | ({name} if name.isalpha() else set())))[:8])

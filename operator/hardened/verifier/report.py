"""What a verifier says at its end: JSON that always fits into a termination message."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

#: Bytes that the kubelet keeps of a termination message.
LIMIT = 4096
#: Kinds of failure that are told apart; the rest is `other`.
_MOST_KINDS = 5
#: Characters that each message may have, tried in turn until all of it fits.
_MESSAGE_LIMITS = (400, 200, 100, 50, 0)


@dataclass(frozen=True)
class Result:
    """What came of one check or probe. requests, failed: counts; details: more JSON fields, left out where there is no room for them."""

    name: str
    has_passed: bool
    message: str
    requests: int
    failed: int
    details: dict[str, Any] = field(default_factory=dict)


def rendered(results: Sequence[Result], started_at: datetime, finished_at: datetime) -> bytes:
    """The report as ASCII JSON, at most 4096 bytes: messages are cut first, then they and the details go.

    Names, verdicts and numbers of requests stay, of up to 32 results with names of 63 characters.
    """
    times = {"startedAt": stamp(started_at), "finishedAt": stamp(finished_at)}
    for limit in _MESSAGE_LIMITS:
        text = _text([_entry(result, limit) for result in results], times)
        if len(text) <= LIMIT:
            return text
    entries = [{"name": result.name, "result": _verdict(result), "requests": result.requests} for result in results]
    while len(_text(entries, times)) > LIMIT:
        # More than a task may have: what is left out counts as not known.
        entries.pop()
    return _text(entries, times)


def described(failures: Counter[str]) -> str:
    """The kinds of failure, the most frequent first. Examples: "2 x HTTP 503, 1 x no connection"; "HTTP 404" for a single failure."""
    if failures.total() == 1:
        return next(iter(failures.elements()))
    return ", ".join(f"{count} x {kind}" for kind, count in bounded(failures).items())


def bounded(failures: Counter[str]) -> dict[str, int]:
    """The most frequent kinds of failure, and how many others there were."""
    common = dict(failures.most_common(_MOST_KINDS))
    others = failures.total() - sum(common.values())
    return {**common, "other": others} if others else common


def stamp(moment: datetime) -> str:
    """A moment as RFC 3339 in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _entry(result: Result, limit: int) -> dict[str, Any]:
    counts = {"requests": result.requests, "failed": result.failed}
    return {"name": result.name, "result": _verdict(result), "message": result.message[:limit], **counts, **result.details}


def _verdict(result: Result) -> str:
    return "Passed" if result.has_passed else "Failed"


def _text(entries: Sequence[dict[str, Any]], times: dict[str, str]) -> bytes:
    return json.dumps({"results": entries, **times}, separators=(",", ":")).encode("ascii")

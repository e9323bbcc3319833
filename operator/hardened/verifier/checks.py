"""A check: a few requests in turn, and a verdict."""

import asyncio
from collections import Counter

from hardened.verifier.failures import NO_CONNECTION
from hardened.verifier.pace import is_stopped_before
from hardened.verifier.report import Result, described
from hardened.verifier.requests import Request
from hardened.verifier.task import CheckTask, RequestTarget

#: Characters of a path that a message shows: the cause has to fit as well.
_PATH_LIMIT = 100


async def run_check(check: CheckTask, ask: Request, stop: asyncio.Event) -> Result | None:
    """The verdict; failed as soon as that is sure. None when `stop` was set before anything was sure."""
    loop = asyncio.get_running_loop()
    failures: Counter[str] = Counter()
    asked, slowest, due = 0, 0.0, loop.time()
    while asked < check.count and failures.total() <= check.failure_limit:
        if await is_stopped_before(due, stop):
            return None
        begun = loop.time()
        kind = await ask(check.target, check.target.timeout)
        asked += 1
        slowest = max(slowest, loop.time() - begun)
        if kind:
            failures[f"nobody accepts connections on port {check.target.port}" if kind == NO_CONNECTION else kind] += 1
        due = max(due + check.interval, loop.time())
    failed = failures.total()
    has_passed = failed <= check.failure_limit
    message = f"{asked - failed} of {asked} requests passed, the slowest took {slowest * 1000:.0f} ms"
    if failed:
        message = f"{called(check.target)}{failed} of {asked} requests failed ({check.failure_limit} allowed): {described(failures)}"
    return Result(check.name, has_passed, message, asked, failed)


def called(target: RequestTarget) -> str:
    """What was asked for, before what came of it. Examples: "GET /healthz: "; "gRPC health of db: "; "TCP port 5432: "."""
    match target.kind:
        case "http":
            return f"GET {target.path[:_PATH_LIMIT]}: "
        case "grpc":
            return f"gRPC health of {target.service[:_PATH_LIMIT] or 'the server'}: "
        case _:
            return f"TCP port {target.port}: "

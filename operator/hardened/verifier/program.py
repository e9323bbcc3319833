"""Everything that a task asks for, at the same time, and the report on it."""

import asyncio
from datetime import UTC, datetime

from hardened.verifier.addresses import Addresses
from hardened.verifier.checks import run_check
from hardened.verifier.doors import Doors
from hardened.verifier.probe import run_probe
from hardened.verifier.report import Result, rendered
from hardened.verifier.requests import asking
from hardened.verifier.task import CheckTask, ProbeTask, Task


async def verify(task: Task, stop: asyncio.Event) -> bytes:
    """The report, at most 4096 bytes, once all is done or soon after `stop` was set.

    What found nobody to ask within the task's wait, or was stopped before its verdict, is not in it: that is no data, not a failure. Once
    something of the stack accepts connections, or where it is said to be there, what is refused is a failure.
    """
    started_at = datetime.now(UTC)
    addresses = Addresses()
    targets = [*(check.target for check in task.checks), *(probe.target for probe in task.probes)]
    ask = asking(task.authority, addresses, {target.kind for target in targets})
    async with Doors(targets, addresses, task.wait) as doors:

        async def checked(check: CheckTask) -> Result | None:
            return await run_check(check, ask, stop) if await doors.is_to_be_asked(check.target, stop) else None

        async def probed(probe: ProbeTask) -> Result | None:
            return await run_probe(probe, ask, stop) if await doors.is_to_be_asked(probe.target, stop) else None

        found = await asyncio.gather(*map(checked, task.checks), *map(probed, task.probes))
    return rendered([result for result in found if result], started_at, datetime.now(UTC))

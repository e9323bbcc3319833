"""Everything that a task asks for, at the same time, and the report on it."""

import asyncio
from datetime import UTC, datetime

from hardened.verifier.addresses import Addresses
from hardened.verifier.checks import run_check
from hardened.verifier.probe import run_probe
from hardened.verifier.report import Result, rendered
from hardened.verifier.requests import asking, is_reachable
from hardened.verifier.task import Check, Probe, Target, Task


async def verify(task: Task, stop: asyncio.Event) -> bytes:
    """The report, at most 4096 bytes, once all is done or soon after `stop` was set.

    What found nobody to ask within the task's wait, or was stopped before its verdict, is not in it: that is no data, not a failure.
    """
    started_at = datetime.now(UTC)
    addresses = Addresses()
    kinds = {*(check.target.kind for check in task.checks), *(probe.target.kind for probe in task.probes)}
    ask = asking(task.authority, addresses, kinds)

    async def checked(check: Check) -> Result | None:
        return await run_check(check, ask, stop) if await _is_there(check.target, addresses, task.wait, stop) else None

    async def probed(probe: Probe) -> Result | None:
        return await run_probe(probe, ask, stop) if await _is_there(probe.target, addresses, task.wait, stop) else None

    found = await asyncio.gather(*map(checked, task.checks), *map(probed, task.probes))
    return rendered([result for result in found if result], started_at, datetime.now(UTC))


async def _is_there(target: Target, addresses: Addresses, wait: float, stop: asyncio.Event) -> bool:
    """True once something accepts a connection; False after `wait` seconds, or once `stop` is set. Without a wait, nobody is asked."""
    if not wait:
        return True
    reached = asyncio.create_task(is_reachable(target, addresses, wait))
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({reached, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    reached.cancel()
    return reached.done() and reached.result()

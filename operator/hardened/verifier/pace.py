"""Waiting for the next moment of a schedule, or for the end."""

import asyncio
import contextlib


async def is_stopped_before(moment: float, stop: asyncio.Event) -> bool:
    """Waits for a moment of the loop's clock. True if `stop` was set before it, and then at once."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout_at(moment):
            await stop.wait()
    return stop.is_set()

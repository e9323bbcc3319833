"""How long to wait before the next attempt: twice as long each time, with jitter, so that clients do not come back all at once."""

import asyncio
import contextlib
from random import Random


def delay(failures: int, *, first: float, most: float, rng: Random) -> float:
    """Seconds to wait after so many failures in a row (1 or more): between half of `first x 2^(failures-1)` and all of it, at most `most`.

    Examples with first=1, most=60: 1 -> 0.5 to 1; 3 -> 2 to 4; 100 -> 30 to 60.
    """
    whole = min(most, first * 2.0 ** min(failures - 1, 32))
    return whole * (1 + rng.random()) / 2


async def wait(stop: asyncio.Event, seconds: float) -> None:
    """Returns after so many seconds, or as soon as `stop` is set."""
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)

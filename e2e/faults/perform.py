"""What each effect does to a call: the one place where a fault becomes bytes, or their absence."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable
from typing import assert_never

from aiohttp import web
from multidict import CIMultiDict

from e2e.faults.effects import Answer, Drop, Effect, Hold, Kill, Moment, Silence, Truncate
from e2e.faults.exchange import Exchange
from e2e.faults.statuses import status_body
from e2e.faults.watches import (
    BigEvent,
    DuplicateEvents,
    EndWatch,
    GarbageLine,
    ReorderEvents,
    ResetWatch,
    SilenceWatch,
    WatchError,
)

Strike = Callable[[signal.Signals], Awaitable[None]]
"""Sends the signal to the client process; for SIGKILL it returns when the process is gone."""


async def perform(exchange: Exchange, effect: Effect | None, strike: Strike) -> web.StreamResponse:
    """Ends the exchange as the effect says; without one, truthfully."""
    match effect:
        case None:
            return await exchange.relay(await exchange.send())
        case Answer():
            return await _answer(exchange, effect)
        case Drop(when=when):
            if when is Moment.AFTER_EFFECT:
                await exchange.settle()
            return exchange.reset()
        case Silence(seconds=seconds, when=when):
            if when is Moment.AFTER_EFFECT:
                await exchange.settle()
            await asyncio.sleep(seconds)
            return exchange.reset()
        case Truncate(keep_bytes=keep_bytes, complete=complete):
            return await exchange.relay_cut(await exchange.send(), keep_bytes, complete=complete)
        case Hold():
            return await _hold(exchange, effect)
        case Kill():
            return await _kill(exchange, effect, strike)
        case EndWatch() | ResetWatch() | SilenceWatch() | WatchError() | GarbageLine() | DuplicateEvents() | ReorderEvents() | BigEvent():
            return await exchange.relay(await exchange.send(plain=True), through=effect.lines)
        case _ as other:
            assert_never(other)


async def _answer(exchange: Exchange, effect: Answer) -> web.StreamResponse:
    if effect.when is Moment.AFTER_EFFECT:
        await exchange.settle()
    headers = CIMultiDict({"Content-Type": "application/json"})
    if effect.retry_after is not None:
        headers["Retry-After"] = str(effect.retry_after)
    for name, value in effect.headers:
        headers[name] = value
    body = effect.body
    if body is None:
        body = status_body(effect.code, exchange.operation, effect.retry_after)
    return await exchange.answer(effect.code, headers, body)


async def _hold(exchange: Exchange, effect: Hold) -> web.StreamResponse:
    response = await exchange.send() if effect.when is Moment.AFTER_EFFECT else None
    effect.reached.set()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(effect.release.wait(), effect.limit)
    return await exchange.relay(response or await exchange.send())


async def _kill(exchange: Exchange, effect: Kill, strike: Strike) -> web.StreamResponse:
    is_deadly = effect.signal is signal.SIGKILL
    if effect.when is Moment.AFTER_REPLY:
        answer = await exchange.relay(await exchange.send())
        await strike(effect.signal)
        return answer
    if effect.when is Moment.AFTER_EFFECT:
        response = await exchange.send()
        await strike(effect.signal)
        # A dead client is told nothing; one that lives (SIGTERM, SIGSTOP) gets its answer.
        return exchange.reset() if is_deadly else await exchange.relay(response)
    await strike(effect.signal)
    return exchange.reset() if is_deadly else await exchange.relay(await exchange.send())

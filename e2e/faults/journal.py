"""The calls of one run, as they come, and waiting for them without sleeping."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable
from typing import Any

from e2e.faults.calls import Call, Operation


class NeverHappened(AssertionError):
    """What a test waited for did not come in time; the message lists the last calls that did."""


class Journal:
    """Append-only; a call changes until it has finished."""

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._changed = asyncio.Event()

    @property
    def calls(self) -> tuple[Call, ...]:
        return tuple(self._calls)

    def open(self, operation: Operation, *, started: float, user_agent: str, fault: str) -> int:
        """Records that a call came; returns its index."""
        index = len(self._calls)
        self._calls.append(Call(**dataclasses.asdict(operation), index=index, user_agent=user_agent, started=started, fault=fault))
        self._notify()
        return index

    def note(self, index: int, **changes: Any) -> None:
        """Records what became known of a call: code, upstream_code, finished."""
        self._calls[index] = dataclasses.replace(self._calls[index], **changes)
        self._notify()

    def close(self, index: int) -> None:
        self.note(index, finished=time.monotonic())

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def tail(self, seconds: float = 15.0) -> str:
        """The calls that were not over so many seconds ago, watches left out: when each began, what it was, its answer and its time."""
        if not self._calls:
            return "there was no call at all: does the client use the proxy's kubeconfig?"
        now = time.monotonic()
        recent = [call for call in self._calls if call.verb != "watch" and (call.finished is None or call.finished > now - seconds)]
        lines = []
        for call in recent:
            what, took = f"{call.verb} {call.kind} {call.namespace}/{call.name}", (call.finished or now) - call.started
            lines.append(f"{call.started - now:+8.3f} s {what}: {call.code} after {took:.3f} s")
        return "\n".join([f"its calls of the last {seconds:g} s:", *lines])

    async def until(self, happened: Callable[[Call], bool], *, count: int = 1, within: float = 30.0) -> tuple[Call, ...]:
        """Waits until `count` calls satisfy `happened`, and returns those that do. Raises NeverHappened after `within` seconds."""
        end = time.monotonic() + within
        while True:
            changed = self._changed
            found = tuple(call for call in self._calls if happened(call))
            if len(found) >= count:
                return found
            await self._wait(changed, end, f"{count} calls that fit, only {len(found)}")

    async def until_quiet(self, seconds: float, *, within: float) -> None:
        """Waits until for `seconds` no write began and none is open; leases and events do not count.

        Raises NeverHappened when `within` seconds brought no such pause: the client does not come to rest.
        """
        opened = time.monotonic()
        while True:
            changed = self._changed
            writes = [call for call in self._calls if call.is_write and not call.is_background]
            is_open = any(call.finished is None for call in writes)
            last = max((call.finished or call.started for call in writes), default=opened)
            now = time.monotonic()
            if not is_open and now >= max(last, opened) + seconds:
                return
            if now >= opened + within:
                raise NeverHappened(f"no {seconds:g} s without a write within {within:g} s; {self.tail()}")
            pause = opened + within - now if is_open else min(opened + within, max(last, opened) + seconds) - now
            try:
                await asyncio.wait_for(changed.wait(), pause)
            except TimeoutError:
                continue

    async def _wait(self, changed: asyncio.Event, end: float, wanted: str) -> None:
        try:
            await asyncio.wait_for(changed.wait(), max(0.0, end - time.monotonic()))
        except TimeoutError as error:
            raise NeverHappened(f"waited for {wanted}; {self.tail()}") from error

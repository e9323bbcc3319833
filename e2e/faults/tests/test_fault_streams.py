"""Each fault of a watch, proven from the client's side."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest
from fake_upstream import ON_WATCH, WATCH, ProxiedApi, check, names

from e2e.faults import (
    Answer,
    BigEvent,
    DuplicateEvents,
    EndWatch,
    Fault,
    GarbageLine,
    ReorderEvents,
    ResetWatch,
    SilenceWatch,
    Truncate,
    WatchError,
)


@pytest.mark.parametrize(("effect", "after"), [(EndWatch(), 0), (EndWatch(after_events=2), 2)])
def test_a_watch_ends_in_order(tmp_path: Path, effect: EndWatch, after: int) -> None:
    async def test(w: ProxiedApi) -> None:
        async with w.watching() as watch:
            send(w, "a", "b", "c")
            assert await names(watch.content, after) == ["a", "b"][:after]
            assert await watch.content.read() == b""

    check(tmp_path, test, Fault(ON_WATCH, effect))


def send(w: ProxiedApi, *objects: str) -> None:
    """One event for each name; the watch was answered, so its watcher is there unless the fault has ended it."""
    for name in objects:
        w.api.event("ADDED", name)


def test_a_watch_is_reset_in_the_middle(tmp_path: Path) -> None:
    async def test(w: ProxiedApi) -> None:
        async with w.watching() as watch:
            send(w, "a", "b")
            assert await names(watch.content, 1) == ["a"]
            with pytest.raises(aiohttp.ClientError):
                await watch.content.readline()

    check(tmp_path, test, Fault(ON_WATCH, ResetWatch(after_events=1)))


def test_a_silent_watch_keeps_its_connection_and_swallows_events_and_bookmarks(tmp_path: Path) -> None:
    async def test(w: ProxiedApi) -> None:
        async with w.watching() as watch:
            send(w, "a", "b")
            w.api.event("BOOKMARK", "")
            assert await names(watch.content, 1) == ["a"]
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(watch.content.readline(), 0.3)
            assert w.proxy.calls[0].finished is None

    check(tmp_path, test, Fault(ON_WATCH, SilenceWatch(60, after_events=1)))


def test_a_silent_watch_ends_with_a_reset_even_if_the_server_ended_it_before(tmp_path: Path) -> None:
    async def test(w: ProxiedApi) -> None:
        async with w.watching() as watch:
            w.api.end_watches()
            with pytest.raises(aiohttp.ClientError):
                await watch.content.readline()
        (call,) = await w.proxy.until(lambda call: call.finished is not None)
        assert call.finished
        assert call.finished - call.started >= 0.3

    check(tmp_path, test, Fault(ON_WATCH, SilenceWatch(0.3)))


@pytest.mark.parametrize("code", [410, 500, 504])
def test_a_watch_brings_an_error_event_and_ends(tmp_path: Path, code: int) -> None:
    async def test(w: ProxiedApi) -> None:
        async with w.watching() as watch:
            assert watch.status == 200
            send(w, "a")
            assert await names(watch.content, 1) == ["a"]
            event = json.loads(await watch.content.readline())
            assert (event["type"], event["object"]["kind"], event["object"]["code"]) == ("ERROR", "Status", code)
            assert await watch.content.read() == b""

    check(tmp_path, test, Fault(ON_WATCH, WatchError(code, after_events=1)))


@pytest.mark.parametrize("code", [410, 404, 401, 429, 500])
def test_a_watch_is_refused(tmp_path: Path, code: int) -> None:
    async def test(w: ProxiedApi) -> None:
        async with w.watching() as watch:
            assert (watch.status, (await watch.json())["code"]) == (code, code)
        assert w.api.asked == []

    check(tmp_path, test, Fault(ON_WATCH, Answer(code)))


def test_a_garbage_line_stands_between_good_ones(tmp_path: Path) -> None:
    async def test(w: ProxiedApi) -> None:
        async with w.watching() as watch:
            send(w, "a", "b")
            assert await names(watch.content, 1) == ["a"]
            with pytest.raises(ValueError, match=r".*"):
                json.loads(await watch.content.readline())
            assert await names(watch.content, 1) == ["b"]

    check(tmp_path, test, Fault(ON_WATCH, GarbageLine(after_events=1)))


def test_events_come_twice(tmp_path: Path) -> None:
    async def test(w: ProxiedApi) -> None:
        async with w.watching() as watch:
            send(w, "a", "b")
            assert await names(watch.content, 4) == ["a", "a", "b", "b"]

    check(tmp_path, test, Fault(ON_WATCH, DuplicateEvents()))


def test_events_of_different_objects_change_places_and_those_of_one_do_not(tmp_path: Path) -> None:
    async def test(w: ProxiedApi) -> None:
        async with w.watching() as watch:
            send(w, "a", "b", "c", "c", "d")
            w.api.event("BOOKMARK", "mark")
            assert await names(watch.content, 6) == ["b", "a", "c", "c", "d", "mark"]

    check(tmp_path, test, Fault(ON_WATCH, ReorderEvents(patience=30)))


def test_an_event_that_waits_for_another_is_not_lost(tmp_path: Path) -> None:
    async def test(w: ProxiedApi) -> None:
        async with w.watching() as watch:
            send(w, "a")
            assert await names(watch.content, 1) == ["a"]
            send(w, "b")
            w.api.end_watches()
            assert await names(watch.content, 1) == ["b"]
            assert await watch.content.read() == b""

    check(tmp_path, test, Fault(ON_WATCH, ReorderEvents(patience=0.1)))


def test_one_event_is_big(tmp_path: Path) -> None:
    async def test(w: ProxiedApi) -> None:
        async with w.watching() as watch:
            send(w, "a", "b", "c")
            lines = [await watch.content.readline() for _ in range(3)]
            assert [json.loads(line)["object"]["metadata"]["name"] for line in lines] == ["a", "b", "c"]
            assert [len(line) > 1024 * 1024 for line in lines] == [False, True, False]

    check(tmp_path, test, Fault(ON_WATCH, BigEvent(after_events=1)))


def test_a_watch_is_cut_inside_a_line(tmp_path: Path) -> None:
    async def test(w: ProxiedApi) -> None:
        watching = asyncio.create_task(w.client.get(WATCH))
        await w.proxy.until(lambda call: call.upstream_code == 200)
        send(w, "a")
        async with await watching as watch:
            with pytest.raises(aiohttp.ClientPayloadError):
                await watch.content.read()

    check(tmp_path, test, Fault(ON_WATCH, Truncate(10)))

"""Each kind of fault, proven from the client's side; and that without one the proxy is not there."""
from __future__ import annotations

import asyncio
import gzip
import json
import signal
import stat
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from fake_upstream import APPLY, COLLECTION, TOKEN, WATCH, World, fake_api, names, world
from yarl import URL

from e2e.faults import (
    Answer,
    BigEvent,
    Drop,
    DuplicateEvents,
    Effect,
    EndWatch,
    Fault,
    FaultProxy,
    GarbageLine,
    Hold,
    Kill,
    Moment,
    NeverHappened,
    ReorderEvents,
    ResetWatch,
    Silence,
    SilenceWatch,
    Truncate,
    Upstream,
    WatchError,
    Where,
    record,
)

Test = Callable[[World], Coroutine[Any, Any, None]]
WRITE = Where(is_write=True)
ON_WATCH = Where(verb="watch")


def check(folder: Path, test: Test, *faults: Fault) -> None:
    """Runs the test in a world with these faults."""

    async def run() -> None:
        async with asyncio.timeout(30), world(folder, faults) as w:
            await test(w)
            for fault in faults:
                assert w.proxy.hits(fault) == 1, "the fault was meant to strike once"

    asyncio.run(run())


# -- without faults


def test_a_call_passes_unchanged_both_ways(tmp_path: Path) -> None:
    async def test(w: World) -> None:
        target = URL(f"{COLLECTION}/a?fieldManager=x%2Fy&force=true", encoded=True)
        async with w.client.patch(target, headers=APPLY, data='{"metadata":{"name":"a"}}') as answer:
            assert (answer.status, answer.headers["Audit-Id"]) == (200, "a")
            assert await answer.json() == {"metadata": {"name": "a"}}
        method, path, headers = w.api.asked[0]
        assert (method, path) == ("PATCH", f"{COLLECTION}/a?fieldManager=x%2Fy&force=true")
        assert headers["Authorization"] == f"Bearer {TOKEN}"
        assert headers["Content-Type"] == APPLY["Content-Type"]
        assert headers["User-Agent"] == "tests/1"

    check(tmp_path, test)


def test_all_methods_pass_and_are_recorded_in_order(tmp_path: Path) -> None:
    async def test(w: World) -> None:
        body = json.dumps({"metadata": {"name": "a"}})
        for method, path, data in (("POST", COLLECTION, body), ("PUT", f"{COLLECTION}/a", body), ("GET", f"{COLLECTION}/a", None),
                                   ("GET", COLLECTION, None), ("DELETE", f"{COLLECTION}/a", None), ("GET", f"{COLLECTION}/a", None)):
            async with w.client.request(method, path, data=data) as answer:
                await answer.read()
        await w.proxy.until(lambda call: call.finished is not None, count=6)
        seen = [(call.verb, call.name, call.code, call.upstream_code) for call in w.proxy.calls]
        assert seen == [("create", "a", 201, 201), ("update", "a", 200, 200), ("get", "a", 200, 200), ("list", "", 200, 200),
                        ("delete", "a", 200, 200), ("get", "a", 404, 404)]
        assert [call.verb for call in w.proxy.writes] == ["create", "update", "delete"]
        first = w.proxy.calls[0]
        assert (first.kind, first.namespace, first.user_agent, first.fault) == ("configmaps", "test", "tests/1", "")
        assert first.finished is not None
        assert first.finished >= first.started

    check(tmp_path, test)


def test_a_body_of_some_megabytes_passes_both_ways(tmp_path: Path) -> None:
    async def test(w: World) -> None:
        big = {"metadata": {"name": "a"}, "data": {"x": "y" * 900_000}}
        async with w.client.put(f"{COLLECTION}/a", json=big) as answer:
            assert await answer.json() == big
        for name in ("b", "c", "d"):
            w.api.objects[name] = big
        async with w.client.get(COLLECTION) as answer:
            assert len((await answer.json())["items"]) == 4

    check(tmp_path, test)


def test_a_compressed_answer_stays_compressed_and_is_not_asked_for_by_the_proxy_itself(tmp_path: Path) -> None:
    async def test(w: World) -> None:
        async with w.client.get(COLLECTION, headers={"Accept-Encoding": "gzip"}) as answer:
            await answer.read()
        assert w.api.asked[0][2]["Accept-Encoding"] == "gzip"
        async with w.client.get(COLLECTION, skip_auto_headers=["Accept-Encoding"]) as answer:
            await answer.read()
        assert "Accept-Encoding" not in w.api.asked[1][2]

    check(tmp_path, test)


def test_gzip_bytes_are_passed_as_they_are(tmp_path: Path) -> None:
    packed = gzip.compress(b'{"items":[]}')

    async def run() -> None:
        async with fake_api(tmp_path) as api:
            async def handle(request: aiohttp.web.BaseRequest) -> aiohttp.web.StreamResponse:
                return aiohttp.web.Response(body=packed, headers={"Content-Encoding": "gzip"})
            api.handle = handle  # type: ignore[method-assign]
            runner = aiohttp.web.ServerRunner(aiohttp.web.Server(handle))
            await runner.setup()
            await aiohttp.web.TCPSite(runner, "127.0.0.1", 0).start()
            plain = Upstream(f"http://127.0.0.1:{runner.addresses[0][1]}")
            async with FaultProxy(plain) as proxy, aiohttp.ClientSession(auto_decompress=False) as client, client.get(
                    proxy.url + COLLECTION, ssl=trust(proxy)) as answer:
                assert (answer.headers["Content-Encoding"], await answer.read()) == ("gzip", packed)
            await runner.cleanup()

    asyncio.run(run())


def trust(proxy: FaultProxy) -> Any:
    import ssl

    return ssl.create_default_context(cadata=proxy.authority.decode())


def test_a_watch_event_arrives_before_the_next_one_exists(tmp_path: Path) -> None:
    async def test(w: World) -> None:
        async with w.watching() as watch:
            for name in ("a", "b", "c"):
                w.api.event("ADDED", name)
                assert await names(watch.content, 1) == [name]
            (call,) = w.proxy.calls
            assert (call.verb, call.code, call.finished) == ("watch", 200, None)
            w.api.end_watches()
            assert await watch.content.read() == b""
        await w.proxy.until(lambda call: call.finished is not None)

    check(tmp_path, test)


def test_a_client_that_leaves_its_watch_is_gone_upstream_as_well(tmp_path: Path) -> None:
    async def test(w: World) -> None:
        async with w.watching():
            pass
        (call,) = await w.proxy.until(lambda call: call.finished is not None)
        assert call.verb == "watch"

    check(tmp_path, test)


def test_an_api_server_that_is_away_is_a_reset_connection(tmp_path: Path) -> None:
    async def run() -> None:
        async with FaultProxy(Upstream("http://127.0.0.1:1")) as proxy, aiohttp.ClientSession() as client:
            with pytest.raises(aiohttp.ClientOSError):
                await client.get(proxy.url + COLLECTION, ssl=trust(proxy))
            assert {call.code for call in proxy.calls} == {None}

    asyncio.run(run())


def test_the_kubeconfig_names_proxy_authority_and_token_and_is_private(tmp_path: Path) -> None:
    async def run() -> None:
        async with fake_api(tmp_path) as api, FaultProxy(api.upstream) as proxy:
            path = proxy.kubeconfig(tmp_path / "config", token_file=tmp_path / "token", namespace="here")
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            document = yaml.safe_load(path.read_text())
            assert document["users"][0]["user"] == {"tokenFile": str(tmp_path / "token")}
            assert document["contexts"][0]["context"]["namespace"] == "here"
            back = Upstream.from_kubeconfig(path)
            assert (back.url, back.ca) == (proxy.url, proxy.authority.decode())

    asyncio.run(run())


def test_a_lost_upstream_connection_is_not_repaired_by_sending_twice(tmp_path: Path) -> None:
    async def run() -> None:
        asked = 0

        async def die(request: aiohttp.web.BaseRequest) -> aiohttp.web.StreamResponse:
            nonlocal asked
            asked += 1
            assert request.transport
            request.transport.abort()
            return aiohttp.web.Response()
        runner = aiohttp.web.ServerRunner(aiohttp.web.Server(die))
        await runner.setup()
        await aiohttp.web.TCPSite(runner, "127.0.0.1", 0).start()
        async with FaultProxy(Upstream(f"http://127.0.0.1:{runner.addresses[0][1]}")) as proxy, aiohttp.ClientSession() as client:
            with pytest.raises(aiohttp.ClientOSError):
                await client.delete(proxy.url + COLLECTION + "/a", ssl=trust(proxy))
            assert asked == len(proxy.calls)
        await runner.cleanup()

    asyncio.run(run())


# -- one call


@pytest.mark.parametrize(("code", "reason"), [
    (401, "Unauthorized"), (403, "Forbidden"), (404, "NotFound"), (409, "Conflict"), (410, "Expired"), (422, "Invalid"),
    (429, "TooManyRequests"), (500, "InternalError"), (503, "ServiceUnavailable"), (504, "Timeout"),
])
def test_an_answer_replaces_the_call_with_a_status_and_only_once(tmp_path: Path, code: int, reason: str) -> None:
    async def test(w: World) -> None:
        got, status = await w.apply("a")
        assert (got, status["code"], status["reason"], status["kind"]) == (code, code, reason, "Status")
        assert status["details"]["name"] == "a"
        assert w.api.objects == {}
        assert (await w.apply("a"))[0] == 200
        assert [(call.code, call.upstream_code, bool(call.fault)) for call in w.proxy.calls] == [(code, None, True), (200, 200, False)]

    check(tmp_path, test, Fault(WRITE, Answer(code)))


def test_too_many_requests_says_when_to_come_back(tmp_path: Path) -> None:
    async def test(w: World) -> None:
        async with w.client.get(COLLECTION) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (429, "30")
            assert (await answer.json())["details"]["retryAfterSeconds"] == 30

    check(tmp_path, test, Fault(Where(), Answer(429, retry_after=30)))


@pytest.mark.parametrize(("method", "path", "headers", "reason"), [
    pytest.param("POST", COLLECTION, {}, "AlreadyExists", id="a create finds it there"),
    pytest.param("PUT", f"{COLLECTION}/a", {}, "Conflict", id="an update is late"),
    pytest.param("PATCH", f"{COLLECTION}/a", APPLY, "Conflict", id="an apply meets another manager"),
])
def test_a_conflict_is_the_one_that_the_verb_can_meet(tmp_path: Path, method: str, path: str, headers: dict[str, str], reason: str) -> None:
    async def test(w: World) -> None:
        async with w.client.request(method, path, json={"metadata": {"name": "a"}}, headers=headers) as answer:
            status = await answer.json()
            assert (answer.status, status["reason"]) == (409, reason)
            assert bool(status["details"].get("causes")) == (headers == APPLY)

    check(tmp_path, test, Fault(WRITE, Answer(409)))


@pytest.mark.parametrize(("effect", "stored"), [
    pytest.param(Drop(), False, id="reset before"),
    pytest.param(Drop(Moment.AFTER_EFFECT), True, id="reset after the effect"),
])
def test_a_drop_is_a_connection_reset(tmp_path: Path, effect: Effect, stored: bool) -> None:
    async def test(w: World) -> None:
        with pytest.raises(aiohttp.ClientOSError) as caught:
            await w.apply("a")
        assert isinstance(caught.value, ConnectionResetError) or "reset" in str(caught.value).lower()
        assert ("a" in w.api.objects) is stored
        assert w.proxy.calls[0].took_effect is stored
        assert w.proxy.calls[0].code is None

    check(tmp_path, test, Fault(WRITE, effect))


@pytest.mark.parametrize(("when", "stored"), [(Moment.BEFORE, False), (Moment.AFTER_EFFECT, True)])
def test_silence_outlasts_a_client_with_less_patience(tmp_path: Path, when: Moment, stored: bool) -> None:
    async def test(w: World) -> None:
        with pytest.raises(TimeoutError):
            await w.client.patch(f"{COLLECTION}/a", data='{"metadata":{"name":"a"}}', headers=APPLY,
                                 timeout=aiohttp.ClientTimeout(total=0.3))
        await w.proxy.until(lambda call: call.finished is not None)
        assert ("a" in w.api.objects) is stored

    check(tmp_path, test, Fault(WRITE, Silence(60, when)))


def test_silence_ends_with_a_reset_for_a_client_with_more_patience(tmp_path: Path) -> None:
    async def test(w: World) -> None:
        with pytest.raises(aiohttp.ClientOSError):
            await w.apply("a")

    check(tmp_path, test, Fault(WRITE, Silence(0.1)))


def test_a_truncated_message_is_seen_as_such(tmp_path: Path) -> None:
    async def test(w: World) -> None:
        async with w.client.get(COLLECTION) as answer:
            assert answer.status == 200
            with pytest.raises(aiohttp.ClientPayloadError):
                await answer.read()

    check(tmp_path, test, Fault(Where(), Truncate(10)))


def test_a_truncated_document_is_a_whole_message(tmp_path: Path) -> None:
    async def test(w: World) -> None:
        async with w.client.get(COLLECTION) as answer:
            assert await answer.read() == b'{"kind": "'

    check(tmp_path, test, Fault(Where(), Truncate(10, complete=True)))


def test_an_answer_after_the_effect_hides_it(tmp_path: Path) -> None:
    async def test(w: World) -> None:
        assert (await w.apply("a"))[0] == 504
        assert "a" in w.api.objects
        assert w.proxy.calls[0].took_effect

    check(tmp_path, test, Fault(WRITE, Answer(504, when=Moment.AFTER_EFFECT)))


@pytest.mark.parametrize(("when", "stored"), [(Moment.BEFORE, False), (Moment.AFTER_EFFECT, True)])
def test_a_held_call_lets_the_test_look_and_then_goes_on(tmp_path: Path, when: Moment, stored: bool) -> None:
    hold = Hold(when)

    async def test(w: World) -> None:
        applying = asyncio.create_task(w.apply("a"))
        await hold.reached.wait()
        assert ("a" in w.api.objects) is stored
        assert not applying.done()
        hold.release.set()
        assert (await applying)[0] == 200

    check(tmp_path, test, Fault(WRITE, hold))


def test_a_held_call_goes_on_by_itself_at_its_limit(tmp_path: Path) -> None:
    async def test(w: World) -> None:
        assert (await w.apply("a"))[0] == 200

    check(tmp_path, test, Fault(WRITE, Hold(limit=0.05)))


@pytest.mark.parametrize(("when", "stored", "answered"), [
    (Moment.BEFORE, False, False), (Moment.AFTER_EFFECT, True, False), (Moment.AFTER_REPLY, True, True),
])
def test_a_kill_strikes_at_its_moment(tmp_path: Path, when: Moment, stored: bool, answered: bool) -> None:
    struck: list[tuple[signal.Signals, bool]] = []

    async def test(w: World) -> None:
        async def callback(which: signal.Signals) -> None:
            struck.append((which, "a" in w.api.objects))
        w.proxy.on_kill(callback)
        if answered:
            assert (await w.apply("a"))[0] == 200
        else:
            with pytest.raises(aiohttp.ClientError):
                await w.apply("a")
        await w.proxy.until(lambda call: call.finished is not None)
        assert struck == [(signal.SIGKILL, stored)]
        assert ("a" in w.api.objects) is stored

    check(tmp_path, test, Fault(WRITE, Kill(when)))


def test_a_gentler_signal_leaves_the_call_whole(tmp_path: Path) -> None:
    struck = []

    async def test(w: World) -> None:
        async def callback(which: signal.Signals) -> None:
            struck.append(which)
        w.proxy.on_kill(callback)
        assert (await w.apply("a"))[0] == 200
        assert struck == [signal.SIGTERM]

    check(tmp_path, test, Fault(WRITE, Kill(signal=signal.SIGTERM)))


def test_a_kill_without_a_callback_fails_the_test_at_the_end(tmp_path: Path) -> None:
    async def test(w: World) -> None:
        with pytest.raises(aiohttp.ClientError):
            await w.apply("a")

    with pytest.raises(RuntimeError, match="on_kill"):
        check(tmp_path, test, Fault(WRITE, Kill()))


def test_a_fault_for_a_time_strikes_until_it_is_over(tmp_path: Path) -> None:
    async def run() -> None:
        fault = Fault(WRITE, Answer(503), seconds=0.5)
        async with world(tmp_path, [fault]) as w:
            codes = []
            while 200 not in codes:
                codes.append((await w.apply("a"))[0])
            assert w.proxy.hits(fault) == len(codes) - 1 > 1
            last = w.proxy.calls[-1].started
            assert last - w.proxy.calls[0].started >= 0.5
            assert w.proxy.last_fault
            assert w.proxy.last_fault <= last

    asyncio.run(run())


def test_faults_can_come_and_go_while_the_client_runs(tmp_path: Path) -> None:
    async def run() -> None:
        async with world(tmp_path) as w:
            assert (await w.apply("a"))[0] == 200
            w.proxy.inject(Fault(WRITE, Answer(500), times=3))
            assert (await w.apply("a"))[0] == 500
            w.proxy.clear()
            assert (await w.apply("a"))[0] == 200

    asyncio.run(run())


# -- watches


@pytest.mark.parametrize(("effect", "after"), [(EndWatch(), 0), (EndWatch(after_events=2), 2)])
def test_a_watch_ends_in_order(tmp_path: Path, effect: EndWatch, after: int) -> None:
    async def test(w: World) -> None:
        async with w.watching() as watch:
            send(w, "a", "b", "c")
            assert await names(watch.content, after) == ["a", "b"][:after]
            assert await watch.content.read() == b""

    check(tmp_path, test, Fault(ON_WATCH, effect))


def send(w: World, *objects: str) -> None:
    """One event for each name; the watch was answered, so its watcher is there unless the fault has ended it."""
    for name in objects:
        w.api.event("ADDED", name)


def test_a_watch_is_reset_in_the_middle(tmp_path: Path) -> None:
    async def test(w: World) -> None:
        async with w.watching() as watch:
            send(w, "a", "b")
            assert await names(watch.content, 1) == ["a"]
            with pytest.raises(aiohttp.ClientError):
                await watch.content.readline()

    check(tmp_path, test, Fault(ON_WATCH, ResetWatch(after_events=1)))


def test_a_silent_watch_keeps_its_connection_and_swallows_events_and_bookmarks(tmp_path: Path) -> None:
    async def test(w: World) -> None:
        async with w.watching() as watch:
            send(w, "a", "b")
            w.api.event("BOOKMARK", "")
            assert await names(watch.content, 1) == ["a"]
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(watch.content.readline(), 0.3)
            assert w.proxy.calls[0].finished is None

    check(tmp_path, test, Fault(ON_WATCH, SilenceWatch(60, after_events=1)))


def test_a_silent_watch_ends_with_a_reset_even_if_the_server_ended_it_before(tmp_path: Path) -> None:
    async def test(w: World) -> None:
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
    async def test(w: World) -> None:
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
    async def test(w: World) -> None:
        async with w.watching() as watch:
            assert (watch.status, (await watch.json())["code"]) == (code, code)
        assert w.api.asked == []

    check(tmp_path, test, Fault(ON_WATCH, Answer(code)))


def test_a_garbage_line_stands_between_good_ones(tmp_path: Path) -> None:
    async def test(w: World) -> None:
        async with w.watching() as watch:
            send(w, "a", "b")
            assert await names(watch.content, 1) == ["a"]
            with pytest.raises(ValueError, match=r".*"):
                json.loads(await watch.content.readline())
            assert await names(watch.content, 1) == ["b"]

    check(tmp_path, test, Fault(ON_WATCH, GarbageLine(after_events=1)))


def test_events_come_twice(tmp_path: Path) -> None:
    async def test(w: World) -> None:
        async with w.watching() as watch:
            send(w, "a", "b")
            assert await names(watch.content, 4) == ["a", "a", "b", "b"]

    check(tmp_path, test, Fault(ON_WATCH, DuplicateEvents()))


def test_events_of_different_objects_change_places_and_those_of_one_do_not(tmp_path: Path) -> None:
    async def test(w: World) -> None:
        async with w.watching() as watch:
            send(w, "a", "b", "c", "c", "d")
            w.api.event("BOOKMARK", "mark")
            assert await names(watch.content, 6) == ["b", "a", "c", "c", "d", "mark"]

    check(tmp_path, test, Fault(ON_WATCH, ReorderEvents(patience=30)))


def test_an_event_that_waits_for_another_is_not_lost(tmp_path: Path) -> None:
    async def test(w: World) -> None:
        async with w.watching() as watch:
            send(w, "a")
            assert await names(watch.content, 1) == ["a"]
            send(w, "b")
            w.api.end_watches()
            assert await names(watch.content, 1) == ["b"]
            assert await watch.content.read() == b""

    check(tmp_path, test, Fault(ON_WATCH, ReorderEvents(patience=0.1)))


def test_one_event_is_big(tmp_path: Path) -> None:
    async def test(w: World) -> None:
        async with w.watching() as watch:
            send(w, "a", "b", "c")
            lines = [await watch.content.readline() for _ in range(3)]
            assert [json.loads(line)["object"]["metadata"]["name"] for line in lines] == ["a", "b", "c"]
            assert [len(line) > 1024 * 1024 for line in lines] == [False, True, False]

    check(tmp_path, test, Fault(ON_WATCH, BigEvent(after_events=1)))


def test_a_watch_is_cut_inside_a_line(tmp_path: Path) -> None:
    async def test(w: World) -> None:
        watching = asyncio.create_task(w.client.get(WATCH))
        await w.proxy.until(lambda call: call.upstream_code == 200)
        send(w, "a")
        async with await watching as watch:
            with pytest.raises(aiohttp.ClientPayloadError):
                await watch.content.read()

    check(tmp_path, test, Fault(ON_WATCH, Truncate(10)))


# -- for the test


def test_severing_resets_open_watches_and_leaves_the_proxy_working(tmp_path: Path) -> None:
    async def test(w: World) -> None:
        async with w.watching() as watch:
            w.proxy.sever()
            with pytest.raises(aiohttp.ClientError):
                await watch.content.readline()
        assert (await w.apply("a"))[0] == 200

    check(tmp_path, test)


def test_the_end_of_the_proxy_does_not_wait_for_open_watches_or_silent_calls(tmp_path: Path) -> None:
    async def run() -> None:
        async with asyncio.timeout(10), world(tmp_path, [Fault(WRITE, Silence(3600))]) as w, w.watching():
            asyncio.get_running_loop().create_task(w.client.delete(f"{COLLECTION}/a")).add_done_callback(lambda task: task.exception())
            await w.proxy.until(lambda call: call.verb == "delete")

    asyncio.run(run())


def test_waiting_for_a_call_that_never_comes_says_what_came(tmp_path: Path) -> None:
    async def test(w: World) -> None:
        with pytest.raises(NeverHappened, match="does the client use"):
            await w.proxy.until(lambda call: True, within=0.05)
        await w.apply("a")
        with pytest.raises(NeverHappened, match="apply configmaps test/a -> 200"):
            await w.proxy.until(lambda call: call.verb == "delete", within=0.05)

    check(tmp_path, test)


def test_quiet_means_no_write_for_a_while_reads_do_not_count(tmp_path: Path) -> None:
    async def test(w: World) -> None:
        await w.apply("a")
        reading = asyncio.create_task(read_on(w))
        await w.proxy.until_quiet(0.3, within=10)
        reading.cancel()
        assert len(w.proxy.calls) > 2

    check(tmp_path, test)


async def read_on(w: World) -> None:
    while True:
        async with w.client.get(COLLECTION) as answer:
            await answer.read()


def test_a_client_that_writes_on_is_never_quiet(tmp_path: Path) -> None:
    async def test(w: World) -> None:
        async def write_on() -> None:
            while True:
                await w.apply("a")
        writing = asyncio.create_task(write_on())
        with pytest.raises(NeverHappened, match="without a write"):
            await w.proxy.until_quiet(0.5, within=1)
        writing.cancel()

    check(tmp_path, test)


def test_a_run_is_recorded(tmp_path: Path) -> None:
    async def run() -> None:
        async with fake_api(tmp_path) as api:
            async def work(proxy: FaultProxy) -> None:
                async with aiohttp.ClientSession() as client, client.get(proxy.url + COLLECTION, ssl=trust(proxy)) as answer:
                    await answer.read()
            assert [call.verb for call in await record(api.upstream, work)] == ["list"]

    asyncio.run(run())

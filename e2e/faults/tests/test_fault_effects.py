"""Each fault of a single call, proven from the client's side."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import aiohttp
import pytest
from fake_upstream import APPLY, COLLECTION, WRITE, ProxiedApi, check, proxied

from e2e.faults import (
    Answer,
    Drop,
    Effect,
    Fault,
    Hold,
    Kill,
    Moment,
    Silence,
    Truncate,
    Where,
)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (401, "Unauthorized"),
        (403, "Forbidden"),
        (404, "NotFound"),
        (409, "Conflict"),
        (410, "Expired"),
        (422, "Invalid"),
        (429, "TooManyRequests"),
        (500, "InternalError"),
        (503, "ServiceUnavailable"),
        (504, "Timeout"),
    ],
)
def test_an_answer_replaces_the_call_with_a_status_and_only_once(tmp_path: Path, code: int, reason: str) -> None:
    async def test(w: ProxiedApi) -> None:
        got, status = await w.apply("a")
        assert (got, status["code"], status["reason"], status["kind"]) == (code, code, reason, "Status")
        assert status["details"]["name"] == "a"
        assert w.api.objects == {}
        assert (await w.apply("a"))[0] == 200
        assert [(call.code, call.upstream_code, bool(call.fault)) for call in w.proxy.calls] == [(code, None, True), (200, 200, False)]

    check(tmp_path, test, Fault(WRITE, Answer(code)))


def test_too_many_requests_says_when_to_come_back(tmp_path: Path) -> None:
    async def test(w: ProxiedApi) -> None:
        async with w.client.get(COLLECTION) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (429, "30")
            assert (await answer.json())["details"]["retryAfterSeconds"] == 30

    check(tmp_path, test, Fault(Where(), Answer(429, retry_after=30)))


@pytest.mark.parametrize(
    ("method", "path", "headers", "reason"),
    [
        pytest.param("POST", COLLECTION, {}, "AlreadyExists", id="a create finds it there"),
        pytest.param("PUT", f"{COLLECTION}/a", {}, "Conflict", id="an update is late"),
        pytest.param("PATCH", f"{COLLECTION}/a", APPLY, "Conflict", id="an apply meets another manager"),
    ],
)
def test_a_conflict_is_the_one_that_the_verb_can_meet(tmp_path: Path, method: str, path: str, headers: dict[str, str], reason: str) -> None:
    async def test(w: ProxiedApi) -> None:
        async with w.client.request(method, path, json={"metadata": {"name": "a"}}, headers=headers) as answer:
            status = await answer.json()
            assert (answer.status, status["reason"]) == (409, reason)
            assert bool(status["details"].get("causes")) == (headers == APPLY)

    check(tmp_path, test, Fault(WRITE, Answer(409)))


@pytest.mark.parametrize(
    ("effect", "stored"),
    [
        pytest.param(Drop(), False, id="reset before"),
        pytest.param(Drop(Moment.AFTER_EFFECT), True, id="reset after the effect"),
    ],
)
def test_a_drop_is_a_connection_reset(tmp_path: Path, effect: Effect, stored: bool) -> None:
    async def test(w: ProxiedApi) -> None:
        with pytest.raises(aiohttp.ClientOSError) as caught:
            await w.apply("a")
        assert isinstance(caught.value, ConnectionResetError) or "reset" in str(caught.value).lower()
        assert ("a" in w.api.objects) is stored
        assert w.proxy.calls[0].took_effect is stored
        assert w.proxy.calls[0].code is None

    check(tmp_path, test, Fault(WRITE, effect))


@pytest.mark.parametrize(("when", "stored"), [(Moment.BEFORE, False), (Moment.AFTER_EFFECT, True)])
def test_silence_outlasts_a_client_with_less_patience(tmp_path: Path, when: Moment, stored: bool) -> None:
    async def test(w: ProxiedApi) -> None:
        with pytest.raises(TimeoutError):
            await w.client.patch(
                f"{COLLECTION}/a", data='{"metadata":{"name":"a"}}', headers=APPLY, timeout=aiohttp.ClientTimeout(total=0.3)
            )
        await w.proxy.until(lambda call: call.finished is not None)
        assert ("a" in w.api.objects) is stored

    check(tmp_path, test, Fault(WRITE, Silence(60, when)))


def test_silence_ends_with_a_reset_for_a_client_with_more_patience(tmp_path: Path) -> None:
    async def test(w: ProxiedApi) -> None:
        with pytest.raises(aiohttp.ClientOSError):
            await w.apply("a")

    check(tmp_path, test, Fault(WRITE, Silence(0.1)))


def test_a_truncated_message_is_seen_as_such(tmp_path: Path) -> None:
    async def test(w: ProxiedApi) -> None:
        async with w.client.get(COLLECTION) as answer:
            assert answer.status == 200
            with pytest.raises(aiohttp.ClientPayloadError):
                await answer.read()

    check(tmp_path, test, Fault(Where(), Truncate(10)))


def test_a_truncated_document_is_a_whole_message(tmp_path: Path) -> None:
    async def test(w: ProxiedApi) -> None:
        async with w.client.get(COLLECTION) as answer:
            assert await answer.read() == b'{"kind": "'

    check(tmp_path, test, Fault(Where(), Truncate(10, complete=True)))


def test_an_answer_after_the_effect_hides_it(tmp_path: Path) -> None:
    async def test(w: ProxiedApi) -> None:
        assert (await w.apply("a"))[0] == 504
        assert "a" in w.api.objects
        assert w.proxy.calls[0].took_effect

    check(tmp_path, test, Fault(WRITE, Answer(504, when=Moment.AFTER_EFFECT)))


@pytest.mark.parametrize(("when", "stored"), [(Moment.BEFORE, False), (Moment.AFTER_EFFECT, True)])
def test_a_held_call_lets_the_test_look_and_then_goes_on(tmp_path: Path, when: Moment, stored: bool) -> None:
    hold = Hold(when)

    async def test(w: ProxiedApi) -> None:
        applying = asyncio.create_task(w.apply("a"))
        await hold.reached.wait()
        assert ("a" in w.api.objects) is stored
        assert not applying.done()
        hold.release.set()
        assert (await applying)[0] == 200

    check(tmp_path, test, Fault(WRITE, hold))


def test_a_held_call_goes_on_by_itself_at_its_limit(tmp_path: Path) -> None:
    async def test(w: ProxiedApi) -> None:
        assert (await w.apply("a"))[0] == 200

    check(tmp_path, test, Fault(WRITE, Hold(limit=0.05)))


@pytest.mark.parametrize(
    ("when", "stored", "answered"),
    [
        (Moment.BEFORE, False, False),
        (Moment.AFTER_EFFECT, True, False),
        (Moment.AFTER_REPLY, True, True),
    ],
)
def test_a_kill_strikes_at_its_moment(tmp_path: Path, when: Moment, stored: bool, answered: bool) -> None:
    struck: list[tuple[signal.Signals, bool]] = []

    async def test(w: ProxiedApi) -> None:
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

    async def test(w: ProxiedApi) -> None:
        async def callback(which: signal.Signals) -> None:
            struck.append(which)

        w.proxy.on_kill(callback)
        assert (await w.apply("a"))[0] == 200
        assert struck == [signal.SIGTERM]

    check(tmp_path, test, Fault(WRITE, Kill(signal=signal.SIGTERM)))


def test_a_kill_without_a_callback_fails_the_test_at_the_end(tmp_path: Path) -> None:
    async def test(w: ProxiedApi) -> None:
        with pytest.raises(aiohttp.ClientError):
            await w.apply("a")

    with pytest.raises(RuntimeError, match="on_kill"):
        check(tmp_path, test, Fault(WRITE, Kill()))


def test_a_fault_for_a_time_strikes_until_it_is_over(tmp_path: Path) -> None:
    async def run() -> None:
        fault = Fault(WRITE, Answer(503), seconds=0.5)
        async with proxied(tmp_path, [fault]) as w:
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
        async with proxied(tmp_path) as w:
            assert (await w.apply("a"))[0] == 200
            w.proxy.inject(Fault(WRITE, Answer(500), times=3))
            assert (await w.apply("a"))[0] == 500
            w.proxy.clear()
            assert (await w.apply("a"))[0] == 200

    asyncio.run(run())

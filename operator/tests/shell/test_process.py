"""Whole processes over one in-memory cluster, in virtual time: what one leaves behind for the next."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from tests.memory.api_server import Call, MemoryApiServer
from tests.shell import virtual_time
from tests.shell.candidates import holder
from tests.shell.operator_world import Body, service

from hardened.errors import TryAgain
from hardened.shell.client import Client
from hardened.shell.credentials import Credentials
from hardened.shell.kinds import DEPLOYMENT, EVENT, HARDENED_SERVICE, Kind
from hardened.shell.metrics import Metrics
from hardened.shell.process import Process, counted, new_signs
from hardened.shell.settings import BadSetting, Settings


class Caller(MemoryApiServer):
    """One process's client. slow: by kind, the seconds that a write takes until it is done; for a Lease, until its reply is there."""

    def __init__(self, cluster: MemoryApiServer) -> None:
        super().__init__(store=cluster.store)
        self.slow: dict[str, float] = {}

    async def apply(self, kind: Kind, manifest: Body, *, force: bool) -> Body:
        await asyncio.sleep(self.slow.get(kind.name, 0))
        return await super().apply(kind, manifest, force=force)

    async def update(self, kind: Kind, manifest: Body) -> Body:
        written = await super().update(kind, manifest)
        await asyncio.sleep(self.slow.get(kind.name, 0))
        return written

    async def create(self, kind: Kind, manifest: Body) -> Body:
        await asyncio.sleep(self.slow.get(kind.name, 0))
        return await super().create(kind, manifest)

    async def close(self) -> None:
        """Nothing is open."""


class Started(Process):
    """A process that is told of changes by the in-memory cluster. deaf_to: kinds whose watch is silent."""

    def __init__(self, cluster: MemoryApiServer, name: str, *, clock: Callable[[], float] = virtual_time.now, **ports: int) -> None:
        self.caller = Caller(cluster)
        self.deaf_to: set[str] = set()
        chosen = Settings(identity=name, lease_namespace="system", **{"health_port": 0, "metrics_port": 0, **ports})
        super().__init__(chosen, {}, self.caller, Metrics(), new_signs(clock()), clock=clock)  # type: ignore[arg-type]
        self.task = asyncio.create_task(self.run())

    async def _watch(self) -> None:
        def seen(event: str, kind: Kind, obj: Body) -> None:
            key = None if kind.name in self.deaf_to else self.cache.see(kind, event, obj)
            if key:
                self.queue.add(key)

        self.caller.on_event.append(seen)
        self._hear()
        try:
            await asyncio.Event().wait()
        finally:
            self.caller.on_event.remove(seen)

    async def ended(self) -> int:
        """SIGTERM, and its exit code."""
        self.end(0)
        return await self.task


class Cluster(MemoryApiServer):
    def __init__(self) -> None:
        super().__init__(["system", "shop"])
        self.people = self.outsider("kubectl")

    async def pass_time(self, seconds: float, *, step: float = 0.5) -> None:
        """Waits, while the cluster's controllers work."""
        end = virtual_time.now() + seconds
        while virtual_time.now() < end:
            await asyncio.sleep(step)
            self.settle()

    @property
    def images(self) -> list[str]:
        return [body["spec"]["template"]["spec"]["containers"][0]["image"] for body in self.all(DEPLOYMENT)]

    @property
    def running(self) -> list[str]:
        """The images of the Deployments that have pods."""
        return [body["spec"]["template"]["spec"]["containers"][0]["image"] for body in self.all(DEPLOYMENT) if body["spec"]["replicas"]]


def play(scenario: Callable[[Cluster], Awaitable[None]]) -> None:
    async def main() -> None:
        await scenario(Cluster())

    virtual_time.run(main())


@contextlib.asynccontextmanager
async def running(*processes: Process) -> AsyncIterator[None]:
    """Whatever becomes of the test, they end."""
    try:
        yield
    finally:
        for process in processes:
            process.end(0)
        await asyncio.gather(*(process.task for process in processes if isinstance(process, Started)))


async def until(is_so: Callable[[], bool], *, within: float) -> float:
    """The seconds until it was so."""
    begun = virtual_time.now()
    while not is_so():
        assert virtual_time.now() - begun < within
        await asyncio.sleep(0.02)
    return virtual_time.now() - begun


@pytest.mark.parametrize(
    ("seconds", "is_written"),
    [pytest.param(0.8, True, id="a write that comes to its end"), pytest.param(8, False, id="a write that is held up")],
)
def test_a_handover_takes_less_than_3_seconds_and_no_write_lands_after_it(seconds: float, is_written: bool) -> None:
    async def scenario(cluster: Cluster) -> None:
        old = Started(cluster, "a")
        async with running(old):
            await cluster.pass_time(5)
            new = Started(cluster, "b")
            async with running(new):
                await cluster.pass_time(5)
                assert (old.leader.is_leader, new.leader.is_leader) == (True, False)
                old.caller.slow |= {"Deployment": seconds, "Lease": 2}
                new.caller.slow["Deployment"] = 1e6
                await cluster.people.create(HARDENED_SERVICE, service())
                await until(lambda: old.queue.in_work == 1, within=5)
                ending = asyncio.create_task(old.ended())
                assert await until(lambda: new.leader.is_leader, within=3) < 3
                assert old.queue.in_work == 0
                assert bool(cluster.images) is is_written
                assert await ending == 0
                await asyncio.sleep(20)
                assert bool(cluster.images) is is_written

    play(scenario)


def test_what_was_done_last_is_told_before_the_end() -> None:
    async def scenario(cluster: Cluster) -> None:
        last = Started(cluster, "a")
        async with running(last):
            await cluster.pass_time(5)
            last.caller.slow["Event"] = 0.1
            await cluster.people.create(HARDENED_SERVICE, service())

            def is_healthy() -> bool:
                cluster.settle()
                return bool(cluster.all(HARDENED_SERVICE)[0].get("status", {}).get("phase") == "Healthy")

            await until(is_healthy, within=5)
            assert cluster.all(EVENT) == []
            assert await last.ended() == 0
            assert len(cluster.all(EVENT)) == 1

    play(scenario)


def test_a_lease_is_not_given_up_under_a_write_that_cannot_be_stopped() -> None:
    async def scenario(cluster: Cluster) -> None:
        old = Started(cluster, "a")
        async with running(old):
            await cluster.pass_time(5)
            is_done = asyncio.Event()

            async def stubborn(*_: Any, **__: Any) -> Any:
                while not is_done.is_set():
                    with contextlib.suppress(asyncio.CancelledError):
                        await is_done.wait()

            old.caller.apply = stubborn  # type: ignore[method-assign]
            await cluster.people.create(HARDENED_SERVICE, service())
            await until(lambda: old.queue.in_work == 1, within=5)
            ending = asyncio.create_task(old.ended())
            await asyncio.sleep(5)
            assert await holder(cluster) == "a"
            is_done.set()
            await ending
            assert await holder(cluster) == "a"

    play(scenario)


@pytest.mark.parametrize("failures", [0, 3])
def test_who_takes_over_works_on_the_specs_of_then(failures: int) -> None:
    async def scenario(cluster: Cluster) -> None:
        old = Started(cluster, "a")
        async with running(old):
            await cluster.people.create(HARDENED_SERVICE, service())
            await cluster.pass_time(30)
            new = Started(cluster, "b")
            async with running(new):
                await cluster.pass_time(5)
                new.deaf_to.add("HardenedService")
                await cluster.people.merge_patch(HARDENED_SERVICE, "shop", "web", {"spec": {"image": "web:2"}})
                await cluster.pass_time(20)
                assert cluster.running == ["web:2"]
                seen: list[str] = []
                cluster.on_event.append(lambda *_: seen.extend(cluster.running))
                left = [TryAgain("no reply")] * failures

                def fail(call: Call) -> None:
                    if call.verb == "list" and left:
                        assert new.queue.is_paused
                        raise left.pop()

                new.caller.before = fail
                assert await old.ended() == 0
                taken = await until(lambda: not new.queue.is_paused, within=10)
                assert taken < (3 if not failures else 7)
                assert not left
                await cluster.pass_time(20)
                assert set(seen) == {"web:2"}
                live = await cluster.get(HARDENED_SERVICE, "shop", "web")
                assert live["status"]["observedGeneration"] == live["metadata"]["generation"]

    play(scenario)


def test_who_is_told_to_end_while_it_takes_over_does_not_begin_to_work() -> None:
    async def scenario(cluster: Cluster) -> None:
        only = Started(cluster, "a")
        async with running(only):
            lists = 0

            def end(call: Call) -> None:
                nonlocal lists
                lists += call.verb == "list" and call.kind == HARDENED_SERVICE
                if lists == 2 and not only.stop.is_set():
                    only.end(0)

            only.caller.before = end
            await until(only.task.done, within=5)
            assert only.queue.is_paused
            assert await holder(cluster) == ""

    play(scenario)


def test_who_starts_in_an_outage_lives_until_it_is_over_but_is_not_ready() -> None:
    async def scenario(_: Cluster) -> None:
        signs = new_signs(virtual_time.now())
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            nobody = Credentials(server=f"http://127.0.0.1:{closed.getsockname()[1]}")
            client = Client(nobody, count=counted(Metrics(), signs, virtual_time.now))
            settings = Settings(identity="a", lease_namespace="system", health_port=0, metrics_port=0)
            process = Process(settings, {}, client, Metrics(), signs, clock=virtual_time.now)
            running = asyncio.create_task(process.run())
            for _ in range(60):
                await asyncio.sleep(10)
                assert process._problems() == []
                assert process._unready() == ["not everything is watched yet"]
            process.end(0)
            assert await running == 0

    play(scenario)


@pytest.mark.parametrize("setting", ["metrics_port", "health_port"])
def test_a_port_that_somebody_else_has_is_named_with_its_setting(setting: str) -> None:
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        number = taken.getsockname()[1]

        async def scenario() -> None:
            process = Started(Cluster(), "a", clock=time.monotonic, **{setting: number})
            said = rf"HARDENED_{setting.upper()}: port {number} cannot be listened on \(Address already in use\): set it to a free one"
            with pytest.raises(BadSetting, match=said):
                await process.task

        asyncio.run(scenario())


def test_the_probes_are_answered_from_the_first_moment() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    async def statuses() -> list[tuple[int, str]]:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            found = []
            for path in ("/healthz", "/readyz"):
                async with session.get(path) as reply:
                    found.append((reply.status, (await reply.text()).strip()))
            return found

    async def scenario() -> None:
        process = Started(Cluster(), "a", health_port=port, clock=time.monotonic)
        is_over = asyncio.Event()
        pages = process.caller.pages

        async def held_up(*given: Any, **named: Any) -> Any:
            await is_over.wait()
            async for page in pages(*given, **named):
                yield page

        process.caller.pages = held_up  # type: ignore[method-assign]
        async with running(process):
            await asyncio.sleep(0.1)
            assert await statuses() == [(200, "ok"), (500, "not everything is watched yet")]
            is_over.set()
            await asyncio.wait_for(process.hears.wait(), 5)
            assert await statuses() == [(200, "ok"), (200, "ok")]
            process.signs.begin(time.monotonic() - 180)
            status, text = (await statuses())[0]
            assert status == 500
            assert "no sign of life of the watch of deployments" in text

    asyncio.run(scenario())

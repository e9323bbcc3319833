"""kopf watches all that it is to watch, whatever the API server told of it at first."""

import asyncio
import logging
import random
import time

import pytest
from tests.shell.discovery import Discovery

from hardened.shell import watcher
from hardened.shell.cache import Cache
from hardened.shell.credentials import Credentials
from hardened.shell.health import Liveness
from hardened.shell.watches import OPTIONAL, WATCHED, Watching
from hardened.shell.workqueue import WorkQueue


@pytest.mark.parametrize(
    ("late", "said"),
    [
        pytest.param((), "", id="it tells of all"),
        pytest.param(("hardened.dev",), "does not tell yet of hardenedservices", id="a group is told of late"),
        pytest.param(("deployments",), "does not tell yet of deployments", id="a resource is told of late"),
    ],
)
def test_what_discovery_tells_of_late_is_watched(
    late: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watcher, "DISCOVERY_PAUSE", 0.05)
    told: list[str] = []

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        signs = Liveness((kind.plural for kind in WATCHED), time.monotonic())
        watching = Watching(Cache(), WorkQueue(time.monotonic, random.Random(1)), signs, time.monotonic)
        async with Discovery(*late) as api:

            async def load() -> Credentials:
                return Credentials(server=api.url)

            spawned, complete = lambda: told.append("spawned"), lambda: told.append("complete")
            watch = loop.create_task(watcher.watch(watching, load, namespaces=(), spawned=spawned, complete=complete))
            async with asyncio.timeout(20):
                while {*api.watched} != {kind.plural for kind in WATCHED}:
                    assert not watch.done()
                    await asyncio.sleep(0.02)
            scheduled = repr(loop._scheduled)  # type: ignore[attr-defined]
            assert "pthread_kill" not in scheduled, "kopf would end the process some time after its tasks were ended"
            watch.cancel()
            await asyncio.wait([watch])

    with caplog.at_level(logging.WARNING):
        asyncio.run(scenario())
    assert told == ["spawned"] * (3 if late else 1) + ["complete"]
    assert said in caplog.text
    assert "nclosed" not in caplog.text


def test_a_cluster_whose_crds_are_older_is_watched_at_once_and_asked_again_for_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "DISCOVERY_PAUSE", 0.01)
    monkeypatch.setattr(watcher, "OPTIONAL_PAUSE", 0.3)
    told: list[str] = []
    is_complete = asyncio.Event()
    (lacking,) = (kind.plural for kind in OPTIONAL)

    async def scenario() -> None:
        signs = Liveness((kind.plural for kind in WATCHED), 0)
        watching = Watching(Cache(), WorkQueue(time.monotonic, random.Random(1)), signs, time.monotonic)
        async with Discovery(lacking, looks=1) as api:

            async def load() -> Credentials:
                return Credentials(server=api.url)

            def complete() -> None:
                told.append(lacking if lacking in api.watched else "the others")
                signs.begin(0)
                is_complete.set()

            watch = asyncio.create_task(watcher.watch(watching, load, namespaces=(), spawned=lambda: None, complete=complete))
            async with asyncio.timeout(20):
                await is_complete.wait()
                assert not any(lacking in problem for problem in signs.problems(1000)), "nobody waits for signs of what is not there"
                while lacking not in api.watched:
                    assert not watch.done()
                    await asyncio.sleep(0.02)
            watch.cancel()
            await asyncio.wait([watch])

    asyncio.run(scenario())
    assert told[0] == "the others"

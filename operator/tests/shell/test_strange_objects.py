"""Whatever the API server stores is read, or left out and named: no watch, no list and no reconcile stops for it."""

import asyncio
import json
import logging
import random
import time
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.shell import virtual_time
from tests.shell.discovery import Discovery
from tests.shell.http_server import Server, reply
from tests.shell.operator_world import OperatorWorld, service
from tests.shell.strange import OF_EVERY_KIND, OF_REVISIONS, PLACES, VALUES, news, strange

from hardened.errors import Refused
from hardened.shell import reading, streams, watcher
from hardened.shell.cache import Cache
from hardened.shell.client import Client
from hardened.shell.credentials import Credentials
from hardened.shell.health import Liveness
from hardened.shell.kinds import (
    CONFIG_MAP,
    CONTROLLER_REVISION,
    DEPLOYMENT,
    ENDPOINT_SLICE,
    HARDENED_SERVICE,
    HARDENED_SERVICE_ACTION,
    POD,
    SERVICE,
    Kind,
)
from hardened.shell.lists import Lists
from hardened.shell.replies import response_class
from hardened.shell.streams import Streams
from hardened.shell.sync import Sync
from hardened.shell.watches import WATCHED, Watching
from hardened.shell.workqueue import Key, WorkQueue

pytestmark = pytest.mark.one_of(3)

CANARY = "canary"
KINDS = st.sampled_from(WATCHED)
#: What is strange, and where it stands.
OBJECTS = st.tuples(st.sampled_from(sorted(VALUES)), st.sampled_from(sorted(PLACES)))
Strange = tuple[str, str]
STORABLE = [(kind, target) for kind in WATCHED for target in (OF_REVISIONS if kind == CONTROLLER_REVISION else OF_EVERY_KIND)]
#: Other ones each time: so few that nobody waits for them.
FEW = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))


def canary(version: int = 3) -> bytes:
    return strange("nothing", "status", name=CANARY, version=version, service=CANARY, namespace="other")


def page(kind: Kind, *items: bytes) -> bytes:
    body = b'{"kind":"%sList","metadata":{"resourceVersion":"9"},"items":[%s]}' % (kind.name.encode(), b",".join(items))
    return reply(200, body)


def version(cache: Cache, kind: Kind, name: str = CANARY, namespace: str = "other") -> str | None:
    """The state that is known of an object."""
    known = cache._entries.get((kind.name, namespace, name))
    return known and known.version


def is_taken(cache: Cache, kind: Kind, name: str = "strange") -> bool:
    """Whether it was read, or is named as what was not."""
    return version(cache, kind, name, "shop") is not None or (kind.name, "shop", name) in cache._unread


class Listening:
    def __init__(self) -> None:
        self.cache, self.queue, self.seen = Cache(), WorkQueue(lambda: 0.0, random.Random(1)), []

    async def ask(self, answer: bytes, kind: Kind, query: str = "") -> list[bytes] | Any:
        """What kopf gets to see."""
        lists, watches = Lists(self.cache, self.queue, WATCHED), Streams(self.cache, self.queue, WATCHED, self.seen.append)
        async with (
            Server(answer) as server,
            aiohttp.ClientSession(response_class=response_class(lists, watches, {})) as session,
            session.get(server.url + kind.path(None) + query) as response,
        ):
            if not query:
                return await response.json()
            return [line async for line in response.content.iter_chunked(1024 * 1024) if line]


@given(KINDS, OBJECTS, OBJECTS, st.sampled_from(["ADDED", "MODIFIED"]))
@FEW
def test_a_watch_takes_or_names_each_object_and_goes_on(kind: Kind, first: Strange, second: Strange, event: str) -> None:
    lines = [news(kind, strange(*first), event), news(kind, strange(*second, name="another"), event), news(kind, canary()), b""]
    text = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"\n".join(lines)
    listening = Listening()
    seen = asyncio.run(listening.ask(text, kind, "?watch=true"))
    assert [json.loads(line)["type"] for line in seen] == ["BOOKMARK"] * 3
    assert json.loads(seen[-1])["object"]["metadata"]["resourceVersion"] == "3"
    assert is_taken(listening.cache, kind)
    assert is_taken(listening.cache, kind, "another")
    assert version(listening.cache, kind)


@pytest.mark.parametrize("is_slow", [False, True])
def test_who_writes_what_is_slow_to_read_again_and_again_holds_up_nobody_else(monkeypatch: pytest.MonkeyPatch, is_slow: bool) -> None:
    if is_slow:
        monkeypatch.setattr(streams, "SLOW", 0)
        monkeypatch.setattr(streams, "PATIENCE", 1e9)
    odd = [news(CONFIG_MAP, strange("10000 objects deep", "managedFields", name=name)) for name in ("first", "second")]
    text = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"\n".join([*odd, news(CONFIG_MAP, canary()), b""])
    listening = Listening()
    seen = asyncio.run(listening.ask(text, CONFIG_MAP, "?watch=true"))
    assert [is_taken(listening.cache, CONFIG_MAP, name) for name in ("first", "second")] == [True, not is_slow]
    assert len(seen) == 3 - is_slow
    assert version(listening.cache, CONFIG_MAP)


@given(KINDS, OBJECTS)
@FEW
def test_kopfs_list_and_ours_take_or_name_each_object_and_have_all_others(kind: Kind, chosen: Strange) -> None:
    obj = strange(*chosen)

    async def ours() -> None:
        cache, queue = Cache(), WorkQueue(lambda: 0.0, random.Random(1))
        async with Server(page(kind, obj, canary())) as server:
            client = Client(Credentials(server=server.url))
            await Sync(client, cache, queue, namespaces=(), period=300, rng=random.Random(1))._list(kind, None)
            await client.close()
        assert is_taken(cache, kind)
        assert version(cache, kind)

    asyncio.run(ours())
    listening = Listening()
    seen = asyncio.run(listening.ask(page(kind, obj, canary()), kind))
    assert (seen["items"], seen["metadata"]["resourceVersion"]) == ([], "9")
    assert is_taken(listening.cache, kind)
    assert version(listening.cache, kind)


@given(KINDS, OBJECTS)
@FEW
def test_one_that_is_got_by_name_is_read_or_refused_and_can_be_written_down(kind: Kind, chosen: Strange) -> None:
    obj = strange(*chosen)

    async def scenario() -> None:
        async with Server(reply(200, obj)) as server:
            client = Client(Credentials(server=server.url))
            try:
                live = await client.get(kind, "shop", "strange")
            except Refused as refusal:
                live = {"reason": refusal.reason}
            finally:
                await client.close()
        assert live.get("reason", "Unreadable") == "Unreadable"
        assert reading.is_usable(live)
        json.dumps(live, ensure_ascii=False).encode()

    asyncio.run(scenario())


@given(st.sampled_from(STORABLE), st.sampled_from(sorted(VALUES)), st.booleans())
@settings(FEW, max_examples=12)
def test_each_reconcile_ends_and_the_service_is_changed_all_the_same(where: tuple[Kind, str], value: str, is_its_own: bool) -> None:
    kind, target = where
    live = kind.named(asyncio.run(reading.read(strange(value, target))))

    async def scenario(world: OperatorWorld) -> None:
        await world.people.create(HARDENED_SERVICE, service())
        await asyncio.sleep(1)
        operator = world.operators[-1]
        (made,) = world.server.all(HARDENED_SERVICE)
        if kind == HARDENED_SERVICE:
            live["metadata"]["name"] = "other"
        if is_its_own:
            who = {"apiVersion": "hardened.dev/v1alpha1", "kind": "HardenedService", "name": "web", "uid": made["metadata"]["uid"]}
            live["metadata"]["ownerReferences"] = [{**who, "controller": True}]
        if key := operator.cache.see(kind, "ADDED", live):
            operator.queue.add(key)
        await world.people.merge_patch(HARDENED_SERVICE, "shop", "web", {"spec": {"replicas": 3}})
        await asyncio.sleep(60)

    world = OperatorWorld()
    virtual_time.run(world.play(scenario))
    assert {body["spec"]["replicas"] for body in world.server.all(DEPLOYMENT)} >= {3}


@pytest.mark.parametrize("value", ["1500 objects deep", "an integer of 5,000 digits"])
def test_it_is_named_in_the_log_the_metric_and_an_event_and_no_more_once_it_is_gone(value: str, caplog: pytest.LogCaptureFixture) -> None:
    live = CONTROLLER_REVISION.named(asyncio.run(reading.read(strange(value, "data", version=10_000))))

    async def scenario(world: OperatorWorld) -> None:
        await world.people.create(HARDENED_SERVICE, service())
        await asyncio.sleep(60)
        operator = world.operators[-1]
        for _ in range(3):
            if key := operator.cache.see(CONTROLLER_REVISION, "ADDED", live):
                operator.queue.add(key)
            await asyncio.sleep(30)
        assert operator.cache.count_unread("ControllerRevision") == 1
        live["metadata"]["resourceVersion"] = "10001"
        assert operator.cache.see(CONTROLLER_REVISION, "DELETED", live) == Key("shop", "web")
        assert operator.cache.count_unread("ControllerRevision") == 0

    world = OperatorWorld()
    with caplog.at_level(logging.WARNING):
        virtual_time.run(world.play(scenario))
    assert caplog.text.count("ControllerRevision shop/strange is left out") == 1
    assert world.told()["Unreadable"] == 1


def test_every_kind_at_once_in_the_first_list_and_in_the_watches_of_a_whole_process() -> None:
    """kopf itself over HTTP: each kind has a dozen strange objects, then a canary, which is known within 5 s of work."""
    texts = [("1500 objects deep", "managedFields"), ("10000 objects deep", "data"), ("10000 lists deep", "spec"), ("no UTF-8", "data")]
    texts += [("half a surrogate pair", "spec"), ("an integer of 5,000 digits", "data"), ("keys twice", "status"), ("nothing", "spec")]
    items = [strange(value, target, name=f"s{number}") for number, (value, target) in enumerate(texts)]

    async def scenario() -> None:
        cache, signs = Cache(), Liveness((kind.plural for kind in WATCHED), time.monotonic())
        queue = WorkQueue(time.monotonic, random.Random(1))
        watching = Watching(cache, queue, signs, time.monotonic)
        told = {kind.plural: [*(news(kind, item) for item in items), news(kind, canary(11))] for kind in WATCHED}
        async with Discovery(items={kind.plural: [*items, canary(4)] for kind in WATCHED}, news=told) as api:

            async def load() -> Credentials:
                return Credentials(server=api.url)

            client = Client(Credentials(server=api.url))
            await Sync(client, cache, queue, namespaces=(), period=300, rng=random.Random(1)).first(lambda _: None)
            await client.close()
            assert all(version(cache, kind) for kind in WATCHED)
            watch = asyncio.create_task(watcher.watch(watching, load, namespaces=(), spawned=lambda: None, complete=lambda: None))
            begun = time.process_time()
            async with asyncio.timeout(60):
                while any(version(cache, kind) != "11" for kind in WATCHED):
                    assert not watch.done()
                    await asyncio.sleep(0.05)
            assert time.process_time() - begun < 5
            assert not watch.done()
            assert all(is_taken(cache, kind, f"s{number}") for kind in WATCHED for number in range(len(items)))
            watch.cancel()
            await asyncio.wait([watch])

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param(b"{]", "no event", id="garbage"),
        pytest.param(b"[]", "no event", id="no object"),
        pytest.param(b'{"type":"ADDED"}', "no event", id="no object in it"),
        pytest.param(b'{"object":{}}', "no event", id="no type"),
        pytest.param(b'{"type":["ADDED"],"object":{}}', "no event", id="a strange type"),
        pytest.param(b'{"type":"ERROR","object":{"kind":"Status","code":500,"message":"etcd is away"}}', "etcd is away", id="an error"),
    ],
)
def test_a_watch_that_tells_nonsense_is_begun_anew(line: bytes, said: str, caplog: pytest.LogCaptureFixture) -> None:
    text = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + line + b'\n{"type":"cut'
    with caplog.at_level(logging.WARNING):
        (seen,) = asyncio.run(Listening().ask(text, CONFIG_MAP, "?watch=true"))
    assert json.loads(seen) == {"type": "ERROR", "object": {"kind": "Status", "code": 410}}
    assert said in caplog.text


def test_what_is_wrong_in_shape_is_named(caplog: pytest.LogCaptureFixture) -> None:
    cache = Cache()
    named = {"namespace": "shop", "name": "x", "uid": "u", "resourceVersion": "1"}
    odd: list[tuple[Kind, Any]] = [
        (POD, {}),
        (POD, {"metadata": None}),
        (POD, {"metadata": []}),
        (SERVICE, {"metadata": {**named, "labels": 7}}),
        (ENDPOINT_SLICE, {"metadata": {**named, "ownerReferences": [1]}}),
        (HARDENED_SERVICE_ACTION, {"metadata": named, "spec": "web"}),
    ]
    for kind, obj in odd:
        for event in ("ADDED", "MODIFIED", "DELETED"):
            cache.see(kind, event, obj)
        cache.wrote(kind, obj)
        cache.listing(kind, None, "9").take([obj])
    assert cache.listing(POD, None, "10").take([7, None]) == set()  # type: ignore[list-item]
    assert "left out" in caplog.text

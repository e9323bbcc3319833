"""kopf's lists on their way into the cache, over a small HTTP server."""

import asyncio
import random
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from tests.shell.http_server import Server, reply, status

from hardened.shell import reading
from hardened.shell.cache import Cache
from hardened.shell.kinds import CONFIG_MAP, DEPLOYMENT, HARDENED_SERVICE
from hardened.shell.lists import Lists
from hardened.shell.replies import fewer_objects, response_class
from hardened.shell.streams import Streams
from hardened.shell.workqueue import Key, WorkQueue

ALL, ONE = "/apis/apps/v1/deployments", "/apis/apps/v1/namespaces/shop/deployments"


def deployment(name: str, version: int = 1, namespace: str = "shop") -> dict[str, Any]:
    labels = {"hardened.dev/service": name}
    return {
        "metadata": {"name": name, "namespace": namespace, "uid": f"{namespace}-{name}", "resourceVersion": str(version), "labels": labels}
    }


def page(*items: dict[str, Any], more: str = "") -> bytes:
    return reply(200, {"kind": "DeploymentList", "metadata": {"resourceVersion": "9", "continue": more}, "items": list(items)})


class Listened:
    """A cache that knows the Deployments `old` and `kept`, and what kopf sees of the replies to its requests."""

    def __init__(self, *answers: bytes, paths: Iterable[str]) -> None:
        self.cache, self.queue = Cache(), WorkQueue(lambda: 0.0, random.Random(1))
        for name in ("old", "kept", "new"):
            self.cache.see(HARDENED_SERVICE, "ADDED", deployment(name) | {"spec": {}})
        for name in ("old", "kept"):
            self.cache.see(DEPLOYMENT, "ADDED", {"kind": "Deployment", **deployment(name)})
        self.seen = asyncio.run(self._ask(Server(*answers), paths))
        self.known = sorted(key.name for key in (Key("shop", "old"), Key("shop", "kept"), Key("shop", "new")) if self.cache.children(*key))

    async def _ask(self, server: Server, paths: Iterable[str]) -> list[Any]:
        lists = Lists(self.cache, self.queue, (DEPLOYMENT, CONFIG_MAP))
        streams = Streams(self.cache, self.queue, (), lambda _: None)
        async with server, aiohttp.ClientSession(response_class=response_class(lists, streams, {})) as session:
            seen = []
            for path in paths:
                async with session.get(server.url + path) as response:
                    seen.append(await response.json())
            return seen

    @property
    def queued(self) -> set[str]:
        return {key.name for key in iter(self.queue.take, None)}


@pytest.mark.parametrize("path", [ALL, ONE])
def test_what_a_list_has_is_known_what_it_lacks_is_gone_and_kopf_sees_neither(path: str) -> None:
    it = Listened(page(deployment("new"), more="t"), page(deployment("kept")), paths=[f"{path}?limit=1", f"{path}?limit=1&continue=t"])
    assert [(seen["items"], seen["metadata"]["resourceVersion"]) for seen in it.seen] == [([], "9"), ([], "9")]
    assert it.known == ["kept", "new"]
    assert it.queued == {"new", "old"}
    assert it.cache.get(DEPLOYMENT, "shop", "new") == {"apiVersion": "apps/v1", "kind": "Deployment", **deployment("new")}


def test_a_list_that_has_not_come_to_its_end_drops_nothing() -> None:
    assert Listened(page(deployment("new"), more="t"), paths=[ALL]).known == ["kept", "new", "old"]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(status(500, "InternalError"), id="an error"),
        pytest.param(reply(200, {"kind": "Status", "status": "Failure", "metadata": {}}), id="a status with 200"),
        pytest.param(reply(200, {"kind": "DeploymentList", "metadata": {}, "items": []}), id="no version"),
        pytest.param(reply(200, []), id="no object"),
    ],
)
def test_what_is_no_list_drops_nothing_and_is_kopfs_to_judge(answer: bytes) -> None:
    it = Listened(answer, paths=[ALL])
    assert it.known == ["kept", "old"]
    assert it.seen != []


def test_a_list_of_another_namespace_or_kind_leaves_the_others_alone() -> None:
    other = reply(200, {"kind": "ConfigMapList", "metadata": {"resourceVersion": "9"}, "items": []})
    assert Listened(page(), other, paths=["/apis/apps/v1/namespaces/blog/deployments", "/api/v1/configmaps"]).known == ["kept", "old"]


def test_what_is_not_asked_about_passes_as_it_is() -> None:
    body = {"kind": "PodList", "metadata": {"resourceVersion": "9"}, "items": [1]}
    assert Listened(reply(200, body), paths=["/api/v1/pods"]).seen == [body]


def test_a_page_that_is_too_large_is_asked_for_with_fewer_objects_and_nothing_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of this list alone, and with more of them again where those fit."""
    monkeypatch.setattr(reading, "MOST_BYTES", 600)
    named = [deployment(name) for name in ("old", "kept", "new", "other")]

    async def ask() -> tuple[list[int], list[int]]:
        cache, queue = Cache(), WorkQueue(lambda: 0.0, random.Random(1))
        lists, streams = Lists(cache, queue, (DEPLOYMENT,)), Streams(cache, queue, (), lambda _: None)
        one, two, three = page(named[0], more="t"), page(*named[1:3], more="u"), page(named[3])
        server, limits = Server(page(*named), page(*named), one, two, three, page(*named[:2])), dict[str, int]()
        replies = response_class(lists, streams, limits)
        async with server, aiohttp.ClientSession(response_class=replies, middlewares=[fewer_objects(limits)]) as session:
            known = []
            for path in (ALL, f"{ALL}?continue=t", f"{ALL}?continue=u", ONE):
                async with session.get(server.url + path, params={"limit": "100"}) as response:
                    await response.json()
                    known.append(len(cache))
            asked = [parse_qs(urlsplit(path).query) for _, path, _, _ in server.requests]
            assert [query.get("continue", [""])[0] for query in asked] == ["", "", "", "t", "u", ""]
            return [int(query["limit"][0]) for query in asked], known

    limits, known = asyncio.run(ask())
    assert limits == [100, 10, 1, 2, 4, 100]
    assert known == [1, 3, 4, 2]


@pytest.mark.parametrize("answer", [status(500, "InternalError"), reply(200, b"{"), b""])
def test_a_smaller_page_that_is_not_had_is_as_one_that_was_cut_off(monkeypatch: pytest.MonkeyPatch, answer: bytes) -> None:
    monkeypatch.setattr(reading, "MOST_BYTES", 100)
    with pytest.raises((aiohttp.ClientPayloadError, aiohttp.ClientConnectionError)):
        Listened(page(deployment("new"), deployment("kept")), answer, paths=[f"{ALL}?limit=100"])


def test_a_list_that_is_no_json_is_as_one_that_was_cut_off() -> None:
    with pytest.raises(aiohttp.ClientPayloadError):
        Listened(reply(200, b'{"items": [' + b"[" * 20_000), paths=[ALL])

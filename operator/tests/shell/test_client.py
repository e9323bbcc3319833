"""The client against a small HTTP server that answers as told. What it shares with the in-memory one is in the contract suite."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.shell.http_server import Server, reply, status

from hardened.errors import ApiFailure, LookAgain, Refused, TryAgain, Vanished
from hardened.shell import client as client_module
from hardened.shell import reading
from hardened.shell.client import Client
from hardened.shell.credentials import Credentials
from hardened.shell.kinds import CONFIG_MAP, DEPLOYMENT, LEASE, NETWORK_POLICY

TOKEN = "sesame-open"


OBJECT = {"metadata": {"name": "a", "namespace": "shop"}}
MANIFEST = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "shop", "name": "a"}, "data": {"secret": "HS-CANARY-1"}}


def talk(server: Server, scenario: Callable[[Client], Awaitable[Any]], **more: Any) -> Any:
    async def main() -> Any:
        async with server:
            client = Client(Credentials(server=server.url, authorization=f"Bearer {TOKEN}"), **more)
            try:
                return await scenario(client)
            finally:
                await client.close()

    return asyncio.run(main())


# ---- requests


@pytest.mark.parametrize(
    ("call", "method", "path", "content_type", "body"),
    [
        pytest.param(lambda c: c.get(CONFIG_MAP, "shop", "a"), "GET", "/api/v1/namespaces/shop/configmaps/a", None, None, id="get"),
        pytest.param(
            lambda c: c.apply(CONFIG_MAP, MANIFEST, force=False),
            "PATCH",
            "/api/v1/namespaces/shop/configmaps/a?fieldManager=hardened&force=false",
            "application/apply-patch+yaml; charset=utf-8",
            MANIFEST,
            id="apply",
        ),
        pytest.param(
            lambda c: c.try_out(CONFIG_MAP, MANIFEST),
            "PATCH",
            "/api/v1/namespaces/shop/configmaps/a?fieldManager=hardened&force=false&dryRun=All",
            "application/apply-patch+yaml; charset=utf-8",
            MANIFEST,
            id="try",
        ),
        pytest.param(
            lambda c: c.apply_status(CONFIG_MAP, MANIFEST),
            "PATCH",
            "/api/v1/namespaces/shop/configmaps/a/status?fieldManager=hardened&force=true",
            "application/apply-patch+yaml; charset=utf-8",
            MANIFEST,
            id="apply status",
        ),
        pytest.param(
            lambda c: c.set_scale(DEPLOYMENT, "shop", "a", 3),
            "PATCH",
            "/apis/apps/v1/namespaces/shop/deployments/a/scale?fieldManager=hardened",
            "application/merge-patch+json",
            {"spec": {"replicas": 3}},
            id="scale",
        ),
        pytest.param(
            lambda c: c.set_scale(DEPLOYMENT, "shop", "a", 3, resource_version="7"),
            "PATCH",
            "/apis/apps/v1/namespaces/shop/deployments/a/scale?fieldManager=hardened",
            "application/merge-patch+json",
            {"metadata": {"resourceVersion": "7"}, "spec": {"replicas": 3}},
            id="scale of what was seen",
        ),
        pytest.param(
            lambda c: c.delete(CONFIG_MAP, "shop", "a", uid="u", resource_version="7"),
            "DELETE",
            "/api/v1/namespaces/shop/configmaps/a",
            "application/json",
            {
                "apiVersion": "v1",
                "kind": "DeleteOptions",
                "propagationPolicy": "Background",
                "preconditions": {"uid": "u", "resourceVersion": "7"},
            },
            id="delete",
        ),
        pytest.param(
            lambda c: c.create(CONFIG_MAP, MANIFEST),
            "POST",
            "/api/v1/namespaces/shop/configmaps?fieldManager=hardened",
            "application/json",
            MANIFEST,
            id="create",
        ),
        pytest.param(
            lambda c: c.update(LEASE, MANIFEST),
            "PUT",
            "/apis/coordination.k8s.io/v1/namespaces/shop/leases/a?fieldManager=hardened",
            "application/json",
            MANIFEST,
            id="update",
        ),
        pytest.param(
            lambda c: c.merge_patch(CONFIG_MAP, "shop", "a", {"data": None}),
            "PATCH",
            "/api/v1/namespaces/shop/configmaps/a?fieldManager=hardened",
            "application/merge-patch+json",
            {"data": None},
            id="merge patch",
        ),
    ],
)
def test_a_call_is_one_request(call: Any, method: str, path: str, content_type: str | None, body: Any) -> None:
    server = Server(reply(200, OBJECT))
    talk(server, call)
    (request,) = server.requests
    assert request[:2] == (method, path)
    assert request[2]["authorization"] == f"Bearer {TOKEN}"
    if content_type is not None:
        assert request[2]["content-type"] == content_type
        assert json.loads(request[3]) == body


def test_of_a_log_so_many_lines_and_bytes_are_asked_for_and_any_bytes_are_read() -> None:
    server = Server(reply(200, b"no \xff config\n" + b"x" * 50))
    text = talk(server, lambda c: c.log("shop", "api-1", "app", is_previous=True, lines=3, most=20))
    path = "/api/v1/namespaces/shop/pods/api-1/log?container=app&previous=true&tailLines=3&limitBytes=20"
    assert server.requests[0][:2] == ("GET", path)
    assert text == "no � config\nxxxxxxxx"


def test_a_list_follows_its_pages_and_says_of_items_what_they_are() -> None:
    server = Server(
        reply(200, {"metadata": {"resourceVersion": "9", "continue": "t+/="}, "items": [{"metadata": {"name": "a"}}]}),
        reply(200, {"metadata": {"resourceVersion": "9"}, "items": [{"metadata": {"name": "b"}}]}),
    )
    items, version, _ = talk(server, lambda c: c.list(DEPLOYMENT, None, "a=b,c in (d)", chunk=1))
    assert version == "9"
    assert items == [{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}} for name in "ab"]
    query = {"limit": ["1"], "labelSelector": ["a=b,c in (d)"]}
    urls = [urlsplit(path) for _, path, _, _ in server.requests]
    assert [parse_qs(url.query) for url in urls] == [query, query | {"continue": ["t+/="]}]
    assert {url.path for url in urls} == {"/apis/apps/v1/deployments"}


def test_a_list_that_expired_starts_over_once() -> None:
    page, gone = reply(200, {"metadata": {"resourceVersion": "9", "continue": "t"}, "items": [OBJECT]}), status(410, "Expired")
    last = reply(200, {"metadata": {"resourceVersion": "9"}, "items": [OBJECT]})
    server = Server(page, gone, page, last)
    assert len(talk(server, lambda c: c.list(DEPLOYMENT, "shop")).items) == 2
    assert len(server.requests) == 4

    server = Server(page, gone, page, gone)
    with pytest.raises(TryAgain) as caught:
        talk(server, lambda c: c.list(DEPLOYMENT, "shop"))
    assert caught.value.status == 410


def test_a_page_that_is_too_large_is_asked_for_in_smaller_ones_and_nothing_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_AT_ONCE", 1000)
    large = [OBJECT | {"spec": {"text": "x" * 600}}]
    server = Server(
        reply(200, {"metadata": {"resourceVersion": "9"}, "items": large * 2}),
        reply(200, {"metadata": {"resourceVersion": "9", "continue": "t"}, "items": large}),
        reply(200, {"metadata": {"resourceVersion": "9", "continue": "u"}, "items": large * 2}),
        reply(200, {"metadata": {"resourceVersion": "9", "continue": "u"}, "items": large}),
        # One alone is read, however large it is.
        reply(200, {"metadata": {"resourceVersion": "9"}, "items": [OBJECT | {"spec": {"text": "x" * 6000}}]}),
    )
    assert len(talk(server, lambda c: c.list(DEPLOYMENT, "shop", chunk=10)).items) == 3
    asked = [parse_qs(urlsplit(path).query) for _, path, _, _ in server.requests]
    limits = [int(query["limit"][0]) for query in asked]
    assert limits == [10, 1, 2, 1, 2, 1]
    assert [query.get("continue") for query in asked] == [None, None, ["t"], ["t"], ["u"], ["u"]]


def test_of_what_a_tenant_may_write_as_large_as_it_likes_a_list_keeps_what_is_decided_from() -> None:
    spec = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"ports": [{"port": 1}] * 100}]}
    server = Server(reply(200, {"metadata": {"resourceVersion": "9"}, "items": [OBJECT | {"spec": spec}]}))
    (policy,) = talk(server, lambda c: c.list(NETWORK_POLICY, "shop")).items
    assert policy["spec"] == {"podSelector": {}, "policyTypes": ["Ingress"]}


def test_what_has_no_version_is_no_list() -> None:
    server = Server(reply(200, {"kind": "Status", "metadata": {}}))
    with pytest.raises(TryAgain, match="not a list"):
        talk(server, lambda c: c.list(DEPLOYMENT, "shop"))


@pytest.mark.parametrize(("namespace", "name"), [("shop", ""), ("", "a"), ("shop", "."), ("..", "a")])
def test_what_is_no_name_is_not_sent(namespace: str, name: str) -> None:
    server = Server(reply(200, OBJECT))
    with pytest.raises(Refused):
        talk(server, lambda c: c.delete(CONFIG_MAP, namespace, name, uid="u"))
    assert server.requests == []


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, "\ud800"])
def test_what_cannot_be_written_is_refused(value: Any) -> None:
    server = Server(reply(200, OBJECT))
    with pytest.raises(Refused) as caught:
        talk(server, lambda c: c.apply(CONFIG_MAP, MANIFEST | {"data": {"a": value, "b": "HS-CANARY-2"}}, force=True))
    assert server.requests == []
    assert "HS-CANARY" not in str(caught.value)


# ---- replies


@pytest.mark.parametrize(
    ("answer", "class_", "code"),
    [
        pytest.param(status(409, "Conflict"), LookAgain, 409, id="409"),
        pytest.param(status(404, "NotFound"), Vanished, 404, id="404"),
        pytest.param(status(422, "Invalid"), Refused, 422, id="422"),
        pytest.param(status(503, "ServiceUnavailable"), TryAgain, 503, id="503"),
        pytest.param(reply(200, b"<html>"), TryAgain, 200, id="a body that is not JSON"),
        pytest.param(reply(200, b"[]"), TryAgain, 200, id="JSON that is not an object"),
        pytest.param(reply(200, b""), TryAgain, 200, id="no body"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\nConnection: close\r\n\r\n{", TryAgain, 0, id="a truncated body"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\n{", TryAgain, 0, id="a cut chunk"),
        pytest.param(b"garbage", TryAgain, 0, id="no HTTP"),
        pytest.param(b"", TryAgain, 0, id="the connection is closed"),
        pytest.param(b"hang", TryAgain, 0, id="no answer in time"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{", TryAgain, 0, id="no end of the answer in time"),
    ],
)
def test_a_bad_reply_is_translated_after_one_request(
    answer: bytes, class_: type[ApiFailure], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_waited_for = answer == b"hang" or answer.endswith(b"\r\n\r\n{")
    monkeypatch.setattr(client_module, "TOTAL_TIMEOUT", 0.2 if is_waited_for else 15)
    counted: list[tuple[str, str, str]] = []
    server = Server(answer)
    with pytest.raises(ApiFailure) as caught:
        talk(server, lambda c: c.update(CONFIG_MAP, MANIFEST), count=lambda *what: counted.append(what))
    assert (type(caught.value), caught.value.status) == (class_, code)
    assert len(server.requests) == 1  # nobody repeats a write on its own account
    assert counted == [("update", "configmaps", str(code))]
    assert "HS-CANARY" not in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_no_server_at_all_is_to_be_tried_again() -> None:
    async def main() -> None:
        client = Client(Credentials(server="http://127.0.0.1:1"))
        with pytest.raises(TryAgain) as caught:
            await client.get(CONFIG_MAP, "shop", "a")
        assert "127.0.0.1" in caught.value.message
        await client.close()

    asyncio.run(main())


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert talk(Server(reply(200, OBJECT)), lambda c: c.get(CONFIG_MAP, "shop", "a")) == OBJECT

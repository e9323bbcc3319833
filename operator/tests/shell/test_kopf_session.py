"""kopf's session: what it leaves behind, and that it goes where the kubeconfig says."""

import asyncio
import random
from pathlib import Path

import aiohttp
import pytest
from tests.shell.http_server import Server, reply, status

from e2e.faults.tls import make_server_tls
from hardened.shell.cache import Cache
from hardened.shell.credentials import Credentials
from hardened.shell.health import WATCH_LIMIT, Liveness
from hardened.shell.watches import WATCHED, Login, Watching
from hardened.shell.workqueue import WorkQueue

URL = "/apis/apps/v1/deployments"


class Session:
    """A session as kopf gets it. signs: told of all kinds at 0; its requests are made at `now`."""

    now = WATCH_LIMIT

    def __init__(self) -> None:
        self.signs = Liveness((kind.plural for kind in WATCHED), 0)
        self.signs.begin(0)
        self.signs.beat(self.now)
        self.signs.ticked(self.now - 1)
        self.signs.ticked(self.now)

    async def ask(self, who: Credentials, path: str) -> int:
        async def load() -> Credentials:
            return who

        watching = Watching(Cache(), WorkQueue(lambda: 0.0, random.Random(1)), self.signs, lambda: self.now)
        given = await Login(load, watching)()
        async with given.aiohttp_session as session, session.get(given.server + path) as answer:
            return answer.status

    @property
    def silent(self) -> set[str]:
        """The kinds whose watch shows no sign of life."""
        return {problem.split(" of ")[3].split(" for ")[0] for problem in self.signs.problems(self.now)}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(reply(200, {}), id="a reply"),
        pytest.param(status(503, "ServiceUnavailable"), id="a refusal"),
        pytest.param(b"", id="no reply"),
    ],
)
def test_a_watch_that_asks_is_alive_whatever_it_is_answered(answer: bytes) -> None:
    async def scenario() -> set[str]:
        session = Session()
        assert "deployments" in session.silent
        async with Server(answer) as server:
            try:
                await session.ask(Credentials(server=server.url), f"{URL}?watch=true")
            except aiohttp.ClientError:
                assert answer == b""
        return session.silent

    assert asyncio.run(scenario()) == {kind.plural for kind in WATCHED} - {"deployments"}


def test_requests_go_through_the_proxy_of_the_kubeconfig() -> None:
    async def scenario() -> list[str]:
        async with Server(reply(200, {})) as proxy:
            assert await Session().ask(Credentials(server="http://api.invalid:8080", proxy=proxy.url), URL) == 200
            return [path for _, path, _, _ in proxy.requests]

    assert asyncio.run(scenario()) == [f"http://api.invalid:8080{URL}"]


@pytest.mark.parametrize("plural", ["configmaps", "deployments"])
@pytest.mark.parametrize(("query", "form"), [("?watch=true", "PartialObjectMetadata"), ("?limit=100", "PartialObjectMetadataList")])
def test_of_what_can_be_large_metadata_alone_is_asked_for(plural: str, query: str, form: str) -> None:
    async def scenario() -> str:
        async with Server(reply(200, {})) as server:
            await Session().ask(Credentials(server=server.url), f"/api/v1/{plural}{query}")
            return server.requests[0][2]["accept"]

    wanted = f"application/json;as={form};g=meta.k8s.io;v=v1,application/json"
    assert asyncio.run(scenario()) == (wanted if plural == "configmaps" else "*/*")


@pytest.mark.parametrize(
    ("name", "is_reached"),
    [
        pytest.param("localhost", True, id="the certificate is for the name"),
        pytest.param("api.internal", False, id="it is for another"),
        pytest.param(None, True, id="the URL's host is meant"),
    ],
)
def test_the_certificate_is_held_to_the_name_of_the_kubeconfig(tmp_path: Path, name: str | None, is_reached: bool) -> None:
    async def scenario() -> None:
        context, authority = make_server_tls(tmp_path)
        (tmp_path / "ca.crt").write_bytes(authority)
        asked: list[str | None] = []
        context.sni_callback = lambda _, name, __: asked.append(name)
        async with Server(reply(200, {}), tls=context) as server:
            who = Credentials(server=server.url, ca_file=str(tmp_path / "ca.crt"), server_name=name)
            if is_reached:
                assert await Session().ask(who, URL) == 200
            else:
                with pytest.raises(aiohttp.ClientConnectorCertificateError):
                    await Session().ask(who, URL)
        assert asked[-1] == name

    asyncio.run(scenario())

"""kopf's session: what it leaves behind, and that it goes where the kubeconfig says."""

import asyncio
import random

import aiohttp
import pytest
from tests.shell.http_server import Server, reply, status

from hardened.shell.cache import Cache
from hardened.shell.credentials import Credentials
from hardened.shell.health import WATCH_LIMIT, Signs
from hardened.shell.watches import WATCHED, Login, Watching
from hardened.shell.workqueue import WorkQueue

URL = "/apis/apps/v1/deployments"


class Session:
    """A session as kopf gets it. signs: told of all kinds at 0; its requests are made at `now`."""

    now = WATCH_LIMIT

    def __init__(self) -> None:
        self.signs = Signs((kind.plural for kind in WATCHED), 0)
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

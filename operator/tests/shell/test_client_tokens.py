"""The token that the client sends is read again in time."""

import asyncio
import json
import logging
from pathlib import Path

import pytest
from tests.shell.http_server import Server, reply, status

from hardened.errors import TryAgain
from hardened.shell import client as client_module
from hardened.shell.client import Client, connect
from hardened.shell.credentials import Credentials
from hardened.shell.kinds import CONFIG_MAP

OBJECT = {"metadata": {"name": "a", "namespace": "shop"}}


def kubeconfig(path: Path, server: str, user: dict[str, str]) -> dict[str, str]:
    path.write_text(
        json.dumps(
            {
                "current-context": "c",
                "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
                "clusters": [{"name": "k", "cluster": {"server": server}}],
                "users": [{"name": "u", "user": user}],
            }
        )
    )
    return {"KUBECONFIG": str(path)}


@pytest.mark.parametrize("inline", [True, False])
def test_after_a_401_the_token_is_read_again(tmp_path: Path, inline: bool, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> list[str]:
        async with Server(reply(200, OBJECT), status(401, "Unauthorized"), reply(200, OBJECT)) as server:

            def rotate(token: str) -> dict[str, str]:
                (tmp_path / "token").write_text(token + "\n")
                return kubeconfig(tmp_path / "config", server.url, {"token": token} if inline else {"tokenFile": "token"})

            client = await connect(rotate("first-token"))
            await client.get(CONFIG_MAP, "shop", "a")
            rotate("second-token")
            with pytest.raises(TryAgain):
                await client.get(CONFIG_MAP, "shop", "a")
            await client.get(CONFIG_MAP, "shop", "a")
            await client.close()
            return [headers["authorization"] for _, _, headers, _ in server.requests]

    with caplog.at_level(logging.DEBUG):
        assert asyncio.run(main()) == ["Bearer first-token", "Bearer first-token", "Bearer second-token"]
    assert "-token" not in caplog.text


def test_a_token_that_cannot_be_read_for_a_moment_is_used_on(tmp_path: Path) -> None:
    async def main() -> list[str]:
        async with Server(status(401, "Unauthorized"), reply(200, OBJECT)) as server:
            environ = kubeconfig(tmp_path / "config", server.url, {"token": "first"})
            client = await connect(environ)
            (tmp_path / "config").rename(tmp_path / "away")
            with pytest.raises(TryAgain):
                await client.get(CONFIG_MAP, "shop", "a")
            await client.get(CONFIG_MAP, "shop", "a")
            kubeconfig(tmp_path / "config", server.url, {"token": "second"})
            await client.get(CONFIG_MAP, "shop", "a")
            await client.close()
            return [headers["authorization"] for _, _, headers, _ in server.requests]

    assert asyncio.run(main()) == ["Bearer first", "Bearer first", "Bearer second"]


def test_the_token_is_read_again_each_minute() -> None:
    async def main() -> list[str]:
        async with Server(reply(200, OBJECT)) as server:
            tokens = iter(["Bearer second", "Bearer third"])

            async def reload() -> Credentials:
                return Credentials(server=server.url, authorization=next(tokens))

            client = Client(Credentials(server=server.url, authorization="Bearer first"), reload=reload)
            for age in (0, client_module.TOKEN_LIFE, 0):
                client._read_at -= age
                await client.get(CONFIG_MAP, "shop", "a")
            await client.close()
            return [headers["authorization"] for _, _, headers, _ in server.requests]

    assert asyncio.run(main()) == ["Bearer first", "Bearer second", "Bearer second"]

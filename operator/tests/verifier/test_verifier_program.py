"""The program as a pod runs it: a process with a task in its environment, and a report in a file."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.shell.http_server import Server, reply
from tests.verifier.grpc_server import GrpcServer

SOURCES = Path(__file__).parents[2]


async def started(task: Any, report: Path) -> asyncio.subprocess.Process:
    text = task if isinstance(task, str) else json.dumps(task)
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "hardened.verifier",
        env={"HARDENED_TASK": text, "HARDENED_REPORT": str(report), "PYTHONPATH": str(SOURCES), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


async def ended(process: asyncio.subprocess.Process) -> tuple[int, str]:
    out, err = await asyncio.wait_for(process.communicate(), 30)
    return process.returncode or 0, (out + err).decode()


def check(name: str, port: int, kind: str = "http", **more: Any) -> dict[str, Any]:
    return {"name": name, "kind": kind, "host": "127.0.0.1", "port": port, **more}


def probe(port: int, seconds: float) -> dict[str, Any]:
    return check("zero-loss", port, rate=100, durationSeconds=seconds, burst={"failures": 5, "seconds": 1})


def port_of(server: Server) -> int:
    return int(server.url.rpartition(":")[2])


def test_checks_and_probes_of_a_task_are_reported_together(tmp_path: Path) -> None:
    async def scenario() -> None:
        secret = "a-secret-of-the-application"
        async with Server(reply(200, b"ok " + secret.encode())) as fine, Server(reply(500, secret)) as bad, GrpcServer() as grpc:
            checks = [
                check("smoke", port_of(fine), expectBody="ok", count=3, intervalSeconds=0),
                check("errors", port_of(bad)),
                check("health", grpc.port, "grpc"),
                check("open", port_of(fine), "tcp"),
            ]
            task = {"authority": "shop", "waitSeconds": 5, "checks": checks, "probes": [probe(port_of(fine), 0.2)]}
            code, said = await ended(await started(task, tmp_path / "report"))
        text = (tmp_path / "report").read_text()
        found = {entry["name"]: entry for entry in json.loads(text)["results"]}
        assert (code, said) == (0, "")
        assert {name: entry["result"] for name, entry in found.items()} == {
            "smoke": "Passed", "errors": "Failed", "health": "Passed", "open": "Passed", "zero-loss": "Passed",
        }  # fmt: skip
        assert found["errors"]["message"] == "GET /: 1 of 1 requests failed (0 allowed): HTTP 500"
        assert (found["zero-loss"]["requests"] + found["zero-loss"]["missed"], found["zero-loss"]["failed"]) == (20, 0)
        assert secret not in text

    asyncio.run(scenario())


def test_a_terminated_verifier_reports_what_it_has(tmp_path: Path) -> None:
    async def scenario() -> None:
        seen = asyncio.Event()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(reply(200, b""))
            writer.close()
            seen.set()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        task = {"authority": "shop", "checks": [check("smoke", port, count=1000)], "probes": [probe(port, 3600)]}
        process = await started(task, tmp_path / "report")
        await asyncio.wait_for(seen.wait(), 30)
        process.send_signal(signal.SIGTERM)
        assert await ended(process) == (0, "")
        server.close()
        (entry,) = json.loads((tmp_path / "report").read_text())["results"]
        assert (entry["name"], entry["result"], entry["failed"]) == ("zero-loss", "Passed", 0)

    asyncio.run(scenario())


def test_what_finds_nobody_to_ask_is_not_in_the_report(tmp_path: Path) -> None:
    async def scenario() -> None:
        task = {"authority": "shop", "waitSeconds": 0.5, "checks": [check("gone", 1, "tcp")]}
        assert await ended(await started(task, tmp_path / "report")) == (0, "")
        assert json.loads((tmp_path / "report").read_text())["results"] == []

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("task", "said"),
    [
        pytest.param("{}", "hardened: authority is missing or out of its bounds\n", id="a task that cannot be used"),
        pytest.param({"authority": "shop", "waitSeconds": 0.01, "checks": [check("gone", 1)]},
                     "hardened: the report cannot be written: No such file or directory\n", id="a report that cannot be written"),
    ],
)  # fmt: skip
def test_a_verifier_that_cannot_report_says_so(task: Any, said: str, tmp_path: Path) -> None:
    async def scenario() -> tuple[int, str]:
        return await ended(await started(task, tmp_path / "missing" / "report"))

    assert asyncio.run(scenario()) == (1, said)
    assert os.listdir(tmp_path) == []


HEAVY = {"kopf", "kubernetes", "pydantic", "aiohttp", "yaml", "hardened.core", "hardened.api", "hardened.shell"}


@pytest.mark.parametrize(("kind", "loaded"), [("http", {"h11"}), ("grpc", {"h2"}), ("tcp", set())])
def test_the_program_loads_what_its_task_needs_before_it_asks_and_nothing_else(kind: str, loaded: set[str]) -> None:
    """What is loaded within a request would count as the service's time."""
    script = (
        "import sys, hardened.verifier.program as p; from hardened.verifier.addresses import Addresses;"
        f"p.asking('shop', Addresses(), ['{kind}']); print(*sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", script], env={"PYTHONPATH": str(SOURCES)}, capture_output=True, text=True, check=True)
    assert ({*HEAVY, "h11", "h2"}) & set(ran.stdout.split()) == loaded

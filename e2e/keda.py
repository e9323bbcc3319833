"""KEDA on a cluster of this machine: its operator, its metrics API server and its webhooks, from its own manifests; and whom it asks."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from e2e import controllers
from e2e.cluster import tools
from e2e.cluster.images import addons
from e2e.cluster.local.cluster import LocalCluster
from e2e.kube import Body, Kube

NAMESPACE = "keda"
#: Of the server on a node, where nothing else listens.
PORT = 19090
#: Of KEDA's manifests what scales by a ScaledObject needs, in the order in which it is made.
_FOLDERS = ("crd/bases", "general", "service_account", "rbac", "manager", "metrics-server", "webhooks")


@contextlib.asynccontextmanager
async def installed(local: LocalCluster, kube: Kube) -> AsyncIterator[None]:
    """KEDA at work; gone, with its kinds, at the end."""
    await asyncio.to_thread(local.load, [str(addons.ensure_keda())])
    found = controllers.manifests_in(tools.keda_dir() / "config", _FOLDERS)
    manifests = [controllers.fitted(each, addons.KEDA_IMAGE) if each["kind"] == "Deployment" else each for each in found]
    async with controllers.installed(local, kube, NAMESPACE, manifests):
        await kube.until("APIService", "v1beta1.external.metrics.k8s.io", None, _is_served, within=controllers.READY_WITHIN)
        yield


def _is_served(live: Body | None) -> bool:
    conditions = (live.get("status") or {}).get("conditions") or () if live else ()
    return any(each["type"] == "Available" and each["status"] == "True" for each in conditions)


class Prometheus:
    """Answers each query with one number, from a node: pods of the cluster reach no address of this machine's own.

    number: None for no answer; folder: where it is told, and tells what it was asked.
    """

    def __init__(self, local: LocalCluster, folder: Path, number: float | None) -> None:
        self._local, self._number, self._asked = local, folder / "number", folder / "asked"
        self._asked.touch()
        self.number = number
        self.url = f"http://{local.layout.node(0).address}:{PORT}"

    @property
    def number(self) -> float | None:
        text = self._number.read_text()
        return float(text) if text else None

    @number.setter
    def number(self, number: float | None) -> None:
        new = self._number.with_suffix(".new")
        new.write_text("" if number is None else str(number))
        new.replace(self._number)

    @property
    def asked(self) -> set[str]:
        """All queries so far."""
        return set(self._asked.read_text().splitlines())

    def __enter__(self) -> Prometheus:
        argv = self._local.argv_in_node(0, [sys.executable, "-m", "e2e.keda", str(PORT), self._number, self._asked])
        self._process = subprocess.Popen([str(word) for word in argv], cwd=Path(__file__).parent.parent)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()


def answer(number: str) -> Body:
    """What /api/v1/query gives. number: "" for none."""
    result: list[Any] = [{"metric": {}, "value": [0, number]}] if number else []
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


def serve(port: int, number: Path, asked: Path) -> None:
    """Answers until it is killed."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with asked.open("a") as told:
                told.write(parse_qs(urlsplit(self.path).query).get("query", [""])[0] + "\n")
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(answer(number.read_text())).encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the class above
            """Nothing: nobody reads it."""

    http.server.ThreadingHTTPServer(("", port), Handler).serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))

"""KEDA on a cluster of this machine: its operator, its metrics API server and its webhooks, from its own manifests; and whom it asks."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from e2e.cluster import tools
from e2e.cluster.command import run
from e2e.cluster.images import addons
from e2e.cluster.local.cluster import LocalCluster
from e2e.kube import Body, Kube

NAMESPACE = "keda"
#: Of the server on a node, where nothing else listens.
PORT = 19090
#: Of KEDA's manifests what scales by a ScaledObject needs, in the order in which it is made.
_FOLDERS = ("crd/bases", "general", "service_account", "rbac", "manager", "metrics-server", "webhooks")
_DEPLOYMENTS = ("keda-operator", "keda-metrics-apiserver", "keda-admission")
#: Seconds for three pods to start one after the other: the second and the third wait for certificates that the first makes.
_READY_WITHIN = 240.0


@contextlib.asynccontextmanager
async def installed(local: LocalCluster, kube: Kube) -> AsyncIterator[None]:
    """KEDA at work; gone, with its kinds, at the end."""
    await asyncio.to_thread(local.load, [str(addons.ensure_keda())])
    manifests = list(_manifests(tools.keda_dir()))
    await _kubectl(local, manifests, "apply", "--server-side", "--force-conflicts")
    try:
        for name in _DEPLOYMENTS:
            await kube.until("Deployment", name, NAMESPACE, _is_available, within=_READY_WITHIN)
        await kube.until("APIService", "v1beta1.external.metrics.k8s.io", None, _is_served, within=_READY_WITHIN)
        yield
    finally:
        await _kubectl(local, manifests, "delete", "--ignore-not-found", "--wait=false")
        await kube.until("Namespace", NAMESPACE, None, lambda live: live is None, within=_READY_WITHIN)


def _manifests(folder: Path) -> Iterator[Body]:
    files = (file for part in _FOLDERS for file in sorted((folder / "config" / part).glob("*.yaml")))
    found = (each for file in files if file.stem != "kustomization" for each in yaml.safe_load_all(file.read_text()))
    return (_fitted(each) for each in found if each)


def _fitted(manifest: Body) -> Body:
    """Of the image that is on the nodes, and asked at once whether it is ready; the requests are those of a small machine."""
    if manifest["kind"] != "Deployment":
        return manifest
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    probe = {**container["readinessProbe"], "initialDelaySeconds": 0, "periodSeconds": 2}
    container |= {"image": addons.KEDA_IMAGE, "imagePullPolicy": "Never", "readinessProbe": probe}
    container["resources"] = {"requests": {"cpu": "10m"}}
    return manifest


async def _kubectl(local: LocalCluster, manifests: list[Body], *words: str) -> None:
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests})
    command: list[str | Path] = [tools.kubectl(), "--kubeconfig", local.kubeconfig, *words, "-f", "-"]
    await asyncio.to_thread(run, command, stdin=text)


def _is_available(live: Body | None) -> bool:
    return live is not None and (live.get("status") or {}).get("availableReplicas", 0) > 0


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

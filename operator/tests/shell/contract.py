"""What the contract suite is held with: each promise that the code relies on, against the in-memory API server and against a real one.

The real one is the cluster that $KUBECONFIG names; those tests carry the marker `cluster`.
"""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from tests.memory.api_server import MemoryApiServer

from hardened.errors import ApiFailure
from hardened.shell.api_server import ApiServer, Body
from hardened.shell.client import connect
from hardened.shell.kinds import Kind

ELSE = "00000000-0000-4000-8000-999999999999"


@dataclass
class Scratch:
    """One server, a namespace in it, and a name that no other test uses."""

    api: ApiServer
    namespace: str
    name: str

    def meta(self, **more: object) -> Body:
        return {"namespace": self.namespace, "name": self.name, **more}

    def config_map(self, data: dict[str, str], **meta: object) -> Body:
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": self.meta(**meta), "data": data}

    def lease(self, holder: str, **meta: object) -> Body:
        spec = {"holderIdentity": holder, "leaseDurationSeconds": 15}
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": self.meta(**meta), "spec": spec}

    def controller_revision(self, data: Body) -> Body:
        return {"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": self.meta(), "revision": 1, "data": data}

    def service(self, *ports: Body, **meta: object) -> Body:
        spec = {"selector": {"app": self.name}, "ports": list(ports)}
        return {"apiVersion": "v1", "kind": "Service", "metadata": self.meta(**meta), "spec": spec}

    def deployment(self, *containers: Body, replicas: int | None = 0, **meta: object) -> Body:
        labels = {"app": self.name}
        template: Body = {"metadata": {"labels": labels}, "spec": {"containers": list(containers or ({"name": "web", "image": "web:1"},))}}
        spec: Body = {"selector": {"matchLabels": labels}, "template": template}
        if replicas is not None:
            spec["replicas"] = replicas
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": self.meta(**meta), "spec": spec}

    async def now(self, kind: Kind) -> Body:
        return await self.api.get(kind, self.namespace, self.name)


Check = Callable[[Scratch], Awaitable[None]]


class Promises:
    """The promises of one file, each of them noted by using this as a decorator."""

    def __init__(self) -> None:
        self.checks: list[Check] = []

    def __call__(self, check: Check) -> Check:
        self.checks.append(check)
        return check

    @property
    def each(self) -> pytest.MarkDecorator:
        """Runs a test once for each promise noted so far, which is its argument `check`."""
        return pytest.mark.parametrize("check", self.checks, ids=sentence)


def sentence(check: Check) -> str:
    return check.__name__.replace("_", " ")  # type: ignore[attr-defined]


def hold_in_memory(check: Check) -> None:
    asyncio.run(check(Scratch(MemoryApiServer(["shop"]), "shop", "thing")))  # type: ignore[arg-type]


def hold_on_a_cluster(check: Check, namespace: str) -> None:
    async def run() -> None:
        async with client() as api:
            await check(Scratch(api, namespace, f"t-{uuid.uuid4().hex[:12]}"))

    asyncio.run(run())


@asynccontextmanager
async def client() -> AsyncIterator[ApiServer]:
    api = await connect(os.environ)
    try:
        yield api
    finally:
        await api.close()


async def raised(call: Awaitable[object]) -> ApiFailure:
    with pytest.raises(ApiFailure) as caught:
        await call
    return caught.value


def is_kind(error: ApiFailure, class_: type[ApiFailure], status: int, reason: str) -> bool:
    assert (type(error), error.status, error.reason) == (class_, status, reason), repr(error)
    return True

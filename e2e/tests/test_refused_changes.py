"""The API server refuses every change of a spec that cannot be carried out, names the field and the remedy, and takes all others.

One suspended service after the other is written; what it is to become is a dry run.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.api.changes import REFUSED, TAKEN

from e2e.kube import Body, Kube, KubeError, path_of
from hardened.api import names

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("rights")]


def service(spec: dict[str, Any], namespace: str, **meta: str) -> Body:
    known = {"name": "edge", "namespace": namespace, **meta}
    return {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": known, "spec": {**spec, "suspend": True}}


@asynccontextmanager
async def a_namespace(kube: Kube) -> AsyncIterator[str]:
    name = f"changes-{uuid.uuid4().hex[:6]}"
    await kube.create({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": name}})
    try:
        yield name
    finally:
        await kube.delete("Namespace", name)


async def changed(kube: Kube, namespace: str, before: dict[str, Any], after: dict[str, Any]) -> tuple[list[str], str]:
    """The fields that the server complains of where a spec becomes another one, and what it says; nothing where it takes that."""
    await kube.create(service(before, namespace))
    path, error = path_of(names.KIND, namespace, "edge"), None
    while True:
        live = await kube.call("GET", path)
        body = service(after, namespace, resourceVersion=live["metadata"]["resourceVersion"])
        try:
            await kube.call("PUT", path, body, dryRun="All", fieldValidation="Strict")
        except KubeError as refusal:
            if refusal.code == 409:
                continue  # the operator has told its status meanwhile
            error = refusal
        break
    await kube.delete(names.KIND, "edge", namespace)
    causes = (error.body.get("details") or {}).get("causes") or () if error else ()
    return [cause.get("field", "") for cause in causes], str(error.body.get("message", error)) if error else ""


def test_what_cannot_change_is_refused_at_its_field_and_all_else_is_taken(kubeconfig: Path) -> None:
    async def work() -> list[str]:
        wrong = []
        async with Kube(kubeconfig) as kube, a_namespace(kube) as namespace:
            for name, (before, after, path) in REFUSED.items():
                fields, said = await changed(kube, namespace, before, after)
                wrong += [] if path in fields else [f"{name}: {said or 'taken'}"]
            for name, (before, after) in TAKEN.items():
                _, said = await changed(kube, namespace, before, after)
                wrong += [f"{name}: {said}"] if said else []
        return wrong

    assert asyncio.run(work()) == []


def test_a_service_that_depends_on_itself_is_refused_from_the_beginning(kubeconfig: Path) -> None:
    async def work() -> str:
        async with Kube(kubeconfig) as kube:
            given = service({"image": "registry.example/shop:1", "dependsOn": [{"service": "edge"}]}, "default")
            with pytest.raises(KubeError) as refused:
                await kube.create(given, dryRun="All")
            return str(refused.value.body.get("message"))

    assert "spec.dependsOn: Invalid value: a service cannot depend on itself" in asyncio.run(work())

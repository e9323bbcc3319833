"""The API server and `parse` refuse the same specs, for the same field; what both take renders children that the server takes.

Nothing is written to it but a namespace, since every request is a dry run.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from tests.api.bad_specs import Bad, bad_specs, is_about
from tests.api.broken_rules import BROKEN, ESCAPES
from tests.api.edge_specs import edge_specs
from tests.core.strategies import generated

from e2e.kube import Body, Kube, KubeError
from hardened.api import names
from hardened.api.crd import custom_resource_definition
from hardened.api.parse import parse
from hardened.core.desired.children import at_rest
from hardened.core.observe.compare import difference
from hardened.core.revisions.revision import render
from hardened.errors import InvalidSpec

pytestmark = pytest.mark.cluster

UID = "11111111-1111-4111-8111-111111111111"
#: Every eleventh of the mistakes, and every rule and escape: the rest is in the full run.
SAMPLE: tuple[Bad, ...] = (
    *bad_specs()[::11],
    *(Bad(name, json.dumps(spec), path) for name, (spec, path) in BROKEN.items()),
    *(Bad(name, json.dumps(spec), path, is_unknown=True) for name, (spec, path) in ESCAPES.items()),
)
EDGES = dict(list(edge_specs().items())[::45])
CONCURRENT = 12
T = TypeVar("T")


@dataclass(frozen=True)
class SpecAnswer:
    """What one side said: the fields it complained of, none when it took the spec."""

    fields: tuple[str, ...]
    message: str = ""

    @property
    def is_yes(self) -> bool:
        return not self.message

    def names(self, path: str) -> bool:
        return any(is_about(path, field) for field in self.fields)


def service(spec: Any, namespace: str = "default", **meta: Any) -> Body:
    known = {"name": "edge", "namespace": namespace, **meta}
    return {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": known, "spec": spec}


def parsed(body: Body) -> SpecAnswer:
    try:
        parse(body)
    except InvalidSpec as error:
        return SpecAnswer(tuple(e.path for e in error.errors), str(error))
    return SpecAnswer(())


def _answer(error: KubeError) -> SpecAnswer:
    message = str(error.body.get("message", error))
    causes = [str(c.get("field", "")).lstrip(".") for c in (error.body.get("details") or {}).get("causes") or ()]
    unknown = [part.split('"')[0] for part in message.split('unknown field "')[1:]]
    return SpecAnswer((*causes, *unknown), message)


@pytest.fixture(scope="module")
def access(kubeconfig: Path, rights: None) -> Path:
    """Access to the cluster, whose CRD must be the one of this code."""
    crd = custom_resource_definition()
    place = f"apis/apiextensions.k8s.io/v1/customresourcedefinitions/{crd['metadata']['name']}"

    async def compare(kube: Kube) -> bool:
        query = {"fieldManager": "tester", "force": "true", "dryRun": "All"}
        dry = await kube.call("PATCH", place, crd, content_type="application/apply-patch+yaml", **query)
        live = await kube.call("GET", place)
        return bool(dry["spec"] == live["spec"])

    if not asyncio.run(_with(kubeconfig, compare)):
        pytest.fail("the CRD on the cluster is not the one of this code: run `make install`")
    return kubeconfig


async def _with(path: Path, work: Callable[[Kube], Awaitable[T]]) -> T:
    async with Kube(path) as kube:
        return await work(kube)


def ask(path: Path, bodies: Iterable[Body], **query: str) -> list[SpecAnswer]:
    """What the server says to each, without writing any."""

    async def work(kube: Kube) -> list[SpecAnswer]:
        gate = asyncio.Semaphore(CONCURRENT)

        async def one(body: Body) -> SpecAnswer:
            async with gate:
                try:
                    live = await kube.create(body, dryRun="All", **query)
                except KubeError as error:
                    return _answer(error)
            change = difference(body, live) if body["kind"] != names.KIND else None
            return SpecAnswer((), f"would be repaired for ever: {change}") if change else SpecAnswer(())

        return await asyncio.gather(*map(one, bodies))

    return asyncio.run(_with(path, work))


def ask_strictly(path: Path, texts: Iterable[str]) -> dict[str, SpecAnswer]:
    every = list(texts)
    return dict(zip(every, ask(path, (service(json.loads(t)) for t in every), fieldValidation="Strict"), strict=True))


@pytest.fixture(scope="module")
def answers(access: Path) -> dict[str, SpecAnswer]:
    return ask_strictly(access, [*(bad.text for bad in SAMPLE), *EDGES.values()])


def _both_name(bad: Bad, server: SpecAnswer) -> str:
    """Empty when both refuse it for the field that is wrong, else what is not so."""
    local = parsed(service(bad.spec))
    for who, said in (("the server", server), ("parse", local)):
        if said.is_yes or not said.names(bad.path):
            return f"{bad.name}: {bad.text[:300]}: {who} {'takes it' if said.is_yes else f'says {said.message[:300]}'}"
    return ""


@pytest.mark.parametrize("bad", SAMPLE, ids=lambda bad: ascii(bad.name)[1:-1])
def test_a_mistake_is_refused_by_both_and_its_field_named(bad: Bad, answers: dict[str, SpecAnswer]) -> None:
    assert _both_name(bad, answers[bad.text]) == ""


@pytest.mark.parametrize("name", EDGES, ids=ascii)
def test_at_the_edge_both_say_the_same(name: str, answers: dict[str, SpecAnswer]) -> None:
    server, local = answers[EDGES[name]], parsed(service(json.loads(EDGES[name])))
    assert server.is_yes == local.is_yes, f"{EDGES[name][:300]}: server: {server.message}; parse: {local.message}"


@pytest.mark.full
def test_every_mistake_and_every_edge(access: Path) -> None:
    bad, edges = bad_specs(), edge_specs()
    said = ask_strictly(access, [*(b.text for b in bad), *edges.values()])
    wrong = [text for b in bad if (text := _both_name(b, said[b.text]))]
    wrong += [name for name, text in edges.items() if said[text].is_yes != parsed(service(json.loads(text))).is_yes]
    assert wrong == []


def test_what_a_pod_may_say_and_a_service_may_not_never_reaches_the_operator(access: Path) -> None:
    """A server that is not told to be strict drops unknown fields, or refuses what is left; what it keeps, parse knows."""

    async def work(kube: Kube) -> list[str]:
        kept = []
        for name, (spec, _) in ESCAPES.items():
            try:
                live = await kube.create(service(spec), dryRun="All", fieldValidation="Ignore")
            except KubeError:
                continue
            if not parsed(live).is_yes:
                kept.append(name)
        return kept

    assert asyncio.run(_with(access, work)) == []


NAMES = [
    "a",
    "a-b",
    "a" * 40,
    "a" * 41,
    "a" * 63,
    "a" * 64,
    "a.b",
    "1a",
    "a1",
    "-a",
    "a-",
    "A",
    "a_b",
    "é",
    "a\u0000",
    "a\n",
    "a.",
    "\u202ea",
    "a/b",
]


def test_names_are_taken_or_refused_by_both(access: Path) -> None:
    bodies = [service({"image": "shop:1"}, name=name) for name in NAMES]
    said = zip(NAMES, ask(access, bodies), map(parsed, bodies), strict=True)
    assert [name for name, server, local in said if server.is_yes != local.is_yes] == []


def largest() -> Body:
    """About 256 KiB of a service that says as much as it can."""
    text = "x" * 900
    containers = [{"name": f"c{i}", "image": "shop:1", "args": [text] * 8, "env": _variables(16)} for i in range(8)]
    return {
        "image": "shop:1",
        "args": ["y" * 100] * 256,
        "env": _variables(256),
        "files": [{"mountPath": f"/files/{i}", "data": {f"f{j}": text for j in range(16)}} for i in range(8)],
        "volumes": [{"name": f"v{i}", "mountPath": f"/volumes/{i}", "emptyDir": {}} for i in range(16)],
        "ports": [{"name": f"p{i}", "containerPort": 8000 + i} for i in range(16)],
        "initContainers": containers[:4],
        "sidecars": containers[4:],
        "network": {"ingressFrom": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": [f"10.{j}.0.0/16" for j in range(32)]}}] * 32},
    }


def _variables(count: int) -> list[Body]:
    return [{"name": f"V{i}", "value": "z" * 100} for i in range(count)]


def test_a_spec_of_a_quarter_of_a_mebibyte_is_within_the_budget_of_the_rules(access: Path) -> None:
    body = service(largest())
    assert 240 * 1024 < len(json.dumps(body["spec"])) < 320 * 1024
    assert (parsed(body).message, ask(access, [body])[0].message) == ("", "")


@pytest.fixture(scope="module")
def namespace(access: Path) -> Iterator[str]:
    name = f"bad-input-{uuid.uuid4().hex[:6]}"
    meta = {"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
    asyncio.run(_with(access, lambda kube: kube.create({"kind": "Namespace", "apiVersion": "v1", "metadata": meta})))
    yield name
    asyncio.run(_with(access, lambda kube: kube.delete("Namespace", name)))


@pytest.mark.parametrize("count", [30, pytest.param(600, marks=pytest.mark.full)])
def test_the_server_takes_what_parse_takes_and_every_child_of_it_as_it_is(access: Path, namespace: str, count: int) -> None:
    services = [service(spec, namespace, uid=UID, generation=1) for spec in (largest(), *generated(count))]
    children = [child for svc in map(parse, services) for child in at_rest(svc, render(svc), 2)]
    bodies = [*({**body, "metadata": {"name": "edge", "namespace": namespace}} for body in services), *children]
    said = zip(bodies, ask(access, bodies, fieldValidation="Strict"), strict=True)
    assert len(services) > count
    assert [(body["kind"], answer.message, json.dumps(body["spec"])[:500]) for body, answer in said if not answer.is_yes] == []

"""What the tests stand on: the installed rights, a namespace of their own, one service, and operator processes behind a fault proxy."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2e.evidence import errors_of_nodes, pods_and_warnings
from e2e.faults import Fault, FaultProxy, Operator, Upstream
from e2e.install import image_name
from e2e.kube import Body, Kube, is_ready
from e2e.ports import free_port
from e2e.workers import have_company

ROOT = Path(__file__).resolve().parent.parent
SYSTEM = "hardened-system"
ACCOUNT = "hardened-operator"
CRD = "hardenedservices.hardened.dev"

#: What the deadlines of the promises are multiplied by before a test fails: a promise is reported, a deadline is behaviour. Where three
#: clusters and their load share two cores, single calls of the API server take 1 to 3 s, and an answer of the operator is up to eight.
MERCY = 10.0 if have_company() else 3.0

#: Kinds of children, all of which a snapshot looks at.
CHILDREN = (
    "ControllerRevision", "ConfigMap", "ServiceAccount", "NetworkPolicy", "PodDisruptionBudget", "PersistentVolumeClaim", "Deployment",
    "Service", "HorizontalPodAutoscaler",
)  # fmt: skip
_VOLATILE = frozenset({"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink"})


def web(namespace: str, version: str = "v1", **spec: Any) -> Body:
    """A service that starts and ends at once, with a child of every kind but a claim and an autoscaler. Pods are replaced in place."""
    return {
        "apiVersion": "hardened.dev/v1alpha1",
        "kind": "HardenedService",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {
            "image": f"docker.io/hardened/web-static:{version}",
            "replicas": 1,
            "ports": [{"name": "http", "containerPort": 8080, "port": 80}],
            "env": [{"name": "LINGER", "value": "0"}],
            "files": [{"mountPath": "/etc/web", "data": {"settings.toml": "greeting = 'hello'\n"}}],
            "probes": {"readiness": {"httpGet": {"path": "/health/ready"}, "periodSeconds": 1}},
            "shutdown": {"drainSeconds": 0, "graceSeconds": 5},
            "verify": {"afterCutover": {"window": "1s"}},
            **({} if "volumes" in spec else {"release": {"strategy": "RollingUpdate"}}),
            **spec,
        },
    }


@contextlib.asynccontextmanager
async def fresh_namespace(kube: Kube, prefix: str = "t") -> AsyncIterator[str]:
    """A namespace that enforces the restricted pod security standard; gone, or going, at the end."""
    name = f"{prefix}-{uuid.uuid4().hex[:8]}"
    labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    await kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    try:
        yield name
    finally:
        await kube.delete("Namespace", name)


async def read_crd(kube: Kube) -> Body:
    """The CustomResourceDefinition as one would write it."""
    crd = await kube.get("CustomResourceDefinition", CRD)
    assert crd, "the CRD is not there"
    meta = {k: v for k, v in crd["metadata"].items() if k not in _VOLATILE}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": crd["kind"], "metadata": meta, "spec": crd["spec"]}


async def put_crd(kube: Kube, crd: Body) -> None:
    """Makes the CustomResourceDefinition, or replaces it."""
    live = await kube.get("CustomResourceDefinition", CRD)
    if live is None:
        await kube.create(crd)
        return
    meta = {**crd["metadata"], "resourceVersion": live["metadata"]["resourceVersion"]}
    await kube.call("PUT", f"apis/apiextensions.k8s.io/v1/customresourcedefinitions/{CRD}", {**crd, "metadata": meta})


async def operator_token(kube: Kube) -> str:
    """A token of the operator's own ServiceAccount, good for an hour."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
    reply = await kube.call("POST", f"api/v1/namespaces/{SYSTEM}/serviceaccounts/{ACCOUNT}/token", body)
    return str(reply["status"]["token"])


def subfolder(folder: Path, name: str) -> Path:
    """A new folder in another."""
    (folder / name).mkdir()
    return folder / name


def _write(file: Path, text: str) -> None:
    file.write_text(text)


@dataclass
class Run:
    """One operator process, its proxy, and the namespace that it watches."""

    kube: Kube
    namespace: str
    proxy: FaultProxy
    operator: Operator
    began: float = field(default_factory=time.monotonic)


#: What somebody does, or a check of it.
Act = Callable[[Run], Awaitable[None]]


@contextlib.asynccontextmanager
async def operator_behind(
    kube: Kube,
    kubeconfig: Path,
    folder: Path,
    faults: Sequence[Fault] = (),
    *,
    namespace: str,
    settings: dict[str, str] | None = None,
    restarts: int = 5,
    token_file: Path | None = None,
) -> AsyncIterator[Run]:
    """An operator for one namespace, with its real token, behind a fault proxy. Nothing of it is left at the end.

    settings: HARDENED_… variables, over those of this function; restarts: how often it is started again; token_file: where the token is to
    be kept, for a test that replaces it.
    """
    upstream = Upstream.from_kubeconfig(kubeconfig)
    token = await operator_token(kube)
    if token_file:
        _write(token_file, token)
    async with FaultProxy(upstream, faults) as proxy:
        access = {"token_file": token_file} if token_file else {"token": token}
        env = {
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(ROOT / "operator"),
            "KUBECONFIG": str(proxy.kubeconfig(folder / f"{namespace}.kubeconfig", **access)),
            "TMPDIR": str(folder),  # the client keeps the authority's certificate in a file, and a process that is killed leaves it
            "HARDENED_NAMESPACES": namespace,
            "HARDENED_LEADER_ELECT": "false",
            "HARDENED_HEALTH_PORT": str(free_port()),
            "HARDENED_METRICS_PORT": str(free_port()),
            "HARDENED_VERIFIER_IMAGE": image_name(),
            **(settings or {}),
        }
        operator = Operator([sys.executable, "-m", "hardened.shell"], env=env, log=folder / f"{namespace}.log", restarts=restarts)
        proxy.on_kill(operator.strike)
        async with operator:
            try:
                yield Run(kube, namespace, proxy, operator)
            except Exception as error:
                error.add_note(await pods_and_warnings(kube, namespace))
                error.add_note(errors_of_nodes(kubeconfig))
                error.add_note(f"the operator of {namespace} ended {len(operator.exits)} times; {operator.log_tail()}")
                error.add_note(proxy.journal.tail())
                raise


@contextlib.asynccontextmanager
async def running(
    kubeconfig: Path, folder: Path, faults: Sequence[Fault] = (), settings: dict[str, str] | None = None, *, name: str = "t"
) -> AsyncIterator[Run]:
    """A fresh namespace with an operator of its own: what most tests begin with. name: the prefix of the namespace."""
    async with (
        Kube(kubeconfig) as kube,
        fresh_namespace(kube, name) as namespace,
        operator_behind(kube, kubeconfig, folder, faults, namespace=namespace, settings=settings) as run,
    ):
        yield run


async def side_by_side(kubeconfig: Path, folder: Path, cases: Collection[str], act: Callable[[Run, str], Awaitable[None]]) -> None:
    """What mostly waits, for all cases at once: one operator, a fresh namespace for each. Raises all that failed, each with its case."""
    async with Kube(kubeconfig) as kube, contextlib.AsyncExitStack() as stack:
        namespaces = [await stack.enter_async_context(fresh_namespace(kube, "case")) for _ in cases]
        settings = {"HARDENED_NAMESPACES": ",".join(namespaces)}
        run = await stack.enter_async_context(operator_behind(kube, kubeconfig, folder, namespace=namespaces[0], settings=settings))
        runs = [Run(kube, namespace, run.proxy, run.operator) for namespace in namespaces]
        found = await asyncio.gather(*(act(each, case) for each, case in zip(runs, cases, strict=True)), return_exceptions=True)
        failed = []
        for case, namespace, error in zip(cases, namespaces, found, strict=True):
            if isinstance(error, Exception):
                error.add_note(f"in the case {case}")
                error.add_note(await pods_and_warnings(kube, namespace))
                failed.append(error)
        if failed:
            raise ExceptionGroup(f"{len(failed)} of {len(cases)} cases failed", failed)


async def serve(run: Run, manifest: Body | None = None, *, within: float = 60.0) -> Body:
    """Applies a service, by default `web`, and waits until it is ready."""
    manifest = manifest or web(run.namespace)
    await run.kube.apply(manifest)
    live, _ = await run.kube.until("HardenedService", manifest["metadata"]["name"], run.namespace, is_ready, within=within)
    assert live
    return live


def is_seen(live: Body | None) -> bool:
    """The operator has looked at the present generation of the spec, whatever it found."""
    return live is not None and (live.get("status") or {}).get("observedGeneration", -1) >= live["metadata"]["generation"]


async def canary(kube: Kube, namespace: str, *, within: float) -> float:
    """Makes a service without pods, waits until the operator has looked at it, and takes it away. The seconds until it was looked at."""
    name = f"canary-{uuid.uuid4().hex[:6]}"
    manifest = web(namespace, replicas=0)
    await kube.create({**manifest, "metadata": {**manifest["metadata"], "name": name}})
    _, seconds = await kube.until("HardenedService", name, namespace, is_seen, within=within)
    await kube.delete("HardenedService", name, namespace)
    return seconds


async def until_event(run: Run, reason: str, *, within: float = 10.0) -> Body:
    """The first Event about `web` with this reason."""
    async with asyncio.timeout(within):
        version = (await run.kube.call("GET", f"api/v1/namespaces/{run.namespace}/events"))["metadata"]["resourceVersion"]
        for event in await run.kube.list("Event", run.namespace):
            if event["reason"] == reason:
                return event
        async for change in run.kube.watch("Event", run.namespace, version):
            if change["object"]["reason"] == reason:
                return dict(change["object"])
    raise AssertionError("unreachable: the watch outlives the time-out")


async def snapshot(kube: Kube, namespace: str) -> dict[str, Any]:
    """Everything of the service in a namespace, without what differs from run to run: ids, addresses and times."""
    found: dict[str, Any] = {}
    lists = await asyncio.gather(*(kube.list(kind, namespace) for kind in ("HardenedService", *CHILDREN)))
    for live in (item for items in lists for item in items):
        name = live["metadata"]["name"]
        if live["kind"] in ("ConfigMap", "ServiceAccount") and name in ("kube-root-ca.crt", "default"):
            continue
        found[f"{live['kind']} {name}"] = stable(live)
    return found


def stable(live: Body) -> Body:
    """One object without what differs from run to run."""
    meta = {k: v for k, v in live["metadata"].items() if k not in _VOLATILE}
    for owner in meta.get("ownerReferences", []):
        owner.pop("uid")
    # Its digest covers the owner's uid, an epoch is a time, and a Deployment controller's own counter comes and goes with every rollout.
    # A claim is bound to a volume, and on a node, that the cluster chooses.
    for key in (
        "hardened.dev/applied", "hardened.dev/serving-epoch", "deployment.kubernetes.io/revision", "volume.kubernetes.io/selected-node",
    ):  # fmt: skip
        meta.get("annotations", {}).pop(key, None)
    if "hardened.dev/rejected" in meta.get("annotations", {}):
        meta["annotations"]["hardened.dev/rejected"] = _without_messages(meta["annotations"]["hardened.dev/rejected"])
    spec = {k: v for k, v in (live.get("spec") or {}).items() if k not in ("clusterIP", "clusterIPs", "volumeName")}
    rest = {k: v for k, v in live.items() if k not in ("apiVersion", "kind", "metadata", "status")}
    stable = {**rest, "metadata": {**meta, "namespace": "X"}, "spec": spec}
    if live["kind"] == "HardenedService":
        status = live.get("status") or {}
        stable["status"] = {
            "phase": status.get("phase"),
            "serving": status.get("serving"),
            "replicas": status.get("replicas"),
            "history": [entry["revision"] for entry in status.get("history", [])],
            "conditions": {c["type"]: (c["status"], c["reason"]) for c in status.get("conditions", [])},
        }
    return stable


def _without_messages(rejections: str) -> list[Body]:
    """What is marked as rejected, without the sentences: they tell how many requests a check has made."""
    return [{key: value for key, value in each.items() if key != "message"} for each in json.loads(rejections)]

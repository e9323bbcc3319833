"""An operator over the in-memory cluster, in virtual time: started, killed and started again as often as a test likes."""

import asyncio
import contextlib
import copy
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.memory.api_server import Call, MemoryApiServer
from tests.memory.selector import matches
from tests.shell import virtual_time

from hardened.core.model.kit import BackupKit
from hardened.core.model.policy import Policy
from hardened.shell.cache import BY_METADATA, PARTIAL, Cache
from hardened.shell.kinds import EVENT, HARDENED_SERVICE, HARDENED_SERVICE_ACTION, Kind
from hardened.shell.metrics import Metrics
from hardened.shell.reconciler import Reconciler
from hardened.shell.recorder import Recorder
from hardened.shell.sync import Sync
from hardened.shell.watches import SELECTORS
from hardened.shell.workqueue import WorkQueue

Body = dict[str, Any]
POLICY = Policy(verifier_image="hardened:1", backup=BackupKit("backup:1"))
EPOCH = datetime(2030, 1, 1, tzinfo=UTC)
#: Seconds of virtual time without a write after which the world is said to be quiet: longer than the longest back-off.
QUIET = 120.0


class Killed(BaseException):
    """SIGKILL: no line of the operator runs after it."""


class Operator:
    """One operator process over `server`. `run` ends with Killed when a hook of the server kills it.

    events: where Events are sent, apart from all else, so that one more or less changes nothing; None: they are not sent; namespaces: those
    that it watches, () for all; releases: how many may be at work at a time; crd_schema: of the CRD on the cluster.
    """

    def __init__(
        self,
        server: MemoryApiServer,
        events: MemoryApiServer | None = None,
        *,
        namespaces: tuple[str, ...] = (),
        releases: int = 1000,
        crd_schema: str = "",
        policy: Policy = POLICY,
    ) -> None:
        self.server, self.namespaces = server, namespaces
        self.tells = events is not None
        self.cache = Cache()
        rng = random.Random(1)
        self.queue = WorkQueue(virtual_time.now, rng)
        self.metrics = Metrics()
        self.recorder = recorder = Recorder(events or server.outsider("events"), "operator", clock=virtual_time.now, today=today)
        self.sync = Sync(server, self.cache, self.queue, namespaces=namespaces, period=300, rng=rng)
        self.reconciler = Reconciler(
            server,
            self.cache,
            self.queue,
            policy=policy,
            metrics=self.metrics,
            recorder=recorder,
            now=today,
            may_write=lambda: True,
            crd_schema=lambda: crd_schema,
            is_known=self.sync.is_known,
            releases=releases,
        )
        self.death: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Lists, watches and works until killed or cancelled."""
        self.server.on_event.append(self._seen)
        try:
            await self.sync.first(lambda _: None)
            self.reconciler.resume()
            working = asyncio.create_task(self.queue.run(self._work, 4))
            others = [working, asyncio.create_task(self.sync.run(lambda _: None))]
            if self.tells:
                others.append(asyncio.create_task(self.recorder.run()))
            try:
                await self.death
            finally:
                for task in others:
                    task.cancel()
                await asyncio.gather(*others, return_exceptions=True)
        finally:
            self.server.on_event.remove(self._seen)

    async def _work(self, key: Any) -> None:
        try:
            await self.reconciler.reconcile(key)
        except Killed as death:
            if not self.death.done():
                self.death.set_exception(death)
            await asyncio.Event().wait()  # a killed process runs no further line

    def _seen(self, event: str, kind: Kind, obj: Body) -> None:
        if kind not in SELECTORS or (self.namespaces and obj["metadata"]["namespace"] not in self.namespaces):
            return
        # To a watch, an object that is none of those any more that it selects is gone.
        event = event if matches(SELECTORS[kind], obj) else "DELETED"
        seen = {"kind": PARTIAL, "metadata": obj["metadata"]} if kind in BY_METADATA else obj
        key = self.cache.see(kind, event, seen)
        if key:
            self.queue.add(key)


def today() -> datetime:
    """Virtual time as a time of day."""
    return EPOCH + timedelta(seconds=virtual_time.now())


class OperatorWorld:
    """A cluster, the operator on it (restarted at once when it is killed), and the people who use it."""

    def __init__(self) -> None:
        self.server = MemoryApiServer(["shop"], today=today)
        self.server.store.dead.add("dead:1")
        self.server.store.doomed.add("doomed:1")
        self.people = self.server.outsider("kubectl")
        self.events = MemoryApiServer(["shop"], today=today)
        self.kills = 0
        self.crd_schema = ""
        self.policy = POLICY
        self.operators: list[Operator] = []

    def __deepcopy__(self, memo: dict[int, Any]) -> "OperatorWorld":
        """Another world that goes on from here, with all who look at it. No operator has run in it yet."""
        other = memo[id(self)] = copy.copy(self)
        other.operators = []
        vars(other).update({name: copy.deepcopy(value, memo) for name, value in vars(self).items() if name != "operators"})
        return other

    async def play(self, *steps: Callable[["OperatorWorld"], Any], is_enough: Callable[[], bool] = lambda: False) -> int:
        """Does the steps one after the other, each until the world is quiet, until `is_enough`. How many were done."""
        supervisor = asyncio.create_task(self._supervise())
        done = 0
        try:
            for step in steps:
                await step(self)
                await self.until_quiet()
                done += 1
                if is_enough():
                    break
        finally:
            supervisor.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await supervisor
        return done

    async def _supervise(self) -> None:
        while True:
            try:
                self.operators.append(Operator(self.server, self.events, crd_schema=self.crd_schema, policy=self.policy))
                await self.operators[-1].run()
            except Killed:
                self.kills += 1

    async def until_quiet(self) -> None:
        """Lets the cluster's controllers work until nothing has changed for QUIET seconds. Raises AssertionError if that never comes."""
        end = virtual_time.now() + 3600
        quiet_since, pause = virtual_time.now(), 0.5
        while virtual_time.now() - quiet_since < QUIET:
            assert virtual_time.now() < end, f"never quiet; the last writes: {self.server.writes[-8:]}"
            version = self.server.store.version
            await asyncio.sleep(pause)
            # The longer nothing happens, the less often anybody looks: time is free here, looking is not.
            pause *= 1.5
            # Also where nobody writes: a probe ends by itself.
            self.server.settle()
            if self.server.store.version != version:
                self.server.collect_garbage()
                quiet_since, pause = virtual_time.now(), 0.5

    def state(self) -> dict[str, Any]:
        """Everything that exists, without ids and times."""
        return {f"{kind} {name}": _stable(stored.body) for (kind, _, name), stored in sorted(self.server.store.objects.items())}

    def told(self) -> Counter[str]:
        """How often each reason was told of."""
        found: Counter[str] = Counter()
        for event in self.events.all(EVENT):
            found[event["reason"]] += event["count"]
        return found


_VOLATILE = frozenset({"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"})


def _stable(body: Body) -> Body:
    meta = {k: v for k, v in body["metadata"].items() if k not in _VOLATILE}
    volatile = ("hardened.dev/applied", "hardened.dev/serving-epoch", "hardened.dev/migration")
    meta["annotations"] = {k: v for k, v in (meta.get("annotations") or {}).items() if k not in volatile}
    meta["ownerReferences"] = [{k: v for k, v in r.items() if k != "uid"} for r in meta.get("ownerReferences") or ()]
    stable = {k: v for k, v in body.items() if k not in ("metadata", "status")} | {"metadata": meta}
    stable["spec"] = {k: v for k, v in (body.get("spec") or {}).items() if k not in ("clusterIP", "clusterIPs")}
    if "endpoints" in body:
        stable["endpoints"] = [{**e, "targetRef": {k: v for k, v in e["targetRef"].items() if k != "uid"}} for e in body["endpoints"]]
    if body["kind"] == HARDENED_SERVICE.name:
        status = body.get("status") or {}
        conditions = {c["type"]: (c["status"], c["reason"]) for c in status.get("conditions", ())}
        history = [entry["revision"] for entry in status.get("history", ())]
        stable["status"] = {"phase": status.get("phase"), "serving": status.get("serving"), "history": history, "conditions": conditions}
    return stable


class Strike:
    """A hook that raises at the n-th write, once."""

    def __init__(self, nth: int, error: Callable[[], BaseException]) -> None:
        self.left = nth
        self.error = error
        self.has_struck = False

    def __call__(self, call: Call) -> None:
        if not call.is_write or self.has_struck:
            return
        self.left -= 1
        if self.left == 0:
            self.has_struck = True
            raise self.error()


def service(**spec: Any) -> Body:
    """A HardenedService with a child of every kind."""
    return {
        "apiVersion": "hardened.dev/v1alpha1",
        "kind": "HardenedService",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {
            "image": "web:1",
            "ports": [{"name": "http", "containerPort": 8080, "port": 80}],
            "files": [{"mountPath": "/etc/web", "data": {"a.toml": "x = 1"}}],
            "volumes": [{"name": "data", "mountPath": "/data", "claim": {"size": "1Gi"}}],
            "autoscale": {"maxReplicas": 4, "cpu": 70},
            **spec,
        },
    }


async def create(world: OperatorWorld) -> None:
    """A team makes a service, without saying how many replicas."""
    await world.people.create(HARDENED_SERVICE, service())


async def edit(world: OperatorWorld) -> None:
    """A new version with other files, and more pods."""
    spec = service(image="web:2", files=[{"mountPath": "/etc/web", "data": {"a.toml": "x = 2"}}], replicas=3)["spec"]
    await world.people.merge_patch(HARDENED_SERVICE, "shop", "web", {"spec": spec})


async def retire_ports(world: OperatorWorld) -> None:
    """The service becomes a worker."""
    await world.people.merge_patch(HARDENED_SERVICE, "shop", "web", {"spec": {"ports": None}})


async def recreate(world: OperatorWorld) -> None:
    """Deleted, and at once made again under the same name."""
    live = await world.people.get(HARDENED_SERVICE, "shop", "web")
    await world.people.delete(HARDENED_SERVICE, "shop", "web", uid=live["metadata"]["uid"])
    await world.people.create(HARDENED_SERVICE, service(image="web:3", replicas=1))


#: A blue-green service; what is kept, and the deadline, end within QUIET.
RELEASED = {
    "volumes": None,
    "autoscale": None,
    "replicas": 2,
    "release": {"strategy": "BlueGreen", "keepPrevious": "30s", "progressDeadline": "10s"},
    "verify": {"afterCutover": {"window": "2s"}},
}


async def create_released(world: OperatorWorld) -> None:
    """A team makes a service that is released blue-green."""
    await world.people.create(HARDENED_SERVICE, service(**RELEASED))


def release(image: str, **more: Any) -> Callable[[OperatorWorld], Any]:
    """A new version."""

    async def edit(world: OperatorWorld) -> None:
        spec = {**service(**RELEASED)["spec"], "image": image, "files": [{"mountPath": "/etc/web", "data": {"a": image}}], **more}
        await world.people.merge_patch(HARDENED_SERVICE, "shop", "web", {"spec": spec})

    return edit


#: A good version; one that never comes up; one that fails once it is led to; the good one again, with more pods.
RELEASES = (create_released, release("web:2"), release("dead:1"), release("doomed:1"), release("web:2", replicas=3))
FLOW = (create, edit, retire_ports, recreate)


def asks(action: str, name: str = "a", **spec: Any) -> Callable[[OperatorWorld], Any]:
    """Somebody makes an action."""

    async def make(world: OperatorWorld) -> None:
        manifest = {
            "apiVersion": "hardened.dev/v1alpha1",
            "kind": "HardenedServiceAction",
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"service": "web", "action": action, "requestedBy": "jane", "reason": "p99 doubled", **spec},
        }
        await world.people.create(HARDENED_SERVICE_ACTION, manifest)

    return make

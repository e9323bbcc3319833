"""An in-memory cluster behind the ApiServer protocol, held to the real one by the contract suite.

    server = MemoryApiServer(namespaces=["shop"])
    await server.outsider("kubectl").create(HARDENED_SERVICE, body)      # what people do is not counted as the operator's writes
    reconcile(server); server.settle(); reconcile(server); server.collect_garbage()

What it knows: resourceVersion, uid, generation, preconditions, field ownership, /status and /scale, defaults and the commonest refusals,
finalizers, namespaces that end, object quotas. What it does not know: ReplicaSets and Pods of Deployments, admission, watches that lag.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.memory import controllers, fields, garbage
from tests.memory.defaults import DEFAULTS
from tests.memory.fields import Body
from tests.memory.ownership import Manager
from tests.memory.selector import matches
from tests.memory.store import HAS_SCALE, HAS_STATUS, NEEDS_VERSION, OnEvent, Store, conflict, invalid

from hardened.api import names
from hardened.errors import Vanished
from hardened.shell.api_server import ApiServer, Listed, Propagation
from hardened.shell.kept import Kept
from hardened.shell.kinds import POD, Kind


@dataclass(frozen=True)
class Call:
    """One call, as the hooks see it. verb: as Client counts them."""

    verb: str
    kind: Kind
    namespace: str | None
    name: str | None
    body: Body | None = None

    @property
    def is_write(self) -> bool:
        return self.verb not in ("get", "list", "try")

    def __deepcopy__(self, _: dict[int, Any]) -> "Call":
        return self  # it is over, and nobody changes it


Hook = Callable[[Call], None]


class MemoryApiServer(ApiServer):
    """See the module. today: the time of day for stamps; namespaces: those that exist.

    before, after: called around each call of this caller (not of outsiders). What `before` raises happens instead of the call: a lost
    request, or a refusal. What `after` raises happens once the write is done: a lost reply.
    """

    def __init__(
        self,
        namespaces: Iterable[str] = ("default",),
        *,
        today: Callable[[], datetime] = lambda: datetime(2030, 1, 1, tzinfo=UTC),
        manager: str = names.MANAGER,
        store: Store | None = None,
    ) -> None:
        self.store = store or Store(today, dict.fromkeys(namespaces, "Active"), dict(DEFAULTS))
        self.manager = manager
        self.before: Hook | None = None
        self.after: Hook | None = None
        self.calls: list[Call] = []
        #: Writes that were taken, and those of them that changed something.
        self.writes: list[Call] = []
        self.changes: list[Call] = []
        #: What containers have said, by the pod.
        self.logs: dict[str, str] = {}

    # ---- the cluster around it

    def outsider(self, manager: str) -> "MemoryApiServer":
        """The same cluster, called by somebody else."""
        return MemoryApiServer(manager=manager, store=self.store)

    @property
    def on_event(self) -> list[OnEvent]:
        """Called with ADDED, MODIFIED or DELETED, the kind and a copy of the object, at once when it changes."""
        return self.store.on_event

    def add_namespace(self, name: str) -> None:
        self.store.namespaces[name] = "Active"

    def terminate_namespace(self, name: str) -> None:
        """From now on nothing can be made in it; collect_garbage empties and removes it."""
        self.store.namespaces[name] = "Terminating"

    def settle(self) -> int:
        """One round of the Deployment controller, see controllers; the number of objects it changed."""
        return controllers.settle(self.store)

    def collect_garbage(self) -> int:
        """Removes what has lost its owners, and ends namespaces; the number of objects removed."""
        return garbage.collect_garbage(self.store)

    def all(self, kind: Kind, namespace: str | None = None) -> list[Body]:
        """The objects of a kind, for assertions: no call, no hook."""
        return [fields.copy(body) for body in self.store.bodies(kind, namespace)]

    # ---- ApiServer

    async def get(self, kind: Kind, namespace: str, name: str) -> Body:
        return await self._call(Call("get", kind, namespace, name), lambda: self.store.existing(kind, namespace, name).body)

    async def list(self, kind: Kind, namespace: str | None, label_selector: str = "", *, chunk: int = 100) -> Listed:
        listed = await self._listed(kind, namespace, label_selector)
        kept = Kept(kind, namespace)
        kept.take(listed.items, 0)
        return Listed(kept.items, listed.version)

    async def pages(self, kind: Kind, namespace: str | None, label_selector: str = "") -> AsyncIterator[Listed]:
        yield await self._listed(kind, namespace, label_selector)

    async def _listed(self, kind: Kind, namespace: str | None, label_selector: str) -> Listed:
        def read() -> Body:
            found = [body for body in self.store.bodies(kind, namespace) if matches(label_selector, body)]
            items = [body | {"metadata": {k: v for k, v in body["metadata"].items() if k != "managedFields"}} for body in found]
            return {"items": items, "version": str(self.store.version)}

        return Listed(**await self._call(Call("list", kind, namespace, None), read))

    async def apply(self, kind: Kind, manifest: Body, *, force: bool) -> Body:
        me = Manager(self.manager, "Apply")
        return await self._call(_of("apply", kind, manifest), lambda: self.store.apply(kind, manifest, me, force=force))

    async def try_out(self, kind: Kind, manifest: Body) -> None:
        me = Manager(self.manager, "Apply")

        def attempt() -> Body:
            self.store.try_out(kind, manifest, me)
            return {}

        await self._call(_of("try", kind, manifest), attempt)

    async def apply_status(self, kind: Kind, manifest: Body) -> Body:
        call = _of("status", kind, manifest)

        def write() -> Body:
            _needs(kind.name in HAS_STATUS)
            self.store.existing(kind, str(call.namespace), str(call.name))
            return self.store.apply(kind, manifest, Manager(self.manager, "Apply", "status"), force=True)

        return await self._call(call, write)

    async def set_scale(self, kind: Kind, namespace: str, name: str, replicas: int, *, resource_version: str | None = None) -> None:
        patch: Body = {"spec": {"replicas": replicas}}
        if resource_version is not None:
            patch["metadata"] = {"resourceVersion": resource_version}

        def write() -> Body:
            _needs(kind.name in HAS_SCALE)
            return self.store.update(kind, _patched(self.store.existing(kind, namespace, name).body, patch), self._updates("scale"))

        await self._call(Call("scale", kind, namespace, name, patch), write)

    async def delete(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        *,
        uid: str,
        resource_version: str | None = None,
        propagation: Propagation = "Background",
    ) -> None:
        def write() -> Body:
            meta = self.store.existing(kind, namespace, name).body["metadata"]
            if meta["uid"] != uid:
                raise conflict(kind, name, f"the UID in the precondition ({uid}) does not match the UID in record ({meta['uid']})")
            if resource_version not in (None, meta["resourceVersion"]):
                said = f"the ResourceVersion in the precondition ({resource_version}) does not match the ResourceVersion in record"
                raise conflict(kind, name, said)
            return garbage.delete(self.store, kind, namespace, name, propagation)

        await self._call(Call("delete", kind, namespace, name, {"propagationPolicy": propagation}), write)

    async def create(self, kind: Kind, manifest: Body) -> Body:
        return await self._call(_of("create", kind, manifest), lambda: self.store.create(kind, manifest, self._updates()))

    async def update(self, kind: Kind, manifest: Body) -> Body:
        meta = manifest["metadata"]

        def write() -> Body:
            if kind.name == "Lease" and self.store.get(kind, meta["namespace"], meta["name"]) is None:
                if meta.get("uid"):
                    raise conflict(kind, meta["name"], "Precondition failed: UID in precondition")
                return self.store.create(kind, manifest, self._updates())
            self.store.existing(kind, meta["namespace"], meta["name"])
            if kind.name in NEEDS_VERSION and not meta.get("resourceVersion"):
                raise invalid(kind, meta["name"], ["metadata.resourceVersion: Invalid value: 0: must be specified for an update"])
            return self.store.update(kind, manifest, self._updates())

        return await self._call(_of("update", kind, manifest), write)

    async def log(self, namespace: str, pod: str, container: str, *, is_previous: bool, lines: int, most: int) -> str:
        def read() -> Body:
            self.store.existing(POD, namespace, pod)
            return {"text": self.logs.get(pod, "")}

        found = await self._call(Call("log", POD, namespace, pod), read)
        text: str = found["text"]
        return "".join(text.splitlines(keepends=True)[-lines:])[:most]

    async def merge_patch(self, kind: Kind, namespace: str, name: str, patch: Body) -> Body:
        return await self._call(Call("patch", kind, namespace, name, patch), lambda: self.patch_now(kind, namespace, name, patch))

    def patch_now(self, kind: Kind, namespace: str, name: str, patch: Body) -> Body:
        """Not in the protocol: a merge patch at this very moment, for hooks. No call, no hook."""
        return self.store.update(kind, _patched(self.store.existing(kind, namespace, name).body, patch), self._updates())

    async def replace_status(self, kind: Kind, namespace: str, name: str, status: Body) -> Body:
        """Not in the protocol: what a controller of the cluster, or a forger, does with a PUT of the status."""

        def write() -> Body:
            return self.store.update(kind, self.store.existing(kind, namespace, name).body | {"status": status}, self._updates("status"))

        return await self._call(Call("status", kind, namespace, name, status), write)

    # ---- inside

    async def _call(self, call: Call, do: Callable[[], Body]) -> Body:
        await asyncio.sleep(0)  # others get their turn, as on a network
        self.calls.append(call)
        if self.before is not None:
            self.before(call)
        version = self.store.version
        result: Body = fields.copy(do())
        if call.is_write:
            self.writes.append(call)
        if self.store.version != version:
            self.changes.append(call)
        if self.after is not None:
            self.after(call)
        return result

    def _updates(self, subresource: str = "") -> Manager:
        return Manager(self.manager, "Update", subresource)


def _of(verb: str, kind: Kind, manifest: Body) -> Call:
    return Call(verb, kind, manifest["metadata"]["namespace"], manifest["metadata"]["name"], manifest)


def _needs(subresource_exists: bool) -> None:
    if not subresource_exists:
        raise Vanished("the server could not find the requested resource", status=404, reason="NotFound")


def _patched(value: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    result = dict(value) if isinstance(value, dict) else {}
    for key, part in patch.items():
        if part is None:
            result.pop(key, None)
        else:
            result[key] = _patched(result.get(key), part)
    return result

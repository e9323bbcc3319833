"""Every write for a service: by the leader only, and in the cache as soon as the server has taken it."""

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from hardened.api import names
from hardened.core.actions.replies import ActionReply
from hardened.core.hold.door import LetGo
from hardened.core.model.manifest import ChildKey, key_of
from hardened.core.observe.ownership import ports_taken_over, taken_over
from hardened.core.writes.differences import ENDED_SECONDS
from hardened.core.writes.write import Apply, Delete, pinned_to
from hardened.errors import ApiFailure, LookAgain, Refused, Vanished
from hardened.shell.api_server import ApiServer, Body
from hardened.shell.cache import Cache
from hardened.shell.kinds import HARDENED_SERVICE, HARDENED_SERVICE_ACTION, JOB, KINDS, PERSISTENT_VOLUME_CLAIM, POD, Kind
from hardened.shell.undeclared import Path, undeclared, without
from hardened.shell.workqueue import Key

logger = logging.getLogger(__name__)

#: No object has this resourceVersion: the first that a server writes has a higher one.
NO_VERSION: Final = "1"
#: Writes of a child in a row, each for its newest state, where no more than its status has moved on; as client-go's DefaultRetry.
MOST_IN_A_ROW: Final = 5
#: Without these a status says nothing: it is not written where the CRD lacks them.
_NEEDED: Final = ("conditions",)


@dataclass(frozen=True)
class Told:
    """A status that was written."""

    live: Body
    """The service afterwards."""
    meant: Body | None
    """The status with such parts of its fields as the CRD lacks, or None where it lacks none. A field that the CRD does not know at all is
    in neither."""
    lacks: frozenset[Path] = frozenset()
    """The fields of this status that the CRD has not got."""


class LostLeadership(Exception):
    """This process no longer leads: nothing more may be written."""


class Writer:
    """One method for each kind of write. What it was decided on goes with it as a precondition, where the API server takes one.

    Each raises an ApiFailure when the server has not taken it, and LostLeadership before anything is sent that may not be.
    may_write: asked before each request that writes; a leadership can end between two of them.
    """

    def __init__(self, api: ApiServer, cache: Cache, may_write: Callable[[], bool]) -> None:
        self._api, self._cache, self._may_write = api, cache, may_write

    # ---- children

    async def apply(self, step: Apply) -> Body:
        """Makes a child, or brings it in line. The object as it is afterwards. The first note of an ApiFailure says what was being done.

        Raises LookAgain where a new child is there by now, and where a known one is not as it was when this was decided.
        """
        kind = KINDS[step.manifest["kind"]]
        with _noted(f"apply {key_of(step.manifest)}"):
            live = kind.named(await self._apply_to_newest(kind, step))
        self._keep(kind, live)
        return live

    async def _apply_to_newest(self, kind: Kind, step: Apply) -> Body:
        for left in reversed(range(MOST_IN_A_ROW)):
            try:
                return await self._apply(kind, step)
            except LookAgain:
                if step.is_new:
                    raise
                newest = await self._see(kind, step.manifest)
                again = step.on(newest) if newest and left else None
                if again is None:
                    raise
                step = again
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _keep(self, kind: Kind, live: Body) -> None:
        """What nobody tells of later is not kept: it would stay as it is now."""
        if not kind.is_optional:
            self._cache.wrote(kind, live)

    async def _apply(self, kind: Kind, step: Apply) -> Body:
        self._assert_leading()
        if step.takes_over:
            step = await self._with_its_ports(kind, step)
        try:
            return await self._api.apply(kind, _unseen(step.manifest) if step.is_new else step.manifest, force=not step.is_new)
        except Refused as refusal:
            if refusal.status != 422 or step.is_new or not await self._take_over(kind, step.manifest):
                raise
            self._assert_leading()
            return await self._api.apply(kind, step.manifest, force=True)

    async def _with_its_ports(self, kind: Kind, step: Apply) -> Apply:
        """The same write of a Service whose ports are held by nobody else any more; nothing of it has changed but that."""
        assert step.seen is not None, "what is taken over was seen"
        fields = ports_taken_over(step.seen, names.MANAGER)
        if fields is None:
            return step
        meta = step.seen["metadata"]
        patch = {"metadata": {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"], "managedFields": fields}}
        live = kind.named(await self._api.merge_patch(kind, meta["namespace"], meta["name"], patch))
        self._assert_leading()
        return replace(step, manifest=pinned_to(step.wish, live), seen=live)

    async def _see(self, kind: Kind, manifest: Body) -> Body | None:
        """The child as it is now, None where it is gone. The watch may be late, or silent: the next look sees the same."""
        meta = manifest["metadata"]
        try:
            live = kind.named(await self._api.get(kind, meta["namespace"], meta["name"]))
        except Vanished:
            self._cache.deleted(kind, meta["namespace"], meta["name"], meta["uid"])
            return None
        self._keep(kind, live)
        return live

    async def _take_over(self, kind: Kind, manifest: Body) -> bool:
        """Takes the fields that others set in a child's spec, where they may be why the child is refused; False when there are none."""
        meta = manifest["metadata"]
        if kind == PERSISTENT_VOLUME_CLAIM:
            return False  # most of its spec is the volume controller's
        live = await self._api.get(kind, meta["namespace"], meta["name"])
        fields = taken_over(live, names.MANAGER)
        if fields is None or live["metadata"]["uid"] != meta["uid"]:
            return False
        self._assert_leading()
        patch = {"metadata": {"resourceVersion": live["metadata"]["resourceVersion"], "managedFields": fields}}
        await self._api.merge_patch(kind, meta["namespace"], meta["name"], patch)
        return True

    async def delete(self, key: Key, unwanted: Delete) -> None:
        """Deletes a child of the service `key`, if it is still as it was seen. The first note of an ApiFailure says what was being done."""
        self._assert_leading()
        kind = KINDS[unwanted.key.kind]
        with _noted(f"delete {unwanted.key}"):
            try:
                await self._api.delete(kind, key.namespace, unwanted.key.name, uid=unwanted.uid, resource_version=unwanted.resource_version)
            except Vanished:
                await self._see_that_it_is_gone(kind, key, unwanted)
        self._cache.deleted(kind, key.namespace, unwanted.key.name, unwanted.uid)

    async def _see_that_it_is_gone(self, kind: Kind, key: Key, unwanted: Delete) -> None:
        """A deletion that is believed and was none would never be made up for: nobody would tell of the object again. Raises LookAgain."""
        try:
            live = await self._api.get(kind, key.namespace, unwanted.key.name)
        except Vanished:
            return
        if live["metadata"]["uid"] == unwanted.uid and "deletionTimestamp" not in live["metadata"]:
            raise LookAgain(f"{unwanted.key} is still there")

    async def end(self, key: Key, pod: ChildKey) -> Body:
        """Ends a verifier pod of the service `key`. It stays, with what it reported."""
        self._assert_leading()
        with _noted(f"end {pod}"):
            patch = {"spec": {"activeDeadlineSeconds": ENDED_SECONDS}}
            live = POD.named(await self._api.merge_patch(POD, key.namespace, pod.name, patch))
        self._cache.wrote(POD, live)
        return live

    async def let_go(self, key: Key, job: LetGo) -> Body:
        """Lets a Job of the service `key` begin that was made suspended, if it is still as it was seen; LookAgain where it is not."""
        self._assert_leading()
        with _noted(f"let go {job.key}"):
            seen = {"uid": job.uid, "resourceVersion": job.resource_version}
            patch = {"metadata": seen, "spec": {"suspend": False}}
            live = JOB.named(await self._api.merge_patch(JOB, key.namespace, job.key.name, patch))
        self._cache.wrote(JOB, live)
        return live

    # ---- the service itself

    async def seed_replicas(self, key: Key, body: Body, replicas: int) -> Body:
        """Sets the replicas that the spec leaves open. The service afterwards; LookAgain when it has changed since it was seen.

        The first note of an ApiFailure of the write says what was being done.
        """
        self._assert_leading()
        with _noted("set spec.replicas through /scale"):
            version = body["metadata"]["resourceVersion"]
            await self._api.set_scale(HARDENED_SERVICE, key.namespace, key.name, replicas, resource_version=version)
        # The reply is a Scale; the object itself has a new generation, which the status must carry.
        fresh = await self._read(key)
        if fresh["metadata"]["uid"] != body["metadata"]["uid"]:
            raise LookAgain(f"{key} was recreated")
        return fresh

    async def apply_status(self, key: Key, body: Body, status: Body) -> Told:
        """Writes the status, less exactly those fields that an older CRD lacks: for one of them the server refuses all of it.

        body: the service that it was decided on; the status of a custom resource is written whatever uid it comes with, so that only the
        resourceVersion keeps what is said of a deleted service from the one that took its name. LookAgain when it has changed since, and
        the cache has it then; Vanished when it is gone, and the cache has not got it any more.
        """
        try:
            return await self._apply_status(key, body, status)
        except Vanished:
            await self._see_whether_it_is_gone(key, body)
            raise

    async def _apply_status(self, key: Key, body: Body, status: Body) -> Told:
        meta = {"name": key.name, "namespace": key.namespace, "resourceVersion": body["metadata"]["resourceVersion"]}
        sent, whole, lacks = status, status, frozenset[Path]()
        while True:
            self._assert_leading()
            try:
                live = await self._api.apply_status(
                    HARDENED_SERVICE, {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": meta, "status": sent}
                )
            except Refused as refusal:
                lacking = undeclared(refusal.message)
                less = without(sent, lacking)
                if less == sent or any(name not in less for name in _NEEDED):
                    raise
                sent, whole = less, without(whole, frozenset(path for path in lacking if len(path) == 1))
                lacks |= lacking
            except LookAgain:
                # The watch may be late, or silent: the next look is to see what this one did not.
                await self._read(key)
                raise
            else:
                self._cache.wrote(HARDENED_SERVICE, live)
                return Told(live, whole if whole != sent else None, lacks)

    async def _see_whether_it_is_gone(self, key: Key, body: Body) -> None:
        """A service that nobody told us is gone would get its children anew as often as the garbage collector removes them."""
        try:
            await self._api.get(HARDENED_SERVICE, key.namespace, key.name)
        except Vanished:
            self._cache.deleted(HARDENED_SERVICE, key.namespace, key.name, body["metadata"]["uid"])

    async def _read(self, key: Key) -> Body:
        """The service as it is now, which the next look sees too."""
        fresh = await self._api.get(HARDENED_SERVICE, key.namespace, key.name)
        self._cache.wrote(HARDENED_SERVICE, fresh)
        return fresh

    # ---- actions

    async def answer_all(self, namespace: str, found: Iterable[ActionReply]) -> None:
        """To actions, once status says the same. One that may not be answered keeps no other one waiting.

        Raises the first refusal once all have had their turn.
        """
        refused: Refused | None = None
        for answer in found:
            try:
                await self.answer(namespace, answer)
            except Refused as error:
                refused = refused or error
        if refused:
            raise refused

    async def answer(self, namespace: str, answer: ActionReply) -> None:
        """Writes on one action what became of it.

        Raises Vanished or LookAgain where it is gone, or not as it was decided on. A single reply may be wrong, and no action may be read
        by its name: it is tried again until the watch tells what is so.
        """
        with _noted(f"answer {HARDENED_SERVICE_ACTION} {answer.name}"):
            await self._answer(HARDENED_SERVICE_ACTION, namespace, answer)

    async def _answer(self, kind: Kind, namespace: str, answer: ActionReply) -> None:
        meta, version = {"name": answer.name, "namespace": namespace}, answer.resource_version
        manifest: Body = {"apiVersion": kind.api_version, "kind": kind.name}
        if answer.is_over:
            self._assert_leading()
            await self._api.delete(kind, namespace, answer.name, uid=answer.uid, resource_version=answer.resource_version)
            self._cache.deleted(kind, namespace, answer.name, answer.uid)
        if answer.owner:
            self._assert_leading()
            owned = manifest | {"metadata": meta | {"uid": answer.uid, "ownerReferences": [answer.owner]}}
            live = kind.named(await self._api.apply(kind, owned, force=True))
            self._cache.wrote(kind, live)
            version = live["metadata"]["resourceVersion"]
        if answer.status:
            self._assert_leading()
            # Its version, since the server does not look at the uid; see apply_status.
            told = manifest | {"metadata": meta | {"resourceVersion": version}, "status": answer.status}
            self._cache.wrote(kind, kind.named(await self._api.apply_status(kind, told)))

    def _assert_leading(self) -> None:
        if not self._may_write():
            raise LostLeadership


@contextlib.contextmanager
def _noted(doing: str) -> Iterator[None]:
    try:
        yield
    except ApiFailure as failure:
        failure.add_note(doing)
        raise


def _unseen(manifest: Body) -> Body:
    """The manifest with a precondition that only an object which is not there meets: the server asks for it of every other one."""
    return {**manifest, "metadata": {**manifest["metadata"], "resourceVersion": NO_VERSION}}

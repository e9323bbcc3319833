"""What somebody does between a look at a service and the write that follows from it."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.memory.api_server import Call, MemoryApiServer
from tests.memory.ownership import Manager
from tests.shell import virtual_time
from tests.shell.operator_world import Operator, OperatorWorld, create, retire_ports, service, today

from hardened.errors import ApiFailure, Refused, TryAgain, Vanished
from hardened.shell import reconciler, writer
from hardened.shell.kinds import CONTROLLER_REVISION, DEPLOYMENT, HARDENED_SERVICE, HARDENED_SERVICE_ACTION, SERVICE, Kind
from hardened.shell.workqueue import Key

pytestmark = pytest.mark.one_of(3)

#: How long after a change the watch tells of it: longer than a write and its reply take.
LAG = 0.02

Body = dict[str, Any]


class Lagging(Operator):
    """An operator whose watches are late."""

    def _seen(self, event: str, kind: Kind, obj: Body) -> None:
        asyncio.get_running_loop().call_later(LAG, super()._seen, event, kind, obj)


def play(world: OperatorWorld, scenario: Callable[[OperatorWorld], Awaitable[Any]], operator: type[Operator] = Lagging) -> None:
    """Runs the scenario beside one operator."""

    async def main() -> None:
        working = asyncio.create_task(operator(world.server).run())
        await scenario(world)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)

    virtual_time.run(main())


def once_before(world: OperatorWorld, verb: str, spec: Body) -> None:
    """Right before the operator's next call of this verb takes effect, somebody else patches the service."""
    person, done = world.server.outsider("kubectl"), []

    def before(call: Call) -> None:
        if call.verb == verb and not done:
            done.append(call)
            person.patch_now(HARDENED_SERVICE, "shop", "web", {"spec": spec})

    world.server.before = before


def image_of(world: OperatorWorld) -> str:
    (live,) = (found for found in world.server.all(DEPLOYMENT) if found["spec"]["replicas"])
    return str(live["spec"]["template"]["spec"]["containers"][0]["image"])


def test_an_edit_right_before_our_own_status_write_is_not_swallowed() -> None:
    async def scenario(world: OperatorWorld) -> None:
        await create(world)
        await world.until_quiet()
        once_before(world, "status", {"image": "web:3"})
        budget = {"availability": {"disruptionBudget": {"maxUnavailable": 2}}}
        await world.people.merge_patch(HARDENED_SERVICE, "shop", "web", {"spec": budget})
        await world.until_quiet()
        assert image_of(world) == "web:3"

    play(OperatorWorld(), scenario)


def restless(world: OperatorWorld, times: int) -> list[str]:
    """Right before each apply of a Deployment takes effect its controller writes its status, so many times. What was written by when."""
    controller, seen = Manager("kube-controller-manager", "Update", "status"), []

    def before(call: Call) -> None:
        if call.verb == "apply" and call.kind == DEPLOYMENT:
            seen.append(str(call.name))
            stored = world.server.store.get(DEPLOYMENT, "shop", str(call.name))
            if stored and len(seen) <= times:
                status = {**stored.body.get("status", {}), "collisionCount": len(seen)}
                world.server.store.update(DEPLOYMENT, {**stored.body, "status": status}, controller)

    world.server.before = before
    return seen


def test_a_size_is_written_in_one_look_though_pods_come_and_go_meanwhile(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(world: OperatorWorld) -> None:
        await create(world)
        await world.until_quiet()
        applied = restless(world, times=writer.MOST_IN_A_ROW - 1)
        caplog.clear()
        await world.people.merge_patch(HARDENED_SERVICE, "shop", "web", {"spec": {"replicas": 7}})
        await asyncio.sleep(2 * LAG)
        assert [live["spec"]["replicas"] for live in world.server.all(DEPLOYMENT)] == [7]
        assert len(applied) == writer.MOST_IN_A_ROW
        assert "again in" not in caplog.text

    with caplog.at_level("INFO"):
        play(OperatorWorld(), scenario)


def test_a_status_that_never_rests_is_left_for_the_next_look() -> None:
    async def scenario(world: OperatorWorld) -> None:
        await create(world)
        await world.until_quiet()
        restless(world, times=3 * writer.MOST_IN_A_ROW)
        await world.people.merge_patch(HARDENED_SERVICE, "shop", "web", {"spec": {"replicas": 7}})
        await asyncio.sleep(2)
        assert [live["spec"]["replicas"] for live in world.server.all(DEPLOYMENT)] == [7]

    play(OperatorWorld(), scenario)


def test_what_is_said_of_a_deleted_service_is_not_said_of_the_one_that_took_its_name() -> None:
    async def scenario(world: OperatorWorld) -> None:
        await create(world)
        await world.until_quiet()
        (old,) = world.server.all(HARDENED_SERVICE)
        store, done = world.server.store, []

        def made_anew(call: Call) -> None:
            if call.verb == "status" and not done:
                done.append(call)
                store.remove(HARDENED_SERVICE, "shop", "web")
                world.server.collect_garbage()
                store.create(HARDENED_SERVICE, service(image="web:9", replicas=1), Manager("kubectl", "Update"))

        world.server.before = made_anew
        await world.people.merge_patch(HARDENED_SERVICE, "shop", "web", {"spec": {"image": "web:2"}})
        await asyncio.sleep(30)
        (new,) = world.server.all(HARDENED_SERVICE)
        assert done
        assert new["metadata"]["uid"] != old["metadata"]["uid"]
        assert [entry["image"] for entry in new["status"]["history"]] == ["web:9"]

    play(OperatorWorld(), scenario)


def test_replicas_that_somebody_sets_right_before_they_are_seeded_stay() -> None:
    async def scenario(world: OperatorWorld) -> None:
        once_before(world, "scale", {"replicas": 7})
        await create(world)
        await asyncio.sleep(30)
        assert world.server.all(HARDENED_SERVICE)[0]["spec"]["replicas"] == 7

    play(OperatorWorld(), scenario)


def test_what_an_admission_webhook_changes_is_told_and_not_written_again_and_again() -> None:
    world = OperatorWorld()
    given = world.server.store.defaults["Deployment"]

    def mirrored(body: Body) -> None:
        given(body)
        for container in body["spec"]["template"]["spec"]["containers"]:
            container["image"] = f"mirror.example/{container['image'].removeprefix('mirror.example/')}"

    async def scenario(world: OperatorWorld) -> None:
        world.server.store.defaults = {**world.server.store.defaults, "Deployment": mirrored}
        await world.people.create(HARDENED_SERVICE, service(replicas=2))
        await world.until_quiet()
        before = len(world.server.writes)
        await asyncio.sleep(600)
        assert len(world.server.writes) - before <= 3, "one attempt for each resync, of which there is one every 270 to 330 s"
        (live,) = world.server.all(HARDENED_SERVICE)
        drifted = next(c for c in live["status"]["conditions"] if c["type"] == "Drifted")
        assert (drifted["status"], drifted["reason"]) == ("True", "Contested")
        assert "image" in drifted["message"]

    play(world, scenario)


def test_a_child_is_made_soon_after_a_foreign_object_of_its_name_is_gone() -> None:
    foreign = {"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "shop", "name": "web"}, "spec": {"ports": [{"port": 1}]}}

    async def scenario(world: OperatorWorld) -> None:
        made = await world.people.create(SERVICE, foreign)
        await create(world)
        await world.until_quiet()
        await world.people.delete(SERVICE, "shop", "web", uid=made["metadata"]["uid"])
        await asyncio.sleep(25)
        assert [live["spec"]["ports"][0]["port"] for live in world.server.all(SERVICE)] == [80]

    play(OperatorWorld(), scenario)


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(Refused("forbidden", status=403, reason="Forbidden"), id="refused"),
        pytest.param(TryAgain("list: the reply is not a JSON object", status=200), id="unreadable"),
        pytest.param(TryAgain("list: no usable reply (TimeoutError)"), id="no reply"),
    ],
)
def test_a_namespace_that_cannot_be_listed_does_not_hold_up_the_others_and_is_worked_on_once_it_can(failure: ApiFailure) -> None:
    async def scenario() -> None:
        server = MemoryApiServer(["gone", "shop"], today=today)
        people = server.outsider("kubectl")
        for namespace in ("gone", "shop"):
            body = service()
            await people.create(HARDENED_SERVICE, body | {"metadata": {**body["metadata"], "namespace": namespace}})

        def fail(call: Call) -> None:
            # A list of one kind is enough: half a namespace is none.
            if call.verb == "list" and call.namespace == "gone" and call.kind == DEPLOYMENT:
                raise failure

        server.before = fail
        running = asyncio.create_task(Operator(server, namespaces=("gone", "shop")).run())
        await asyncio.sleep(5)
        assert {live["metadata"]["namespace"] for live in server.all(DEPLOYMENT)} == {"shop"}
        server.before = None
        await asyncio.sleep(20)
        assert {live["metadata"]["namespace"] for live in server.all(DEPLOYMENT)} == {"gone", "shop"}
        running.cancel()
        await asyncio.wait([running])

    virtual_time.run(scenario())


@pytest.mark.parametrize("failure", [Vanished("no such kind", status=404), Refused("forbidden", status=403)], ids=["no CRD", "no right"])
def test_without_the_kind_of_actions_everything_else_is_worked_on(failure: ApiFailure) -> None:
    async def scenario(world: OperatorWorld) -> None:
        def lack(call: Call) -> None:
            if call.kind == HARDENED_SERVICE_ACTION:
                raise failure

        world.server.before = lack
        await create(world)
        await world.until_quiet()
        assert image_of(world) == "web:1"

    play(OperatorWorld(), scenario)


def test_a_deletion_that_was_wrongly_said_to_be_done_is_made_up_for() -> None:
    world, struck = OperatorWorld(), []

    def lie(call: Call) -> None:
        if call.verb == "delete" and call.kind == SERVICE and not struck:
            struck.append(call)
            raise Vanished("not found", status=404, reason="NotFound")

    async def scenario(world: OperatorWorld) -> None:
        await create(world)
        await world.until_quiet()
        world.server.before = lie
        await retire_ports(world)
        await world.until_quiet()
        assert struck
        assert world.server.all(SERVICE) == []

    play(world, scenario)


def test_a_namespace_that_cannot_be_listed_as_a_leader_begins_is_worked_on_soon_after() -> None:
    async def scenario() -> None:
        server = MemoryApiServer(["gone", "shop"], today=today)
        operator = Operator(server, namespaces=("gone", "shop"))
        running = asyncio.create_task(operator.run())
        await asyncio.sleep(60)

        def fail(call: Call) -> None:
            if call.verb == "list" and call.namespace == "gone":
                raise TryAgain("the server is busy", status=503)

        server.before = fail
        await operator.sync.services()
        server.before = None
        assert not operator.sync.is_known("gone")
        await asyncio.sleep(10)
        assert operator.sync.is_known("gone")
        running.cancel()
        await asyncio.wait([running])

    virtual_time.run(scenario())


def test_a_revision_that_somebody_touches_while_it_is_read_is_read_again() -> None:
    world, seen, touched = OperatorWorld(), [], []

    def touch(call: Call) -> None:
        if call.verb == "get" and call.kind == CONTROLLER_REVISION and len(touched) < 2:
            touched.append(call)
            world.people.patch_now(CONTROLLER_REVISION, "shop", str(call.name), {"metadata": {"annotations": {"x": str(len(touched))}}})

    async def scenario(world: OperatorWorld) -> None:
        await create(world)
        await world.until_quiet()
        cache, (live,) = world.operators[-1].cache, world.server.all(CONTROLLER_REVISION)
        children = cache.children

        def looked(namespace: str, service: str) -> tuple[Any, ...]:
            seen.append(bool(cache.lacking(Key(namespace, service))))
            return children(namespace, service)

        cache.children = looked  # type: ignore[method-assign]
        world.server.after = touch
        world.people.patch_now(CONTROLLER_REVISION, "shop", live["metadata"]["name"], {"metadata": {"annotations": {"x": "0"}}})

    virtual_time.run(world.play(scenario))
    assert len(touched) == 2
    assert seen
    assert not any(seen)


def test_services_with_much_are_looked_at_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciler, "HEAVY", 0)
    monkeypatch.setattr(reconciler, "MOST_AT_ONCE", 1)
    looks, at_once, together = Counter[str](), list[Key](), list[int]()
    look = reconciler.Reconciler._look

    async def counted(self: Any, key: Key) -> None:
        looks[key.name] += 1
        at_once.append(key)
        together.append(len(at_once) if self._cache.size(key) else 1)
        try:
            await look(self, key)
        finally:
            at_once.remove(key)

    monkeypatch.setattr(reconciler.Reconciler, "_look", counted)

    async def scenario(world: OperatorWorld) -> None:
        for name in "abcdef":
            await world.people.create(HARDENED_SERVICE, service() | {"metadata": {"name": name, "namespace": "shop"}})
        await world.until_quiet()
        looks.clear()
        together.clear()
        for name in "abcdef":
            await world.people.merge_patch(HARDENED_SERVICE, "shop", name, {"spec": {"replicas": 3}})
        await world.until_quiet()
        assert looks.keys() == {*"abcdef"}
        assert looks.total() < 200
        assert {*together} == {1}
        assert {live["spec"]["replicas"] for live in world.server.all(DEPLOYMENT)} == {3}

    virtual_time.run(OperatorWorld().play(scenario))

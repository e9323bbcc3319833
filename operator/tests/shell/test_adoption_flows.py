"""A Service that was there before is taken over: killed at any write it ends the same, and at each moment somebody serves its clients."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.enumerations import Turn, turns
from tests.memory.api_server import Call
from tests.shell import virtual_time
from tests.shell.operator_world import POLICY, RELEASED, Killed, OperatorWorld, Strike, service

from hardened.shell.kinds import DEPLOYMENT, HARDENED_SERVICE, POD, SERVICE, Kind

Body = dict[str, Any]
Step = Callable[[OperatorWorld], Any]

SELECTOR = {"app": "web"}
PORT = {"name": "http", "port": 80, "targetPort": 3000, "protocol": "TCP", "nodePort": 30080}
SPEC = {**RELEASED, "service": {"type": "NodePort"}, "files": None}


def deployment(replicas: int = 2) -> Body:
    container = {"name": "web", "image": "old:1", "resources": {}}
    template = {"metadata": {"labels": dict(SELECTOR)}, "spec": {"containers": [container]}}
    meta = {"name": "web", "namespace": "shop"}
    spec = {"replicas": replicas, "selector": {"matchLabels": dict(SELECTOR)}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}


def old_service(**annotations: str) -> Body:
    labels = {"app.kubernetes.io/managed-by": "Helm", "app": "web"}
    meta = {"name": "web", "namespace": "shop", "annotations": annotations, "labels": labels}
    spec = {"type": "NodePort", "selector": dict(SELECTOR), "ports": [dict(PORT)], "externalTrafficPolicy": "Local"}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}


CONSENT = {"hardened.dev/adopt": "web"}


def before(replicas: int = 2, **annotations: str) -> Step:
    """What a team has in production."""

    async def make(world: OperatorWorld) -> None:
        await world.people.create(DEPLOYMENT, deployment(replicas))
        await world.people.create(SERVICE, old_service(**annotations))

    return make


async def unlabelled(world: OperatorWorld) -> None:
    await world.people.merge_patch(SERVICE, "shop", "web", {"metadata": {"labels": None}})


def hardened(image: str = "web:1", **spec: Any) -> Step:
    async def make(world: OperatorWorld) -> None:
        await world.people.create(HARDENED_SERVICE, service(**{**SPEC, "image": image, **spec}))

    return make


def changed(**spec: Any) -> Step:
    async def change(world: OperatorWorld) -> None:
        await world.people.merge_patch(HARDENED_SERVICE, "shop", "web", {"spec": spec})

    return change


def annotated(value: str | None) -> Step:
    async def annotate(world: OperatorWorld) -> None:
        await world.people.merge_patch(SERVICE, "shop", "web", {"metadata": {"annotations": {"hardened.dev/adopt": value}}})

    return annotate


async def scaled_down(world: OperatorWorld) -> None:
    await world.people.merge_patch(DEPLOYMENT, "shop", "web", {"spec": {"replicas": 0}})


class Team(OperatorWorld):
    """A cluster whose operator lets a Service have node ports."""

    def __init__(self) -> None:
        super().__init__()
        self.policy = replace(POLICY, service_types=frozenset({"NodePort"}))


class Clients:
    """Looks at each change: whether the Service leads to pods that are ready. wrongs: when it did not."""

    def __init__(self, world: OperatorWorld) -> None:
        self._world = world
        self.wrongs: list[str] = []
        self.led: list[str] = []
        world.server.on_event.append(self._saw)

    def _saw(self, event: str, kind: Kind, _: Body) -> None:
        found = [each for each in self._world.server.all(SERVICE) if each["metadata"]["name"] == "web"]
        if kind not in (SERVICE, DEPLOYMENT, POD) or not found:
            return
        selector = found[0]["spec"]["selector"]
        where = "old" if selector == SELECTOR else selector.get("hardened.dev/color", "nobody")
        if not self.led or self.led[-1] != where:
            self.led.append(where)
        serving = [
            each
            for each in self._world.server.all(DEPLOYMENT)
            if selector.items() <= each["spec"]["template"]["metadata"]["labels"].items() and each["spec"]["replicas"] >= 2
        ]
        is_made = kind != DEPLOYMENT or event != "ADDED"
        if not serving and is_made:
            self.wrongs.append(f"{event} {kind}: {selector} leads to nobody")


def live(world: OperatorWorld, kind: Kind, name: str = "web") -> Body:
    return next(each for each in world.server.all(kind) if each["metadata"]["name"] == name)


def ready(world: OperatorWorld) -> tuple[str, str]:
    found = next(each for each in live(world, HARDENED_SERVICE)["status"]["conditions"] if each["type"] == "Ready")
    return found["reason"], found["message"]


def played(*steps: Step) -> tuple[OperatorWorld, Clients]:
    async def play() -> tuple[OperatorWorld, Clients]:
        world = Team()
        clients = Clients(world)
        await world.play(*steps)
        return world, clients

    return virtual_time.run(play())


def is_untouched(world: OperatorWorld, **annotations: str) -> bool:
    found, made = live(world, SERVICE), old_service(**annotations)
    same = all(found["metadata"].get(each) == made["metadata"].get(each) for each in ("labels", "annotations"))
    is_theirs = not found["metadata"].get("ownerReferences")
    return same and is_theirs and made["spec"].items() <= found["spec"].items() and live(world, DEPLOYMENT)["spec"]["replicas"] == 2


def test_after_its_gate_the_new_version_serves_under_the_same_address_and_the_old_one_still_runs() -> None:
    world, clients = played(before(**CONSENT), hardened())
    found = live(world, SERVICE)
    assert clients.led == ["old", "blue"]
    assert clients.wrongs == []
    assert found["metadata"]["ownerReferences"][0]["kind"] == "HardenedService"
    port = {"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP", "nodePort": 30080}
    assert found["spec"]["ports"] == [port]
    assert found["spec"]["externalTrafficPolicy"] == "Local"
    assert live(world, DEPLOYMENT)["spec"]["replicas"] == 2
    assert ready(world)[0] == "Healthy"


def test_that_the_old_pods_still_run_is_told_with_the_command_until_they_are_gone() -> None:
    def drifted(world: OperatorWorld) -> Body:
        found: Body = next(each for each in live(world, HARDENED_SERVICE)["status"]["conditions"] if each["type"] == "Drifted")
        return found

    world, _ = played(before(**CONSENT), hardened())
    assert drifted(world)["reason"] == "FormerPods"
    assert "2 of ReplicaSet web-none" in drifted(world)["message"]
    assert drifted(world)["message"].endswith("kubectl scale replicaset/web-none -n shop --replicas=0")
    world, clients = played(before(**CONSENT), hardened(), scaled_down)
    assert drifted(world)["reason"] == "InStep"
    assert "hardened.dev/adopted-from" not in live(world, SERVICE)["metadata"]["annotations"]
    assert clients.wrongs == []


@pytest.mark.parametrize(
    ("annotations", "spec", "reason"),
    [
        pytest.param({}, {}, "NotOwned", id="nobody has consented"),
        pytest.param({"hardened.dev/adopt": "other"}, {}, "NotOwned", id="to another service"),
        pytest.param(CONSENT, {"service": {"type": "ClusterIP"}}, "NotOwned", id="its node ports would be lost"),
        pytest.param(CONSENT, {"replicas": 1}, "NotOwned", id="fewer pods would serve"),
        pytest.param(CONSENT, {"image": "dead:1"}, "Rejected", id="its pods do not come up"),
    ],
)
def test_what_goes_wrong_before_the_takeover_leaves_the_old_untouched(annotations: Body, spec: Body, reason: str) -> None:
    world, clients = played(before(**annotations), hardened(**{"image": "web:1", **spec}))
    assert is_untouched(world, **annotations)
    assert clients.led == ["old"]
    assert ready(world)[0] == reason
    # Those that were taken: that it was tried to make a Service of the name, where there is none, is not among them.
    assert [each for each in world.server.writes if each.kind in (SERVICE, DEPLOYMENT) and each.name == "web"] == []


def test_once_what_stands_in_the_way_is_gone_it_goes_on() -> None:
    world, clients = played(before(), hardened(), annotated("web"))
    assert (clients.led, clients.wrongs, ready(world)[0]) == (["old", "blue"], [], "Healthy")
    world, clients = played(before(3, **CONSENT), hardened(), changed(replicas=3))
    assert (clients.led, clients.wrongs, ready(world)[0]) == (["old", "blue"], [], "Healthy")


def test_a_version_that_fails_under_live_traffic_is_led_back_from_and_the_service_given_back() -> None:
    world, clients = played(before(**CONSENT), hardened("doomed:1"))
    assert clients.led == ["old", "blue", "old"]
    assert is_untouched(world, **CONSENT)
    assert ready(world)[0] == "RolledBack"
    assert ready(world)[1].endswith("Service web leads to what served before")
    assert live(world, DEPLOYMENT, "web-blue")["spec"]["replicas"] == 0
    world, clients = played(before(**CONSENT), hardened("doomed:1"), changed(image="web:2"))
    assert (clients.led, ready(world)[0]) == (["old", "blue", "old", "blue"], "Healthy")


def test_a_service_without_labels_of_its_own_is_given_back_as_well() -> None:
    world, _ = played(before(**CONSENT), unlabelled, hardened("doomed:1"))
    meta = live(world, SERVICE)["metadata"]
    assert (meta.get("labels") or {}, meta.get("ownerReferences") or []) == ({}, [])
    assert meta["annotations"] == CONSENT


def test_where_nothing_is_declared_it_is_watched_all_the_same_since_there_is_a_way_back() -> None:
    world, clients = played(before(**CONSENT), hardened(verify=None))
    assert (clients.led, ready(world)[0]) == (["old", "blue"], "Healthy")
    assert live(world, HARDENED_SERVICE)["status"]["proof"]["cutover"]["failed"] == 0


def test_a_service_that_was_given_back_outlives_the_one_that_had_it() -> None:
    async def deleted(world: OperatorWorld) -> None:
        found = await world.people.get(HARDENED_SERVICE, "shop", "web")
        await world.people.delete(HARDENED_SERVICE, "shop", "web", uid=found["metadata"]["uid"])

    world, clients = played(before(**CONSENT), hardened("doomed:1"), deleted)
    assert is_untouched(world, **CONSENT)
    assert clients.led == ["old", "blue", "old"]


def at(nth: int, step: Step) -> Callable[[OperatorWorld], Any]:
    """A hook that does something in the middle: right before the operator's n-th write."""
    left = [nth]

    def set_up(world: OperatorWorld) -> Callable[[Call], None]:
        def strike(call: Call) -> None:
            if call.is_write:
                left[0] -= 1
                if left[0] == 0:
                    step(world)

        return strike

    return set_up


def withdraws(world: OperatorWorld) -> None:
    found = live(world, SERVICE)
    if not found["metadata"].get("ownerReferences"):
        world.people.patch_now(SERVICE, "shop", "web", {"metadata": {"annotations": {"hardened.dev/adopt": None}}})


def deletes(world: OperatorWorld) -> None:
    if any(each["metadata"]["name"] == "web" for each in world.server.all(SERVICE)):
        world.server.store.remove(SERVICE, "shop", "web")


def struck(world: OperatorWorld, hook: Callable[[Call], None]) -> Step:
    async def make(_: OperatorWorld) -> None:
        world.server.before = hook
        await hardened()(world)

    return make


WRITES = 40


@pytest.mark.parametrize("turn", turns(2))
def test_consent_that_is_withdrawn_midway_counts_at_each_write(turn: Turn) -> None:
    async def play(nth: int) -> None:
        world = Team()
        clients = Clients(world)
        await world.play(before(**CONSENT))
        await world.play(struck(world, at(nth, withdraws)(world)))
        is_led = clients.led == ["old", "blue"]
        assert clients.wrongs == [], nth
        assert ready(world)[0] == ("Healthy" if is_led else "NotOwned"), nth
        assert is_led or is_untouched(world), nth

    for nth in turn.of(range(1, WRITES)):
        virtual_time.run(play(nth))


@pytest.mark.parametrize("turn", turns(2))
def test_where_the_service_is_deleted_midway_the_release_makes_its_own(turn: Turn) -> None:
    async def play(nth: int) -> None:
        world = Team()
        await world.play(before(**CONSENT))
        clients = Clients(world)
        await world.play(struck(world, at(nth, deletes)(world)))
        # While it is watched under live traffic that is a change of where traffic leads, as in any release.
        is_watched = ready(world)[0] == "RolledBack" and clients.led == ["old", "blue", "nobody"]
        assert is_watched or ready(world)[0] == "Healthy", nth
        assert is_watched or live(world, SERVICE)["spec"]["selector"]["hardened.dev/color"] == "blue", nth
        assert live(world, DEPLOYMENT)["spec"]["replicas"] == 2, nth

    for nth in turn.of(range(1, WRITES)):
        virtual_time.run(play(nth))


def stable(world: OperatorWorld) -> Body:
    return {name: state for name, state in world.state().items() if "HardenedServiceAction" not in name}


@pytest.mark.parametrize("is_after", [False, True], ids=["before it took effect", "after it took effect"])
@pytest.mark.parametrize("image", ["web:1", "doomed:1", "dead:1"])
@pytest.mark.parametrize("turn", turns(2))
def test_killed_at_any_write_of_a_takeover_it_ends_the_same(turn: Turn, image: str, is_after: bool) -> None:
    clean, watched = played(before(**CONSENT), hardened(image))
    assert len(clean.server.writes) < 90

    async def play(nth: int) -> None:
        world = Team()
        clients = Clients(world)
        await world.play(before(**CONSENT))
        strike = Strike(nth, Killed)
        if is_after:
            world.server.after = strike
        else:
            world.server.before = strike
        await world.play(hardened(image))
        assert strike.has_struck == (world.kills == 1)
        assert clients.wrongs == watched.wrongs, nth
        assert clients.led == watched.led, nth
        assert stable(world) == stable(clean), nth

    for nth in turn.of(range(1, len(clean.server.writes) + 1)):
        virtual_time.run(play(nth))

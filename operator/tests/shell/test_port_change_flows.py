"""A worker gets its first ports, and a service loses them, over the in-memory cluster in virtual time."""

import asyncio
from typing import Any

import pytest
from tests.shell import virtual_time
from tests.shell.operator_world import RELEASED, OperatorWorld, service

from hardened.api.names import REVISION_LABEL
from hardened.core.desired.service import NOBODY
from hardened.shell.kinds import DEPLOYMENT, HARDENED_SERVICE, SERVICE, Kind

pytestmark = pytest.mark.one_of(3)

Body = dict[str, Any]
PORTS = [{"name": "http", "containerPort": 8080, "port": 80}]
#: As RELEASED, without saying by which strategy.
SPEC = {**RELEASED, "release": {"progressDeadline": "10s", "keepPrevious": "30s"}}


class Clients:
    """Looks at every change of the switch Service. led: the images that it has led to, "" for nobody; gone: it is not there."""

    def __init__(self, world: OperatorWorld) -> None:
        self._world = world
        self.led: list[str] = []
        world.server.on_event.append(self._saw)

    def _saw(self, event: str, kind: Kind, obj: Body) -> None:
        if kind not in (SERVICE, DEPLOYMENT):
            return
        if kind == SERVICE and event == "DELETED" and obj["metadata"]["name"] == "web":
            self.led.append("gone")
        for switch in self._world.server.all(SERVICE):
            if switch["metadata"]["name"] == "web" and event != "DELETED":
                led = self._led(switch["spec"]["selector"])
                if led != (self.led or [None])[-1]:
                    self.led.append(led)

    def _led(self, selector: Body) -> str:
        if selector.get(REVISION_LABEL) == NOBODY:
            return ""
        found = [d for d in self._world.server.all(DEPLOYMENT) if selector.items() <= d["spec"]["template"]["metadata"]["labels"].items()]
        return ",".join(f"{d['spec']['template']['spec']['containers'][0]['image']}" for d in found if d["spec"]["replicas"])


def edited(**spec: Any) -> Any:
    async def edit(world: OperatorWorld) -> None:
        await world.people.merge_patch(HARDENED_SERVICE, "shop", "web", {"spec": spec})

    return edit


def created(**spec: Any) -> Any:
    async def create(world: OperatorWorld) -> None:
        await world.people.create(HARDENED_SERVICE, service(**{**SPEC, **spec}))

    return create


def played(*steps: Any) -> tuple[OperatorWorld, list[Body], list[str]]:
    """The world after these steps, the status of the service after each, and where clients were led."""

    async def play() -> tuple[OperatorWorld, list[Body], list[str]]:
        world, found = OperatorWorld(), []
        clients = Clients(world)
        for step in steps:
            await world.play(step)
            found.append(world.server.all(HARDENED_SERVICE)[0]["status"])
        return world, found, clients.led

    return virtual_time.run(play())


def running(world: OperatorWorld) -> list[tuple[str, str]]:
    return [
        (d["metadata"]["name"], d["spec"]["template"]["spec"]["containers"][0]["image"])
        for d in world.server.all(DEPLOYMENT)
        if d["spec"]["replicas"]
    ]


def services(world: OperatorWorld) -> set[str]:
    return {s["metadata"]["name"] for s in world.server.all(SERVICE)}


@pytest.mark.parametrize("strategy", [None, "RollingUpdate", "Recreate"])
def test_first_ports_are_released_as_a_first_release(strategy: str | None) -> None:
    release = {"release": {**SPEC["release"], **({"strategy": strategy} if strategy else {})}}
    world, found, led = played(created(ports=None, **release), edited(ports=PORTS, image="web:2"))
    assert [status["phase"] for status in found] == ["Healthy", "Healthy"]
    assert [image for _, image in running(world)] == ["web:2"]
    # Nobody is led to what has not passed.
    assert led in (["", "web:2"], ["web:2"])
    assert services(world) == {"web"}


def test_first_ports_that_fail_lead_to_nobody_and_the_worker_works_on() -> None:
    world, found, led = played(created(ports=None), edited(ports=PORTS, image="dead:1"), edited(ports=None, image="web:1"))
    assert [status["phase"] for status in found] == ["Healthy", "Rejected", "Healthy"]
    assert [image for _, image in running(world)] == ["web:1"]
    assert [each for each in led if each not in ("", "gone")] == []
    assert services(world) == set()


@pytest.mark.parametrize("step", ["Cutover", "VerifyAfter", "SwitchBack"])
def test_first_ports_that_the_spec_loses_again_in_mid_release_go_and_the_release_ends(step: str) -> None:
    async def changes_its_mind(world: OperatorWorld) -> None:
        await edited(ports=PORTS, image="doomed:1" if step == "SwitchBack" else "web:2")(world)
        while (world.server.all(HARDENED_SERVICE)[0]["status"].get("release") or {}).get("step") != step:
            await asyncio.sleep(0.1)
            world.server.settle()
        await edited(ports=None, image="web:1")(world)

    world, found, _ = played(created(ports=None), changes_its_mind)
    assert (found[-1]["phase"], found[-1].get("release"), services(world)) == ("Healthy", None, set())
    assert [image for _, image in running(world)] == ["web:1"]


@pytest.mark.parametrize("strategy", [None, "RollingUpdate", "Recreate"])
def test_ports_that_are_removed_stay_until_what_has_none_is_promoted(strategy: str | None) -> None:
    release = {"release": {**SPEC["release"], **({"strategy": strategy} if strategy else {})}}
    world, found, led = played(created(**release), edited(ports=None, image="web:2"))
    assert [status["phase"] for status in found] == ["Healthy", "Healthy"]
    assert [image for _, image in running(world)] == ["web:2"]
    assert services(world) == set()
    assert led[-1] == "gone"


def test_ports_that_are_removed_with_what_fails_lead_to_what_served() -> None:
    world, found, led = played(created(), edited(ports=None, image="dead:1"))
    assert [status["phase"] for status in found] == ["Healthy", "RolledBack"]
    assert [image for _, image in running(world)] == ["web:1"]
    assert "gone" not in led
    (switch,) = (s for s in world.server.all(SERVICE) if s["metadata"]["name"] == "web")
    assert [port["port"] for port in switch["spec"]["ports"]] == [80]
    assert led[-1] == "web:1"
    world, found, led = played(created(), edited(ports=None, image="dead:1"), edited(ports=PORTS, image="web:3"))
    assert (found[-1]["phase"], found[-1]["serving"]["image"], led[-1]) == ("Healthy", "web:3", "web:3")

"""A service that is scaled by its load, over the in-memory cluster with its autoscaler: nobody undoes what it does, and it scales nothing
that is suspended."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from tests.enumerations import Turn, turns
from tests.shell.moments import PlayedFlow, after, played
from tests.shell.operator_world import RELEASED, OperatorWorld, service

from hardened.shell.kinds import CUSTOM_RESOURCE_DEFINITION, DEPLOYMENT, HARDENED_SERVICE, HORIZONTAL_POD_AUTOSCALER, SERVICE

pytestmark = pytest.mark.one_of(3)

Body = dict[str, Any]
Act = Callable[[OperatorWorld], Any]
AUTOSCALE = {"minReplicas": 2, "maxReplicas": 6, "cpu": 70}
SCALED = {**RELEASED, "replicas": None, "autoscale": AUTOSCALE}


async def create(world: OperatorWorld) -> None:
    """A team makes a service, and leaves its size to the autoscaler."""
    await world.people.create(HARDENED_SERVICE, service(**SCALED))


def load(size: int) -> Act:
    """The load asks for this size."""

    async def asks(world: OperatorWorld) -> None:
        world.server.store.demand["shop", "web"] = size

    return asks


def patch(**spec: Any) -> Act:
    """A change of the spec."""

    async def edit(world: OperatorWorld) -> None:
        await world.people.merge_patch(HARDENED_SERVICE, "shop", "web", {"spec": spec})

    return edit


def new_version(image: str) -> Act:
    """The spec that Git has, but for the image: it says nothing of the size."""
    return patch(image=image)


def sizes(world: OperatorWorld) -> dict[str, int]:
    """The replicas of the service, and of each colour that has any."""
    found = {f"{d['metadata']['name']}": d["spec"]["replicas"] for d in world.server.all(DEPLOYMENT) if d["spec"]["replicas"]}
    return found | {"spec": world.server.all(HARDENED_SERVICE)[0]["spec"]["replicas"]}


def told(world: OperatorWorld) -> Body:
    found: Body = world.server.all(HARDENED_SERVICE)[0]["status"]["autoscale"]
    return found


FLOW = (create, load(5), new_version("web:2"), load(3), new_version("dead:1"), patch(suspend=True), load(6), patch(suspend=None))
#: The size, and why it does not change, after each step.
ENDS = [(2, "Active"), (5, "Active"), (5, "Active"), (3, "Active"), (3, "Active"), (3, "Suspended"), (3, "Suspended"), (6, "Active")]


@cache
def clean() -> PlayedFlow:
    """The flow without a fault, played once."""

    def check(world: OperatorWorld, step: int) -> None:
        size, reason = ENDS[step]
        assert (sizes(world)["spec"], told(world)["reason"]) == (size, reason)
        assert set(sizes(world).values()) == {size}

    return played(FLOW, check)


def test_the_size_is_what_the_load_asks_for_whatever_is_released_and_stays_while_suspended() -> None:
    clean()


@pytest.mark.parametrize("turn", turns(1))
def test_killed_at_any_write_it_comes_to_the_same_end(turn: Turn) -> None:
    for nth in turn.of(range(1, clean().writes[-1] + 1)):
        clean().kill_after(nth)


CHECKED = {"beforeCutover": [{"name": "smoke", "tcp": {}}], "afterCutover": {"window": "2s"}}


@pytest.mark.parametrize("size", [6, 2])
@pytest.mark.parametrize("step", ["Preview", "ScaleUp", "VerifyAfter", "Keep"])
def test_what_it_does_in_a_release_goes_for_both_stacks_and_the_release_goes_on(step: str, size: int) -> None:
    async def play(world: OperatorWorld) -> None:
        world.server.store.pace = 1
        seen: list[str] = []
        least: list[int] = []

        def look(event: str, kind: Any, obj: Body) -> None:
            if kind == HARDENED_SERVICE and ((obj.get("status") or {}).get("release") or {}).get("step") == step and not seen:
                seen.append(step)
                world.server.store.demand["shop", "web"] = size
            selector = next((s["spec"]["selector"] for s in world.server.all(SERVICE) if s["metadata"]["name"] == "web"), {})
            serving = [d for d in world.server.all(DEPLOYMENT) if selector.items() <= d["spec"]["template"]["metadata"]["labels"].items()]
            least.extend(d["status"].get("availableReplicas", 0) for d in serving if "status" in d)

        world.server.on_event.append(look)
        await world.play(patch(image="web:2", verify=CHECKED))
        assert seen == [step]
        assert sizes(world) == {"web-green": size, "spec": size}
        assert min(least) >= min(4, size), "clients are never led to fewer pods than serve, but for what the load asks for"
        status = world.server.all(HARDENED_SERVICE)[0]["status"]
        assert (status["phase"], status["serving"]["color"]) == ("Healthy", "green")

    after(create, load(4)).run(play)


def test_without_a_word_of_it_it_goes_and_the_size_stays() -> None:
    async def play(world: OperatorWorld) -> None:
        await world.play(patch(autoscale=None), load(2))
        assert world.server.all(HORIZONTAL_POD_AUTOSCALER) == []
        assert sizes(world) == {"web-blue": 5, "spec": 5}

    after(create, load(5)).run(play)


def test_what_is_measured_costs_no_write_and_no_look() -> None:
    async def measure(world: OperatorWorld) -> None:
        calls = len(world.server.calls)
        for percent in (10, 40, 69):
            hpa = world.server.all(HORIZONTAL_POD_AUTOSCALER)[0]
            metrics = [{"type": "ContainerResource", "containerResource": {"current": {"averageUtilization": percent}}}]
            await world.people.replace_status(HORIZONTAL_POD_AUTOSCALER, "shop", "web", {**hpa["status"], "currentMetrics": metrics})
        await world.until_quiet()
        # What is listed, and the age of the CRD, are asked for by time.
        asked = [call for call in world.server.calls[calls:] if call.verb != "list" and call.kind != CUSTOM_RESOURCE_DEFINITION]
        assert asked == []

    after(create, load(4)).run(lambda world: world.play(measure))


@pytest.mark.parametrize("manager", ["git", "kubectl"])
def test_who_sets_the_size_beside_it_is_named_for_as_long_as_that_is_so(manager: str) -> None:
    async def play(world: OperatorWorld) -> None:
        async def sets_it(world: OperatorWorld) -> None:
            await world.server.outsider(manager).merge_patch(HARDENED_SERVICE, "shop", "web", {"spec": {"replicas": 3}})

        def gaps() -> str:
            conditions = world.server.all(HARDENED_SERVICE)[0]["status"]["conditions"]
            return str(next(c["message"] for c in conditions if c["type"] == "Hardened"))

        assert "beside autoscale" not in gaps(), "what the operator and the autoscaler set through /scale is nobody's fault"
        del world.server.store.demand["shop", "web"]
        await world.play(sets_it)
        assert f"replicas is set by {manager} beside autoscale" in gaps()
        await world.play(load(4))
        assert "beside autoscale" not in gaps()

    after(create, load(5)).run(play)

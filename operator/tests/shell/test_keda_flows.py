"""A service that KEDA scales, over the in-memory cluster with KEDA: there are never two autoscalers, and one of them comes to be."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from tests.enumerations import Turn, turns
from tests.memory import keda
from tests.shell import virtual_time
from tests.shell.moments import PlayedFlow, after, played
from tests.shell.operator_world import POLICY, RELEASED, OperatorWorld, service
from tests.shell.test_autoscale_flows import load, new_version, patch, sizes, told

from hardened.shell.kinds import CUSTOM_RESOURCE_DEFINITION, HARDENED_SERVICE, HORIZONTAL_POD_AUTOSCALER, SCALED_OBJECT, Kind

pytestmark = pytest.mark.one_of(3)

Body = dict[str, Any]
CPU = {"minReplicas": 2, "maxReplicas": 6, "cpu": 70}
QUERY = {"query": "sum(rate(requests[1m]))", "target": 100}
BOTH = {**CPU, "prometheus": [QUERY]}


def begins(autoscale: Body, how: str = "Works", prometheus: str = "http://prometheus:9090") -> Callable[[OperatorWorld], Any]:
    """A cluster with KEDA, and a service. how: see Store.keda."""

    async def create(world: OperatorWorld) -> None:
        world.server.store.keda = how
        world.policy = replace(POLICY, prometheus_url=prometheus)
        world.server.on_event.append(Alone(world))
        await world.people.create(HARDENED_SERVICE, service(**{**RELEASED, "replicas": None, "autoscale": autoscale}))

    return create


class Alone:
    """Fails where two autoscalers are there at a time."""

    def __init__(self, world: OperatorWorld) -> None:
        self._store = world.server.store

    def __call__(self, event: str, kind: Kind, obj: Body) -> None:
        hpas = [each["metadata"]["name"] for each in self._store.bodies(HORIZONTAL_POD_AUTOSCALER, None)]
        objects = [each["metadata"]["name"] for each in self._store.bodies(SCALED_OBJECT, None)]
        assert len(hpas) <= 1, f"two autoscalers: {hpas}"
        assert not ("web" in hpas and objects), "one of ours beside a ScaledObject"


def scalers(world: OperatorWorld) -> set[str]:
    """What scales the service, or is to."""
    found = [*world.server.all(HORIZONTAL_POD_AUTOSCALER), *world.server.all(SCALED_OBJECT)]
    return {f"{each['kind']} {each['metadata']['name']}" for each in found}


def works(how: str) -> Callable[[OperatorWorld], Any]:
    async def sets(world: OperatorWorld) -> None:
        world.server.store.keda = how

    return sets


async def wait(world: OperatorWorld) -> None:
    """Long enough for what nobody tells of to be looked at."""
    await asyncio.sleep(400)


OURS, KEDAS = {"HorizontalPodAutoscaler web"}, {"ScaledObject web", "HorizontalPodAutoscaler keda-hpa-web"}
PAUSED = {"ScaledObject web"}
FLOW = (
    begins(CPU), patch(autoscale=BOTH), load(5), new_version("web:2"), patch(suspend=True), load(3), patch(suspend=None),
    patch(autoscale={**CPU, "prometheus": None}), load(4), patch(autoscale=BOTH), patch(autoscale=None), load(2),
)  # fmt: skip
ENDS: list[tuple[int, str, set[str]]] = [
    (2, "Active", OURS), (2, "Active", KEDAS), (5, "Active", KEDAS), (5, "Active", KEDAS), (5, "Suspended", PAUSED),
    (5, "Suspended", PAUSED), (3, "Active", KEDAS), (3, "Active", OURS), (4, "Active", OURS), (4, "Active", KEDAS), (4, "", set()),
    (4, "", set()),
]  # fmt: skip


def reason(world: OperatorWorld) -> str:
    return str((world.server.all(HARDENED_SERVICE)[0]["status"].get("autoscale") or {}).get("reason", ""))


@cache
def clean() -> PlayedFlow:
    """The flow without a fault, played once."""

    def check(world: OperatorWorld, step: int) -> None:
        assert (sizes(world)["spec"], reason(world), scalers(world)) == ENDS[step]
        assert set(sizes(world).values()) == {ENDS[step][0]}

    return played(FLOW, check)


def test_the_one_goes_before_the_other_comes_there_and_back() -> None:
    clean()


@pytest.mark.parametrize("turn", turns(1))
def test_killed_at_any_write_it_comes_to_the_same_end(turn: Turn) -> None:
    for nth in turn.of(range(1, clean().writes[-1] + 1)):
        clean().kill_after(nth)


# ---- without KEDA, or half of it


def words(world: OperatorWorld) -> tuple[str, str]:
    found = told(world)
    return found["reason"], found.get("message", "")


@pytest.mark.parametrize(
    ("autoscale", "how", "prometheus", "expected", "ends"),
    [
        pytest.param(BOTH, "", "http://prometheus:9090", ("NoKEDA", "until then only cpu and memory count"), OURS, id="no KEDA"),
        pytest.param(
            {**BOTH, "cpu": None}, "", "http://prometheus:9090", ("NoKEDA", "until then nothing scales"), set(), id="no KEDA, and no CPU"
        ),
        pytest.param(BOTH, "Works", "", ("NoPrometheus", "set prometheus.url"), OURS, id="nobody to ask"),
    ],
)
def test_what_is_missing_is_told_and_the_other_metrics_scale(
    autoscale: Body, how: str, prometheus: str, expected: tuple[str, str], ends: set[str]
) -> None:
    async def play() -> None:
        world = OperatorWorld()
        await world.play(begins(autoscale, how, prometheus), load(5))
        assert scalers(world) == ends
        assert sizes(world)["spec"] == (5 if ends else 2)
        assert (words(world)[0], expected[1] in words(world)[1]) == (expected[0], True)
        status = world.server.all(HARDENED_SERVICE)[0]["status"]
        assert status["phase"] == "Healthy", "nothing else waits for it"

    virtual_time.run(play())


def test_keda_that_comes_later_is_seen_and_one_that_goes_is_done_without() -> None:
    async def uninstall(world: OperatorWorld) -> None:
        keda.uninstall(world.server.store)
        await wait(world)

    async def play(world: OperatorWorld) -> None:
        assert scalers(world) == OURS
        await world.play(works("Works"), wait, load(5))
        assert (scalers(world), sizes(world)["spec"], reason(world)) == (KEDAS, 5, "Active")
        await world.play(uninstall, load(3))
        assert (scalers(world), sizes(world)["spec"], reason(world)) == (OURS, 3, "NoKEDA")

    after(begins(BOTH, ""), load(4)).run(play)


@pytest.mark.parametrize("autoscale", [{**BOTH, "prometheus": None}, None])
def test_a_keda_that_is_away_holds_its_own_and_ours_waits_for_that(autoscale: Body | None) -> None:
    async def play(world: OperatorWorld) -> None:
        await world.play(works("Kinds"), patch(autoscale=autoscale), wait)
        assert scalers(world) == KEDAS
        assert words(world)[0] == ("Switching" if autoscale else "Leaving")
        assert "kubectl patch scaledobject web -n shop" in words(world)[1], "the remedy, where KEDA is gone"
        await world.play(works("Works"), wait, load(3))
        assert scalers(world) == (OURS if autoscale else set())
        assert reason(world) == ("Active" if autoscale else "")
        assert sizes(world)["spec"] == (3 if autoscale else 5)

    after(begins(BOTH), load(5)).run(play)


def test_somebody_elses_autoscaler_stops_keda_until_it_is_gone_and_that_is_told() -> None:
    spec = {"scaleTargetRef": {"kind": "HardenedService", "name": "web"}, "minReplicas": 1, "maxReplicas": 9, "metrics": []}
    theirs = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "theirs", "namespace": "shop"}}

    async def make(world: OperatorWorld) -> None:
        world.server.on_event.pop()
        await world.people.create(HORIZONTAL_POD_AUTOSCALER, {**theirs, "spec": spec})

    async def remove(world: OperatorWorld) -> None:
        live = await world.people.get(HORIZONTAL_POD_AUTOSCALER, "shop", "theirs")
        await world.people.delete(HORIZONTAL_POD_AUTOSCALER, "shop", "theirs", uid=live["metadata"]["uid"])

    async def play(world: OperatorWorld) -> None:
        await world.play(make, patch(autoscale=BOTH))
        conditions = {each["type"]: each for each in world.server.all(HARDENED_SERVICE)[0]["status"]["conditions"]}
        assert "already managed by the hpa 'theirs'" in conditions["Ready"]["message"]
        assert scalers(world) == {"HorizontalPodAutoscaler theirs"}
        await world.play(remove, wait)
        assert (scalers(world), reason(world)) == (KEDAS, "Active")

    after(begins(CPU)).run(play)


# ---- what people do to it


def annotate(**annotations: str | None) -> Callable[[OperatorWorld], Any]:
    async def edit(world: OperatorWorld) -> None:
        named = {f"autoscaling.keda.sh/{name}": value for name, value in annotations.items()}
        await world.people.merge_patch(SCALED_OBJECT, "shop", "web", {"metadata": {"annotations": named}})
        await asyncio.sleep(90)

    return edit


async def lose(world: OperatorWorld) -> None:
    live = await world.people.get(SCALED_OBJECT, "shop", "web")
    await world.people.delete(SCALED_OBJECT, "shop", "web", uid=live["metadata"]["uid"])


async def spoil(world: OperatorWorld) -> None:
    trigger = {"type": "prometheus", "metadata": {"query": "up", "threshold": "1", "serverAddress": "http://evil"}}
    await world.people.merge_patch(SCALED_OBJECT, "shop", "web", {"spec": {"triggers": [trigger], "maxReplicaCount": 99}})
    await wait(world)


@pytest.mark.parametrize("damage", [lose, spoil])
def test_what_somebody_does_to_it_is_repaired(damage: Callable[[OperatorWorld], Any]) -> None:
    async def play(world: OperatorWorld) -> None:
        before = world.state()
        await world.play(damage)
        assert world.state() == before

    after(begins(BOTH), load(5)).run(play)


def test_that_somebody_paused_it_is_told_and_that_prometheus_gives_no_number() -> None:
    def answers(is_answered: bool) -> Callable[[OperatorWorld], Any]:
        async def sets(world: OperatorWorld) -> None:
            world.server.store.unanswered = not is_answered
            await asyncio.sleep(90)

        return sets

    async def play(world: OperatorWorld) -> None:
        await world.play(annotate(paused="true"))
        assert words(world) == (
            "Paused", "somebody paused it, by autoscaling.keda.sh/paused on the ScaledObject: remove it to scale again",
        )  # fmt: skip
        await world.play(annotate(paused=None), answers(False))
        assert words(world)[0] == "Fallback"
        assert "spec.autoscale.prometheus[0]" in words(world)[1]
        await world.play(answers(True))
        assert words(world) == ("Active", "")

    after(begins(BOTH)).run(play)


def test_at_0_replicas_it_is_paused_and_scales_again_from_1() -> None:
    async def play(world: OperatorWorld) -> None:
        await world.play(patch(replicas=0))
        assert (sizes(world), reason(world), scalers(world)) == ({"spec": 0}, "ScaledToZero", PAUSED)
        await world.play(patch(replicas=1), load(5))
        assert (sizes(world)["spec"], reason(world), scalers(world)) == (5, "Active", KEDAS)

    after(begins(BOTH), load(4)).run(play)


def test_settled_it_costs_one_read_a_minute() -> None:
    async def rest(world: OperatorWorld) -> None:
        calls = len(world.server.calls)
        await asyncio.sleep(600)
        asked = [call for call in world.server.calls[calls:] if call.verb != "list" and call.kind != CUSTOM_RESOURCE_DEFINITION]
        assert {(call.verb, call.kind.name) for call in asked} == {("get", "ScaledObject")}
        assert len(asked) <= 10 + 2, "and one for each resync"

    after(begins(BOTH), load(4)).run(lambda world: world.play(rest))


def test_a_deleted_service_takes_it_along_and_one_of_the_same_name_waits_for_that() -> None:
    async def recreate(world: OperatorWorld) -> None:
        live = await world.people.get(HARDENED_SERVICE, "shop", "web")
        await world.people.delete(HARDENED_SERVICE, "shop", "web", uid=live["metadata"]["uid"])
        await world.people.create(HARDENED_SERVICE, service(**{**RELEASED, "replicas": None, "autoscale": CPU}))

    async def play(world: OperatorWorld) -> None:
        await world.play(recreate, load(5))
        assert (scalers(world), sizes(world)["spec"], reason(world)) == (OURS, 5, "Active")

    after(begins(BOTH), load(4)).run(play)

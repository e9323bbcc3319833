"""Releases in place over the in-memory cluster in virtual time: killed at any write they end the same, and nothing runs that must not."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from tests.enumerations import Turn, turns
from tests.shell import virtual_time
from tests.shell.moments import Moment, step_of_write
from tests.shell.operator_world import RELEASED, Killed, OperatorWorld, Strike, asks, release, service
from tests.shell.test_rollback_flows import state

from hardened.shell.kinds import DEPLOYMENT, HARDENED_SERVICE, POD, Kind

Body = dict[str, Any]
Step = Callable[[OperatorWorld], Any]
STRATEGIES = ("RollingUpdate", "Recreate")


def flow(strategy: str) -> tuple[Step, ...]:
    """A first version, a good one, one that fails once it is led to, and the first one again by hand."""
    spec = {"release": {"strategy": strategy, "progressDeadline": "10s"}}

    async def create(world: OperatorWorld) -> None:
        await world.people.create(HARDENED_SERVICE, service(**{**RELEASED, **spec}))

    return create, release("web:2", **spec), release("doomed:1", **spec), release("web:2", **spec), asks("Rollback")


class Watchman:
    """Looks at every change of Deployments and pods. wrongs: what should never have been."""

    def __init__(self, world: OperatorWorld, strategy: str) -> None:
        self._world, self._strategy = world, strategy
        self._has_served = _is_any_available(world)
        self.wrongs: list[str] = []
        world.server.on_event.append(self._saw)

    def _saw(self, event: str, kind: Kind, obj: Body) -> None:
        if kind not in (DEPLOYMENT, POD) or event == "DELETED":
            return
        deployments = self._world.server.all(DEPLOYMENT)
        if self._strategy == "Recreate":
            pods = [p for p in self._world.server.all(POD) if "hardened.dev/revision" in p["metadata"]["labels"]]
            running = {_place(each) for each in (*pods, *(d["spec"]["template"] for d in deployments if d["spec"]["replicas"]))}
            if len(running) > 1:
                self.wrongs.append(f"{running} run at once")
        else:
            self._has_served = self._has_served or _is_any_available(self._world)
            if self._has_served and sum(d["spec"]["replicas"] for d in deployments) < 2:
                self.wrongs.append("less runs than is wanted")


def _is_any_available(world: OperatorWorld) -> bool:
    return any(d.get("status", {}).get("availableReplicas") for d in world.server.all(DEPLOYMENT))


def _place(labelled: Body) -> tuple[str, str]:
    labels = labelled["metadata"]["labels"]
    return labels["hardened.dev/color"], labels["hardened.dev/revision"]


@cache
def clean(strategy: str) -> tuple[list[Moment[tuple[OperatorWorld, Watchman]]], list[int], list[Body]]:
    """Played once: the moment before each step, the writes until the end of each, and the state then."""

    async def play() -> tuple[list[Moment[tuple[OperatorWorld, Watchman]]], list[int], list[Body]]:
        world = OperatorWorld()
        watchman = Watchman(world, strategy)
        moments, writes, states = [], [], []
        for step in flow(strategy):
            moments.append(Moment((world, watchman)))
            await world.play(step)
            writes.append(len(world.server.writes))
            states.append(state(world))
        assert watchman.wrongs == []
        return moments, writes, states

    return virtual_time.run(play())


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_flow_is_what_it_says(strategy: str) -> None:
    _, _, states = clean(strategy)
    found = [each["HardenedService web"]["status"] for each in states]
    assert [status["phase"] for status in found] == ["Healthy", "Healthy", "RolledBack", "Healthy", "RolledBack"]
    assert [status["serving"]["image"] for status in found] == ["web:1", "web:2", "web:2", "web:2", "web:1"]
    assert states[-1]["HardenedServiceAction a"]["status"]["phase"] == "Succeeded"
    assert states[-1]["pin"]["message"] == "jane: p99 doubled"
    assert {each["release"] for each in states} == {None}


@pytest.mark.parametrize("turn", turns(4))
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_killed_at_any_single_write_it_ends_the_same(strategy: str, turn: Turn) -> None:
    """Killed after a write was taken is killed before the next."""
    moments, writes, states = clean(strategy)
    for nth in turn.of(range(1, writes[-1] + 1)):
        step, nth_of_step = step_of_write(nth, writes)
        strike = Strike(nth_of_step, Killed)

        async def play(kept: tuple[OperatorWorld, Watchman], step: int = step, strike: Strike = strike) -> tuple[Body, list[str]]:
            world, watchman = kept
            world.server.before = strike
            await world.play(flow(strategy)[step])
            return state(world), watchman.wrongs

        found, wrongs = moments[step].run(play)
        assert strike.has_struck
        assert wrongs == [], f"write {nth}"
        assert found == states[step], f"write {nth}"


def test_while_a_pod_of_the_other_revision_hangs_nothing_comes_up_beside_it() -> None:
    create, edit, *_ = flow("Recreate")

    async def linger(world: OperatorWorld) -> None:
        world.server.store.lingering |= {_place(p)[1] for p in world.server.all(POD)}
        await edit(world)

    async def play() -> tuple[Body, list[str]]:
        world = OperatorWorld()
        watchman = Watchman(world, "Recreate")
        await world.play(create, linger)
        return world.state(), watchman.wrongs

    found, wrongs = virtual_time.run(play())
    assert wrongs == []
    status = found["HardenedService web"]["status"]
    assert (status["phase"], status["serving"]["image"]) == ("RolledBack", "web:1")
    assert found["Deployment web-green"]["spec"]["replicas"] == 0

"""Actions over the in-memory cluster in virtual time: a rollback by hand, killed at any write, ends the same."""

import asyncio
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import pytest
from tests.enumerations import Turn, turns
from tests.memory.api_server import Call
from tests.shell import virtual_time
from tests.shell.moments import Moment
from tests.shell.operator_world import RELEASED, Killed, Operator, OperatorWorld, Strike, asks, create_released, release, service
from tests.shell.test_release_flows import Watchman

from hardened.errors import Refused, TryAgain
from hardened.shell.kinds import CONTROLLER_REVISION, DEPLOYMENT, HARDENED_SERVICE, HARDENED_SERVICE_ACTION, NETWORK_POLICY, SERVICE

pytestmark = pytest.mark.one_of(3)

Body = dict[str, Any]
Step = Callable[[OperatorWorld], Any]
#: Long enough for the previous stack to be up when the world is quiet.
LONG = {"release": {**RELEASED["release"], "keepPrevious": "10m"}}


async def create_long(world: OperatorWorld) -> None:
    """A team makes a service whose previous stack is kept for long."""
    await world.people.create(HARDENED_SERVICE, service(**{**RELEASED, **LONG}))


#: Two revisions, and back: with the previous stack still up, and with it scaled down.
UP = (create_long, release("web:2", **LONG), asks("Rollback"))
DOWN = (create_released, release("web:2"), asks("Rollback"))


async def ask_for_what_never_comes_up(world: OperatorWorld) -> None:
    """Somebody asks for a version whose image is gone by now."""
    world.server.store.dead.add("web:1")
    await asks("Rollback")(world)


NEVER_UP = (create_released, release("web:2"), ask_for_what_never_comes_up)


def state(world: OperatorWorld) -> Body:
    """The state of the world, with what became of actions."""
    (live,) = world.server.all(HARDENED_SERVICE)
    found = world.state()
    found["actions"] = [(e["name"], e["phase"], e["message"]) for e in live["status"].get("actions", ())]
    found["release"] = live["status"].get("release", {}).get("step")
    found["pin"] = live["status"].get("pin")
    for action in world.server.all(HARDENED_SERVICE_ACTION):
        status = {k: v for k, v in (action.get("status") or {}).items() if not k.endswith("At")}
        found[f"HardenedServiceAction {action['metadata']['name']}"]["status"] = status
    return found


@cache
def clean(steps: tuple[Step, ...]) -> tuple[Moment[tuple[OperatorWorld, Watchman]], list[Call], Body]:
    """Played once: the moment before the last step, the writes in it, and the state then."""

    async def play() -> tuple[Moment[tuple[OperatorWorld, Watchman]], list[Call], Body]:
        world = OperatorWorld()
        watchman = Watchman(world)
        await world.play(*steps[:-1])
        before, moment = len(world.server.writes), Moment((world, watchman))
        await world.play(steps[-1])
        assert watchman.wrongs == []
        return moment, world.server.writes[before:], state(world)

    return virtual_time.run(play())


def test_with_the_previous_stack_up_the_flip_waits_for_the_record_alone() -> None:
    _, writes, found = clean(UP)
    first = [(w.verb, w.kind.name, w.name) for w in writes[:3]]
    assert first == [("status", "HardenedService", "web"), ("apply", "Deployment", "web-blue"), ("apply", "Service", "web")]
    assert found["HardenedService web"]["status"]["phase"] == "RolledBack"
    assert found["Deployment web-green"]["spec"]["replicas"] == 0
    assert found["pin"]["message"] == "jane: p99 doubled"
    assert sum(w.kind == HARDENED_SERVICE_ACTION for w in writes) == 3, "its owner, that it runs, and its end"


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(UP, id="the previous stack is kept"),
        pytest.param((create_released, release("web:2", verify={"afterCutover": {"window": "10m"}}), asks("Rollback")), id="it is stable"),
    ],
)
def test_nothing_is_asked_of_the_api_server_before_the_flip(steps: tuple[Step, ...]) -> None:
    async def play() -> list[Call]:
        world = OperatorWorld()
        await world.play(*steps[:-1])
        working = asyncio.create_task(Operator(world.server).run())
        await asyncio.sleep(1)
        before = len(world.server.calls)
        await steps[-1](world)
        await asyncio.sleep(0.05)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        return world.server.calls[before:]

    calls = virtual_time.run(play())
    flip = next(n for n, call in enumerate(calls) if (call.verb, call.kind) == ("apply", SERVICE))
    assert [(c.verb, c.kind.name) for c in calls[:flip]] == [("status", "HardenedService"), ("apply", "Deployment")]


def test_a_stack_that_was_scaled_down_is_brought_up_before_traffic_is_led_to_it() -> None:
    _, writes, found = clean(DOWN)
    (flip,) = [n for n, w in enumerate(writes) if (w.kind, w.name) == (SERVICE, "web")]
    assert (DEPLOYMENT, "web-blue") in [(w.kind, w.name) for w in writes[:flip]]
    assert found["HardenedService web"]["status"]["serving"]["color"] == "blue"
    assert found["HardenedServiceAction a"]["status"]["phase"] == "Succeeded"


def test_a_rollback_that_fails_takes_nothing_down_until_it_was_kept_as_long_as_after_a_release() -> None:
    _, writes, found = clean(NEVER_UP)
    assert found["HardenedServiceAction a"]["status"]["phase"] == "Failed"
    assert (SERVICE, "web") not in [(w.kind, w.name) for w in writes], "traffic stays where it is"
    assert found["HardenedService web"]["status"]["phase"] == "Healthy"
    changes = [w for w in writes if (w.kind, w.name) == (DEPLOYMENT, "web-blue")]
    assert len(changes) == 2, "up, and down after the time"
    assert found["Deployment web-blue"]["spec"]["replicas"] == 0


def end_the_same(steps: tuple[Step, ...], nths: Callable[[range], Iterable[int]], error: Callable[[], BaseException] = Killed) -> None:
    """Whichever write of the last step the operator is killed before: killed after one was taken is killed before the next.

    error: what it is answered instead.
    """
    moment, writes, expected = clean(steps)
    assert (writes[0].verb, writes[0].kind) == ("status", HARDENED_SERVICE), "what was decided is written down first"
    for nth in nths(range(1, len(writes) + 1)):
        strike = Strike(nth, error)

        async def play(kept: tuple[OperatorWorld, Watchman], strike: Strike = strike) -> tuple[Body, list[str]]:
            world, watchman = kept
            world.server.before = strike
            await world.play(steps[-1])
            return state(world), watchman.wrongs

        found, wrongs = moment.run(play)
        assert strike.has_struck
        assert wrongs == [], f"write {nth}"
        assert found == expected, f"write {nth}"


@pytest.mark.parametrize("steps", [UP, DOWN, NEVER_UP], ids=["the previous stack is up", "it is down", "it never comes up"])
@pytest.mark.parametrize("turn", turns(1))
def test_killed_at_any_write_a_rollback_by_hand_ends_the_same(steps: tuple[Step, ...], turn: Turn) -> None:
    end_the_same(steps, turn.of)


@pytest.mark.parametrize("error", [lambda: TryAgain("timeout", status=504), lambda: Refused("no", status=422)], ids=["late", "refused"])
@pytest.mark.parametrize("steps", [UP, DOWN], ids=["the previous stack is up", "it is down"])
def test_what_a_rollback_left_stays_rejected_where_that_could_not_be_written_at_first(
    steps: tuple[Step, ...], error: Callable[[], BaseException]
) -> None:
    """It is what the spec asks for: it would be released again."""
    _, writes, _ = clean(steps)
    annotated = [number for number, write in enumerate(writes, start=1) if write.kind == CONTROLLER_REVISION]
    assert len(annotated) == 2, "the one that was left, and the one that serves again"
    end_the_same(steps, lambda _: annotated, error)


def test_what_fails_besides_stands_beside_the_rollback_and_does_not_tell_of_it_again() -> None:
    moment, _, _ = clean(UP)

    def refuse(call: Call) -> None:
        if call.verb == "apply" and call.kind == NETWORK_POLICY:
            raise Refused("exceeded quota: few", status=403)

    def allow(_: Call) -> None:
        """All is well again."""

    async def without_policy(world: OperatorWorld, before: Callable[[Call], None]) -> Body:
        async def delete(world: OperatorWorld) -> None:
            world.server.before = before
            for policy in world.server.all(NETWORK_POLICY):
                meta = policy["metadata"]
                await world.people.delete(NETWORK_POLICY, meta["namespace"], meta["name"], uid=meta["uid"])

        await world.play(delete)
        (live,) = world.server.all(HARDENED_SERVICE)
        return next(each for each in live["status"]["conditions"] if each["type"] == "Ready")

    async def play(kept: tuple[OperatorWorld, Watchman]) -> tuple[Body, Body, int]:
        world, _ = kept
        await world.play(UP[-1])
        return await without_policy(world, refuse), await without_policy(world, allow), world.told()["RolledBack"]

    during, after, told = moment.run(play)
    assert during["reason"] == after["reason"] == "RolledBack"
    assert "run: hardenctl retry web -n shop; but apply NetworkPolicy web-blue: exceeded quota" in during["message"]
    assert "but" not in after["message"]
    assert told == 1

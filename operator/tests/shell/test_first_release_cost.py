"""What a first release costs in calls, and that it ends the same whatever happens at any of its writes."""

import asyncio
from collections import Counter
from collections.abc import Callable
from functools import cache
from itertools import product
from typing import Any

import pytest
from tests.enumerations import Turn, one_of_seven, turns
from tests.shell import virtual_time
from tests.shell.operator_world import Killed, OperatorWorld, Strike, service

from hardened.errors import LookAgain, Refused, TryAgain, Vanished
from hardened.shell.kinds import HARDENED_SERVICE, PERSISTENT_VOLUME_CLAIM, SERVICE, SERVICE_ACCOUNT, Kind
from hardened.shell.status_events import status_events

Body = dict[str, Any]
Calls = Counter[tuple[str, str]]

#: As a team writes it that asks for nothing special.
PLAIN = {"files": None, "volumes": None, "autoscale": None, "replicas": 1}
STRATEGIES = ("BlueGreen", "RollingUpdate", "Recreate")


def makes(**spec: Any) -> Callable[[OperatorWorld], Any]:
    async def make(world: OperatorWorld) -> None:
        await world.people.create(HARDENED_SERVICE, service(**{**PLAIN, **spec}))

    return make


def calls_of(world: OperatorWorld) -> Calls:
    """What the operator asked for, by verb and kind, but for what it lists at its start; and its Events."""
    calls = [call for call in world.server.calls if call.namespace] + world.events.calls
    return Counter((call.verb, call.kind.name) for call in calls)


async def _played(*steps: Callable[[OperatorWorld], Any]) -> OperatorWorld:
    world = OperatorWorld()
    await world.play(*steps)
    return world


def writes(calls: Calls) -> int:
    return sum(count for (verb, _), count in calls.items() if verb not in ("get", "list"))


def test_a_first_release_makes_twelve_writes_and_three_reads() -> None:
    calls = calls_of(virtual_time.run(_played(makes())))
    assert calls == {
        # Whether there is room for its pods; once traffic is led to them, whose endpoints the Service has, and whose pods those are.
        ("list", "ResourceQuota"): 1,
        ("list", "Pod"): 1,
        ("list", "ReplicaSet"): 1,
        # It begins; it is led to its pods; it serves.
        ("status", "HardenedService"): 3,
        # What is stored, and that it is promoted.
        ("apply", "ControllerRevision"): 2,
        ("apply", "ServiceAccount"): 1,
        ("apply", "NetworkPolicy"): 1,
        ("apply", "PodDisruptionBudget"): 1,
        ("apply", "Deployment"): 1,
        # To nobody, and to its pods.
        ("apply", "Service"): 2,
        ("create", "Event"): 1,
    }
    assert writes(calls) == 12


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        # The CRD gives a new service a status.
        pytest.param({"observedGeneration": -1}, [], id="a new service"),
        pytest.param({"conditions": [{"type": "Ready", "status": "False", "reason": "Rejected"}]}, ["ReleaseStarted"], id="a later one"),
    ],
)
def test_that_a_release_begins_is_told_of_a_service_that_is_known(before: Body, expected: list[str]) -> None:
    begun = {"release": {"revision": "new", "color": "blue", "startedAt": "now"}, "conditions": before.get("conditions", [])}
    assert [each.reason for each in status_events(before, begun)] == expected


def test_more_pods_cost_nothing_more() -> None:
    one, three = (calls_of(virtual_time.run(_played(makes(replicas=count)))) for count in (1, 3))
    assert three == one


async def _settles(world: OperatorWorld, times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(0.2)
        world.server.settle()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_pods_that_come_one_by_one_cost_no_status_of_their_own(strategy: str) -> None:
    async def one_by_one(world: OperatorWorld) -> None:
        world.server.store.pace = 1
        await makes(replicas=5, release={"strategy": strategy})(world)
        await _settles(world, 10)

    async def at_once(world: OperatorWorld) -> None:
        await makes(replicas=5, release={"strategy": strategy})(world)
        await _settles(world, 10)

    slow, quick = (calls_of(virtual_time.run(_played(step)))["status", "HardenedService"] for step in (one_by_one, at_once))
    assert slow == quick


def test_pods_that_stand_still_are_told_and_so_are_their_numbers_at_the_end() -> None:
    async def stands_still(world: OperatorWorld) -> None:
        world.server.store.pace = 1
        await makes(replicas=4, release={"strategy": "RollingUpdate"})(world)
        await _settles(world, 3)
        world.server.store.stuck.add(("shop", "web-blue"))

    async def goes_on(world: OperatorWorld) -> None:
        world.server.store.stuck.clear()
        await _settles(world, 10)

    async def main() -> list[Body]:
        world, found = OperatorWorld(), []
        for step in (stands_still, goes_on):
            await world.play(step)
            found.append(world.server.all(HARDENED_SERVICE)[0]["status"])
        return found

    still, ended = virtual_time.run(main())
    (ready,) = (condition for condition in still["conditions"] if condition["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "PodsNotReady")
    assert (ended["phase"], ended["availableReplicas"], ended["replicas"]) == ("Healthy", 4, 4)


def test_what_pods_need_is_made_at_once_and_before_them() -> None:
    async def main() -> list[str]:
        world, at_work, found = OperatorWorld(), [0], []
        apply = world.server.apply

        async def slow(kind: Kind, manifest: Body, *, force: bool) -> Body:
            at_work[0] += 1
            found.append(f"{kind.name} beside {at_work[0] - 1}")
            await asyncio.sleep(0.1)
            try:
                return await apply(kind, manifest, force=force)
            finally:
                at_work[0] -= 1

        world.server.apply = slow  # type: ignore[method-assign]
        await world.play(makes(files=[{"mountPath": "/etc/web", "data": {"a": "b"}}]))
        return found[:7]

    assert virtual_time.run(main()) == [
        "ControllerRevision beside 0", "ConfigMap beside 1", "ServiceAccount beside 2", "NetworkPolicy beside 3",
        "PodDisruptionBudget beside 4", "Deployment beside 0", "Service beside 0",
    ]  # fmt: skip


# ---- what is there already


async def _nothing(_: OperatorWorld) -> None:
    pass


@pytest.mark.parametrize("kind", [SERVICE, SERVICE_ACCOUNT], ids=lambda kind: kind.name)
def test_an_object_of_somebody_else_that_has_the_name_of_a_child_is_found_and_left_alone(kind: Kind) -> None:
    theirs: Body = {"apiVersion": "v1", "kind": kind.name, "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "theirs"}}}
    theirs |= {"spec": {"selector": {"app": "theirs"}, "ports": [{"port": 1}]}} if kind == SERVICE else {}

    async def main() -> None:
        world = OperatorWorld()
        before = await world.people.create(kind, theirs)
        await world.play(makes())
        ready = world.server.all(HARDENED_SERVICE)[0]["status"]["conditions"][0]
        assert (ready["status"], ready["reason"]) == ("False", "NotOwned")
        assert await world.people.get(kind, "shop", "web") == before
        # Once it is gone, the release goes on.
        await world.people.delete(kind, "shop", "web", uid=before["metadata"]["uid"])
        world.server.collect_garbage()
        world.server.settle()
        await world.play(_nothing)
        assert world.server.all(HARDENED_SERVICE)[0]["status"]["phase"] == "Healthy"

    virtual_time.run(main())


def test_a_claim_of_an_earlier_service_is_taken_again() -> None:
    async def deletes(world: OperatorWorld) -> None:
        (live,) = world.server.all(HARDENED_SERVICE)
        await world.people.delete(HARDENED_SERVICE, "shop", "web", uid=live["metadata"]["uid"])

    async def main() -> None:
        world, volumes = OperatorWorld(), [{"name": "data", "mountPath": "/data", "claim": {"size": "1Gi"}}]
        await world.play(makes(volumes=volumes), deletes)
        (claim,) = world.server.all(PERSISTENT_VOLUME_CLAIM)
        await world.play(makes(volumes=volumes))
        assert world.server.all(PERSISTENT_VOLUME_CLAIM)[0]["metadata"]["uid"] == claim["metadata"]["uid"]
        assert world.server.all(HARDENED_SERVICE)[0]["status"]["phase"] == "Healthy"

    virtual_time.run(main())


# ---- whatever happens


@cache
def clean(strategy: str) -> tuple[int, Body, Calls]:
    """Played once: how many writes it takes, the state at its end, and what was told."""
    world = virtual_time.run(_played(makes(replicas=2, release={"strategy": strategy})))
    return len(world.server.writes), world.state(), world.told()


def _ends_the_same(strategy: str, nth: int, error: Callable[[], BaseException], *, is_after: bool) -> None:
    async def main() -> OperatorWorld:
        world, strike = OperatorWorld(), Strike(nth, error)
        world.server.before, world.server.after = (None, strike) if is_after else (strike, None)
        await world.play(makes(replicas=2, release={"strategy": strategy}))
        assert strike.has_struck
        return world

    world = virtual_time.run(main())
    assert world.state() == clean(strategy)[1], f"write {nth}"
    assert world.told().get("ReleaseStarted", 0) <= 1, f"write {nth}"


ERRORS: dict[str, Callable[[], BaseException]] = {
    "killed": lambda: Killed(),
    "404": lambda: Vanished("not found", status=404),
    "409": lambda: LookAgain("conflict", status=409),
    "403": lambda: Refused("forbidden", status=403),
    "500": lambda: TryAgain("internal error", status=500),
    "nothing": lambda: TryAgain("no reply"),
}


@pytest.mark.parametrize("is_after", [False, True], ids=["before it took effect", "after it took effect"])
@pytest.mark.parametrize(("strategy", "answer"), one_of_seven(product(STRATEGIES, ERRORS)))
@pytest.mark.parametrize("turn", turns(1))
def test_whatever_happens_at_any_single_write_of_a_first_release_it_ends_the_same(
    turn: Turn, strategy: str, answer: str, is_after: bool
) -> None:
    for nth in turn.of(range(1, clean(strategy)[0] + 1)):
        _ends_the_same(strategy, nth, ERRORS[answer], is_after=is_after)

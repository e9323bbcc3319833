"""Releases that take a backup first, in virtual time: killed at any write, each Job is made once, and all ends the same."""

import asyncio
from collections import Counter
from collections.abc import Callable
from functools import cache
from itertools import product
from typing import Any

import pytest
from tests.enumerations import Turn, one_of_seven, turns
from tests.shell.moments import Moment, after
from tests.shell.operator_world import RELEASED, Killed, OperatorWorld, Strike, asks, release, service
from tests.shell.test_backup_flows import BACKED_UP

from hardened.shell.kinds import DEPLOYMENT, HARDENED_SERVICE, JOB, Kind

pytestmark = pytest.mark.one_of(3)

Body = dict[str, Any]
Step = Callable[[OperatorWorld], Any]
STRATEGIES = ("BlueGreen", "RollingUpdate", "Recreate")
SNAPSHOT = "ab" * 32


class Watched(OperatorWorld):
    """made: the Jobs, as often as they were made, by their names. wrongs: what changed before there was a snapshot."""

    def __init__(self) -> None:
        super().__init__()
        self.made: Counter[str] = Counter()
        self.wrongs: list[str] = []
        self.server.on_event.append(self._saw)

    def _saw(self, event: str, kind: Kind, obj: Body) -> None:
        if event == "ADDED" and kind == JOB:
            self.made[obj["metadata"]["name"]] += 1
        if event == "DELETED" or kind != DEPLOYMENT:
            return
        status = self.server.all(HARDENED_SERVICE)[0].get("status", {})
        found = status.get("release", {})
        is_waiting = found.get("step") == "Backup" and not found.get("rollback")
        image = obj["spec"]["template"]["spec"]["containers"][0]["image"]
        if is_waiting and obj["spec"]["replicas"] and image != "web:1":
            self.wrongs.append(f"{image} runs in Backup")

    @property
    def status(self) -> Body:
        return dict(self.server.all(HARDENED_SERVICE)[0].get("status") or {})

    async def until(self, is_there: Callable[[Body], Any]) -> None:
        """Until status says so."""
        for _ in range(600):
            if is_there(self.status):
                return
            await asyncio.sleep(1)
            self.server.settle()
        raise AssertionError(self.status)

    def end(self) -> Body:
        """The state, less what is named after its time, with the snapshots of revisions."""
        found = {name: body for name, body in self.state().items() if not name.startswith(("Pod ", "Job "))}
        snapshots = {entry["image"]: (entry.get("backup") or {}).get("snapshot") for entry in self.status["history"]}
        return {**found, "snapshots": snapshots, "pin": self.status.get("pin", {}).get("reason")}


def spec_of(strategy: str, **more: Any) -> Body:
    """A spec whose releases take a backup first."""
    wanted = {"strategy": strategy, "progressDeadline": "10s", "keepPrevious": "30s", "backupFirst": "nightly"}
    return {**BACKED_UP, "release": wanted | more}


def failing(step: Step) -> Step:
    """Backups fail from now on, for as long as `step` lasts."""

    async def play(world: OperatorWorld) -> None:
        world.server.store.dead.add("nightly")
        await step(world)
        world.server.store.dead.discard("nightly")

    return play


def ends_well(strategy: str) -> Step:
    return release("web:2", **spec_of(strategy, migrate={"command": ["true"]}))


def fails_twice(strategy: str) -> Step:
    async def play(world: Any) -> None:
        await ends_well(strategy)(world)
        await world.until(lambda status: (status.get("release", {}).get("backup") or {}).get("failures") == 2)

    return failing(play)


def _meanwhile(strategy: str, then: Callable[[Any], Any]) -> Step:
    """Something happens while the release waits for a backup that has failed once."""

    async def play(world: Any) -> None:
        await ends_well(strategy)(world)
        await world.until(lambda status: (status.get("release", {}).get("backup") or {}).get("failures") == 1)
        await then(world)

    return failing(play)


def superseded(strategy: str) -> Step:
    return _meanwhile(strategy, release("web:3", **spec_of(strategy)))


def aborted(strategy: str) -> Step:
    async def abort(world: Any) -> None:
        await asks("Abort", revision=world.status["release"]["revision"])(world)

    return _meanwhile(strategy, abort)


def suspended(strategy: str) -> Step:
    async def suspend(world: Any) -> None:
        await release("web:2", **spec_of(strategy, migrate={"command": ["true"]}), suspend=True)(world)
        await world.until(lambda status: status["phase"] == "Suspended")
        await asyncio.sleep(60)
        await release("web:2", **spec_of(strategy, migrate={"command": ["true"]}), suspend=False)(world)

    return _meanwhile(strategy, suspend)


def given_up(strategy: str) -> Step:
    """The spec goes back to what serves."""
    return _meanwhile(strategy, release("web:1", **spec_of(strategy)))


CASES: dict[str, Callable[[str], Step]] = {
    "it ends well": ends_well,
    "it fails twice": fails_twice,
    "it is superseded": superseded,
    "it is aborted": aborted,
    "its service is suspended": suspended,
    "it is given up": given_up,
}
#: The phase, what serves, whether there is a snapshot of what was replaced, and how many Jobs were made.
ENDS = {
    "it ends well": ("Healthy", "web:2", SNAPSHOT, 1),
    "it fails twice": ("Healthy", "web:2", SNAPSHOT, 3),
    "it is superseded": ("Healthy", "web:3", SNAPSHOT, 2),
    "it is aborted": ("Rejected", "web:1", None, 1),
    "its service is suspended": ("Healthy", "web:2", SNAPSHOT, 2),
    "it is given up": ("Healthy", "web:1", None, 1),
}


@cache
def create(strategy: str) -> Step:
    async def make(world: OperatorWorld) -> None:
        await world.people.create(HARDENED_SERVICE, service(**{**RELEASED, **spec_of(strategy)}))
        await release("web:1", **spec_of(strategy))(world)

    return make


def begun(strategy: str) -> Moment[Watched]:
    """Before the release. The first one takes no backup."""
    return after(create(strategy), world=Watched)


@cache
def clean(strategy: str, case: str) -> tuple[int, Body, int]:
    """Played once: the writes of the release, the state then, and how many Jobs were made."""

    async def play(world: Watched) -> tuple[int, Body, int]:
        assert not world.made
        before = len(world.server.writes)
        await world.play(CASES[case](strategy))
        assert world.wrongs == []
        assert set(world.made.values()) == {1}
        return len(world.server.writes) - before, world.end(), len(world.made)

    return begun(strategy).run(play)


@pytest.mark.parametrize(("strategy", "case"), one_of_seven(product(STRATEGIES, CASES)))
def test_a_backup_comes_first_and_what_fails_is_tried_again(strategy: str, case: str) -> None:
    _, state, made = clean(strategy, case)
    status = state["HardenedService web"]["status"]
    assert (status["phase"], status["serving"]["image"], state["snapshots"]["web:1"], made) == ENDS[case]


@pytest.mark.parametrize("turn", turns(1, at=pytest.mark.full))
@pytest.mark.parametrize(("strategy", "case"), one_of_seven(product(STRATEGIES, CASES)))
def test_killed_at_any_write_of_it_each_job_is_made_once_and_it_ends_the_same(strategy: str, case: str, turn: Turn) -> None:
    writes, expected, made = clean(strategy, case)
    for nth in turn.of(range(1, writes + 1)):
        strike = Strike(nth, Killed)

        async def play(world: Watched, strike: Strike = strike) -> tuple[Body, Counter[str], list[str]]:
            world.server.before = strike
            await world.play(CASES[case](strategy))
            return world.end(), world.made, world.wrongs

        found, again, wrongs = begun(strategy).run(play)
        assert strike.has_struck
        assert wrongs == [], f"write {nth}"
        assert found == expected, f"write {nth}"
        assert (set(again.values()), len(again)) == ({1}, made), f"write {nth}"


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_rollback_by_hand_waits_for_no_backup(strategy: str) -> None:
    async def roll_back(world: Any) -> None:
        await release("web:3", **spec_of(strategy))(world)
        await world.until(lambda status: (status.get("release", {}).get("backup") or {}).get("failures") == 1)
        await asks("Rollback")(world)
        await world.until(lambda status: status["serving"]["image"] == "web:1" and status["actions"][-1]["phase"] == "Succeeded")

    async def play(world: Watched) -> tuple[Body, Body]:
        await world.play(release("web:2", **spec_of(strategy)))
        await world.play(failing(roll_back))
        return world.end(), world.status

    state, status = begun(strategy).run(play)
    assert (status["phase"], status["serving"]["image"]) == ("Rejected", "web:1"), "web:3 was given up before it served"
    assert state["snapshots"]["web:1"] == SNAPSHOT

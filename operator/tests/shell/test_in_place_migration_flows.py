"""Migrations of services whose revisions replace each other, in virtual time: killed at any write, all ends the same."""

import asyncio
from collections import Counter
from functools import cache
from itertools import product
from typing import Any

import pytest
from tests.enumerations import Turn, one_of_seven, turns
from tests.shell.moments import Moment, after
from tests.shell.operator_world import RELEASED, Killed, Strike, asks, release, service
from tests.shell.test_in_place_flows import STRATEGIES, Watchman
from tests.shell.test_migration_flows import FAILS, OK, Counted

from hardened.api.names import ONCE_ANNOTATION, REVISION_LABEL
from hardened.shell.kinds import DEPLOYMENT, HARDENED_SERVICE, POD, Kind

Body = dict[str, Any]
SMOKE = {"afterCutover": {"window": "10s", "checks": [{"name": "smoke", "job": {"command": FAILS, "deadline": "5s"}}]}}


class Order(Watchman):
    """Looks as well at when a migration and its undoing are made: with no pod of their revision before the first, or after the last."""

    def _saw(self, event: str, kind: Kind, obj: Body) -> None:
        super()._saw(event, kind, obj)
        is_once = kind == POD and ONCE_ANNOTATION in (obj["metadata"].get("annotations") or {})
        found = self._world.server.all(HARDENED_SERVICE)[0].get("status", {}).get("release", {})
        is_before = found.get("step") in ("Preflight", "Queued", "Migrate", "Undo") and found.get("migration") != "NotUndone"
        if (kind == DEPLOYMENT and is_before) or (is_once and event == "ADDED"):
            templates = [d["spec"]["template"] for d in self._world.server.all(DEPLOYMENT) if d["spec"]["replicas"]]
            running = {each["metadata"]["labels"].get(REVISION_LABEL) for each in (*self._world.server.all(POD), *templates)}
            if found["revision"] in running:
                self.wrongs.append(f"revision {found['revision']} runs in {found['step']}")


def migrating(strategy: str, command: list[str], *, late: bool = False, **more: Any) -> Any:
    """A new version with a migration, and its undoing. late: after the cutover, too."""
    migrate = {"command": command, "deadline": "10s", "undo": {"command": OK, "afterCutover": late}}
    return release("web:2", release={"strategy": strategy, "progressDeadline": "10s", "migrate": migrate}, **more)


def superseded(strategy: str, step: str, *, late: bool) -> Any:
    """A new version, and in this step of its release a newer one without a migration."""

    async def edit(world: Counted) -> None:
        await migrating(strategy, OK, late=late, verify={"afterCutover": {"window": "1m"}})(world)
        for _ in range(60):
            await asyncio.sleep(1)
            if _step(world) == step:
                break
            if step != "Migrate":
                world.server.settle()
        else:
            raise AssertionError(_step(world))
        await release("web:3", release={"strategy": strategy, "progressDeadline": "10s", "migrate": None})(world)

    return edit


def _step(world: Counted) -> str:
    return str(world.server.all(HARDENED_SERVICE)[0].get("status", {}).get("release", {}).get("step"))


CASES = {
    "it ends well": lambda s: migrating(s, OK),
    "it fails": lambda s: migrating(s, FAILS),
    "its revision fails": lambda s: migrating(s, OK, verify=SMOKE),
    "its revision fails, and it is undone late": lambda s: migrating(s, OK, late=True, verify=SMOKE),
    "it is superseded while it runs": lambda s: superseded(s, "Migrate", late=False),
    "it is superseded under traffic": lambda s: superseded(s, "VerifyAfter", late=False),
    "it is superseded under traffic, and undone late": lambda s: superseded(s, "VerifyAfter", late=True),
}
#: The phase, what is served, and what ran.
ENDS: dict[str, tuple[str, str, list[str]]] = {
    "it ends well": ("Healthy", "web:2", ["migrate"]),
    "it fails": ("Rejected", "web:1", ["migrate"]),
    "its revision fails": ("RolledBack", "web:1", ["migrate"]),
    "its revision fails, and it is undone late": ("RolledBack", "web:1", ["migrate", "undo"]),
    "it is superseded while it runs": ("Healthy", "web:3", ["migrate", "undo"]),
    "it is superseded under traffic": ("Healthy", "web:3", ["migrate"]),
    "it is superseded under traffic, and undone late": ("Healthy", "web:3", ["migrate", "undo"]),
}


@cache
def create(strategy: str) -> Any:
    """A team makes a service that is released in place."""

    async def make(world: Counted) -> None:
        spec = {**RELEASED, "release": {"strategy": strategy, "progressDeadline": "10s"}}
        await world.people.create(HARDENED_SERVICE, service(**spec))

    return make


def begun(strategy: str) -> Moment[Counted]:
    """Before the release."""
    return after(create(strategy), world=Counted)


@cache
def clean(strategy: str, case: str) -> tuple[int, Body, Counter[str]]:
    """Played once: the writes of the release, the state then, and what was made."""

    async def play(world: Counted) -> tuple[int, Body, Counter[str]]:
        order, before = Order(world, strategy), len(world.server.writes)
        await world.play(CASES[case](strategy))
        assert order.wrongs == []
        return len(world.server.writes) - before, world.end(), world.made

    return begun(strategy).run(play)


@pytest.mark.parametrize(("strategy", "case"), one_of_seven(product(STRATEGIES, CASES)))
def test_it_runs_once_before_its_revision_and_is_undone_once_that_is_gone(strategy: str, case: str) -> None:
    _, state, made = clean(strategy, case)
    status = state["HardenedService web"]["status"]
    assert (status["phase"], status["serving"]["image"], [pod.split("-")[2] for pod in made]) == ENDS[case]
    assert set(made.values()) == {1}


@pytest.mark.parametrize("turn", turns(1, at=pytest.mark.full))
@pytest.mark.parametrize(("strategy", "case"), one_of_seven(product(STRATEGIES, CASES)))
def test_killed_at_any_write_of_it_it_ends_the_same(strategy: str, case: str, turn: Turn) -> None:
    writes, expected, made = clean(strategy, case)
    for nth in turn.of(range(1, writes + 1)):
        strike = Strike(nth, Killed)

        async def play(world: Counted, strike: Strike = strike) -> tuple[Body, Counter[str], list[str]]:
            order = Order(world, strategy)
            world.server.before = strike
            await world.play(CASES[case](strategy))
            return world.end(), world.made, order.wrongs

        found, again, wrongs = begun(strategy).run(play)
        assert strike.has_struck
        assert wrongs == [], f"write {nth}"
        assert found == expected, f"write {nth}"
        assert (set(again.values()), len(again)) == ({1}, len(made)), f"write {nth}"


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_by_hand_it_is_left_before_its_revision_and_undone(strategy: str) -> None:
    """An abort in Migrate: the end of what runs is waited for."""

    async def begin(world: Counted) -> None:
        await migrating(strategy, OK)(world)
        await asyncio.sleep(3)
        revision = world.server.all(HARDENED_SERVICE)[0]["status"]["release"]["revision"]
        await asks("Abort", revision=revision)(world)

    async def play(world: Counted) -> tuple[Body, Counter[str], list[str]]:
        order = Order(world, strategy)
        await world.play(begin)
        return world.end(), world.made, order.wrongs

    found, made, wrongs = begun(strategy).run(play)
    status = found["HardenedService web"]["status"]
    assert (status["phase"], status["serving"]["image"], [pod.split("-")[2] for pod in made]) == ("Rejected", "web:1", ["migrate", "undo"])
    assert wrongs == []

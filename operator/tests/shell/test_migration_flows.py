"""Migrations over the in-memory cluster in virtual time: killed at any write, none runs twice, and all ends the same."""

from collections import Counter
from functools import cache
from typing import Any

import pytest
from tests.enumerations import Turn, turns
from tests.shell import virtual_time
from tests.shell.moments import Moment, after
from tests.shell.operator_world import RELEASED, Killed, OperatorWorld, Strike, create_released, release, service
from tests.shell.test_release_flows import Watchman

from hardened.api.names import ONCE_ANNOTATION
from hardened.shell.kinds import HARDENED_SERVICE, POD, Kind

Body = dict[str, Any]
OK, FAILS = ["true"], ["false"]
SMOKE = [{"name": "smoke", "job": {"command": FAILS, "deadline": "5s"}}]


def migrating(command: list[str], **more: Any) -> Any:
    """A new version with a migration, and its undoing."""
    migrate = {"command": command, "deadline": "10s", "undo": {"command": OK}}
    return release("web:2", release={**RELEASED["release"], "migrate": migrate}, **more)


STEPS = {
    "it ends well": migrating(OK),
    "it fails": migrating(FAILS),
    "its revision fails": migrating(OK, verify={**RELEASED["verify"], "beforeCutover": SMOKE}),
}
MADE = {"it ends well": ["migrate"], "it fails": ["migrate"], "its revision fails": ["migrate", "undo"]}
PHASE = {"it ends well": "Healthy", "it fails": "Rejected", "its revision fails": "Rejected"}


class Counted(OperatorWorld):
    """made: the pods that run once, as often as they were made, by their names."""

    def __init__(self) -> None:
        super().__init__()
        self.made: Counter[str] = Counter()
        self.server.on_event.append(self._saw)

    def _saw(self, event: str, kind: Kind, obj: Body) -> None:
        if event == "ADDED" and kind == POD and ONCE_ANNOTATION in (obj["metadata"].get("annotations") or {}):
            self.made[obj["metadata"]["name"]] += 1

    def end(self) -> Body:
        """The state, less what is named after its time, and why the revision is pinned."""
        pin = self.server.all(HARDENED_SERVICE)[0]["status"].get("pin", {})
        return {**{name: body for name, body in self.state().items() if not name.startswith("Pod ")}, "pin": pin.get("reason")}


def begun() -> Moment[Counted]:
    """Before the release."""
    return after(create_released, world=Counted)


@cache
def clean(name: str) -> tuple[int, Body, Counter[str]]:
    """Played once: the writes of the release, the state then, and what was made."""

    async def play(world: Counted) -> tuple[int, Body, Counter[str]]:
        before = len(world.server.writes)
        await world.play(STEPS[name])
        return len(world.server.writes) - before, world.end(), world.made

    return begun().run(play)


@pytest.mark.parametrize("name", list(STEPS))
def test_it_runs_once_and_is_undone_where_its_revision_fails(name: str) -> None:
    _, state, made = clean(name)
    assert [pod.split("-")[2] for pod in made] == MADE[name]
    assert state["HardenedService web"]["status"]["phase"] == PHASE[name]


@pytest.mark.parametrize("name", list(STEPS))
@pytest.mark.parametrize("turn", turns(1))
def test_killed_at_any_write_of_it_it_ends_the_same(name: str, turn: Turn) -> None:
    writes, expected, made = clean(name)
    for nth in turn.of(range(1, writes + 1)):
        strike = Strike(nth, Killed)

        async def play(world: Counted, strike: Strike = strike) -> tuple[Body, Counter[str], list[str]]:
            watchman = Watchman(world)
            world.server.before = strike
            await world.play(STEPS[name])
            return world.end(), world.made, watchman.wrongs

        found, again, wrongs = begun().run(play)
        assert strike.has_struck
        assert wrongs == [], f"write {nth}"
        assert found == expected, f"write {nth}"
        assert (set(again.values()), len(again)) == ({1}, len(made)), f"write {nth}"


def test_what_it_depends_on_may_come_at_any_time() -> None:
    async def create_dependent(world: OperatorWorld) -> None:
        await world.people.create(HARDENED_SERVICE, service(**RELEASED, dependsOn=[{"service": "db"}]))

    async def create_database(world: OperatorWorld) -> None:
        database = service(image="db:1", replicas=1, volumes=None)
        await world.people.create(HARDENED_SERVICE, database | {"metadata": {"name": "db", "namespace": "shop"}})

    async def play() -> list[str]:
        world, phases = OperatorWorld(), []
        for step in (create_dependent, create_database):
            await world.play(step)
            phases.append({s["metadata"]["name"]: s["status"]["phase"] for s in world.server.all(HARDENED_SERVICE)}["web"])
        return phases

    assert virtual_time.run(play()) == ["Pending", "Healthy"]

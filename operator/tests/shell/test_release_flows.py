"""Releases over the in-memory cluster in virtual time: killed at any write they end the same, and nothing that serves is taken down."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from tests.enumerations import Turn, turns
from tests.shell import virtual_time
from tests.shell.moments import Moment, step_of_write
from tests.shell.operator_world import RELEASES, Killed, OperatorWorld, Strike

from hardened.core.desired.service import NOBODY
from hardened.errors import LookAgain, Refused, TryAgain, Vanished
from hardened.shell.kinds import DEPLOYMENT, HARDENED_SERVICE, SERVICE, Kind

pytestmark = pytest.mark.one_of(3)

Body = dict[str, Any]
#: What tells of a turn of a release: a fault may keep such an Event from being sent, and never has it sent again.
TOLD_ONCE = frozenset({"ReleaseStarted", "SwitchedOver", "SwitchingBack", "Promoted", "Rejected", "RolledBack"})


class Watchman:
    """Looks at every change of a Deployment and of the switch Service. wrongs: what should never have been."""

    def __init__(self, world: OperatorWorld) -> None:
        self._world = world
        self.wrongs: list[str] = []
        self.selected: list[str] = []
        world.server.on_event.append(self._saw)

    def _saw(self, event: str, kind: Kind, _: Body) -> None:
        services = {s["metadata"]["name"]: s["spec"].get("selector") or {} for s in self._world.server.all(SERVICE)}
        if event == "DELETED" or kind not in (DEPLOYMENT, SERVICE) or "web" not in services:
            return
        selector = services["web"]
        if not self.selected or self.selected[-1] != selector.get("hardened.dev/revision"):
            self.selected.append(selector.get("hardened.dev/revision", "?"))
        if selector.get("hardened.dev/revision") == NOBODY:
            return
        wanted = self._world.server.all(HARDENED_SERVICE)[0]["spec"]["replicas"]
        serving = [d for d in self._world.server.all(DEPLOYMENT) if selector.items() <= d["spec"]["template"]["metadata"]["labels"].items()]
        if not serving:
            self.wrongs.append(f"{selector} leads to no template")
        elif serving[0]["spec"]["replicas"] < min(wanted, 2):
            self.wrongs.append(f"{serving[0]['metadata']['name']} serves with {serving[0]['spec']['replicas']} replicas")


@dataclass(frozen=True)
class Clean:
    """The flow without a fault. moments: before each step; writes: until the end of each; states, told: at the end of each; selected: what
    the switch Service has led to."""

    moments: list[Moment[tuple[OperatorWorld, Watchman]]]
    writes: list[int]
    states: list[Body]
    told: list[Counter[str]]
    selected: list[str]


@cache
def clean() -> Clean:
    """Played once."""

    async def play() -> Clean:
        world = OperatorWorld()
        watchman = Watchman(world)
        found = Clean([], [], [], [], watchman.selected)
        for step in RELEASES:
            found.moments.append(Moment((world, watchman)))
            await world.play(step)
            found.writes.append(len(world.server.writes))
            found.states.append(world.state())
            found.told.append(world.told())
        assert watchman.wrongs == []
        return found

    return virtual_time.run(play())


def test_the_flow_is_what_it_says() -> None:
    selected = clean().selected
    phases = [state["HardenedService web"]["status"]["phase"] for state in clean().states]
    assert phases == ["Healthy", "Healthy", "Rejected", "RolledBack", "Healthy"]
    # Nobody, the first, the second; the dead one never; the doomed one and back.
    assert len(selected) == 5
    assert selected[2] == selected[4]
    assert clean().writes[-1] < 150


def test_each_turn_of_a_release_is_told_once_and_nothing_that_is_not_so() -> None:
    # A first release, a good one, one that is rejected, one that is taken back, and a change of nothing but the size.
    assert clean().told[-1] == {
        "RollingOut": 4, "ReleaseStarted": 3, "SwitchedOver": 2, "Promoted": 1, "Healthy": 3, "Rejected": 1, "SwitchingBack": 1,
        "RolledBack": 1,
    }  # fmt: skip


def _ends_the_same(nth: int, error: Callable[[], BaseException], *, is_after: bool) -> None:
    step, nth_of_step = step_of_write(nth, clean().writes)
    strike = Strike(nth_of_step, error)

    async def play(kept: tuple[OperatorWorld, Watchman]) -> tuple[Body, list[str], Counter[str]]:
        world, watchman = kept
        if is_after:
            world.server.after = strike
        else:
            world.server.before = strike
        await world.play(RELEASES[step])
        return world.state(), watchman.wrongs, world.told()

    state, wrongs, told = clean().moments[step].run(play)
    assert strike.has_struck
    assert wrongs == [], f"write {nth}"
    assert state == clean().states[step], f"write {nth}"
    again = {reason: count for reason, count in told.items() if reason in TOLD_ONCE and count > clean().told[step][reason]}
    assert again == {}, f"write {nth}"


#: When a fault strikes.
MOMENTS = pytest.mark.parametrize("is_after", [False, True], ids=["before it took effect", "after it took effect"])


@MOMENTS
@pytest.mark.parametrize("turn", turns(4))
def test_killed_at_any_single_write_of_a_release_it_ends_the_same(turn: Turn, is_after: bool) -> None:
    for nth in turn.of(range(1, clean().writes[-1] + 1)):
        _ends_the_same(nth, Killed, is_after=is_after)


ERRORS: dict[str, Callable[[], BaseException]] = {
    "404": lambda: Vanished("not found", status=404),
    "409": lambda: LookAgain("conflict", status=409),
    "403": lambda: Refused("forbidden", status=403),
    "500": lambda: TryAgain("internal error", status=500),
    "nothing": lambda: TryAgain("no reply"),
}


@MOMENTS
@pytest.mark.parametrize("answer", ERRORS)
@pytest.mark.parametrize("turn", turns(1))
def test_answered_wrongly_at_a_write_of_a_release_it_ends_the_same(turn: Turn, answer: str, is_after: bool) -> None:
    for nth in turn.of(range(1 + list(ERRORS).index(answer), clean().writes[-1] + 1, len(ERRORS))):
        _ends_the_same(nth, ERRORS[answer], is_after=is_after)

"""The proof over the in-memory cluster in virtual time: killed at any write around the removal, a release ends and its proof stays."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from tests.enumerations import Turn, turns
from tests.memory.api_server import Call
from tests.shell import virtual_time
from tests.shell.moments import after
from tests.shell.operator_world import Killed, OperatorWorld, Strike, create_released, release
from tests.shell.test_release_flows import Watchman

from hardened.errors import LookAgain, Refused, TryAgain
from hardened.shell.kinds import DEPLOYMENT, HARDENED_SERVICE, POD

Body = dict[str, Any]
RELEASES = (create_released, release("web:2"))
COUNTED = {"requests": 5, "failed": 0}


def status(world: OperatorWorld) -> Body:
    (live,) = world.server.all(HARDENED_SERVICE)
    found: Body = live["status"]
    return found


def probes(world: OperatorWorld) -> list[str]:
    return [pod["metadata"]["name"] for pod in world.server.all(POD) if "-removal-" in pod["metadata"]["name"]]


def counted(world: OperatorWorld, name: str, **labels: str) -> float:
    """A counter of all operators together."""
    return sum(each.metrics.registry.get_sample_value(name, labels) or 0 for each in world.operators)


def has_ended(world: OperatorWorld) -> None:
    """The release has, whatever became of its second probe."""
    assert "release" not in status(world)
    assert status(world)["phase"] == "Healthy"
    assert {d["metadata"]["name"]: d["spec"]["replicas"] for d in world.server.all(DEPLOYMENT)} == {"web-blue": 0, "web-green": 2}
    assert status(world)["proof"]["cutover"] == COUNTED
    assert "removedBy" not in status(world)["proof"]
    assert probes(world) == []


def _played(hook: Callable[[Call], None] | None = None, *, is_after: bool = False) -> OperatorWorld:
    """The second release."""

    async def play(world: OperatorWorld) -> OperatorWorld:
        watchman = Watchman(world)
        if is_after:
            world.server.after = hook
        else:
            world.server.before = hook
        await world.play(RELEASES[1])
        assert watchman.wrongs == []
        return world

    return after(RELEASES[0]).run(play)


@cache
def clean() -> list[str]:
    """The writes of the second release."""

    async def play() -> list[str]:
        world = OperatorWorld()
        await world.play(RELEASES[0])
        before = len(world.server.writes)
        await world.play(RELEASES[1])
        has_ended(world)
        assert status(world)["proof"]["removal"] == COUNTED
        assert counted(world, "hardened_releases_total", result="promoted") == 2
        assert counted(world, "hardened_cutover_seconds_count") == 2
        assert [counted(world, "hardened_probe_requests_total", probe=probe) for probe in ("cutover", "removal")] == [5, 5]
        assert counted(world, "hardened_releases_at_work") == 0
        return [f"{call.verb} {call.kind.name} {call.name}" for call in world.server.writes[before:]]

    return virtual_time.run(play())


def around_the_removal() -> range:
    """The writes from the one before the probe's begin until the end, counted from 1."""
    begin = next(at for at, write in enumerate(clean(), 1) if "-removal-" in write)
    return range(begin - 1, len(clean()) + 1)


def test_the_proof_stays_once_the_release_has_ended() -> None:
    made = [write.split()[0] for write in clean() if "-removal-" in write]
    assert made == ["apply", "patch", "delete"]
    assert len(around_the_removal()) >= 6


@pytest.mark.parametrize("is_after", [False, True], ids=["before it took effect", "after it took effect"])
@pytest.mark.parametrize("turn", turns(1))
def test_killed_at_any_write_around_the_removal_both_probes_are_proof(turn: Turn, is_after: bool) -> None:
    for nth in turn.of(around_the_removal()):
        strike = Strike(nth, Killed)
        world = _played(strike, is_after=is_after)
        assert strike.has_struck
        has_ended(world)
        assert status(world)["proof"]["removal"] == COUNTED, f"write {nth}: {clean()[nth - 1]}"
        # Killed after such a write, and before it was counted: a count may be lost, and is never made twice.
        assert counted(world, "hardened_releases_total", result="promoted") in ((0, 1) if is_after else (1,))
        assert counted(world, "hardened_probe_requests_total", probe="removal") in ((0, 5) if is_after else (5,))


ERRORS: dict[str, Callable[[], BaseException]] = {
    "409": lambda: LookAgain("conflict", status=409),
    "403": lambda: Refused("forbidden", status=403),
    "500": lambda: TryAgain("internal error", status=500),
    "nothing": lambda: TryAgain("no reply"),
}


@pytest.mark.exhaustive
@pytest.mark.parametrize("is_after", [False, True], ids=["before it took effect", "after it took effect"])
@pytest.mark.parametrize(("turn", "answer"), list(enumerate(ERRORS)))
def test_answered_wrongly_at_a_write_around_the_removal_the_release_ends(turn: int, answer: str, is_after: bool) -> None:
    for nth in around_the_removal()[turn :: len(ERRORS)]:
        has_ended(_played(Strike(nth, ERRORS[answer]), is_after=is_after))


def test_where_the_probe_is_never_let_in_the_release_ends_and_nobody_is_blamed() -> None:
    reasons: set[str] = set()

    def refuse(call: Call) -> None:
        if call.is_write and "-removal-" in (call.name or ""):
            raise Refused("exceeded quota", status=403)
        if call.body and call.body.get("kind") == "HardenedService" and "status" in call.body:
            reasons.update(c["reason"] for c in call.body["status"]["conditions"] if c["type"] == "Ready")

    world = _played(refuse)
    has_ended(world)
    assert "removal" not in status(world)["proof"]
    assert reasons == {"RollingOut", "Healthy"}

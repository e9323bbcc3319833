"""A spec that goes back, an Approval whose time is changed, and a drain, over the in-memory cluster: killed at any write."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

import pytest
from tests.enumerations import Turn, one_of_seven, turns
from tests.memory.api_server import Call
from tests.shell import virtual_time
from tests.shell.moments import Moment
from tests.shell.operator_world import RELEASED, Killed, Operator, OperatorWorld, Strike, asks, create_released, release, service, today
from tests.shell.test_release_flows import Watchman
from tests.shell.test_rollback_flows import LONG, create_long, state

from hardened.shell.kinds import DEPLOYMENT, ENDPOINT_SLICE, HARDENED_SERVICE, POD, SERVICE

pytestmark = pytest.mark.one_of(3)

Body = dict[str, Any]
Step = Callable[[OperatorWorld], Any]


def whole(**spec: Any) -> Step:
    """The team applies the first version's spec, with these differences."""

    async def apply(world: OperatorWorld) -> None:
        wanted = service(**{**RELEASED, **LONG, **spec})["spec"]
        await world.people.merge_patch(HARDENED_SERVICE, "shop", "web", {"spec": wanted})

    return apply


def soon(*steps: Step, seconds: float) -> Step:
    """Several steps, with so long between them, whatever comes of each."""

    async def do(world: OperatorWorld) -> None:
        for number, step in enumerate(steps):
            await asyncio.sleep(seconds if number else 0)
            await step(world)

    return do


def manual(after: str | None) -> Step:
    return release("web:2", release={**RELEASED["release"], "promotion": "Manual", "autoPromoteAfter": after})


def checked(window: str, **release: Any) -> Body:
    return {"verify": {"afterCutover": {"window": window}}, "release": {**LONG["release"], **release}}


async def drained(world: OperatorWorld) -> None:
    """Both pods of what is watched have to leave their node. Others come in their place when the cluster's controllers work next."""
    (live,) = world.server.all(HARDENED_SERVICE)
    color = live["status"]["release"]["color"]
    moment = today().strftime("%Y-%m-%dT%H:%M:%SZ")
    said = [
        {"type": kind, "status": status, "lastTransitionTime": moment}
        for kind, status in (("Ready", "False"), ("DisruptionTarget", "True"))
    ]
    deployment = next(d for d in world.server.all(DEPLOYMENT) if d["metadata"]["name"].endswith(color))
    counts = {k: v for k, v in deployment["status"].items() if k not in ("readyReplicas", "availableReplicas")}
    await world.people.replace_status(DEPLOYMENT, "shop", deployment["metadata"]["name"], counts)
    for pod in world.server.all(POD):
        if pod["metadata"]["labels"].get("hardened.dev/color") == color:
            await world.people.replace_status(POD, "shop", pod["metadata"]["name"], {"phase": "Running", "conditions": said})
    for live in world.server.all(ENDPOINT_SLICE):
        gone = [{**endpoint, "conditions": {"ready": False}} for endpoint in live["endpoints"]]
        await world.people.merge_patch(ENDPOINT_SLICE, "shop", live["metadata"]["name"], {"endpoints": gone})


WATCHED = release("web:2", verify={"afterCutover": {"window": "10m"}})
#: By what they are: the steps, and how many of them are played without a kill.
FLOWS: dict[str, tuple[tuple[Step, ...], int]] = {
    "back to what is kept": ((create_long, release("web:2", **LONG), whole()), 2),
    "there and back again": ((create_long, release("web:2", **LONG), whole(), release("web:2", **LONG)), 2),
    "back to what is stable, under live traffic": ((create_long, WATCHED, whole()), 2),
    "what was left stays rejected": (
        (create_long, release("web:2", **checked("2s")), release("web:3", **checked("3s", promotion="Manual")), asks("Rollback"),
         release("web:2", **checked("2s"))), 3),
    "autoPromoteAfter is removed, and added": ((create_released, manual("1h"), manual(None), manual("5s")), 1),
    "drained under live traffic": ((create_released, WATCHED, drained), 2),
}  # fmt: skip


@dataclass(frozen=True)
class Clean:
    """A flow without a kill. moment: from which on kills may come; writes: those after it; states: after each step."""

    moment: Moment[tuple[OperatorWorld, Watchman]]
    writes: list[Call]
    states: list[Body]


@cache
def clean(name: str) -> Clean:
    """Played once."""
    steps, spared = FLOWS[name]

    async def play() -> Clean:
        world, states = OperatorWorld(), []
        watchman = Watchman(world)
        for step in steps[:spared]:
            await world.play(step)
            states.append(state(world))
        moment, before = Moment((world, watchman)), len(world.server.writes)
        for step in steps[spared:]:
            await world.play(step)
            states.append(state(world))
        assert watchman.wrongs == []
        return Clean(moment, world.server.writes[before:], states)

    return virtual_time.run(play())


def told(name: str) -> tuple[str, str, str | None]:
    """How a flow ends: the phase, the image that serves, and the step of its release."""
    found = clean(name).states[-1]
    status = found["HardenedService web"]["status"]
    return status["phase"], status["serving"]["image"], found["release"]


def test_the_flows_end_as_they_say() -> None:
    assert {name: told(name) for name in FLOWS} == {
        "back to what is kept": ("Healthy", "web:1", "Keep"),
        "there and back again": ("Healthy", "web:2", "Keep"),
        "back to what is stable, under live traffic": ("Healthy", "web:1", None),
        "what was left stays rejected": ("RolledBack", "web:1", None),
        "autoPromoteAfter is removed, and added": ("Healthy", "web:2", None),
        "drained under live traffic": ("Progressing", "web:2", "VerifyAfter"),
    }
    approval = [found["release"] for found in clean("autoPromoteAfter is removed, and added").states]
    assert approval == [None, "Approval", "Approval", None]
    drain = clean("drained under live traffic")
    assert all(found["pin"] is None for found in drain.states), "it is released again, and was never rejected"
    assert len([w for w in drain.writes if (w.kind, w.name) == (SERVICE, "web")]) == 2, "traffic goes back, and on again"


def test_what_is_kept_is_gone_back_to_with_three_writes_and_no_pod_is_made_or_taken_down() -> None:
    found = clean("back to what is kept")
    first = [(w.verb, w.kind.name, w.name) for w in found.writes[:3]]
    assert first == [("status", "HardenedService", "web"), ("apply", "Deployment", "web-blue"), ("apply", "Service", "web")]
    assert {w.kind for w in found.writes} & {POD} == set()
    assert [found.states[-1][f"Deployment web-{color}"]["spec"]["replicas"] for color in ("blue", "green")] == [2, 2]


@pytest.mark.parametrize(("second", "image"), [(whole(), "web:1"), (WATCHED, "web:1")], ids=["kept", "stable"])
def test_it_is_ready_within_a_second(second: Step, image: str) -> None:
    flow = "back to what is stable, under live traffic" if second is WATCHED else "back to what is kept"

    async def play(kept: tuple[OperatorWorld, Watchman]) -> tuple[float, Body]:
        world, _ = kept
        working = asyncio.create_task(Operator(world.server).run())
        await asyncio.sleep(1)
        await whole()(world)
        began = virtual_time.now()
        while True:
            await asyncio.sleep(0.05)
            world.server.settle()
            (live,) = world.server.all(HARDENED_SERVICE)
            is_seen = live["status"]["observedGeneration"] == live["metadata"]["generation"]
            ready = next(c for c in live["status"]["conditions"] if c["type"] == "Ready")
            if (is_seen and ready["status"] == "True") or virtual_time.now() > began + 60:
                break
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        return virtual_time.now() - began, live["status"]["serving"]

    took, serving = clean(flow).moment.run(play)
    assert serving["image"] == image
    assert took < 1


def _ends_the_same(name: str, nth: int) -> None:
    (steps, spared), strike = FLOWS[name], Strike(nth, Killed)

    async def play(kept: tuple[OperatorWorld, Watchman]) -> tuple[Body, list[str]]:
        world, watchman = kept
        world.server.before = strike
        await world.play(*steps[spared:])
        return state(world), watchman.wrongs

    found, wrongs = clean(name).moment.run(play)
    assert strike.has_struck
    assert wrongs == [], f"write {nth}"
    assert found == clean(name).states[-1], f"write {nth}"


@pytest.mark.parametrize("name", FLOWS)
@pytest.mark.parametrize("turn", turns(1))
def test_killed_at_any_write_it_ends_the_same(turn: Turn, name: str) -> None:
    for nth in turn.of(range(1, len(clean(name).writes) + 1)):
        _ends_the_same(name, nth)


#: The spec changes again so many seconds after it went back.
MOMENTS = (0.001, 0.3, 1.0, 3.0)
AFTER = {
    "to the one that it left": (release("web:2", **LONG), "web:2"),
    "to a newer one": (release("web:3", **LONG), "web:3"),
    "to one that fails": (release("doomed:1", **LONG), None),
}


def _goes_on(step: Step, nth: int) -> tuple[str, str, Any, int, list[str]]:
    """How this step ends after a release whose previous stack is up, where the operator is killed before this write. 0: it is not."""
    strike = Strike(nth, Killed)

    async def play(kept: tuple[OperatorWorld, Watchman]) -> tuple[str, str, Any, int, list[str]]:
        world, watchman = kept
        before = len(world.server.writes)
        if nth:
            world.server.before = strike
        await world.play(step)
        found, status = state(world), world.server.all(HARDENED_SERVICE)[0]["status"]
        switch = next(s for s in world.server.all(SERVICE) if s["metadata"]["name"] == "web")["spec"]["selector"]
        assert switch["hardened.dev/revision"] == status["stable"]["revision"] == status["serving"]["revision"]
        return status["phase"], status["serving"]["image"], found["pin"], len(world.server.writes) - before, watchman.wrongs

    return clean("back to what is kept").moment.run(play)


@pytest.mark.parametrize(("what", "seconds"), one_of_seven(product(AFTER, MOMENTS)))
@pytest.mark.parametrize("turn", turns(1))
def test_the_spec_goes_on_while_it_goes_back(turn: Turn, what: str, seconds: float) -> None:
    then, image = AFTER[what]
    step = soon(whole(), then, seconds=seconds)
    _, _, _, writes, _ = _goes_on(step, 0)
    for nth in (0, *turn.of(range(1, writes + 1))):
        phase, serving, pin, _, wrongs = _goes_on(step, nth)
        assert wrongs == [], f"write {nth}"
        if image:
            assert (phase, serving, pin) == ("Healthy", image, None), f"write {nth}"
        else:
            assert (phase, serving != "doomed:1") == ("RolledBack", True), f"write {nth}"

"""The strategy of a service changed in the middle of a release, over the in-memory cluster in virtual time."""

import asyncio
from functools import cache
from typing import Any

import pytest
from tests.enumerations import Turn, one_of_seven, turns
from tests.shell.moments import after
from tests.shell.operator_world import RELEASED, Killed, OperatorWorld, Strike, release, service
from tests.shell.test_in_place_flows import STRATEGIES

from hardened.api.names import REVISION_LABEL
from hardened.core.desired.service import NOBODY
from hardened.shell.kinds import DEPLOYMENT, HARDENED_SERVICE, SERVICE, Kind

pytestmark = pytest.mark.one_of(6)

Body = dict[str, Any]
CHECKS = {"beforeCutover": [{"name": "smoke", "http": {"count": 1}}]}
#: Which release gets into each step: what beside its image and strategy it says, and what a change of the strategy has to take back.
MIGRATE: Body = {"release": {"migrate": {"command": ["true"], "undo": {"command": ["true"]}}}}
BLUE_GREEN: dict[str, tuple[str, Body, Body]] = {
    "Migrate": ("web:2", MIGRATE, {}),
    "Preview": ("web:2", {}, {}),
    "Approval": ("web:2", {"release": {"promotion": "Manual"}}, {"release": {"promotion": None}}),
    "ScaleUp": ("web:2", {"verify": CHECKS}, {"verify": {"beforeCutover": None}}),
    "Cutover": ("web:2", {}, {}),
    "VerifyAfter": ("web:2", {}, {}),
    "SwitchBack": ("doomed:1", {}, {}),
    "Keep": ("web:2", {}, {}),
}
IN_PLACE: dict[str, tuple[str, Body, Body]] = {
    "Migrate": ("web:2", MIGRATE, {}),
    "Cutover": ("web:2", {}, {}),
    "VerifyAfter": ("web:2", {}, {}),
    "SwitchBack": ("doomed:1", {}, {}),
}
CHANGES = [
    *(("BlueGreen", to, step) for to in ("RollingUpdate", "Recreate") for step in BLUE_GREEN),
    *((of, to, step) for of in STRATEGIES for to in ("BlueGreen", *STRATEGIES) if of != to for step in IN_PLACE),
]


class Outages:
    """Looks at every change of a Deployment and of the switch Service. wrongs: when nobody would have answered clients.

    Pods follow their Deployment at once in this cluster: what matters is that the selector matches a template whose pods are available.
    """

    def __init__(self, world: OperatorWorld) -> None:
        self._world, self.wrongs = world, list[str]()
        self._has_served = bool(self._answering()[1])
        world.server.on_event.append(self._saw)

    def _saw(self, event: str, kind: Kind, obj: Body) -> None:
        if kind not in (DEPLOYMENT, SERVICE) or event == "DELETED":
            return
        (live,) = self._world.server.all(HARDENED_SERVICE)
        switches, answers = self._answering()
        found = live.get("status", {}).get("release", {})
        # What fails under traffic has none to answer, and until the pods of another revision are there nobody has.
        if found.get("strategy") == "Recreate" or live["spec"]["image"] == "doomed:1":
            self._has_served = False
        self._has_served = self._has_served or bool(answers)
        if self._has_served and not answers:
            self.wrongs.append(f"{switches} leads to nobody in {found.get('step')} of {found.get('strategy')}")

    def _answering(self) -> tuple[list[Body], list[str]]:
        """The selectors of the switch Service, and the Deployments that it leads to which have pods."""
        switches = [s["spec"].get("selector") or {} for s in self._world.server.all(SERVICE) if s["metadata"]["name"] == "web"]
        return switches, [
            d["metadata"]["name"] for d in self._world.server.all(DEPLOYMENT)
            if switches and switches[0].items() <= d["spec"]["template"]["metadata"]["labels"].items()
            and min(d["spec"]["replicas"], d.get("status", {}).get("availableReplicas", 0))
        ]  # fmt: skip


@cache
def create(strategy: str) -> Any:
    """A team makes a service that is released by this strategy."""

    async def make(world: OperatorWorld) -> None:
        spec = {**RELEASED, "release": {**RELEASED["release"], "strategy": strategy}}
        await world.people.create(HARDENED_SERVICE, service(**spec))

    return make


def changed(of: str, to: str, step: str, image: str | None) -> Any:
    """A new version, and once its release is in this step another strategy. image: with another version, too."""
    released, more, less = (BLUE_GREEN if of == "BlueGreen" else IN_PLACE)[step]
    spec = {"strategy": of, **more.get("release", {})}
    change = {**less, "release": {"strategy": to, **less.get("release", {})}, **({"image": image} if image else {})}

    async def edit(world: OperatorWorld) -> None:
        loop, seen = asyncio.get_running_loop(), list[str]()

        def saw(_: str, kind: Kind, obj: Body) -> None:
            if kind == HARDENED_SERVICE and obj.get("status", {}).get("release", {}).get("step") == step and not seen:
                seen.append(step)
                loop.call_soon(world.people.patch_now, HARDENED_SERVICE, "shop", "web", {"spec": change})

        world.server.on_event.append(saw)
        await release(released, **{**more, "release": spec})(world)
        await world.until_quiet()
        assert seen

    return edit


def check(world: OperatorWorld, to: str, image: str, *, is_released: bool) -> None:
    """What serves, alone, and as this strategy leads to it, where that has released anything."""
    (live,) = world.server.all(HARDENED_SERVICE)
    assert live["status"]["phase"] == ("RolledBack" if live["spec"]["image"] == "doomed:1" else "Healthy")
    assert live["status"]["serving"]["image"] == image
    assert "release" not in live["status"]
    running = [d for d in world.server.all(DEPLOYMENT) if d["spec"]["replicas"]]
    assert [d["spec"]["template"]["spec"]["containers"][0]["image"] for d in running] == [image]
    (switch,) = (s["spec"]["selector"] for s in world.server.all(SERVICE) if s["metadata"]["name"] == "web")
    assert switch.get(REVISION_LABEL) != NOBODY
    if is_released:
        assert (REVISION_LABEL in switch) == (to != "RollingUpdate")


def played(of: str, to: str, step: str, image: str | None, strike: Strike | None = None) -> int:
    """The change, its effect, and a release after it. The writes of the change."""

    async def run(world: OperatorWorld) -> int:
        outages, before = Outages(world), len(world.server.writes)
        world.server.before = strike
        await world.play(changed(of, to, step, image))
        check(world, to, image or ("web:1" if step == "SwitchBack" else "web:2"), is_released=image is not None)
        made = len(world.server.writes) - before
        if strike is None:
            await world.play(release("web:4", release={"strategy": to}))
            check(world, to, "web:4", is_released=True)
        assert outages.wrongs == []
        return made

    return after(create(of)).run(run)


@pytest.mark.parametrize("image", [None, "web:3"], ids=["alone", "with another version"])
@pytest.mark.parametrize(("of", "to", "step"), one_of_seven(CHANGES))
def test_a_changed_strategy_takes_effect_with_the_next_release_and_nobody_is_left_without_an_answer(
    of: str, to: str, step: str, image: str | None
) -> None:
    played(of, to, step, image)


@pytest.mark.parametrize("turn", turns(1, at=pytest.mark.full))
@pytest.mark.parametrize(
    ("of", "to", "step"),
    one_of_seven(
        [
            ("BlueGreen", "Recreate", "Keep"),
            ("BlueGreen", "RollingUpdate", "VerifyAfter"),
            ("RollingUpdate", "BlueGreen", "Cutover"),
            ("Recreate", "RollingUpdate", "VerifyAfter"),
        ]
    ),
)
def test_killed_at_any_write_of_it_it_ends_the_same(of: str, to: str, step: str, turn: Turn) -> None:
    for nth in turn.of(range(1, played(of, to, step, "web:3") + 1)):
        strike = Strike(nth, Killed)
        played(of, to, step, "web:3", strike)
        assert strike.has_struck

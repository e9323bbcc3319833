"""Something else is wrong at the same time, in any step of a release: a spec that cannot be used, or a child that is refused. Clients are
served as without it. Over the in-memory cluster, in virtual time."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from itertools import product
from typing import Any

import pytest
from tests.enumerations import Turn, turns
from tests.memory.api_server import Call
from tests.shell import virtual_time
from tests.shell.moments import Moment
from tests.shell.operator_world import RELEASED, OperatorWorld, asks, service, today
from tests.shell.test_release_flows import Watchman

from hardened.api.names import COLOR_LABEL
from hardened.api.parse import parse
from hardened.core.desired.service import NOBODY
from hardened.core.revisions.revision import revision_name
from hardened.errors import ApiFailure, Refused, TryAgain
from hardened.shell.kinds import DEPLOYMENT, HARDENED_SERVICE, HARDENED_SERVICE_ACTION, SERVICE, Kind

pytestmark = pytest.mark.one_of(3)

Body = dict[str, Any]
#: Each step is met, and lasts.
SPEC: Body = {
    **RELEASED,
    "release": {
        "strategy": "BlueGreen", "keepPrevious": "60s", "progressDeadline": "15s", "promotion": "Manual", "autoPromoteAfter": "4s",
    },
    "verify": {"beforeCutover": [{"name": "smoke", "http": {"path": "/", "count": 5}}], "afterCutover": {"window": "20s"}},
}  # fmt: skip
FIRST, SECOND = service(**SPEC), service(**SPEC, image="web:2", files=[{"mountPath": "/etc/web", "data": {"a": "2"}}])
#: "": at rest, after the release.
STEPS = ("Preview", "VerifyBefore", "Approval", "ScaleUp", "Cutover", "VerifyAfter", "Keep", "")
#: How long clients may be without a pod that answers, beyond what it takes where nothing is refused: one look, or one try again.
SLACK = 5.0


# ---- what is wrong


@dataclass(frozen=True)
class Wrong:
    """spec: what the spec is changed to; refuses: which writes are refused; failure: with what."""

    name: str
    spec: Body | None = None
    kind: str = ""
    child: str = ""
    failure: Callable[[], ApiFailure] = lambda: Refused("forbidden by a policy", status=403)

    def __call__(self, call: Call) -> None:
        is_child = call.verb not in ("get", "list", "status") and call.kind.name == self.kind
        if is_child and (call.name or "").startswith(self.child):
            raise self.failure()


def revision(body: Body) -> str:
    return revision_name(parse(body).spec)


NONE = Wrong("nothing")
CLAIM = {"volumes": [{"name": "data", "mountPath": "/data", "claim": {"size": "1Gi", "shared": True}}]}
INVALID = (
    Wrong("a key that the settings refuse", {"podMetadata": {"labels": {"team": "shop"}}}),
    Wrong("a newer image without a tag", {"image": "web"}),
    Wrong("checks that cannot be read", {"verify": {"beforeCutover": "smoke"}}),
)
#: What is refused may be needed by a newer spec alone, or be a repair.
CHILDREN = (
    *(("ControllerRevision", f"web-{revision(body)}") for body in (FIRST, SECOND)),
    *(("ConfigMap", f"web-{revision(body)}") for body in (FIRST, SECOND)),
    ("ServiceAccount", "web"),
    *((kind, f"web-{color}") for kind in ("NetworkPolicy", "PodDisruptionBudget") for color in ("blue", "green")),
    ("Service", "web-preview"), ("Pod", "web-verify"), ("Deployment", "web-green"),
)  # fmt: skip
REFUSED = (
    Wrong("a claim of a newer spec", CLAIM, "PersistentVolumeClaim"),
    Wrong("the files of a newer spec", {"files": [{"mountPath": "/etc/web", "data": {"a": "3"}}]}, "ConfigMap"),
    *(Wrong(f"{kind} {name}", None, kind, name) for kind, name in CHILDREN),
    Wrong("a claim whose webhook is down", CLAIM, "PersistentVolumeClaim", "", lambda: TryAgain("failed calling webhook", status=500)),
    Wrong("a claim whose webhook hangs", CLAIM, "PersistentVolumeClaim", "", lambda: TryAgain("no reply")),
)
WRONGS = INVALID + REFUSED


# ---- what happens then


async def dies(world: OperatorWorld) -> None:
    """No pod of the new version is ready any more."""
    world.server.store.dead.add("web:2")


async def scales(world: OperatorWorld) -> None:
    """As an autoscaler does."""
    await world.people.set_scale(HARDENED_SERVICE, "shop", "web", 4)


async def loses_its_service(world: OperatorWorld) -> None:
    """Somebody deletes the Service that clients use."""
    live = await world.people.get(SERVICE, "shop", "web")
    await world.people.delete(SERVICE, "shop", "web", uid=live["metadata"]["uid"])


EVENTS: dict[str, Callable[[OperatorWorld], Any]] = {
    "it dies": dies,
    "it dies, and is rolled back by hand": lambda world: _both(world, dies, asks("Rollback")),
    "a rollback by hand": asks("Rollback"),
    "scaled": scales,
    "the Service deleted": loses_its_service,
}


async def _both(world: OperatorWorld, *events: Callable[[OperatorWorld], Any]) -> None:
    for event in events:
        await event(world)


# ---- what comes of it


@dataclass(frozen=True)
class End:
    """serves: the image that clients are led to; pods: ready ones of it; is_available: by status; action: its phase; unserved: seconds in
    which no ready pod was led to."""

    serves: str
    pods: int
    is_available: bool
    action: str
    unserved: float


class Clients:
    """Counts the time in which nobody answers."""

    def __init__(self, world: OperatorWorld) -> None:
        self._world, self._since, self.unserved = world, 0.0, 0.0
        world.server.on_event.append(self._saw)

    def _saw(self, _: str, kind: Kind, __: Body) -> None:
        if kind not in (DEPLOYMENT, SERVICE):
            return
        _, ready = served(self._world)
        if not ready and not self._since:
            self._since = virtual_time.now()
        if ready and self._since:
            self.unserved += virtual_time.now() - self._since
            self._since = 0.0


def served(world: OperatorWorld) -> tuple[str, int]:
    """The image that clients are led to, and how many of its pods are ready."""
    selector = next((s["spec"]["selector"] for s in world.server.all(SERVICE) if s["metadata"]["name"] == "web"), None)
    if selector is None or selector.get("hardened.dev/revision") == NOBODY:
        return "", 0
    for live in world.server.all(DEPLOYMENT):
        template = live["spec"]["template"]
        if selector.items() <= template["metadata"]["labels"].items():
            return template["spec"]["containers"][0]["image"], (live.get("status") or {}).get("readyReplicas", 0)
    return "", 0


def step_of(world: OperatorWorld) -> str:
    return str(((world.server.all(HARDENED_SERVICE)[0].get("status") or {}).get("release") or {}).get("step", ""))


@cache
def first_released() -> Moment[tuple[OperatorWorld, Watchman]]:
    """The first version serves."""

    async def make(world: OperatorWorld) -> None:
        await world.people.create(HARDENED_SERVICE, FIRST)

    async def play() -> Moment[tuple[OperatorWorld, Watchman]]:
        world = OperatorWorld()
        watchman = Watchman(world)
        await world.play(make)
        return Moment((world, watchman))

    return virtual_time.run(play())


def played(step: str, wrong: Wrong, event: str) -> tuple[End, list[str]]:
    """A second version is released; in this step something goes wrong, and then something happens."""

    async def disturb(world: OperatorWorld) -> None:
        world.server.before = wrong
        if wrong.spec:
            await world.people.merge_patch(HARDENED_SERVICE, "shop", "web", {"spec": wrong.spec})
            await asyncio.sleep(0.5)
        await EVENTS[event](world)

    async def disturb_in_step(world: OperatorWorld) -> None:
        for _ in range(4000):
            if step_of(world) == step:
                return await disturb(world)
            await asyncio.sleep(0.05)
        raise AssertionError(f"{step} never came")

    async def play(kept: tuple[OperatorWorld, Watchman]) -> tuple[End, list[str]]:
        (world, watchman), tasks = kept, []

        async def edit(world: OperatorWorld) -> None:
            await world.people.merge_patch(HARDENED_SERVICE, "shop", "web", {"spec": SECOND["spec"]})
            if step:
                tasks.append(asyncio.create_task(disturb_in_step(world)))

        clients = Clients(world)
        await world.play(edit, *([] if step else [disturb]))
        await asyncio.gather(*tasks)
        (live,) = world.server.all(HARDENED_SERVICE)
        image, ready = served(world)
        is_available = any(c["type"] == "Available" and c["status"] == "True" for c in live["status"]["conditions"])
        action = next((str((each.get("status") or {}).get("phase")) for each in world.server.all(HARDENED_SERVICE_ACTION)), "")
        return End(image, ready, is_available, action, clients.unserved), watchman.wrongs

    return first_released().run(play)


@cache
def undisturbed(step: str, event: str) -> End:
    return played(step, NONE, event)[0]


def _is_stopped(wrong: Wrong, step: str, event: str) -> bool:
    """Whether what happens needs the very thing that is refused."""
    in_green = step in ("Cutover", "VerifyAfter", "Keep", "")
    grows = event == "scaled" and wrong.child == "web-green" and wrong.kind == "Deployment" and in_green
    marks = "rolled back" in event or "rollback" in event
    return grows or (marks and wrong.kind == "ControllerRevision")


CASES = [case for case in product(STEPS, WRONGS, EVENTS) if not _is_stopped(case[1], case[0], case[2])]


# A release that goes back and forth for ever takes no virtual time.
@pytest.mark.timeout(600)
@pytest.mark.parametrize("turn", turns(4, at=pytest.mark.full, one_of=120))
def test_whatever_else_is_refused_clients_are_served_as_without_it(turn: Turn) -> None:
    for step, wrong, event in turn.of(CASES):
        case = f"in {step or 'rest'}: {wrong.name}; then {event}"
        found, wrongs = played(step, wrong, event)
        expected = undisturbed(step, event)
        assert wrongs == [], case
        assert found.unserved <= expected.unserved + SLACK, case
        assert (found.pods, found.is_available, found.action) == (expected.pods, expected.is_available, expected.action), case
        # What is refused may keep the release where it is.
        is_going_on = event in ("scaled", "the Service deleted") or found.action == "Refused"
        assert found.serves == expected.serves or (is_going_on and found.serves == "web:1"), case


@pytest.mark.parametrize("left", [0.02, 0.3, 2.0, 7.0])
def test_a_good_version_is_not_rejected_since_the_api_server_let_clients_be_led_to_it_late(left: float) -> None:
    async def play(kept: tuple[OperatorWorld, Watchman]) -> tuple[str, object, list[str]]:
        (world, watchman), tasks = kept, []
        ends: list[datetime] = []

        def refuse(call: Call) -> None:
            is_flip = (
                call.kind == SERVICE and call.name == "web" and (call.body or {}).get("spec", {})["selector"].get(COLOR_LABEL) == "green"
            )
            if is_flip and not (ends and today() >= ends[0]):
                raise Refused("forbidden by a policy", status=403)

        async def look_again_then(world: OperatorWorld) -> None:
            """At the moment from which on it is let through."""
            for _ in range(4000):
                if step_of(world) == "Cutover":
                    break
                await asyncio.sleep(0.05)
            deadline = world.server.all(HARDENED_SERVICE)[0]["status"]["release"]["deadline"]
            ends.append(datetime.fromisoformat(deadline) - timedelta(seconds=left))
            await asyncio.sleep((ends[0] - today()).total_seconds() + 0.001)
            await world.people.merge_patch(HARDENED_SERVICE, "shop", "web", {"metadata": {"annotations": {"looked": "at"}}})

        async def edit(world: OperatorWorld) -> None:
            world.server.before = refuse
            await world.people.merge_patch(HARDENED_SERVICE, "shop", "web", {"spec": SECOND["spec"]})
            tasks.append(asyncio.create_task(look_again_then(world)))

        await world.play(edit)
        await asyncio.gather(*tasks)
        await world.play()
        return served(world)[0], world.server.all(HARDENED_SERVICE)[0]["status"].get("pin"), watchman.wrongs

    assert first_released().run(play) == ("web:2", None, [])

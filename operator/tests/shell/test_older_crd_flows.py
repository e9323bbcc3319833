"""An operator whose CRD on the cluster is older than itself, over the in-memory cluster in virtual time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pytest
from tests.enumerations import Turn, turns
from tests.memory.api_server import Call
from tests.shell import virtual_time
from tests.shell.moments import Moment, step_of_write
from tests.shell.operator_world import POLICY, RELEASED, Killed, OperatorWorld, Strike, asks, create_released, release
from tests.shell.test_backup_flows import NIGHTLY

from hardened.errors import Refused
from hardened.shell.kinds import DEPLOYMENT, HARDENED_SERVICE, POD, Kind
from hardened.shell.undeclared import undeclared, without

pytestmark = pytest.mark.one_of(6)

Step = Callable[[OperatorWorld], Any]
STATUS = {
    "release": {"step": "Keep", "enteredAt": "x"},
    "actions": [{"name": "a", "x": 1, "y": 2}, {"name": "b", "x": 3}],
    "phase": "Healthy",
}


@pytest.mark.parametrize(
    ("message", "paths"),
    [
        (".status.serving: field not declared in schema", {("serving",)}),
        ("failed to create typed patch object (shop/web; hardened.dev/v1alpha1, Kind=HardenedService): .status.release.enteredAt: "
         "field not declared in schema", {("release", "enteredAt")}),
        ("failed: errors:\n  .status.release.enteredAt: field not declared in schema\n  .status.release.left.by: field not declared in "
         "schema", {("release", "enteredAt"), ("release", "left", "by")}),
        ('.status.actions[name="a.b]: c"].x: field not declared in schema', {("actions", "x")}),
        ('.status.actions[name="a",kind="b"].x: field not declared in schema', {("actions", "x")}),
        (".status.list[0].x[1].y: field not declared in schema", {("list", "x", "y")}),
        (".spec.image: field not declared in schema; .status.release.st", set()),
        (".status.phase: expected string, got 1", set()),
    ],
)  # fmt: skip
def test_each_field_that_the_server_names_is_found(message: str, paths: set[tuple[str, ...]]) -> None:
    assert undeclared(message) == paths


@pytest.mark.parametrize(
    ("path", "left"),
    [
        (("release",), {name: STATUS[name] for name in ("actions", "phase")}),
        (("release", "enteredAt"), {**STATUS, "release": {"step": "Keep"}}),
        (("actions", "x"), {**STATUS, "actions": [{"name": "a", "y": 2}, {"name": "b"}]}),
        (("actions", "z"), STATUS),
        (("phase", "x"), STATUS),
        (("other",), STATUS),
    ],
)
def test_exactly_that_field_is_left_out(path: tuple[str, ...], left: dict[str, Any]) -> None:
    assert without(STATUS, frozenset({path})) == left


def _found(value: Any, path: tuple[str, ...], said: str = ".status") -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _found(item, path, f'{said}[name="{item.get("name")}"]')
    elif isinstance(value, dict) and path[0] in value:
        below = f"{said}.{path[0]}"
        yield from _found(value[path[0]], path[1:], below) if path[1:] else [f"{below}: field not declared in schema"]


def older(*lacks: tuple[str, ...]) -> Callable[[Call], None]:
    """A CRD that lacks these fields of the status."""

    def refuse(call: Call) -> None:
        if call.verb == "status" and call.kind == HARDENED_SERVICE and call.body:
            said = [text for path in lacks for text in _found(call.body["status"], path)]
            if said:
                listed = "\n  ".join(said)
                raise Refused(f"failed to create typed patch object (shop/web): errors:\n  {listed}"[:1024], status=500)

    return refuse


#: What revision 7 brought, and more of a release that it can do without.
NESTED = (("release", "enteredAt"), ("release", "available"), ("release", "replicas"), ("actions", "by"))
FLOW: tuple[Step, ...] = (create_released, release("web:2"), release("doomed:1"), release("web:3"), asks("Rollback"))


async def _played(world: OperatorWorld, *steps: Step) -> list[tuple[str, str]]:
    found = []
    for step in steps:
        await world.play(step)
        status = world.server.all(HARDENED_SERVICE)[0]["status"]
        found.append((status["phase"], status["serving"]["image"]))
    return found


def _end(world: OperatorWorld) -> dict[str, Any]:
    """The state, less what is named after its time."""
    return {name: body for name, body in world.state().items() if not name.startswith("Pod ")}


@dataclass(frozen=True)
class Clean:
    """The flow without a kill. moments: before each step; phases, writes: after each; end: the state at the end."""

    moments: list[Moment[OperatorWorld]]
    phases: list[tuple[str, str]]
    writes: list[int]
    end: dict[str, Any]


@cache
def _without(*lacks: tuple[str, ...]) -> Clean:
    async def play() -> Clean:
        world = OperatorWorld()
        world.crd_schema = "6"
        moments, phases, writes = [], [], []
        for step in FLOW:
            moments.append(Moment(world))
            world.server.before = older(*lacks)
            phases += await _played(world, step)
            writes.append(len(world.server.writes))
        return Clean(moments, phases, writes, _end(world))

    return virtual_time.run(play())


def test_under_a_crd_that_lacks_some_fields_of_a_release_everything_goes_on() -> None:
    found = _without(*NESTED)
    assert (found.phases, found.end) == (_without().phases, _without().end)
    assert found.phases == [
        ("Healthy", "web:1"), ("Healthy", "web:2"), ("RolledBack", "web:2"), ("Healthy", "web:3"), ("RolledBack", "web:2"),
    ]  # fmt: skip


@pytest.mark.parametrize("turn", turns(1))
def test_killed_at_any_write_under_such_a_crd_it_ends_the_same(turn: Turn) -> None:
    flow = _without(*NESTED)
    for nth in turn.of(range(1, flow.writes[-1] + 1)):
        step, nth_of_step = step_of_write(nth, flow.writes)
        strike, refuse = Strike(nth_of_step, Killed), older(*NESTED)

        def hook(call: Call, strike: Strike = strike, refuse: Callable[[Call], None] = refuse) -> None:
            refuse(call)
            strike(call)

        async def play(
            world: OperatorWorld, step: int = step, hook: Callable[[Call], None] = hook
        ) -> tuple[list[tuple[str, str]], dict[str, Any]]:
            world.server.before = hook
            return await _played(world, *FLOW[step:]), _end(world)

        assert flow.moments[step].run(play) == (flow.phases[step:], flow.end), f"write {nth}"
        assert strike.has_struck


def test_what_a_crd_lacks_is_told_and_the_rest_of_the_status_is_kept() -> None:
    async def play() -> dict[str, Any]:
        world = OperatorWorld()
        world.crd_schema = "6"
        world.server.before = older(*NESTED)
        await world.play(create_released, release("web:2", verify={"afterCutover": {"window": "10m"}}))
        return dict(world.server.all(HARDENED_SERVICE)[0]["status"])

    status = virtual_time.run(play())
    assert status["release"]["step"] == "VerifyAfter"
    assert not {name for _, name in NESTED} & status["release"].keys()
    hardened = next(c for c in status["conditions"] if c["type"] == "Hardened")
    assert (hardened["status"], hardened["reason"]) == ("False", "CrdMismatch")


@pytest.mark.parametrize(("schema", "phase"), [("", "RolledBack"), ("5", "RolledBack"), ("6", "RolledBack"), ("4", "Healthy")])
def test_who_asks_for_a_rollback_gets_it_under_every_crd_that_can_remember_it(schema: str, phase: str) -> None:
    async def play() -> str:
        world = OperatorWorld()
        world.crd_schema = schema
        await world.play(create_released, release("web:2", **{"release": RELEASED["release"]}), asks("Rollback"))
        return str(world.server.all(HARDENED_SERVICE)[0]["status"]["phase"])

    assert virtual_time.run(play()) == phase


def test_a_crd_that_does_not_know_releases_at_all_is_not_flooded() -> None:
    async def play() -> int:
        world = OperatorWorld()
        world.server.before = older(("release",))
        await world.play(create_released)
        before = len(world.server.calls)
        await world.until_quiet()
        return len(world.server.calls) - before

    assert virtual_time.run(play()) < 20


@pytest.mark.parametrize("schema", ["", "11", "13", "14"])
@pytest.mark.parametrize("action", ["Restore", "Rollback"])
def test_a_restore_that_the_crd_could_not_hold_stops_nobody_and_says_what_to_upgrade(schema: str, action: str) -> None:
    """Where its schema is not known, or is said to be another one, that is seen by the hold itself."""
    backed_up = {"backups": [NIGHTLY], "release": {**RELEASED["release"], "backupFirst": "nightly"}}
    asked = {"backup": "nightly", "snapshot": "ab" * 32} if action == "Restore" else {"withData": True}

    async def play() -> tuple[OperatorWorld, list[str]]:
        world = OperatorWorld()
        world.crd_schema = schema
        world.policy = replace(POLICY, backup=replace(POLICY.backup, may_restore=True))
        world.server.before = older(("hold",))
        await world.play(create_released, release("web:2", **backed_up), release("web:3", **backed_up))
        ended: list[str] = []

        def see(event: str, kind: Kind, obj: dict[str, Any]) -> None:
            if kind == POD and event == "DELETED" and obj["metadata"]["labels"].get("app.kubernetes.io/component") == "app":
                ended.append(obj["metadata"]["name"])

        world.server.on_event.append(see)
        await world.play(asks(action, "r", **asked), asks("Abort", "a", backup="nightly"), asks("Backup", "b", backup="nightly"))
        return world, ended

    world, ended = virtual_time.run(play())
    assert ended == []
    status = world.server.all(HARDENED_SERVICE)[0]["status"]
    entries = {entry["name"]: entry for entry in status["actions"]}
    assert entries["r"]["phase"] == ("Refused" if schema in ("11", "13") else "Failed")
    assert "older than the operator" in entries["r"]["message"]
    assert "upgrade it by the operator's chart" in entries["r"]["message"]
    assert entries["a"]["phase"] == "Refused", "there is nothing to be given up"
    assert entries["b"]["phase"] == "Succeeded", "and nothing else is held up by it"
    assert {c["type"]: c["status"] for c in status["conditions"]}["Ready"] == "True"
    assert not [live for live in world.server.all(DEPLOYMENT) if "hardened.dev/hold" in live["metadata"]["annotations"]]

"""Rollbacks with data in virtual time: code and data go back together, and nothing but the target ever runs on the data."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import product
from typing import Any

import pytest
from tests.enumerations import Turn, one_of_seven, turns
from tests.shell.bad_code_watch import BadCodeWatch
from tests.shell.moments import Moment, after
from tests.shell.operator_world import POLICY, Killed, Strike, asks, release
from tests.shell.test_action_flows import phases_of
from tests.shell.test_first_backup_flows import STRATEGIES, Watched, create, spec_of
from tests.shell.test_restore_flows import application_pods, conditions, message, restore_jobs
from tests.shell.test_stale_leader_flows import LEAST, MOST, runs, woken

from hardened.core.hold import machine
from hardened.core.model.hold import Hold, HoldPhase
from hardened.shell.kinds import DEPLOYMENT, HARDENED_SERVICE, HARDENED_SERVICE_ACTION

pytestmark = pytest.mark.one_of(6)

Body = dict[str, Any]
Step = Callable[[Any], Any]
SNAPSHOT, BEFORE = "ab" * 32, "cd" * 32
MIGRATE = {"command": ["true"]}


class Guarded(Watched):
    """A cluster whose operator may restore, and where somebody watches. bad: what was seen of the wrong revision on the data."""

    def __init__(self) -> None:
        super().__init__()
        self.policy = replace(POLICY, backup=replace(POLICY.backup, may_restore=True))
        self.watch = BadCodeWatch(self.server, self.target)
        self.server.on_event.append(self.watch)

    def target(self) -> str:
        """The revision of web:1."""
        return next(str(entry["revision"]) for entry in self.status["history"] if entry["image"] == "web:1")

    async def in_phase(self, phase: str) -> None:
        """Until the hold has come there."""
        await self.until(lambda status: (status.get("hold") or {}).get("phase") == phase)

    def outcome(self) -> Body:
        """How it has ended: all that exists, without the counts of attempts, and what became of actions."""
        holds = {name: (self.status.get("hold") or {}).get(name) for name in ("action", "phase", "message", "revision")}
        return {**self.end(), "hold": holds, "actions": [(e["name"], e["phase"], e["message"]) for e in self.status.get("actions", ())]}


def new(image: str, strategy: str, **more: Any) -> Step:
    return release(image, **{**spec_of(strategy, migrate=MIGRATE), **more})


def rolls_back(name: str = "r", **more: Any) -> Step:
    return asks("Rollback", name, withData=True, **more)


@cache
def begun(strategy: str) -> Moment[Guarded]:
    """web:2 serves, which has migrated; a snapshot was taken before it replaced web:1."""
    return after(create(strategy), new("web:2", strategy), world=Guarded)


def is_failing(step: Step) -> Step:
    """The restore fails that begins within `step`."""

    async def play(world: Guarded) -> None:
        world.server.store.dead.add("nightly")
        await step(world)
        await world.until(lambda status: (status.get("hold") or {}).get("phase") == "Failed")
        world.server.store.dead.discard("nightly")

    return play


def ends_well(_: str) -> Step:
    return rolls_back()


def beside_a_newer_spec(strategy: str) -> Step:
    """Git asks for web:3 in each phase, and somebody scales what was left by hand."""

    async def play(world: Guarded) -> None:
        await rolls_back()(world)
        for phase, size in (("Stopping", 3), ("Restoring", 4), ("Starting", 2)):
            await world.in_phase(phase)
            await new("web:3", strategy, replicas=size)(world)
            for live in world.server.all(DEPLOYMENT):
                if live["spec"]["template"]["metadata"]["labels"]["hardened.dev/revision"] != world.target():
                    await world.people.merge_patch(DEPLOYMENT, "shop", live["metadata"]["name"], {"spec": {"replicas": 5}})

    return play


def fails(_: str) -> Step:
    return is_failing(rolls_back())


def is_given_up(_: str) -> Step:
    async def play(world: Guarded) -> None:
        await is_failing(rolls_back())(world)
        await asks("Abort", "a", backup="nightly")(world)

    return play


def is_repeated(_: str) -> Step:
    async def play(world: Guarded) -> None:
        await is_failing(rolls_back())(world)
        await rolls_back("s")(world)

    return play


def does_not_start(_: str) -> Step:
    async def play(world: Guarded) -> None:
        world.server.store.dead.add("web:1")
        await rolls_back()(world)
        await world.in_phase("NotStarted")
        world.server.store.dead.discard("web:1")

    return play


def starts_at_the_second_try(strategy: str) -> Step:
    async def play(world: Guarded) -> None:
        await does_not_start(strategy)(world)
        await rolls_back("s")(world)

    return play


def goes_back_to_what_was_there(strategy: str) -> Step:
    """The target does not start, and what ran before is wished back, with its data."""

    async def play(world: Guarded) -> None:
        await does_not_start(strategy)(world)
        await asks("Abort", "a", backup="nightly")(world)
        await world.until(lambda status: status["actions"][-1]["name"] == "a")
        await asks("Restore", "s", backup="nightly", snapshot=BEFORE)(world)
        await world.in_phase("Stopping")
        world.watch._target = lambda: world.status["stable"]["revision"]

    return play


CASES: dict[str, Callable[[str], Step]] = {
    "it ends well": ends_well,
    "Git asks for a newer spec": beside_a_newer_spec,
    "its restore fails": fails,
    "it is given up": is_given_up,
    "it is repeated": is_repeated,
    "its target does not start": does_not_start,
    "its target starts at the second try": starts_at_the_second_try,
    "what ran is wished back": goes_back_to_what_was_there,
}
#: The reason of Ready, what serves or would, the actions, the phases of the hold, and how many Jobs restored.
_WELL = ("Stopping", "Restoring", "Starting")
_LATE = (*_WELL, "NotStarted")
ENDS = {
    "it ends well": ("RolledBack", "web:1", {"r": "Succeeded"}, _WELL, 1),
    # Somebody scales by hand before the Job is made: who uses the data is waited for again.
    "Git asks for a newer spec": ("Healthy", "web:3", {"r": "Succeeded"}, ("Stopping", "Restoring", *_WELL), 1),
    "its restore fails": ("RestoreFailed", "", {"r": "Failed"}, ("Stopping", "Restoring", "Failed"), 1),
    "it is given up": ("Healthy", "web:2", {"r": "Failed", "a": "Succeeded"}, ("Stopping", "Restoring", "Failed"), 1),
    "it is repeated": ("RolledBack", "web:1", {"r": "Failed", "s": "Succeeded"}, ("Stopping", "Restoring", "Failed", *_WELL), 2),
    "its target does not start": ("RollbackFailed", "", {"r": "Failed"}, _LATE, 1),
    "its target starts at the second try": ("RolledBack", "web:1", {"r": "Failed", "s": "Succeeded"}, (*_LATE, *_WELL), 2),
    "what ran is wished back": (
        "Healthy",
        "web:2",
        {"r": "Failed", "a": "Refused", "s": "Succeeded"},
        (*_LATE, "Stopping", "Restoring"),
        2,
    ),
}


@cache
def clean(strategy: str, case: str) -> tuple[int, Body]:
    """Played once: the writes of it, and the state then."""

    async def play(world: Guarded) -> tuple[int, Body]:
        before = len(world.server.writes)
        await world.play(CASES[case](strategy))
        found = {
            live["spec"]["template"]["spec"]["containers"][0]["image"] for live in world.server.all(DEPLOYMENT) if live["spec"]["replicas"]
        }
        ended = (conditions(world)["Ready"][1], "".join(found), phases_of(world), tuple(world.watch.phases), len(restore_jobs(world)))
        assert ended == ENDS[case]
        assert world.watch.wrongs == []
        return len(world.server.writes) - before, world.outcome()

    return begun(strategy).run(play)


@pytest.mark.parametrize(("strategy", "case"), one_of_seven(product(STRATEGIES, CASES)))
def test_code_and_data_go_back_together(strategy: str, case: str) -> None:
    clean(strategy, case)


@pytest.mark.parametrize("turn", turns(1, at=pytest.mark.full))
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("strategy", "case"), one_of_seven(product(STRATEGIES, CASES)))
def test_killed_at_any_write_of_it_nothing_else_runs_on_the_data_and_it_ends_the_same(
    strategy: str, case: str, when: str, turn: Turn
) -> None:
    writes, expected = clean(strategy, case)
    for nth in turn.of(range(1, writes + 1)):
        strike = Strike(nth, Killed)

        async def play(world: Guarded, strike: Strike = strike) -> tuple[Body, list[str]]:
            setattr(world.server, when, strike)
            await world.play(CASES[case](strategy))
            return world.outcome(), world.watch.wrongs

        found, wrongs = begun(strategy).run(play)
        assert strike.has_struck
        assert wrongs == [], f"write {nth}"
        assert found == expected, f"write {nth}"


def lets_everything_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Hold, "lets_run", lambda self, _: self.phase is HoldPhase.STARTING)


def ends_with_the_restore(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "starting", lambda *_: None)


@pytest.mark.parametrize(
    ("strategy", "breaks"),
    [("BlueGreen", lets_everything_run), *product(("BlueGreen", "RollingUpdate"), [ends_with_the_restore])],
)
def test_the_watch_sees_what_a_broken_hold_lets_run(
    strategy: str, breaks: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = begun(strategy)
    breaks(monkeypatch)

    async def play(world: Guarded) -> list[str]:
        await world.play(rolls_back())
        return world.watch.wrongs

    assert before.run(play) != []


async def loses_the_idle_color(world: Guarded) -> None:
    """Somebody deletes the Deployment of the colour that nobody needs: whoever makes it next makes a new one."""
    for live in world.server.all(DEPLOYMENT):
        if not live["spec"]["replicas"]:
            await world.people.delete(DEPLOYMENT, "shop", live["metadata"]["name"], uid=live["metadata"]["uid"])


def aborts_web_3(_: str) -> Step:
    async def abort(world: Guarded) -> None:
        if at_work := world.status.get("release"):
            await asks("Abort", "x", revision=at_work["revision"])(world)

    return abort


def begins_web_3(strategy: str) -> Step:
    async def play(world: Guarded) -> None:
        await loses_the_idle_color(world)
        await new("web:3", strategy)(world)

    return play


def rolls_back_to_what_does_not_start(_: str) -> Step:
    async def play(world: Guarded) -> None:
        world.server.store.dead.add("web:1")
        await rolls_back(revision=world.target())(world)

    return play


#: What the leader did when it was paused, and what its successor does before it wakes up: the hold is still there then.
LEFT: dict[str, tuple[Callable[[str], Step], tuple[Callable[[str], Step], ...]]] = {
    "in the rollback": (rolls_back_to_what_does_not_start, (lambda _: lambda _: asyncio.sleep(0),)),
    "in a release before it": (begins_web_3, (aborts_web_3, rolls_back_to_what_does_not_start)),
}


@pytest.mark.parametrize("turn", turns(1, at=pytest.mark.full))
@pytest.mark.parametrize(("strategy", "left"), one_of_seven(product(STRATEGIES, LEFT)))
def test_what_a_paused_leader_meant_to_write_runs_nothing_on_the_data(strategy: str, left: str, turn: Turn) -> None:
    edit, later = LEFT[left]

    async def play(world: Guarded, nth: int) -> tuple[Any, list[str], str]:
        paused = await woken(world, edit(strategy), nth, *(step(strategy) for step in later), found=runs)
        return paused, world.watch.wrongs, conditions(world)["Ready"][1]

    for nth in turn.of(range(1, MOST), least=LEAST):
        paused, wrongs, reason = begun(strategy).run(lambda world, nth=nth: play(world, nth))
        if paused is None:
            break
        assert (wrongs, reason) == ([], "RollbackFailed"), f"write {nth}: {paused.verb} {paused.kind.name} {paused.name}"


def refused(*steps: Step, strategy: str = "BlueGreen", begins: Moment[Guarded] | None = None) -> tuple[str, Guarded]:
    """What the first rollback of these is told, which is named r."""

    async def play(world: Guarded) -> tuple[str, Guarded]:
        await world.play(*steps)
        assert phases_of(world)["r"] == "Refused", message(world, "r")
        assert "hold" not in world.status
        assert restore_jobs(world) == []
        return message(world, "r"), world

    return (begins or begun(strategy)).run(play)


async def nobody_may_restore(world: Guarded) -> None:
    world.policy = POLICY


async def has_an_older_crd(world: Guarded) -> None:
    world.crd_schema = "12"


def stops(who: str) -> Step:
    backups = [{**spec_of("BlueGreen")["backups"][0], "stops": who}]
    return new("web:2", "BlueGreen", backups=backups)


async def in_a_release(world: Guarded) -> None:
    await new("web:3", "BlueGreen")(world)
    await world.until(lambda status: "release" in status)
    await rolls_back()(world)


async def to_what_serves(world: Guarded) -> None:
    await rolls_back(revision=world.status["serving"]["revision"])(world)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param((nobody_may_restore, rolls_back()), "restore.allowed", id="nobody checks who may"),
        pytest.param((has_an_older_crd, rolls_back()), "the CRD on the cluster is older", id="an older CRD"),
        pytest.param((stops("Dependents"), rolls_back()), "would run on the restored data: roll back without withData", id="Dependents"),
        pytest.param((stops("Nothing"), rolls_back()), "or set stops: Self", id="nobody is stopped"),
        pytest.param((in_a_release,), "is being released: wait for its end, or abort it", id="in a release"),
        pytest.param((to_what_serves,), "a Restore brings back its data alone", id="what serves"),
        pytest.param(
            (new("web:2", "BlueGreen", backups=[{**spec_of("BlueGreen")["backups"][0], "name": "other"}]), rolls_back()),
            "the service has no backup nightly; it has other",
            id="its backup is gone",
        ),
    ],
)
def test_a_rollback_with_data_that_cannot_be_is_refused_with_its_remedy(steps: tuple[Step, ...], expected: str) -> None:
    assert expected in refused(*steps)[0]


def test_a_target_without_a_snapshot_is_refused_and_one_without_data_is_not() -> None:
    plain = {"release": {**spec_of("BlueGreen")["release"], "backupFirst": None}}
    begins = after(create("BlueGreen"), release("web:2", **{**spec_of("BlueGreen"), **plain}), world=Guarded)
    said, _ = refused(rolls_back(), asks("Rollback", "s"), begins=begins)
    assert "no snapshot belongs to revision" in said
    assert "release.backupFirst takes one" in said


def test_its_recovery_point_what_was_there_and_each_phase_are_told() -> None:
    async def play(world: Guarded) -> None:
        told = world.told()
        await world.play(rolls_back())
        (result,) = (a["status"]["result"] for a in world.server.all(HARDENED_SERVICE_ACTION))
        known = {"snapshot": SNAPSHOT, "before": BEFORE, "backup": "nightly", "recoveryPoint": "2029-12-31T23:00:00Z"}
        assert result.items() >= known.items()
        assert result["revision"] == world.target()
        assert message(world, "r").startswith(f"revision {world.target()} serves again on the data of 2029-12-31T23:00:00Z, and what was")
        counts = {name: count - told[name] for name, count in world.told().items() if count > told[name]}
        assert counts == {"Restoring": 1, "DataReplacing": 1, "DataReplaced": 1, "RollingBack": 1, "Promoted": 1, "RolledBack": 1}
        assert len(application_pods(world)) == 2

    begun("BlueGreen").run(play)


def test_in_its_hold_nothing_else_is_taken_and_once_the_data_is_back_it_is_not_given_up() -> None:
    async def asks_for_more(world: Guarded) -> None:
        world.server.store.dead.add("web:1")
        await rolls_back()(world)
        await world.in_phase("Starting")
        for name, action in (("a", asks("Abort", "a", backup="nightly")), ("b", asks("Rollback", "b")), ("c", rolls_back("c"))):
            await action(world)
            await world.until(lambda status, name=name: any(entry["name"] == name for entry in status["actions"]))

    async def play(world: Guarded) -> None:
        await world.play(asks_for_more)
        assert phases_of(world) == {"r": "Failed", "a": "Refused", "b": "Refused", "c": "Refused"}
        assert "the data is back, and the revision that was left must not run on it" in message(world, "a")
        assert "with its data, requested as r, is under way: wait for its end" in message(world, "b")
        said = next(c["message"] for c in world.status["conditions"] if c["type"] == "Ready")
        assert f"hardenctl rollback web --with-data --to-revision {world.target()} -n shop" in said
        assert f"hardenctl restore web --backup nightly --snapshot {BEFORE} -n shop" in said
        assert application_pods(world) == []

    begun("BlueGreen").run(play)


async def removes_the_hold(world: Guarded) -> None:
    """Somebody edits the status."""
    without = {name: value for name, value in world.status.items() if name != "hold"}
    await world.people.replace_status(HARDENED_SERVICE, "shop", "web", without)


def is_changed(**spec: Any) -> Step:
    """Somebody changes the spec, and it is as it was a while later."""

    async def change(world: Guarded) -> None:
        await new("web:2", "BlueGreen", **spec)(world)
        await world.until(lambda status: status["observedGeneration"] == 3)
        await asyncio.sleep(5)
        await new("web:2", "BlueGreen", suspend=False)(world)

    return change


@pytest.mark.parametrize("phase", ["Restoring", "Starting"])
@pytest.mark.parametrize(
    "happens",
    [
        pytest.param(removes_the_hold, id="its hold is removed"),
        pytest.param(is_changed(suspend=True), id="the service is suspended"),
        pytest.param(is_changed(replicas=-1), id="the spec cannot be used"),
    ],
)
def test_whatever_happens_to_the_status_or_the_spec_meanwhile_it_ends_the_same(phase: str, happens: Step) -> None:
    async def meanwhile(world: Guarded) -> None:
        await rolls_back()(world)
        await world.in_phase(phase)
        await happens(world)

    async def play(world: Guarded) -> None:
        await world.play(meanwhile)
        assert world.watch.wrongs == []
        assert phases_of(world) == {"r": "Succeeded"}
        assert conditions(world)["Ready"] == ("False", "RolledBack")
        assert world.status["serving"]["image"] == "web:1"

    begun("BlueGreen").run(play)


def test_where_nothing_is_to_serve_any_more_the_target_does_not_start_and_that_is_told() -> None:
    async def to_zero(world: Guarded) -> None:
        await rolls_back()(world)
        await world.in_phase("Restoring")
        await world.people.merge_patch(HARDENED_SERVICE, "shop", "web", {"spec": {"replicas": 0}})

    async def play(world: Guarded) -> None:
        await world.play(to_zero)
        assert conditions(world)["Ready"] == ("False", "RollbackFailed")
        assert "the spec asks for 0 replicas; the data is that of 2029-12-31T23:00:00Z" in message(world, "r")

    begun("BlueGreen").run(play)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_where_the_spec_goes_back_as_well_nothing_is_released_twice(strategy: str) -> None:
    async def reverts(world: Guarded) -> None:
        await rolls_back()(world)
        await world.in_phase("Restoring")
        await release("web:1", **spec_of(strategy))(world)

    async def play(world: Guarded) -> None:
        await world.play(reverts)
        assert world.watch.wrongs == []
        assert phases_of(world) == {"r": "Succeeded"}
        assert conditions(world)["Ready"] == ("True", "Healthy")
        assert (world.status["serving"]["image"], world.status["stable"]["promotion"]) == ("web:1", 3)

    begun(strategy).run(play)

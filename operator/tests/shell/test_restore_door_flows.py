"""The door of a restore, over the in-memory cluster in virtual time: what was not let go can be given up, and is taken back."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from tests.enumerations import Turn, turns
from tests.memory import fields
from tests.memory.api_server import Call
from tests.memory.controllers import CONTROLLER
from tests.shell.operator_world import Killed, OperatorWorld, Strike, asks
from tests.shell.test_action_flows import phases_of
from tests.shell.test_backup_flows import status
from tests.shell.test_restore_flows import (
    FAILING_OF_DEPENDENTS,
    OF_VOLUME,
    Step,
    Watch,
    application_pods,
    clean,
    conditions,
    creates,
    creates_dependent,
    ends_it,
    message,
    mounts_it,
    of,
    outcome,
    played,
    restore_jobs,
    restores,
)
from tests.shell.test_restore_hardened_flows import restoring, until, wipe, working

from hardened.errors import TryAgain
from hardened.shell.kinds import JOB, PERSISTENT_VOLUME_CLAIM, POD

pytestmark = pytest.mark.one_of(6)

gives_up = asks("Abort", "a", backup="nightly")


async def has_room(world: OperatorWorld) -> None:
    """Somebody raises the quota."""
    world.server.store.quota.clear()
    world.server.store.barred.clear()
    await asyncio.sleep(60)


async def leaves_no_room_for_its_job(world: OperatorWorld) -> None:
    """A quota of Jobs, which has room for the one that looks the snapshot up."""
    world.server.store.quota["shop", "Job"] = 1
    await restores()(world)
    await until(world, lambda: "quota" in str((status(world).get("hold") or {}).get("message")))


async def leaves_no_room_for_its_pod(world: OperatorWorld) -> None:
    world.server.store.barred["-restore-"] = "exceeded quota: tight"
    await restores()(world)
    await until(world, lambda: "quota" in str((status(world).get("hold") or {}).get("message")))


@pytest.mark.parametrize("fills", [leaves_no_room_for_its_job, leaves_no_room_for_its_pod])
def test_a_restore_that_has_no_room_says_so_and_waits_for_it(fills: Step) -> None:
    waits, _ = played(creates(**OF_VOLUME), fills)
    said = status(waits)["hold"]["message"]
    assert "raise the ResourceQuota" in said
    assert (phases_of(waits), application_pods(waits)) == ({"r": "Running"}, [])
    ended, watch = played(creates(**OF_VOLUME), fills, has_room)
    assert phases_of(ended) == {"r": "Succeeded"}
    assert (len(restore_jobs(ended)), watch.seen) == (1, [])


@pytest.mark.parametrize(
    ("fills", "left"),
    [
        pytest.param(leaves_no_room_for_its_job, "nothing was changed", id="its Job was not made"),
        pytest.param(leaves_no_room_for_its_pod, "the data is as what was begun of it has left it", id="its Job was let go"),
    ],
)
def test_and_can_be_given_up(fills: Step, left: str) -> None:
    world, watch = played(creates(**OF_VOLUME), fills, gives_up)
    assert phases_of(world) == {"r": "Failed", "a": "Succeeded"}
    assert left in message(world, "a")
    assert (restore_jobs(world), watch.seen) == ([], [])
    assert (len(application_pods(world)), conditions(world)["Ready"][0]) == (2, "True")


def test_while_its_pod_is_at_work_it_cannot_be_given_up() -> None:
    async def give_up(world: OperatorWorld) -> None:
        await gives_up(world)
        await until(world, lambda: any(entry["name"] == "a" for entry in status(world)["actions"]))

    world, watch = played(creates(**OF_VOLUME), working(give_up))
    assert phases_of(world) == {"r": "Succeeded", "a": "Refused"}
    assert "the data is being replaced" in message(world, "a")
    assert watch.seen == []


class Protected:
    """Somebody deletes the claim while the Job restores; Kubernetes lets it go once the pod has ended that mounts it.

    seen: the operator looks between the two.
    """

    def __init__(self, *, seen: bool) -> None:
        self.seen = seen

    async def __call__(self, world: OperatorWorld) -> None:
        kept = {"metadata": {"finalizers": ["kubernetes.io/pvc-protection"]}}
        live = await world.people.merge_patch(PERSISTENT_VOLUME_CLAIM, "shop", "web-data", kept)
        await world.people.delete(PERSISTENT_VOLUME_CLAIM, "shop", "web-data", uid=live["metadata"]["uid"])

        def ends(event: str, kind: Any, obj: dict[str, Any]) -> None:
            has_ended = kind == POD and obj["metadata"]["labels"].get("hardened.dev/run") == "restore"
            if has_ended and (obj.get("status") or {}).get("phase") == "Succeeded":
                world.server.on_event.remove(ends)
                lets_it_go(world)

        if not self.seen:
            world.server.on_event.insert(0, ends)


def lets_it_go(world: OperatorWorld) -> None:
    world.server.store.remove(PERSISTENT_VOLUME_CLAIM, "shop", "web-data")


async def lets_go_late(world: OperatorWorld) -> None:
    lets_it_go(world)
    await asyncio.sleep(1)


@pytest.mark.parametrize("seen", [True, False])
def test_a_claim_that_is_deleted_while_it_is_restored_starts_no_pod_without_its_data(seen: bool) -> None:
    steps = (creates(**OF_VOLUME), working(Protected(seen=seen)), *((lets_go_late,) if seen else ()))
    world, watch = played(*steps)
    assert phases_of(world) == {"r": "Failed"}
    assert "claim web-data was deleted meanwhile" in message(world, "r")
    assert (status(world)["hold"]["phase"], application_pods(world)) == ("Failed", [])
    (claim,) = world.server.all(PERSISTENT_VOLUME_CLAIM)
    assert "deletionTimestamp" not in claim["metadata"], "the new one waits for the data"
    again, watch = played(*steps, restores("s"))
    assert phases_of(again) == {"r": "Failed", "s": "Succeeded"}
    assert (len(application_pods(again)), watch.seen) == (2, [])


def test_a_claim_that_is_deleted_before_its_job_begins_is_made_anew_and_restored_into() -> None:
    async def ends_it_and_lets_go(world: OperatorWorld) -> None:
        await ends_it(world)
        lets_it_go(world)

    world, watch = played(creates(**OF_VOLUME), mounts_it, restores(), Protected(seen=True), ends_it_and_lets_go)
    assert phases_of(world) == {"r": "Succeeded"}
    (claim,) = world.server.all(PERSISTENT_VOLUME_CLAIM)
    assert "deletionTimestamp" not in claim["metadata"]
    assert (len(application_pods(world)), watch.seen) == (2, [])


class WebhookDown:
    """A webhook that is asked of each write of a Job that restores, and does not answer.

    begins_at: which of these writes is the first that it stops: the first makes the Job, the second lets it go.
    """

    def __init__(self, begins_at: int = 1, then: Callable[[Call], None] | None = None) -> None:
        self.left, self.then, self.made = begins_at, then, dict[str, Any]()

    def __call__(self, call: Call) -> None:
        if self.then:
            self.then(call)
        if call.is_write and call.kind == JOB and "-restore-" in str(call.name) and call.verb != "delete":
            self.left -= 1
            if self.left < 1:
                self.made = fields.copy(call.body or {})
                raise TryAgain('failed calling webhook "jobs.example.com": connection refused', status=500)


def stops_at(number: int, *then: Step) -> Step:
    """Somebody restores while that webhook is down, and does more."""

    async def play(world: OperatorWorld) -> None:
        world.server.before = WebhookDown(number, world.server.before)
        await restores()(world)
        await until(world, lambda: "webhook" in str((status(world).get("hold") or {}).get("message")))
        for step in then:
            await step(world)

    return play


@pytest.mark.parametrize("number", [1, 2], ids=["made", "let go"])
def test_a_restore_whose_job_did_not_begin_can_be_given_up(number: int) -> None:
    said: list[str] = []

    async def look(world: OperatorWorld) -> None:
        said.extend([status(world)["hold"]["phase"], status(world)["hold"]["message"]])

    world, watch = played(creates(**OF_VOLUME), stops_at(number, look, gives_up))
    assert said[0] == "Restoring"
    assert "hardenctl abort web -n shop" in said[1]
    assert phases_of(world) == {"r": "Failed", "a": "Succeeded"}
    assert "nothing was changed" in message(world, "a")
    assert (restore_jobs(world), watch.seen) == ([], [])
    assert (len(application_pods(world)), conditions(world)["Ready"][0]) == (2, "True")


STOPPED_AT = {number: stops_at(number, gives_up) for number in (1, 2)}


@pytest.mark.parametrize("number", STOPPED_AT, ids=["made", "let go"])
@pytest.mark.parametrize("turn", turns(1))
def test_killed_before_any_write_of_it_a_restore_that_is_given_up_so_ends_the_same(number: int, turn: Turn) -> None:
    steps = (creates(**OF_VOLUME), STOPPED_AT[number])
    moment, writes, expected = clean(steps)
    for nth in turn.of(range(1, len(writes) + 1)):
        strike = Strike(nth, Killed)

        async def play(kept: tuple[OperatorWorld, Watch], strike: Strike = strike) -> tuple[dict[str, Any], list[str]]:
            world, watch = kept
            world.server.before = strike
            await world.play(steps[-1])
            return outcome(world), watch.seen

        assert moment.run(play) == (expected, []), f"write {nth}"
        assert strike.has_struck


def test_a_job_that_is_made_late_by_who_was_paused_meanwhile_restores_nothing_and_goes() -> None:
    async def comes_late(world: OperatorWorld) -> None:
        made = meanwhile.made
        made["metadata"].pop("resourceVersion", None)
        world.server.store.create(JOB, made, CONTROLLER)

    meanwhile = WebhookDown()

    async def give_up(world: OperatorWorld) -> None:
        world.server.before = meanwhile
        await restores()(world)
        await until(world, lambda: "webhook" in str((status(world).get("hold") or {}).get("message")))
        await gives_up(world)

    async def mend(world: OperatorWorld) -> None:
        world.server.before = None

    world, watch = played(creates(**OF_VOLUME), give_up, mend, comes_late)
    assert (restore_jobs(world), watch.seen) == ([], [])
    assert not [pod for pod in world.server.all(POD) if pod["metadata"]["labels"].get("hardened.dev/run") == "restore"]
    assert len(application_pods(world)) == 2


def test_a_job_that_has_not_begun_is_taken_back_where_somebody_comes_to_use_the_data() -> None:
    held, watch = played(creates(**OF_VOLUME), restoring(mounts_it))
    hold = status(held)["hold"]
    assert (hold["phase"], hold["mayHaveChanged"], restore_jobs(held)) == ("Stopping", True, [])
    assert "kubectl delete pod -n shop debug" in hold["message"]
    assert watch.holds == ["", "Stopping", "Restoring", "Stopping"]
    ended, watch = played(creates(**OF_VOLUME), restoring(mounts_it), ends_it)
    assert phases_of(ended) == {"r": "Succeeded"}
    assert (len(restore_jobs(ended)), watch.seen) == (1, [])
    assert watch.holds == ["", "Stopping", "Restoring", "Stopping", "Restoring", ""]


def test_one_that_was_taken_back_can_be_given_up_and_the_abort_says_that_it_may_have_begun() -> None:
    world, watch = played(creates(**OF_VOLUME), restoring(mounts_it), gives_up)
    assert phases_of(world) == {"r": "Failed", "a": "Succeeded"}
    assert "the data is as what was begun of it has left it" in message(world, "a")
    assert (restore_jobs(world), watch.seen) == ([], [])


@pytest.mark.parametrize("turn", turns(1))
def test_killed_before_any_write_of_it_what_is_taken_back_ends_the_same(turn: Turn) -> None:
    steps = (creates(**OF_VOLUME), restoring(mounts_it), ends_it)
    moment, writes, expected = clean(steps[:2])
    done = clean(steps)[2]
    for nth in turn.of(range(1, len(writes) + 1)):
        strike = Strike(nth, Killed)

        async def play(kept: tuple[OperatorWorld, Watch], strike: Strike = strike) -> tuple[dict[str, Any], dict[str, Any], list[str], int]:
            world, watch = kept
            world.server.before = strike
            await world.play(steps[1])
            held = outcome(world)
            await world.play(steps[2])
            return held, outcome(world), watch.seen, len(restore_jobs(world))

        assert moment.run(play) == (expected, done, [], 1), f"write {nth}"
        assert strike.has_struck


def test_the_dependents_of_a_failed_restore_stay_stopped_where_its_status_is_wiped() -> None:
    async def look(world: OperatorWorld) -> None:
        watch.append([pod["metadata"]["name"] for pod in application_pods(world) if pod["metadata"]["name"].startswith("api")])

    watch: list[list[str]] = []
    steps = (creates(**FAILING_OF_DEPENDENTS), creates_dependent(), restores(backup="dead"), wipe, look)
    world, _ = played(*steps)
    assert watch == [[]]
    assert (of(world, "web")["hold"]["phase"], of(world, "api")["hold"]["service"]) == ("Failed", "web")
    ended, _ = played(*steps, asks("Abort", "a", backup="dead"))
    assert not [each for each in ("web", "api") if "hold" in of(ended, each)]

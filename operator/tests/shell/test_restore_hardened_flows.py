"""Restores over the in-memory cluster in virtual time, where what they go by is wrong, lost, or changed under them."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.enumerations import Turn, turns
from tests.memory.api_server import Call
from tests.memory.controllers import CONTROLLER, write
from tests.shell.operator_world import RELEASED, Killed, OperatorWorld, Strike, asks, release, service
from tests.shell.test_action_flows import phases_of
from tests.shell.test_backup_flows import NIGHTLY, status
from tests.shell.test_restore_flows import (
    FAILING,
    FAILING_OF_DEPENDENTS,
    OF_DEPENDENTS,
    OF_VOLUME,
    SNAPSHOT,
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

from hardened.shell.kinds import CRON_JOB, HARDENED_SERVICE, HARDENED_SERVICE_ACTION, JOB, PERSISTENT_VOLUME_CLAIM, POD

pytestmark = pytest.mark.one_of(6)


def lacks_it(world: OperatorWorld) -> None:
    world.server.store.dead.add("find nightly")


def unknown(*more: Step) -> tuple[Step, ...]:
    """Somebody asks for a snapshot that there is none of."""

    async def ask(world: OperatorWorld) -> None:
        lacks_it(world)
        await restores(snapshot="deadbeef")(world)

    return creates(**OF_VOLUME), ask, *more


def find_jobs(world: OperatorWorld) -> list[dict[str, Any]]:
    return [job for job in world.server.all(JOB) if job["metadata"]["labels"].get("hardened.dev/run") == "find"]


def test_a_snapshot_that_cannot_be_found_ends_the_restore_before_anybody_is_stopped() -> None:
    world, watch = played(*unknown())
    assert phases_of(world) == {"r": "Failed"}
    assert "snapshot deadbeef was not found: RepositoryUnreachable: connection refused; nothing was stopped" in message(world, "r")
    assert "RESTIC_REPOSITORY" in message(world, "r"), "with what to look at"
    assert watch.holds == [""]
    assert restore_jobs(world) == []
    assert len(application_pods(world)) == 2
    assert conditions(world)["Ready"] == ("True", "Healthy")
    (schedule,) = world.server.all(CRON_JOB)
    assert schedule["spec"]["suspend"] is False


def test_what_is_restored_is_the_whole_id_that_was_found() -> None:
    world, watch = played(creates(**OF_VOLUME), restores(snapshot=SNAPSHOT[:8]))
    assert phases_of(world) == {"r": "Succeeded"}
    (found,), (restored,) = find_jobs(world), restore_jobs(world)
    told = [job["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] for job in (found, restored)]
    assert [f'"snapshot":"{SNAPSHOT}"' in each for each in told] == [False, True]
    assert f'"snapshot":"{SNAPSHOT[:8]}"' in told[0]
    assert watch.seen == []


KILLED = {"unknown": unknown(), "prefix": (creates(**OF_VOLUME), restores(snapshot=SNAPSHOT[:8]))}


@pytest.mark.parametrize("flow", KILLED)
@pytest.mark.parametrize("turn", turns(1))
def test_killed_before_any_write_while_it_is_looked_up_it_ends_the_same(flow: str, turn: Turn) -> None:
    steps = KILLED[flow]
    moment, writes, expected = clean(steps)
    for nth in turn.of(range(1, len(writes) + 1)):
        strike = Strike(nth, Killed)

        async def play(kept: tuple[OperatorWorld, Watch], strike: Strike = strike) -> tuple[dict[str, Any], list[str], list[str]]:
            world, watch = kept
            world.server.before = strike
            await world.play(steps[-1])
            return outcome(world), watch.seen, watch.holds

        found, seen, holds = moment.run(play)
        assert strike.has_struck
        assert found == expected, f"write {nth}"
        assert seen == []
        assert flow != "unknown" or holds == [""], "nobody was stopped"


async def until(world: OperatorWorld, holds: Callable[[], bool]) -> None:
    """Lets the cluster go on until it is so."""
    for _ in range(1000):
        if holds():
            return
        await asyncio.sleep(0.2)
        world.server.settle()
    raise AssertionError("it never is")


def test_while_it_is_looked_up_all_serves_no_release_begins_and_it_can_be_given_up() -> None:
    async def ask(world: OperatorWorld) -> None:
        await restores()(world)
        await until(world, lambda: bool(find_jobs(world)))
        assert len(application_pods(world)) == 2
        assert conditions(world)["Ready"] == ("True", "Healthy")
        await asks("Rollback", "b")(world)
        await asks("Abort", "x", revision="1")(world)
        await asks("Abort", "a", backup="nightly")(world)
        await until(world, lambda: any(entry["name"] == "a" for entry in status(world)["actions"]))

    world, watch = played(creates(**OF_VOLUME), ask)
    assert phases_of(world) == {"r": "Failed", "b": "Refused", "x": "Refused", "a": "Succeeded"}
    assert "requested as r, is under way: wait for its end, or abort it" in message(world, "b")
    assert "nothing was stopped" in message(world, "a")
    assert watch.holds == [""]
    assert restore_jobs(world) == []


def test_an_abort_ends_the_failed_restore_and_the_one_that_was_to_take_its_place() -> None:
    async def repeat(world: OperatorWorld) -> None:
        await restores("s", backup="dead")(world)
        await until(world, lambda: len(find_jobs(world)) == 2)
        await asks("Abort", "a", backup="dead")(world)
        await until(world, lambda: any(entry["name"] == "a" for entry in status(world)["actions"]))

    world, _ = played(creates(**FAILING), restores(backup="dead"), repeat)
    assert phases_of(world) == {"r": "Failed", "s": "Failed", "a": "Succeeded"}
    assert "hold" not in status(world)
    assert conditions(world)["Ready"] == ("True", "Healthy")


def test_a_service_that_is_suspended_while_it_is_looked_up_is_not_stopped_later() -> None:
    async def suspend(world: OperatorWorld) -> None:
        await restores()(world)
        await until(world, lambda: bool(find_jobs(world)))
        await world.people.merge_patch(HARDENED_SERVICE, "shop", "web", {"spec": {"suspend": True}})
        await asyncio.sleep(1)

    world, watch = played(creates(**OF_VOLUME), suspend, release("web:1", **OF_VOLUME, suspend=False))
    assert phases_of(world) == {"r": "Failed"}
    assert "suspended before it began; nothing was stopped" in message(world, "r")
    assert (watch.holds, restore_jobs(world)) == ([""], [])


class BeforeJob:
    """Right before the Job that restores is made, something happens, and the operator is killed."""

    def __init__(self, world: OperatorWorld, happens: Callable[[OperatorWorld], None]) -> None:
        self.world, self.happens, self.has_struck = world, happens, False

    def __call__(self, call: Call) -> None:
        if self.has_struck or call.kind != JOB or not call.body or call.body["metadata"]["labels"].get("hardened.dev/run") != "restore":
            return
        self.has_struck = True
        self.happens(self.world)
        raise Killed


def mounts_the_claim(world: OperatorWorld) -> None:
    volumes = [{"name": "x", "persistentVolumeClaim": {"claimName": "web-data"}}]
    meta = {"name": "debug", "namespace": "shop", "labels": {"app": "debug"}}
    world.server.store.create(POD, {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"volumes": volumes}}, CONTROLLER)


def names_no_image(world: OperatorWorld) -> None:
    world.policy = replace(world.policy, backup=replace(world.policy.backup, image=""))


def test_who_mounts_the_claim_after_the_pods_were_listed_is_seen_before_the_job_is_made() -> None:
    async def ask(world: OperatorWorld) -> None:
        world.server.before = BeforeJob(world, mounts_the_claim)
        await restores()(world)

    world, _ = played(creates(**OF_VOLUME), ask)
    assert status(world)["hold"]["phase"] == "Stopping"
    assert "kubectl delete pod -n shop debug" in status(world)["hold"]["message"]
    assert restore_jobs(world) == []
    ended, watch = played(creates(**OF_VOLUME), ask, ends_it)
    assert phases_of(ended) == {"r": "Succeeded"}
    assert watch.seen == []


def restoring(then: Step) -> Step:
    """Does it while the Job restores."""

    async def play(world: OperatorWorld) -> None:
        await restores()(world)
        await until(world, lambda: any(not job["spec"].get("suspend") for job in restore_jobs(world)))
        await then(world)

    return play


def working(then: Step) -> Step:
    """Does it while a container of its pod is at work."""

    async def play(world: OperatorWorld) -> None:
        def pods() -> list[dict[str, Any]]:
            return [pod for pod in world.server.all(POD) if pod["metadata"].get("labels", {}).get("hardened.dev/run") == "restore"]

        await until(world, lambda: bool(pods()))
        write(world.server.store, POD, pods()[0] | {"status": {"phase": "Running"}})
        await then(world)

    return restoring(play)


def test_who_mounts_the_claim_while_it_is_restored_is_told_of() -> None:
    said: list[str] = []

    async def look(world: OperatorWorld) -> None:
        await mounts_it(world)
        await asyncio.sleep(11)
        drifted = next(c for c in status(world)["conditions"] if c["type"] == "Drifted")
        said.extend((drifted["reason"], drifted["message"], status(world)["hold"]["message"]))

    world, _ = played(creates(**OF_VOLUME), working(look), ends_it)
    assert said[0] == "DataInUse"
    assert all("kubectl delete pod -n shop debug" in text for text in said[1:])
    assert phases_of(world) == {"r": "Succeeded"}
    assert conditions(world)["Drifted"][0] == "False"
    assert world.told()["DataInUse"] == 1


def test_a_pod_whose_gate_somebody_has_taken_away_counts_as_long_as_it_runs() -> None:
    said: list[str] = []

    async def look(world: OperatorWorld) -> None:
        labels = {"hardened.dev/service": "web", "app.kubernetes.io/component": "app"}
        owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "x", "uid": "x", "controller": True}
        meta = {"name": "ungated", "namespace": "shop", "labels": labels, "ownerReferences": [owner]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"nodeName": "n"}, "status": {"phase": "Running"}}
        world.server.store.create(POD, pod, CONTROLLER)
        await asyncio.sleep(11)
        said.append(next(c["message"] for c in status(world)["conditions"] if c["type"] == "Drifted"))

    played(creates(**OF_VOLUME), working(look))
    assert "pod ungated" in said[0]


async def wipe(world: OperatorWorld) -> None:
    """A tool brings an old object back, without its status."""
    await world.people.replace_status(HARDENED_SERVICE, "shop", "web", {})


async def late(world: OperatorWorld) -> None:
    """The same, when nobody may ask for it any more."""
    await asyncio.sleep(400)
    await wipe(world)


async def forgotten(world: OperatorWorld) -> None:
    """The same, and the action is gone, too."""
    (action,) = world.server.all(HARDENED_SERVICE_ACTION)
    await world.people.delete(HARDENED_SERVICE_ACTION, "shop", "r", uid=action["metadata"]["uid"])
    await wipe(world)


@pytest.mark.parametrize("lost", [wipe, late, forgotten])
@pytest.mark.parametrize("spec", [OF_VOLUME, OF_DEPENDENTS], ids=["volume", "dependents"])
def test_a_hold_whose_status_was_wiped_is_found_again_by_its_job(lost: Step, spec: dict[str, Any]) -> None:
    others = [creates_dependent()] if spec is OF_DEPENDENTS else []
    world, watch = played(creates(**spec), *others, restoring(lost))
    assert [name for name in watch.seen if name.startswith("api" if others else "web")] == []
    assert others or watch.holds == ["", "Stopping", "Restoring", "", "Restoring", ""]
    assert len(application_pods(world)) == (4 if others else 2)
    assert all("hold" not in live["status"] for live in world.server.all(HARDENED_SERVICE))
    assert lost is forgotten or phases_of(world) == {"r": "Succeeded"}


def test_a_failed_restore_stays_failed_where_its_status_is_wiped() -> None:
    world, _ = played(creates(**FAILING), restores(backup="dead"), wipe)
    assert status(world)["hold"]["phase"] == "Failed"
    assert "RepositoryUnreachable" in status(world)["hold"]["message"]
    assert application_pods(world) == []
    ended, _ = played(creates(**FAILING), restores(backup="dead"), wipe, asks("Abort", "a", backup="dead"))
    assert conditions(ended)["Ready"] == ("True", "Healthy")
    assert "hold" not in status(ended)
    again, _ = played(creates(**FAILING), restores(backup="dead"), wipe, asks("Abort", "a", backup="dead"), wipe)
    assert "hold" not in status(again), "what was given up does not come back"


FAILING_OF_VOLUME = {**OF_VOLUME, "backups": [{**OF_VOLUME["backups"][0], "name": "dead"}]}


def made_anew(spec: dict[str, Any]) -> Step:
    """Somebody deletes the service and makes it again, as `kubectl replace --force` does."""

    async def replace_it(world: OperatorWorld) -> None:
        (live,) = world.server.all(HARDENED_SERVICE)
        await world.people.delete(HARDENED_SERVICE, "shop", "web", uid=live["metadata"]["uid"])
        await creates(**spec)(world)

    return replace_it


def test_a_service_that_is_made_anew_does_not_start_on_data_that_was_being_replaced() -> None:
    steps = (creates(**OF_VOLUME), restoring(made_anew(OF_VOLUME)))
    world, watch = played(*steps)
    assert watch.seen == []
    assert application_pods(world) == []
    assert status(world)["hold"]["phase"] == "Failed"
    assert conditions(world)["Stalled"] == ("True", "RestoreFailed")
    again, _ = played(*steps, restores("s"))
    assert phases_of(again)["s"] == "Succeeded"
    assert len(application_pods(again)) == 2
    assert claim_marks(again) == [None]


def test_a_service_that_is_made_anew_after_a_restore_failed_stays_stopped_until_somebody_decides() -> None:
    steps = (creates(**FAILING_OF_VOLUME), restores(backup="dead"), made_anew(FAILING_OF_VOLUME))
    world, _ = played(*steps)
    assert application_pods(world) == []
    assert status(world)["hold"]["phase"] == "Failed"
    given_up, _ = played(*steps, asks("Abort", "a", backup="dead"))
    assert conditions(given_up)["Ready"] == ("True", "Healthy")
    assert claim_marks(given_up) == [None]
    later, _ = played(*steps, asks("Abort", "a", backup="dead"), made_anew(FAILING_OF_VOLUME))
    assert conditions(later)["Ready"] == ("True", "Healthy"), "what was given up does not come back"


def claim_marks(world: OperatorWorld) -> list[str | None]:
    """What each claim tells of a hold."""
    return [live["metadata"]["annotations"].get("hardened.dev/hold") for live in world.server.all(PERSISTENT_VOLUME_CLAIM)]


def test_an_unusable_list_of_backups_is_waited_for_while_pods_are_stopped() -> None:
    bad = release("web:1", **{**OF_VOLUME, "backups": [{**OF_VOLUME["backups"][0], "schedule": "never"}]})
    back = release("web:1", **OF_VOLUME)
    steps = (creates(**OF_VOLUME), mounts_it, restores(), bad)
    world, _ = played(*steps)
    assert status(world)["hold"]["phase"] == "Stopping"
    assert "spec.backups can be used again" in status(world)["hold"]["message"]
    assert restore_jobs(world) == []
    ended, watch = played(*steps, ends_it, back)
    assert phases_of(ended) == {"r": "Succeeded"}
    assert watch.seen == []
    aborted, _ = played(*steps, asks("Abort", "a", backup="nightly"))
    assert phases_of(aborted)["a"] == "Succeeded"
    assert restore_jobs(aborted) == []


def test_where_the_image_for_backups_is_gone_a_restore_is_told_why_it_waits_and_can_be_given_up() -> None:
    async def ask(world: OperatorWorld) -> None:
        world.server.before = BeforeJob(world, names_no_image)
        await restores()(world)

    world, _ = played(creates(**OF_VOLUME), ask)
    assert status(world)["hold"]["phase"] == "Stopping"
    assert "set backup.image of its chart; or abort the restore" in status(world)["hold"]["message"]
    ended, _ = played(creates(**OF_VOLUME), ask, asks("Abort", "a", backup="nightly"))
    assert phases_of(ended) == {"r": "Failed", "a": "Succeeded"}
    assert "nothing was changed" in message(ended, "a")
    assert len(application_pods(ended)) == 2


def test_a_service_that_depends_on_it_no_more_stays_stopped_until_the_restore_is_over() -> None:
    async def drop(world: OperatorWorld) -> None:
        await world.people.merge_patch(HARDENED_SERVICE, "shop", "api", {"spec": {"dependsOn": None}})

    steps = (creates(**FAILING_OF_DEPENDENTS), creates_dependent(), restores(backup="dead"), drop)
    world, _ = played(*steps)
    assert of(world, "api")["hold"]["service"] == "web"
    assert {pod["metadata"]["labels"]["hardened.dev/service"] for pod in application_pods(world)} == {"web"}
    ended, _ = played(*steps, asks("Abort", "a", backup="dead"))
    assert "hold" not in of(ended, "api")
    assert len(application_pods(ended)) == 4


def test_an_abort_says_what_is_known_of_the_data() -> None:
    async def fails_early(world: OperatorWorld) -> None:
        world.server.store.dead.add("unwritten")

    abort = asks("Abort", "a", backup="dead")
    unchanged, _ = played(creates(**FAILING), fails_early, restores(backup="dead"), abort)
    assert "nothing was changed" in message(unchanged, "r")
    assert "and the pods start: nothing was changed" in message(unchanged, "a")
    changed, _ = played(creates(**FAILING), restores(backup="dead"), abort)
    assert "as the failed restore has left it" in message(changed, "a")
    both, _ = played(creates(**FAILING), restores(backup="dead"), fails_early, restores("s", backup="dead"), abort)
    assert "as the failed restore has left it" in message(both, "a"), "the one before it may have changed some"


def test_a_failed_restore_whose_backup_left_the_spec_says_how_it_can_be_repeated() -> None:
    gone = release("web:1", backups=[NIGHTLY])
    world, _ = played(creates(**FAILING), restores(backup="dead"), gone)
    said = next(c["message"] for c in status(world)["conditions"] if c["type"] == "Ready")
    assert "spec.backups has no dead any more: put it back to repeat the restore" in said
    assert "hardenctl abort web -n shop" in said
    ended, _ = played(creates(**FAILING), restores(backup="dead"), gone, asks("Abort", "a", backup="dead"))
    assert conditions(ended)["Ready"] == ("True", "Healthy")


def test_who_waits_for_a_service_that_another_failed_restore_holds_is_told_whose_that_is() -> None:
    """Two databases with one application: the second restore goes on once the first is given up."""

    async def second(world: OperatorWorld) -> None:
        body = service(**{**RELEASED, **OF_DEPENDENTS})
        await world.people.create(HARDENED_SERVICE, body | {"metadata": {"name": "db", "namespace": "shop"}})

    needs = {"dependsOn": [{"service": "web"}, {"service": "db"}]}
    steps = (creates(**FAILING_OF_DEPENDENTS), second, creates_dependent(**FAILING, **needs), restores(backup="dead"))
    more = (restores("own", service="api", backup="dead"), restores("waits", service="db"))
    world, _ = played(*steps, *more)
    assert phases_of(world) == {"r": "Failed", "own": "Refused", "waits": "Running"}
    for name in ("own", "waits"):
        assert "the restore of the data of service web has failed: repeat it, or abort it there" in message(world, name)
    ended, _ = played(*steps, *more, asks("Abort", "a", backup="dead"))
    assert phases_of(ended) == {"r": "Failed", "own": "Refused", "waits": "Succeeded", "a": "Succeeded"}


def test_who_waits_for_a_service_whose_own_restore_has_failed_is_told_what_to_do() -> None:
    steps = (creates(**OF_DEPENDENTS), creates_dependent(**FAILING), restores("own", service="api", backup="dead"), restores("waits"))
    world, _ = played(*steps)
    assert phases_of(world) == {"own": "Failed", "waits": "Running"}
    assert "service api, whose own restore has failed: repeat it, or abort it" in message(world, "waits")


def test_in_a_hold_a_job_that_somebody_makes_of_a_schedule_stores_nothing() -> None:
    """`kubectl create job --from=cronjob/…`: half of the data would be the newest good snapshot."""

    def gates(world: OperatorWorld) -> dict[str, list[str]]:
        found = {live["metadata"]["name"]: live["spec"]["jobTemplate"]["spec"]["template"]["spec"] for live in world.server.all(CRON_JOB)}
        return {name: [gate["name"] for gate in spec.get("schedulingGates", ())] for name, spec in found.items()}

    world, _ = played(creates(**FAILING), restores(backup="dead"))
    assert gates(world) == {"web-dead": ["hardened.dev/hold"]}
    ended, _ = played(creates(**FAILING), restores(backup="dead"), asks("Abort", "a", backup="dead"))
    assert gates(ended) == {"web-dead": []}

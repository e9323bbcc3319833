"""Restores over the in-memory cluster in virtual time: nobody uses the data while it is replaced, whatever happens to the operator."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from tests.enumerations import Turn, turns
from tests.memory.api_server import Call
from tests.shell import virtual_time
from tests.shell.moments import Moment
from tests.shell.operator_world import POLICY, RELEASED, Killed, OperatorWorld, Strike, asks, release, service
from tests.shell.test_action_flows import phases_of
from tests.shell.test_backup_flows import NIGHTLY, status

from hardened.shell.kinds import (
    CRON_JOB,
    DEPLOYMENT,
    HARDENED_SERVICE,
    HARDENED_SERVICE_ACTION,
    HORIZONTAL_POD_AUTOSCALER,
    JOB,
    PERSISTENT_VOLUME_CLAIM,
    POD,
)

pytestmark = pytest.mark.one_of(6)

Step = Callable[[OperatorWorld], Any]
SNAPSHOT = "ab" * 32
OF_POSTGRES = {"backups": [NIGHTLY]}
#: The in-memory cluster fails the Jobs of what has a dead name.
FAILING = {"backups": [{**NIGHTLY, "name": "dead"}]}
OF_VOLUME = {
    "volumes": [{"name": "data", "mountPath": "/data", "claim": {"size": "1Gi"}}],
    "release": {**RELEASED["release"], "strategy": "Recreate"},
    "backups": [{**NIGHTLY, "source": {"volume": {"name": "data"}}}],
}


def restoring_world() -> OperatorWorld:
    """A cluster whose operator may restore."""
    world = OperatorWorld()
    world.policy = replace(POLICY, backup=replace(POLICY.backup, may_restore=True))
    world.server.store.dead.add("dead")
    return world


def creates(**more: Any) -> Step:
    """A team makes a service with a backup."""

    async def create(world: OperatorWorld) -> None:
        await world.people.create(HARDENED_SERVICE, service(**{**RELEASED, **more}))

    return create


def creates_dependent(**more: Any) -> Step:
    """A team makes a service that depends on it."""

    async def create(world: OperatorWorld) -> None:
        body = service(**{**RELEASED, "dependsOn": [{"service": "web"}], **more})
        await world.people.create(HARDENED_SERVICE, body | {"metadata": {"name": "api", "namespace": "shop"}})

    return create


def restores(name: str = "r", backup: str = "nightly", snapshot: str = SNAPSHOT, **more: Any) -> Step:
    """Somebody restores a snapshot."""
    return asks("Restore", name, backup=backup, snapshot=snapshot, **more)


class Watch:
    """What was there while a Job restored: the pods that could use the data, and what stopped them."""

    def __init__(self, world: OperatorWorld) -> None:
        self.world = world
        self.seen: list[str] = []
        self.holds: list[str] = []
        world.server.on_event.append(self)

    def __call__(self, event: str, kind: Any, obj: dict[str, Any]) -> None:
        if kind == HARDENED_SERVICE:
            phase = ((obj.get("status") or {}).get("hold") or {}).get("phase", "")
            self.holds += [phase] if self.holds[-1:] != [phase] else []
        if self._is_replaced():
            self.seen += [pod["metadata"]["name"] for pod in application_pods(self.world)]

    def _is_replaced(self) -> bool:
        """Whether a Job may write: its pod has not ended, or is still to come."""
        let_go = [job for job in restore_jobs(self.world) if not job["spec"].get("suspend")]
        jobs = [job for job in let_go if not (job.get("status") or {}).get("conditions")]
        phases = {pod["metadata"]["name"]: (pod.get("status") or {}).get("phase") for pod in self.world.server.all(POD)}
        return any(phases.get(f"{job['metadata']['name']}-x") not in ("Succeeded", "Failed") for job in jobs)


def restore_jobs(world: OperatorWorld) -> list[dict[str, Any]]:
    return [job for job in world.server.all(JOB) if job["metadata"]["labels"].get("hardened.dev/run") == "restore"]


def application_pods(world: OperatorWorld) -> list[dict[str, Any]]:
    """Those that run, or may."""
    pods = [pod for pod in world.server.all(POD) if pod["metadata"].get("labels", {}).get("app.kubernetes.io/component") == "app"]
    return [pod for pod in pods if not pod["spec"].get("schedulingGates")]


def played(*steps: Step) -> tuple[OperatorWorld, Watch]:
    async def play() -> tuple[OperatorWorld, Watch]:
        world = restoring_world()
        watch = Watch(world)
        await world.play(*steps)
        return world, watch

    return virtual_time.run(play())


def conditions(world: OperatorWorld) -> dict[str, tuple[str, str]]:
    return {c["type"]: (c["status"], c["reason"]) for c in status(world)["conditions"]}


def message(world: OperatorWorld, name: str) -> str:
    return next(str(a["status"]["message"]) for a in world.server.all(HARDENED_SERVICE_ACTION) if a["metadata"]["name"] == name)


@pytest.mark.parametrize("spec", [OF_POSTGRES, OF_VOLUME], ids=["postgres", "volume"])
def test_no_pod_runs_while_the_data_is_replaced_and_all_come_back_on_the_same_template(spec: dict[str, Any]) -> None:
    before, _ = played(creates(**spec))
    world, watch = played(creates(**spec), restores())
    (action,) = world.server.all(HARDENED_SERVICE_ACTION)
    assert action["status"]["phase"] == "Succeeded", action["status"]
    result = action["status"]["result"]
    assert (result["snapshot"], result["before"], result["backup"]) == (SNAPSHOT, "cd" * 32, "nightly")
    assert result["recoveryPoint"]
    assert len(restore_jobs(world)) == 1
    assert watch.seen == []
    assert watch.holds == ["", "Stopping", "Restoring", ""]
    assert "hold" not in status(world)
    assert conditions(world)["Ready"] == ("True", "Healthy")
    templates = [{live["metadata"]["name"]: live["spec"] for live in each.server.all(DEPLOYMENT)} for each in (before, world)]
    assert templates[0] == templates[1]
    assert len(status(world)["history"]) == 1
    assert all("hardened.dev/hold" not in live["metadata"]["annotations"] for live in world.server.all(DEPLOYMENT))


def of(world: OperatorWorld, name: str) -> dict[str, Any]:
    """The status of the service of this name."""
    return next(live["status"] for live in world.server.all(HARDENED_SERVICE) if live["metadata"]["name"] == name)


def outcome(world: OperatorWorld) -> dict[str, Any]:
    """Everything that exists, without ids and times, with what became of actions."""
    found = world.state()
    found["holds"] = {live["metadata"]["name"]: "hold" in live["status"] for live in world.server.all(HARDENED_SERVICE)}
    found["messages"] = {e["name"]: (e["phase"], e["message"]) for e in of(world, "web").get("actions", ())}
    for key in [key for key in found if key.startswith("HardenedServiceAction ")]:
        found[key].pop("status", None)
    return found


@cache
def clean(steps: tuple[Step, ...]) -> tuple[Moment[tuple[OperatorWorld, Watch]], list[Call], dict[str, Any]]:
    """Played once: the moment before the last step, the writes in it, and the state then."""

    async def play() -> tuple[Moment[tuple[OperatorWorld, Watch]], list[Call], dict[str, Any]]:
        world = restoring_world()
        watch = Watch(world)
        await world.play(*steps[:-1])
        before, moment = len(world.server.writes), Moment((world, watch))
        await world.play(steps[-1])
        return moment, world.server.writes[before:], outcome(world)

    return virtual_time.run(play())


OF_DEPENDENTS = {"backups": [{**NIGHTLY, "stops": "Dependents"}]}
FAILING_OF_DEPENDENTS = {"backups": [{**NIGHTLY, "name": "dead", "stops": "Dependents"}]}
#: What a restore comes to, by the last of these steps.
KILLED = {
    "postgres": (creates(**OF_POSTGRES), restores()),
    "volume": (creates(**OF_VOLUME), restores()),
    "failed": (creates(**FAILING), restores(backup="dead")),
    "given up": (creates(**FAILING), restores(backup="dead"), asks("Abort", "a", backup="dead")),
    "dependents": (creates(**OF_DEPENDENTS), creates_dependent(), restores()),
    "beside": (creates(**OF_POSTGRES), restores(into="orders_then")),
}


STOPS_SELF = ("postgres", "volume", "failed", "given up")


@pytest.mark.parametrize("flow", KILLED)
@pytest.mark.parametrize("turn", turns(1))
def test_killed_before_any_write_of_it_it_ends_the_same(flow: str, turn: Turn) -> None:
    steps = KILLED[flow]
    moment, writes, expected = clean(steps)
    assert (writes[0].verb, writes[0].kind) == ("status", HARDENED_SERVICE), "what was decided is written down first"
    for nth in turn.of(range(1, len(writes) + 1)):
        strike = Strike(nth, Killed)

        async def play(kept: tuple[OperatorWorld, Watch], strike: Strike = strike) -> tuple[dict[str, Any], list[str], int]:
            world, watch = kept
            world.server.before = strike
            await world.play(steps[-1])
            return outcome(world), watch.seen, len(restore_jobs(world))

        found, seen, jobs = moment.run(play)
        assert strike.has_struck
        assert [name for name in seen if flow in STOPS_SELF or (name.startswith("api") and flow == "dependents")] == [], f"write {nth}"
        assert jobs == 1, f"write {nth}"
        assert found == expected, f"write {nth}"


def test_a_failed_restore_keeps_the_pods_away_until_it_is_given_up() -> None:
    failed, _ = played(creates(**FAILING), restores(backup="dead"))
    assert phases_of(failed) == {"r": "Failed"}
    assert status(failed)["hold"]["phase"] == "Failed"
    assert conditions(failed)["Ready"] == ("False", "RestoreFailed")
    assert conditions(failed)["Stalled"] == ("True", "RestoreFailed")
    assert conditions(failed)["Available"] == ("False", "NoPodsAvailable")
    assert application_pods(failed) == []
    (suspended,) = failed.server.all(CRON_JOB)
    assert suspended["spec"]["suspend"] is True
    said = next(c["message"] for c in status(failed)["conditions"] if c["type"] == "Ready")
    assert "RepositoryUnreachable" in said
    assert "hardenctl abort web -n shop" in said

    aborted, _ = played(creates(**FAILING), restores(backup="dead"), asks("Abort", "a", backup="dead"))
    assert phases_of(aborted) == {"r": "Failed", "a": "Succeeded"}
    assert conditions(aborted)["Ready"] == ("True", "Healthy")
    assert "hold" not in status(aborted)
    (schedule,) = aborted.server.all(CRON_JOB)
    assert (schedule["spec"]["suspend"], schedule["spec"]["startingDeadlineSeconds"]) == (False, 10), "what was missed is not made up for"


def test_a_failed_restore_is_replaced_by_the_next_one() -> None:
    async def repair(world: OperatorWorld) -> None:
        world.server.store.dead.discard("dead")
        await restores("s", backup="dead")(world)

    world, watch = played(creates(**FAILING), restores(backup="dead"), repair)
    assert phases_of(world) == {"r": "Failed", "s": "Succeeded"}
    assert watch.holds == ["", "Stopping", "Restoring", "Failed", "Stopping", "Restoring", ""]
    assert watch.seen == []
    assert conditions(world)["Ready"] == ("True", "Healthy")
    assert len(application_pods(world)) == 2


def test_while_a_pod_of_it_may_still_write_a_restore_whose_job_was_deleted_can_be_neither_given_up_nor_repeated() -> None:
    async def orphan_its_pod(world: OperatorWorld) -> None:
        await restores()(world)
        while not (found := [pod for pod in world.server.all(POD) if pod["metadata"]["labels"].get("hardened.dev/run") == "restore"]):
            await asyncio.sleep(1)
            world.server.settle()
        (job,) = restore_jobs(world)
        await world.people.delete(JOB, "shop", job["metadata"]["name"], uid=job["metadata"]["uid"], propagation="Orphan")
        assert found

    async def end_it(world: OperatorWorld) -> None:
        (pod,) = (pod for pod in world.server.all(POD) if pod["metadata"]["labels"].get("hardened.dev/run") == "restore")
        await world.people.delete(POD, "shop", pod["metadata"]["name"], uid=pod["metadata"]["uid"])

    steps = (creates(**OF_VOLUME), orphan_its_pod, asks("Abort", "a", backup="nightly"), restores("s"))
    world, _ = played(*steps)
    assert phases_of(world) == {"r": "Failed", "a": "Refused", "s": "Refused"}
    hold = status(world)["hold"]
    assert hold["phase"] == "Restoring"
    assert "-x, which may still write" in hold["message"]
    assert application_pods(world) == []
    ended, _ = played(*steps, end_it, asks("Abort", "b", backup="nightly"))
    assert phases_of(ended)["b"] == "Succeeded"
    assert "hold" not in status(ended)
    assert len(application_pods(ended)) == 2


def test_a_hold_that_somebody_removes_while_its_job_restores_comes_back_as_it_was() -> None:
    async def remove_the_hold(world: OperatorWorld) -> None:
        await restores()(world)
        while not any(entry.get("job") for entry in status(world).get("actions", ())):
            await asyncio.sleep(1)
            world.server.settle()
        without = {name: value for name, value in status(world).items() if name != "hold"}
        await world.people.replace_status(HARDENED_SERVICE, "shop", "web", without)

    world, watch = played(creates(**OF_VOLUME), remove_the_hold)
    assert watch.holds == ["", "Stopping", "Restoring", "", "Restoring", ""]
    assert watch.seen == []
    assert phases_of(world) == {"r": "Succeeded"}


def test_a_pod_by_hand_that_looks_like_the_services_own_is_told_with_its_remedy() -> None:
    async def bare(world: OperatorWorld) -> None:
        labels = {"hardened.dev/service": "web", "app.kubernetes.io/component": "app"}
        meta = {"name": "bare", "namespace": "shop", "labels": labels}
        await world.people.create(POD, {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {}})

    world, _ = played(creates(**OF_VOLUME), bare, restores())
    assert status(world)["hold"]["phase"] == "Stopping"
    assert "kubectl delete pod -n shop bare" in status(world)["hold"]["message"]


def test_neither_a_spec_nor_a_scale_by_hand_brings_pods_or_a_release_into_a_hold() -> None:
    async def scale_by_hand(world: OperatorWorld) -> None:
        await world.people.merge_patch(DEPLOYMENT, "shop", "web-blue", {"spec": {"replicas": 5}})

    steps = (creates(**FAILING), restores(backup="dead"), release("web:2", replicas=3, **FAILING), scale_by_hand)
    world, _ = played(*steps)
    assert application_pods(world) == []
    assert "release" not in status(world)
    assert [live["spec"]["replicas"] for live in world.server.all(DEPLOYMENT)] == [0]
    assert conditions(world)["Ready"] == ("False", "RestoreFailed")

    world, _ = played(*steps, asks("Abort", "a", backup="dead"))
    assert conditions(world)["Ready"] == ("True", "Healthy")
    assert status(world)["serving"]["image"] == "web:2"
    assert len(application_pods(world)) == 3


def test_who_scales_by_hand_again_and_again_does_not_keep_a_restore_from_its_start() -> None:
    async def play() -> tuple[OperatorWorld, Watch, int]:
        world = restoring_world()
        watch, by_hand = Watch(world), []

        async def scale(name: str) -> None:
            await world.people.merge_patch(DEPLOYMENT, "shop", name, {"spec": {"replicas": 5}})
            world.server.settle()  # the cluster's controllers are faster than the operator: it never sees 0 pods

        def scales_again(event: str, kind: Any, obj: dict[str, Any]) -> None:
            is_held = kind == DEPLOYMENT and "hardened.dev/hold" in obj["metadata"].get("annotations", {})
            if is_held and obj["spec"]["replicas"] == 0 and len(by_hand) < 80 and not restore_jobs(world):
                by_hand.append(asyncio.create_task(scale(obj["metadata"]["name"])))

        world.server.on_event.append(scales_again)
        await world.play(creates(**OF_VOLUME), restores())
        return world, watch, len(by_hand)

    world, watch, times = virtual_time.run(play())
    assert 0 < times < 80, "it was scaled until the Job was there"
    assert conditions(world)["Ready"] == ("True", "Healthy")
    assert watch.seen == []


def test_a_foreign_pod_that_mounts_the_claim_is_named_and_waited_for() -> None:
    waits, _ = played(creates(**OF_VOLUME), mounts_it, restores())
    assert status(waits)["hold"]["phase"] == "Stopping"
    assert "kubectl delete pod -n shop debug" in status(waits)["hold"]["message"]
    assert "debug" in message(waits, "r"), "who waits for the action is told, too"
    assert restore_jobs(waits) == []
    given_up, _ = played(creates(**OF_VOLUME), mounts_it, restores(), asks("Abort", "a", backup="nightly"))
    assert phases_of(given_up) == {"r": "Failed", "a": "Succeeded"}
    assert restore_jobs(given_up) == []
    ended, watch = played(creates(**OF_VOLUME), mounts_it, restores(), ends_it)
    assert phases_of(ended) == {"r": "Succeeded"}
    assert watch.seen == []


def test_what_cannot_be_restored_now_is_refused_with_its_remedy() -> None:
    async def in_a_release(world: OperatorWorld) -> None:
        await release("web:2", **OF_POSTGRES)(world)
        await asyncio.sleep(1)
        await restores("c")(world)

    world, _ = played(creates(**OF_POSTGRES), restores("a", backup="other"), asks("Abort", "b", backup="nightly"), in_a_release)
    assert phases_of(world) == dict.fromkeys("abc", "Refused")
    assert "it has nightly" in message(world, "a")
    assert "no restore is under way" in message(world, "b")
    assert "is being released: wait for its end, or abort it" in message(world, "c")
    assert restore_jobs(world) == []


def test_pods_that_keep_a_deleted_claim_alive_are_not_stopped_for_a_restore() -> None:
    async def deletes_claim(world: OperatorWorld) -> None:
        kept = {"metadata": {"finalizers": ["kubernetes.io/pvc-protection"]}}
        live = await world.people.merge_patch(PERSISTENT_VOLUME_CLAIM, "shop", "web-data", kept)
        await world.people.delete(PERSISTENT_VOLUME_CLAIM, "shop", "web-data", uid=live["metadata"]["uid"])

    before, _ = played(creates(**OF_VOLUME))
    world, _ = played(creates(**OF_VOLUME), deletes_claim, restores())
    assert phases_of(world) == {"r": "Refused"}
    assert "claim web-data is being deleted" in message(world, "r")
    assert len(application_pods(world)) == len(application_pods(before)) > 0


def test_nobody_restores_where_nobody_checks_who_may() -> None:
    async def play() -> OperatorWorld:
        world = OperatorWorld()
        await world.play(creates(**OF_POSTGRES), restores())
        return world

    world = virtual_time.run(play())
    assert phases_of(world) == {"r": "Refused"}
    assert "restore.allowed" in message(world, "r")


def test_in_a_hold_only_what_ends_it_is_taken_and_what_was_kept_for_a_rollback_does_not_come_back() -> None:
    kept = {**FAILING, "release": {**RELEASED["release"], "keepPrevious": "2h"}}

    async def ask_for_more(world: OperatorWorld) -> None:
        await asks("Rollback", "a")(world)
        await asks("Backup", "b", backup="dead")(world)
        await restores("c", backup="other")(world)

    steps = (creates(**kept), release("web:2", **kept), restores(backup="dead"))
    world, _ = played(*steps, ask_for_more)
    assert phases_of(world) == {"r": "Failed", "a": "Refused", "b": "Refused", "c": "Refused"}
    assert "the restore of backup dead, requested as r, has failed: repeat it, or abort it" in message(world, "a")
    ended, _ = played(*steps, asks("Abort", "d", backup="dead"))
    assert conditions(ended)["Ready"] == ("True", "Healthy")
    assert {pod["metadata"]["labels"]["hardened.dev/color"] for pod in application_pods(ended)} == {"green"}


def test_beside_what_serves_nothing_is_stopped() -> None:
    world, watch = played(creates(**OF_POSTGRES), restores(into="orders_then"))
    (action,) = world.server.all(HARDENED_SERVICE_ACTION)
    assert (action["status"]["phase"], action["status"]["result"]["into"]) == ("Succeeded", "orders_then")
    assert watch.holds == [""]
    assert len(application_pods(world)) == 2


def test_those_that_depend_on_a_database_are_stopped_and_the_database_goes_on() -> None:
    world, watch = played(creates(**OF_DEPENDENTS), creates_dependent(), restores())
    assert phases_of(world) == {"r": "Succeeded"}
    assert watch.seen, "the database itself runs meanwhile"
    assert [name for name in watch.seen if name.startswith("api")] == []
    for name in ("web", "api"):
        assert "hold" not in of(world, name)
        assert {c["type"]: c["status"] for c in of(world, name)["conditions"]}["Ready"] == "True"
    assert len(application_pods(world)) == 4
    assert [of(world, name)["stable"]["promotion"] for name in ("web", "api")] == [1, 1], "nothing is released for it"


def test_a_failed_restore_keeps_those_stopped_that_depend_on_it_until_it_is_given_up() -> None:
    steps = (
        creates(**FAILING_OF_DEPENDENTS),
        creates_dependent(),
        restores(backup="dead"),
        asks("Abort", "x", service="api", backup="dead"),
    )
    world, _ = played(*steps)
    hold = of(world, "api")["hold"]
    assert (hold["service"], hold["phase"], hold["uid"]) == ("web", "Restoring", of(world, "web")["hold"]["uid"])
    assert {pod["metadata"]["labels"]["hardened.dev/service"] for pod in application_pods(world)} == {"web"}
    assert "abort it there" in message(world, "x")
    ended, _ = played(*steps, asks("Abort", "a", backup="dead"))
    assert "hold" not in of(ended, "api")
    assert len(application_pods(ended)) == 4


def test_a_service_that_comes_or_is_changed_while_its_database_is_restored_starts_afterwards() -> None:
    steps = (creates(**FAILING_OF_DEPENDENTS), restores(backup="dead"), creates_dependent())
    world, _ = played(*steps)
    assert of(world, "api")["hold"]["service"] == "web"
    assert {pod["metadata"]["labels"]["hardened.dev/service"] for pod in application_pods(world)} == {"web"}
    ended, _ = played(*steps, asks("Abort", "a", backup="dead"))
    assert {c["type"]: c["status"] for c in of(ended, "api")["conditions"]}["Ready"] == "True"


def test_nobody_is_stopped_in_a_release() -> None:
    async def in_a_release(world: OperatorWorld) -> None:
        await creates_dependent()(world)
        await asyncio.sleep(1)
        await restores()(world)

    world, _ = played(creates(**OF_DEPENDENTS), in_a_release)
    assert phases_of(world) == {"r": "Refused"}
    assert "api would be stopped, and is being released" in message(world, "r")


async def mounts_it(world: OperatorWorld) -> None:
    """Somebody looks at the files."""
    volumes = [{"name": "x", "persistentVolumeClaim": {"claimName": "web-data"}}]
    meta = {"name": "debug", "namespace": "shop", "labels": {"app": "debug"}}
    await world.people.create(POD, {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"volumes": volumes}})


async def ends_it(world: OperatorWorld) -> None:
    """And is done."""
    (pod,) = (pod for pod in world.server.all(POD) if pod["metadata"]["name"] == "debug")
    await world.people.delete(POD, "shop", "debug", uid=pod["metadata"]["uid"])


@pytest.mark.parametrize("change", [{"suspend": True}, {"replicas": -1}], ids=["suspended", "invalid"])
def test_a_spec_that_is_suspended_or_cannot_be_used_starts_nothing_in_a_hold(change: dict[str, Any]) -> None:
    changed, back = release("web:1", **OF_VOLUME, **change), release("web:1", **OF_VOLUME, suspend=False)
    world, _ = played(creates(**OF_VOLUME), mounts_it, restores(), changed)
    assert status(world)["hold"]["phase"] == "Stopping"
    assert ("to go on: hardenctl unsuspend web -n shop" in status(world)["hold"]["message"]) == ("suspend" in change)
    assert application_pods(world) == []
    ended, watch = played(creates(**OF_VOLUME), mounts_it, restores(), changed, ends_it, back)
    assert phases_of(ended) == {"r": "Succeeded"}
    assert watch.seen == []
    assert conditions(ended)["Ready"] == ("True", "Healthy")
    assert len(application_pods(ended)) == 2


def test_a_size_that_nobody_wrote_down_comes_back_as_it_was() -> None:
    async def forget_the_size(world: OperatorWorld) -> None:
        await world.people.merge_patch(HARDENED_SERVICE, "shop", "web", {"spec": {"replicas": None}})

    scaled = {**FAILING, "autoscale": {"minReplicas": 1, "maxReplicas": 5, "cpu": 70}}
    steps = (creates(**{**scaled, "replicas": 3}), restores(backup="dead"), forget_the_size)
    held, _ = played(*steps)
    (scaler,) = held.server.all(HORIZONTAL_POD_AUTOSCALER)
    assert scaler["spec"]["behavior"]["scaleUp"]["selectPolicy"] == "Disabled"
    ended, _ = played(*steps, asks("Abort", "a", backup="dead"))
    assert len(application_pods(ended)) == 3
    (scaler,) = ended.server.all(HORIZONTAL_POD_AUTOSCALER)
    assert "behavior" not in scaler["spec"]

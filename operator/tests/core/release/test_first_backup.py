"""`release.backupFirst` as it is planned: one Job per attempt, what is waited for meanwhile, and which revision the snapshot belongs to."""

import copy
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.core.release.test_plan_migrations import act
from tests.core.releases import SECOND, SPEC, released, sizes
from tests.core.runs.backups import OTHER_SNAPSHOT, SNAPSHOT, backup, begin, end, report, run
from tests.core.worlds import World, body, condition, settle, with_spec

from hardened.core.model.annotations import annotations_of
from hardened.core.model.manifest import ChildKey, Manifest
from hardened.core.model.reasons import Reason
from hardened.core.model.state import Rejection
from hardened.errors import Refused

MINUTE = timedelta(minutes=1)
STRATEGIES = ("BlueGreen", "RollingUpdate", "Recreate")
MIGRATE = {"command": ["migrate"]}
#: What a runner leaves whose password is wrong.
WRONG = report("Failed", reason="WrongPassword", message="no key found", snapshot=None)


def spec_of(strategy: str = "BlueGreen", **more: Any) -> Manifest:
    """A spec whose releases take a backup first."""
    release = {**SPEC["release"], "strategy": strategy, "backupFirst": "nightly"}
    return {**SPEC, "backups": [backup(retention={"last": 1})], "release": release | more}


def second(strategy: str = "BlueGreen", **more: Any) -> tuple[Manifest, World, Any]:
    """A service whose first revision serves, and whose second one has just been asked for."""
    cr, world = body(spec_of(strategy)), World()
    now = released(cr, world) + MINUTE
    assert jobs(world) == [], "the first release replaces nothing"
    cr = with_spec(cr, image="shop:2", release=spec_of(strategy, **more)["release"])
    settle(cr, world, now)
    return cr, world, now


def jobs(world: World) -> list[str]:
    """Those that were made by this operator, in their order."""
    return [key.name for key in world.objects if key.kind == "Job"]


def step(cr: Manifest) -> str:
    return str((cr["status"].get("release") or {}).get("step", ""))


def said(cr: Manifest) -> str:
    """Why the service is not Ready."""
    return str(next(c["message"] for c in cr["status"]["conditions"] if c["type"] == "Ready"))


def task(job: Manifest) -> dict[str, Any]:
    """What the runner of a Job is told."""
    (runner,) = job["spec"]["template"]["spec"]["containers"]
    found: dict[str, Any] = json.loads(next(each["value"] for each in runner["env"] if each["name"] == "HARDENED_TASK"))
    return found


def entry(cr: Manifest, revision: str) -> Manifest:
    """Of the history."""
    return dict(next(each for each in cr["status"]["history"] if each["revision"] == revision))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_it_is_taken_before_anything_changes_and_its_snapshot_is_of_what_is_replaced(strategy: str) -> None:
    cr, world, now = second(strategy, migrate=MIGRATE)
    stable, before = cr["status"]["stable"]["revision"], sizes(world)
    (job,) = jobs(world)
    assert (step(cr), condition(cr["status"], "Ready")) == ("Backup", ("False", "RollingOut"))
    assert task(world.objects[ChildKey("Job", job)])["extra_tags"] == [f"revision-{stable}"]
    begin(world, now, name=job)
    settle(cr, world, now + MINUTE)
    assert (step(cr), sizes(world), [key for key in world.objects if "migrate" in key.name]) == ("Backup", before, [])
    run(world, now, name=job)
    settle(cr, world, now + 2 * MINUTE)
    assert step(cr) == "Migrate"
    released(cr, world, now + 2 * MINUTE)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")
    assert jobs(world) == [job]
    assert entry(cr, stable)["backup"] == {"name": "nightly", "snapshot": SNAPSHOT, "at": cr["status"]["backups"][0]["lastSuccess"]["at"]}
    assert "backup" not in entry(cr, cr["status"]["stable"]["revision"])


def test_snapshots_of_revisions_that_may_be_rolled_back_to_are_kept() -> None:
    cr, world, now = second()
    first = cr["status"]["stable"]["revision"]
    (job,) = jobs(world)
    assert task(world.objects[ChildKey("Job", job)])["keep_tags"] == [f"revision-{first}"]
    run(world, now, name=job)
    now = released(cr, world, now)
    schedule = world.objects[ChildKey("CronJob", "shop-nightly")]["spec"]["jobTemplate"]
    kept = [f"revision-{each['revision']}" for each in cr["status"]["history"]]
    assert task(schedule)["keep_tags"] == kept
    assert (len(kept), kept[0]) == (2, f"revision-{first}")


@pytest.mark.parametrize("is_named", [True, False], ids=["named by the history", "left it"])
def test_the_snapshot_of_a_revision_that_was_rejected_is_kept_until_it_leaves_the_history(is_named: bool) -> None:
    cr, world, now = second()
    first = cr["status"]["stable"]["revision"]
    run(world, now, name=jobs(world)[0])
    now = released(cr, world, now)
    (stored,) = (live for key, live in world.objects.items() if key.kind == "ControllerRevision" and key.name.endswith(first))
    known = annotations_of(stored, first).rejected(Rejection(first, "k", Reason.ROLLED_BACK, "by hand", after_cutover=True))
    stored["metadata"]["annotations"] |= replace(known, promoted_key="k").written()
    for each in cr["status"]["history"]:
        each.pop("backup", None) if not is_named else None
    settle(cr, world, now + MINUTE)
    kept = task(world.objects[ChildKey("CronJob", "shop-nightly")]["spec"]["jobTemplate"])["keep_tags"]
    assert (f"revision-{first}" in kept) is is_named
    assert f"revision-{cr['status']['stable']['revision']}" in kept


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_one_that_fails_rejects_nobody_and_is_tried_again_later_each_time(strategy: str) -> None:
    cr, world, now = second(strategy)
    tried = jobs(world)
    for failures, wait in enumerate((1, 2, 4, 8, 16, 30, 30), start=1):
        run(world, now, WRONG, name=tried[-1], code=1)
        now += SECOND
        decided = settle(cr, world, now)
        assert (step(cr), condition(cr["status"], "Ready")) == ("Backup", ("False", "BackupFailed"))
        assert condition(cr["status"], "Stalled")[0] == "False"
        assert "WrongPassword: no key found" in said(cr)
        assert cr["status"]["release"]["backup"]["failures"] == failures
        assert decided.requeue_after is not None
        assert decided.requeue_after <= wait * MINUTE
        settle(cr, world, now + wait * MINUTE - SECOND)
        assert jobs(world) == tried
        now += wait * MINUTE
        settle(cr, world, now)
        tried = jobs(world)
        assert len(tried) == failures + 1
    run(world, now, report(snapshot=OTHER_SNAPSHOT), name=tried[-1])
    stable = cr["status"]["stable"]["revision"]
    released(cr, world, now)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")
    assert entry(cr, stable)["backup"]["snapshot"] == OTHER_SNAPSHOT


def test_one_that_had_not_ended_by_its_deadline_has_failed() -> None:
    cr, world, now = second()
    (name,) = jobs(world)
    job, pod = begin(world, now, name=name)
    settle(cr, world, now)
    assert cr["status"]["release"]["deadline"] == (now + timedelta(hours=1, minutes=2)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    end(world, job, "Failed", now + timedelta(hours=1), "DeadlineExceeded")
    del world.objects[pod]
    settle(cr, world, now + timedelta(hours=1))
    assert condition(cr["status"], "Ready") == ("False", "BackupFailed")
    assert "DeadlineExceeded" in said(cr)


def test_what_keeps_its_pod_from_being_created_is_told_while_the_release_waits() -> None:
    cr, world, now = second()
    (name,) = jobs(world)
    _, pod = begin(world, now, name=name)
    del world.objects[pod]
    world.barred = {name: "exceeded quota: tight"}
    settle(cr, world, now + MINUTE)
    assert (step(cr), condition(cr["status"], "Ready")) == ("Backup", ("False", "BackupFailed"))
    assert f'as Job {name}: its pod cannot be created: pods "{name}" is forbidden: exceeded quota: tight' in said(cr)
    world.barred = {}
    run(world, now, name=name)
    released(cr, world, now + 2 * MINUTE)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")


def test_a_job_that_somebody_deletes_is_not_made_again_at_once() -> None:
    cr, world, now = second()
    (job,) = jobs(world)
    settle(cr, world, now)
    del world.objects[ChildKey("Job", job)]
    settle(cr, world, now + SECOND)
    assert jobs(world) == []
    assert "was deleted before its end was seen" in said(cr)
    settle(cr, world, now + 2 * MINUTE)
    assert len(jobs(world)) == 1
    assert jobs(world) != [job]


def test_it_waits_for_the_end_of_another_run_of_the_same_backup() -> None:
    cr, world = body(spec_of()), World()
    now = released(cr, world) + MINUTE
    other, _ = begin(world, now)
    cr = with_spec(cr, image="shop:2")
    settle(cr, world, now)
    assert jobs(world) == [other.name]
    assert f"already under way as Job {other.name}" in said(cr)
    end(world, other, "Complete", now)
    settle(cr, world, now + SECOND)
    assert len(jobs(world)) == 2


def test_a_job_that_is_refused_is_tried_again_and_says_why() -> None:
    cr, world = body(spec_of()), World()
    now = released(cr, world) + MINUTE
    cr = with_spec(cr, image="shop:2")
    foreseen, its_world = copy.deepcopy((cr, world))
    settle(foreseen, its_world, now)
    (job,) = jobs(its_world)
    world.refuses[ChildKey("Job", job)] = Refused("exceeded quota: count/jobs.batch", status=403, reason="Forbidden")
    decided = settle(cr, world, now)
    assert condition(cr["status"], "Ready") == ("False", "BackupFailed")
    assert "exceeded quota" in said(cr)
    assert decided.requeue_after is not None
    world.refuses.clear()
    settle(cr, world, now + MINUTE)
    assert jobs(world) == [job]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_whoever_asks_for_it_no_more_waits_for_it_no_more(strategy: str) -> None:
    cr, world, now = second(strategy)
    run(world, now, WRONG, name=jobs(world)[0], code=1)
    settle(cr, world, now)
    cr = with_spec(cr, release=spec_of(strategy, backupFirst=None)["release"])
    del cr["spec"]["release"]["backupFirst"]
    settle(cr, world, now + SECOND)
    assert step(cr) != "Backup"
    assert "backup" not in cr["status"]["release"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_newer_spec_takes_over_and_takes_its_own_backup_once_the_other_has_ended(strategy: str) -> None:
    cr, world, now = second(strategy)
    (first,) = jobs(world)
    begin(world, now, name=first)
    cr = with_spec(cr, image="shop:3")
    settle(cr, world, now + SECOND)
    assert (step(cr), jobs(world)) == ("Backup", [first])
    run(world, now, name=first)
    settle(cr, world, now + MINUTE)
    assert (step(cr), len(jobs(world))) == ("Backup", 2)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_aborted_it_is_over_and_rejected(strategy: str) -> None:
    cr, world, now = second(strategy)
    act(world, "abort", "Abort", revision=cr["status"]["release"]["revision"])
    settle(cr, world, now + SECOND)
    assert condition(cr["status"], "Ready") == ("False", "Rejected")
    assert cr["status"]["pin"]["reason"] == "Aborted"
    assert len(jobs(world)) == 1


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_paused_nothing_begins_but_what_was_made_comes_to_its_end(strategy: str) -> None:
    cr, world, now = second(strategy)
    revision = cr["status"]["release"]["revision"]
    act(world, "pause", "Pause", revision=revision)
    settle(cr, world, now + SECOND)
    stable = cr["status"]["stable"]["revision"]
    run(world, now, name=jobs(world)[0])
    settle(cr, world, now + 2 * SECOND)
    assert (step(cr), cr["status"]["phase"], entry(cr, stable)["backup"]["snapshot"]) == ("Backup", "Paused", SNAPSHOT)
    act(world, "resume", "Resume", revision=revision)
    released(cr, world, now + MINUTE)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")
    assert len(jobs(world)) == 1

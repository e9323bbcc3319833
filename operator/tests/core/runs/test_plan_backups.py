"""Backups seen from the plan: which CronJobs are there, what is remembered of their runs, and whether the service is backed up."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.core.runs.backups import (
    CRON_JOB,
    NIGHTLY,
    OTHER_SNAPSHOT,
    SNAPSHOT,
    VERIFY,
    VERIFY_CRON_JOB,
    backup,
    begin,
    end,
    ended,
    report,
    run,
)
from tests.core.worlds import ANY_KEY, NOW, WEB, World, condition, decide, running, settle, with_spec

from hardened.core.model.kit import BackupKit
from hardened.core.model.manifest import ChildKey, Manifest
from hardened.core.plan import plan
from hardened.errors import Refused

HOUR = timedelta(hours=1)


def backed_up(spec: Manifest | None = None, **more: Any) -> tuple[Manifest, World]:
    """A service that runs, with its backups, and their CronJobs."""
    cr, world = running({**WEB, "backups": [backup(**more)], **(spec or {})})
    settle(cr, world, NOW)
    world.writes.clear()
    return cr, world


def of(cr: Manifest) -> Manifest:
    """What status says of the backup."""
    (found,) = cr["status"]["backups"]
    return dict(found)


def said(cr: Manifest) -> str:
    """The message of BackedUp."""
    return str(next(c["message"] for c in cr["status"]["conditions"] if c["type"] == "BackedUp"))


def test_a_service_without_backups_says_nothing_of_them() -> None:
    cr, world = running()
    assert "backups" not in cr["status"]
    assert "BackedUp" not in {c["type"] for c in cr["status"]["conditions"]}
    assert CRON_JOB not in world.objects


def test_a_backup_has_a_cron_job_and_no_snapshot_at_first() -> None:
    cr, world = backed_up()
    spec = world.objects[CRON_JOB]["spec"]
    assert (spec["schedule"], spec["timeZone"], spec["suspend"]) == ("30 3 * * *", "Etc/UTC", False)
    assert of(cr) == {"name": "nightly", "nextAt": "2026-01-02T03:30:00Z", "schedules": ["30 3 * * * Etc/UTC"]}
    assert condition(cr["status"], "BackedUp") == ("False", "NoSnapshot")
    assert "hardenctl backup create shop nightly -n market" in said(cr)
    assert condition(cr["status"], "Ready") == ("True", "Healthy"), "that is another matter"


def test_what_is_settled_costs_nothing() -> None:
    cr, world = backed_up()
    run(world, NOW)
    settle(cr, world, NOW)
    decided = plan(cr, world.seen(), ANY_KEY, NOW)
    assert (decided.question, decided.has_writes) == (None, False)
    assert decided.status == cr["status"]


def test_a_run_that_succeeded_is_remembered_when_its_job_is_gone() -> None:
    cr, world = backed_up()
    job, pod = run(world, NOW)
    settle(cr, world, NOW + HOUR)
    expected = {"snapshot": SNAPSHOT, "at": "2026-01-02T03:04:05Z", "bytes": 4096, "seconds": 4}
    assert of(cr)["lastSuccess"] == expected
    assert condition(cr["status"], "BackedUp") == ("True", "SnapshotsFresh")
    del world.objects[job], world.objects[pod]
    settle(cr, world, NOW + 2 * HOUR)
    assert of(cr)["lastSuccess"] == expected


def test_a_repository_that_is_lost_later_is_not_made_anew() -> None:
    cr, world = backed_up()
    tasks = [_task(world)]
    run(world, NOW)
    settle(cr, world, NOW)
    tasks.append(_task(world))
    assert ['"init":true' in task for task in tasks] == [True, False]


def _task(world: World) -> str:
    (runner,) = world.objects[CRON_JOB]["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    return str(next(each["value"] for each in runner["env"] if each["name"] == "HARDENED_TASK"))


def test_the_condition_turns_when_the_newest_good_snapshot_is_too_old_and_it_is_looked_at_then() -> None:
    cr, world = backed_up(maxAge="26h")
    run(world, NOW)
    decided = settle(cr, world, NOW + HOUR)
    assert decided.requeue_after == timedelta(hours=25)
    settle(cr, world, NOW + timedelta(hours=26, seconds=-1))
    assert condition(cr["status"], "BackedUp") == ("True", "SnapshotsFresh")
    decided = settle(cr, world, NOW + timedelta(hours=26))
    assert condition(cr["status"], "BackedUp") == ("False", "SnapshotOverdue")
    assert decided.requeue_after is None
    assert "older than 26h" in said(cr)


def test_how_old_it_may_be_follows_from_the_schedule() -> None:
    cr, world = backed_up(deadline="2h")
    run(world, NOW)
    decided = settle(cr, world, NOW)
    assert decided.requeue_after == timedelta(hours=26)


def test_a_run_that_fails_is_told_and_the_good_snapshot_counts_on() -> None:
    cr, world = backed_up()
    run(world, NOW)
    run(world, NOW + HOUR, report("Failed", reason="WrongPassword", message="wrong password or no key found", snapshot=None), code=1)
    settle(cr, world, NOW + 2 * HOUR)
    assert of(cr)["lastSuccess"]["snapshot"] == SNAPSHOT
    assert of(cr)["lastFailure"] == {"at": "2026-01-02T04:04:09Z", "reason": "WrongPassword", "message": "wrong password or no key found"}
    assert condition(cr["status"], "BackedUp") == ("True", "SnapshotsFresh")
    assert "WrongPassword" in said(cr)
    run(world, NOW + 3 * HOUR, report(snapshot=OTHER_SNAPSHOT))
    settle(cr, world, NOW + 4 * HOUR)
    assert of(cr)["lastSuccess"]["snapshot"] == OTHER_SNAPSHOT
    assert "WrongPassword" not in said(cr), "it was overcome"


def test_a_run_at_work_is_told_with_what_it_waits_for() -> None:
    cr, world = backed_up()
    job, pod = begin(world, NOW)
    message = "0/2 nodes are available: 2 Insufficient memory"
    unscheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    world.objects[pod]["status"] = {"phase": "Pending", "conditions": [unscheduled]}
    settle(cr, world, NOW)
    assert of(cr)["running"]["job"] == job.name
    assert message in of(cr)["running"]["message"]
    end(world, job, "Failed", NOW + HOUR, "DeadlineExceeded")
    del world.objects[pod]
    settle(cr, world, NOW + HOUR)
    assert "running" not in of(cr)
    assert of(cr)["lastFailure"]["reason"] == "DeadlineExceeded"
    assert message in of(cr)["lastFailure"]["message"], "its pod is gone, and nothing else tells"


def test_what_belongs_to_a_cron_job_that_was_deleted_counts_no_more() -> None:
    cr, world = backed_up()
    run(world, NOW)
    del world.objects[CRON_JOB]
    settle(cr, world, NOW)
    assert CRON_JOB in world.objects, "it is made anew"
    assert "lastSuccess" not in of(cr)


@pytest.mark.parametrize(
    "change",
    [pytest.param({"suspend": True}, id="the service"), pytest.param({"backups": [backup(suspend=True)]}, id="the backup")],
)
def test_what_is_suspended_suspends_its_schedule_and_makes_up_for_nothing_when_it_goes_on(change: Manifest) -> None:
    cr, world = backed_up()
    usual = world.objects[CRON_JOB]["spec"]["startingDeadlineSeconds"]
    suspended = with_spec(cr, **change)
    settle(suspended, world, NOW)
    assert world.objects[CRON_JOB]["spec"]["suspend"]
    assert of(suspended)["suspended"]
    assert "nextAt" not in of(suspended)
    on = with_spec(suspended, suspend=None, backups=[NIGHTLY])
    decided = settle(on, world, NOW + HOUR)
    spec = world.objects[CRON_JOB]["spec"]
    assert (spec["suspend"], spec["startingDeadlineSeconds"]) == (False, 10)
    assert decided.requeue_after == timedelta(seconds=usual), "until what was missed is too late anyway"
    settle(on, world, NOW + HOUR + timedelta(seconds=usual))
    assert world.objects[CRON_JOB]["spec"]["startingDeadlineSeconds"] == usual
    assert "resumedAt" not in of(on)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"schedule": "2 3 * * *"}, id="the schedule"),
        pytest.param({"timeZone": "Asia/Tokyo"}, id="the time zone"),
        pytest.param({"verify": {**VERIFY, "schedule": "2 3 * * *"}}, id="that of the verification"),
    ],
)
def test_a_time_that_had_passed_when_the_schedule_was_changed_is_not_made_up_for(change: Manifest) -> None:
    cr, world = backed_up(verify=VERIFY)
    keys = [CRON_JOB, VERIFY_CRON_JOB]
    usual = [world.objects[key]["spec"]["startingDeadlineSeconds"] for key in keys]
    changed = with_spec(cr, backups=[backup(**{"verify": VERIFY, **change})])
    decided = decide(changed, world, NOW)
    assert all(each.manifest["spec"]["startingDeadlineSeconds"] == 10 for each in decided.apply), "at once with the new schedule"
    decided = settle(changed, world, NOW)
    assert [world.objects[key]["spec"]["startingDeadlineSeconds"] for key in keys] == [10, 10]
    assert decided.requeue_after == timedelta(seconds=max(usual))
    settle(changed, world, NOW + timedelta(seconds=max(usual)))
    assert [world.objects[key]["spec"]["startingDeadlineSeconds"] for key in keys] == usual


def test_a_verification_that_is_added_changes_nothing_of_the_backup() -> None:
    cr, world = backed_up()
    usual = world.objects[CRON_JOB]["spec"]["startingDeadlineSeconds"]
    settle(with_spec(cr, backups=[backup(verify=VERIFY)]), world, NOW)
    assert world.objects[CRON_JOB]["spec"]["startingDeadlineSeconds"] == usual


QUOTA = "exceeded quota: tight, requested: limits.memory=512Mi, used: limits.memory=1Gi, limited: limits.memory=1Gi"


def test_a_run_whose_pod_cannot_be_created_says_why_and_the_reason_outlives_its_job() -> None:
    cr, world = backed_up()
    job, pod = begin(world, NOW)
    del world.objects[pod]
    decided = settle(cr, world, NOW)
    assert (world.tried, decided.requeue_after) == ([], timedelta(seconds=30)), "its controller may be about to create it"
    assert "message" not in of(cr)["running"]
    world.barred = {job.name: QUOTA}
    later = NOW + timedelta(seconds=30)
    settle(cr, world, later)
    assert world.tried == [job.name], "once in a look"
    why = f'its pod cannot be created: pods "{job.name}" is forbidden: {QUOTA}; raise the ResourceQuota or free some of it'
    assert of(cr)["running"]["message"] == why
    assert f"Job {job.name} waits: its pod cannot be created: " in said(cr)
    world.barred = {}
    settle(cr, world, later + timedelta(seconds=30))
    assert of(cr)["running"]["message"] == why, "its controller waits longer each time, and may be too late"
    end(world, job, "Failed", NOW + HOUR, "DeadlineExceeded")
    settle(cr, world, NOW + HOUR)
    assert QUOTA in of(cr)["lastFailure"]["message"]
    assert len(world.tried) == 2


def test_a_suspended_service_changes_nothing_but_its_schedules() -> None:
    cr, world = backed_up()
    suspended = with_spec(cr, suspend=True, image="registry.example/shop:2", replicas=7)
    settle(suspended, world, NOW)
    assert world.writes == ["apply CronJob shop-nightly"]
    gone = with_spec(suspended, backups=None)
    settle(gone, world, NOW)
    assert world.writes[1:] == ["delete CronJob shop-nightly"], "it would go on"
    settle(with_spec(suspended, backups=[NIGHTLY]), world, NOW)
    assert len(world.writes) == 2, "nothing is made"


def test_a_backup_that_is_taken_from_the_spec_goes_with_its_cron_job() -> None:
    cr, world = backed_up()
    gone = with_spec(cr, backups=None)
    settle(gone, world, NOW)
    assert world.writes == ["delete CronJob shop-nightly"]
    assert "backups" not in gone["status"]


def test_the_schedules_of_a_spec_that_cannot_be_used_stay() -> None:
    cr, world = backed_up()
    run(world, NOW)
    settle(cr, world, NOW)
    world.writes.clear()
    before = of(cr)
    broken = with_spec(cr, backups=[backup(schedule="@daily")])
    settle(broken, world, NOW)
    assert world.writes == []
    assert of(broken) == before
    assert condition(broken["status"], "BackedUp") == ("False", "InvalidSpec")
    assert "spec.backups[0].schedule" in next(c["message"] for c in broken["status"]["conditions"] if c["type"] == "Ready")


def test_without_an_image_nothing_is_made_and_what_is_there_stays() -> None:
    cr, world = backed_up()
    bare = replace(ANY_KEY, backup=BackupKit())
    settle(cr, world, NOW, bare)
    assert CRON_JOB in world.objects
    assert condition(cr["status"], "BackedUp") == ("False", "BackupImageMissing")
    new, other = running({**WEB, "backups": [NIGHTLY]})
    del other.objects[CRON_JOB]
    settle(new, other, NOW, bare)
    assert CRON_JOB not in other.objects


def test_a_cron_job_that_is_refused_holds_nothing_up() -> None:
    cr, world = running()
    world.refuses[CRON_JOB] = Refused("denied by a policy", status=403)
    cr = with_spec(cr, backups=[NIGHTLY])
    world.bars = lambda key: world.refuses.get(key)  # type: ignore[method-assign]
    decided = decide(cr, world, NOW)
    assert next(step for step in decided.apply if step.manifest["kind"] == "CronJob").is_optional
    cr = with_spec(cr, backups=[NIGHTLY], replicas=3)
    world.refused[CRON_JOB] = world.refuses[CRON_JOB]
    decided = decide(cr, world, NOW)
    assert [step.manifest["kind"] for step in decided.apply] == ["Deployment"]
    assert decided.status
    assert "its CronJob cannot be written: denied by a policy" in str(decided.status["conditions"])
    assert decided.requeue_after


def test_a_command_runs_in_the_image_of_what_was_promoted_last() -> None:
    source = {"command": {"command": ["dump-all"]}}
    cr, world = backed_up(source=source)
    newer = with_spec(cr, image="registry.example/shop:2")
    for _ in range(3):
        settle(newer, world, NOW)
    (dump,) = world.objects[CRON_JOB]["spec"]["jobTemplate"]["spec"]["template"]["spec"]["initContainers"]
    assert (dump["image"], dump["command"]) == ("registry.example/shop:1", ["dump-all"]), "the other was not promoted yet"


def test_a_dump_that_fails_is_told_by_its_report() -> None:
    cr, world = backed_up()
    message = '{"kind": "dump", "result": "Failed", "reason": "ServerIsNewer", "message": "the server is 17, and pg_dump is 15"}'
    run(world, NOW, dump=ended("dump", NOW, message, code=1))
    settle(cr, world, NOW)
    assert of(cr)["lastFailure"] == {
        "at": "2026-01-02T03:04:07Z", "reason": "ServerIsNewer", "message": "the server is 17, and pg_dump is 15",
    }  # fmt: skip
    assert "ServerIsNewer" in said(cr)


def test_a_job_of_somebody_else_says_nothing() -> None:
    cr, world = backed_up()
    job, _ = run(world, NOW)
    world.objects[job]["metadata"]["ownerReferences"][0]["uid"] = "another"
    settle(cr, world, NOW)
    assert "lastSuccess" not in of(cr)
    assert ChildKey("Job", job.name) in world.objects

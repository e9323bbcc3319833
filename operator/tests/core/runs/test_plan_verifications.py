"""Verifications seen from the plan: their schedules, what is remembered of them, and what they say of whether a service is backed up."""

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
    run,
    verification,
)
from tests.core.worlds import ANY_KEY, NOW, STAMP, WEB, World, condition, running, settle, with_spec

from hardened.api import names
from hardened.core.model.conditions import timestamp
from hardened.core.model.manifest import Manifest
from hardened.core.plan import plan

HOUR = timedelta(hours=1)
#: The longest time from one to the next, and what one may take.
DUE = timedelta(hours=25)


def not_backed_up(**more: Any) -> tuple[Manifest, World]:
    """A service whose backup is to be verified each day from now, and has no snapshot yet."""
    cr, world = running({**WEB, "backups": [backup(verify=VERIFY, maxAge="9000h", **more)]})
    settle(cr, world, NOW)
    world.objects[VERIFY_CRON_JOB]["metadata"]["creationTimestamp"] = STAMP
    return cr, world


def backed_up(**more: Any) -> tuple[Manifest, World]:
    """A service with a backup that is verified each day, and that has a snapshot which does not get too old."""
    cr, world = not_backed_up(**more)
    run(world, NOW)
    settle(cr, world, NOW)
    world.writes.clear()
    return cr, world


def last(cr: Manifest) -> Manifest:
    """What status says of the last verification."""
    (found,) = cr["status"]["backups"]
    return dict(found.get("lastVerification") or {})


def said(cr: Manifest) -> str:
    """The message of BackedUp."""
    return str(next(c["message"] for c in cr["status"]["conditions"] if c["type"] == "BackedUp"))


def test_a_verified_backup_has_a_schedule_for_that_and_is_not_verified_at_first() -> None:
    cr, world = backed_up(timeZone="Europe/Berlin")
    found = world.objects[VERIFY_CRON_JOB]
    spec = found["spec"]
    assert (spec["schedule"], spec["timeZone"], spec["suspend"], spec["concurrencyPolicy"]) == (
        "0 5 * * *",
        "Europe/Berlin",
        False,
        "Forbid",
    )
    assert found["metadata"]["labels"][names.RUN_LABEL] == "verify"
    assert names.RUN_LABEL not in world.objects[CRON_JOB]["metadata"]["labels"]
    assert last(cr) == {}
    assert condition(cr["status"], "BackedUp") == ("True", "SnapshotsFresh")
    assert "not verified yet" in said(cr)


def test_a_good_one_is_remembered_when_its_pods_are_gone_and_costs_nothing() -> None:
    cr, world = backed_up()
    job, pod = verification(world, NOW + HOUR, message="3 tables, 8192 bytes in them")
    settle(cr, world, NOW + 2 * HOUR)
    expected = {
        "job": job.name, "at": timestamp(NOW + HOUR + timedelta(seconds=3)), "result": "Succeeded", "snapshot": SNAPSHOT,
        "message": "3 tables, 8192 bytes in them", "seconds": 3,
    }  # fmt: skip
    assert last(cr) == expected
    assert condition(cr["status"], "BackedUp") == ("True", "SnapshotsFresh")
    assert f"verified at {expected['at']}" in said(cr)
    decided = plan(cr, world.seen(), ANY_KEY, NOW + 2 * HOUR)
    assert (decided.question, decided.has_writes, decided.status) == (None, False, cr["status"])
    del world.objects[pod]
    settle(cr, world, NOW + 3 * HOUR)
    assert last(cr) == expected, "the Job alone says less"
    del world.objects[job]
    settle(cr, world, NOW + 3 * HOUR)
    assert last(cr) == expected


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        pytest.param("SnapshotDamaged", "ciphertext verification failed", id="the snapshot is damaged"),
        pytest.param("AssertionFailed", "the sql gave false: one row with one true value passes", id="what was demanded does not hold"),
        pytest.param("RestoreFailed", "pg_restore: unsupported version (1.16) in file header", id="the dump cannot be restored"),
        pytest.param("RepositoryUnreachable", "no answer within 120 s", id="nobody knows"),
    ],
)
def test_one_that_fails_says_which_backup_what_was_found_and_what_is_next_and_the_next_good_one_heals(reason: str, message: str) -> None:
    cr, world = backed_up()
    job, _ = verification(world, NOW + HOUR, reason, message)
    settle(cr, world, NOW + 2 * HOUR)
    at = timestamp(NOW + HOUR + timedelta(seconds=3))
    assert last(cr) == {
        "job": job.name, "at": at, "result": "Failed", "snapshot": SNAPSHOT, "reason": reason, "message": message, "seconds": 3,
    }  # fmt: skip
    assert condition(cr["status"], "BackedUp") == ("False", "VerificationFailed")
    assert f"verification of snapshot {SNAPSHOT[:8]} failed at {at}: {reason}: {message}" in said(cr)
    assert said(cr).startswith("nightly: ")
    assert said(cr).endswith("; next: hardenctl backup verify shop nightly -n market")
    assert condition(cr["status"], "Ready") == ("True", "Healthy"), "that is another matter"
    verification(world, NOW + 3 * HOUR, snapshot=OTHER_SNAPSHOT)
    settle(cr, world, NOW + 4 * HOUR)
    assert last(cr)["snapshot"] == OTHER_SNAPSHOT
    assert condition(cr["status"], "BackedUp") == ("True", "SnapshotsFresh")


def test_a_new_snapshot_does_not_heal_what_was_found() -> None:
    cr, world = backed_up()
    verification(world, NOW + HOUR, "SnapshotDamaged", "no")
    run(world, NOW + 2 * HOUR)
    settle(cr, world, NOW + 3 * HOUR)
    assert condition(cr["status"], "BackedUp") == ("False", "VerificationFailed")


def test_one_that_found_nothing_to_verify_counts_until_there_is_something() -> None:
    cr, world = not_backed_up()
    verification(world, NOW, "SnapshotUnknown", "the repository has no whole snapshot of market/shop/nightly", snapshot=None)
    settle(cr, world, NOW + HOUR)
    assert condition(cr["status"], "BackedUp") == ("False", "NoSnapshot")
    run(world, NOW + HOUR)
    settle(cr, world, NOW + 2 * HOUR)
    assert condition(cr["status"], "BackedUp") == ("True", "SnapshotsFresh")


@pytest.mark.parametrize("verifies_first", [False, True], ids=["there was none yet", "the last one succeeded"])
def test_it_turns_when_one_is_overdue_and_is_looked_at_then(verifies_first: bool) -> None:
    cr, world = backed_up()
    begun = NOW
    if verifies_first:
        verification(world, NOW + HOUR)
        begun = NOW + HOUR + timedelta(seconds=3)
    decided = settle(cr, world, NOW + 2 * HOUR)
    assert decided.requeue_after == begun + DUE - (NOW + 2 * HOUR)
    settle(cr, world, begun + DUE - timedelta(seconds=1))
    assert condition(cr["status"], "BackedUp") == ("True", "SnapshotsFresh")
    settle(cr, world, begun + DUE)
    assert condition(cr["status"], "BackedUp") == ("False", "VerificationOverdue")
    assert ("the last one succeeded" if verifies_first else "there was none yet") in said(cr)
    assert said(cr).endswith("; next: hardenctl backup verify shop nightly -n market")
    verification(world, begun + DUE)
    settle(cr, world, begun + DUE + HOUR)
    assert condition(cr["status"], "BackedUp") == ("True", "SnapshotsFresh")


def test_one_at_work_and_one_whose_pod_has_not_told_its_end_yet_change_nothing() -> None:
    cr, world = backed_up()
    job, pod = begin(world, NOW + HOUR, by=VERIFY_CRON_JOB)
    world.objects[pod]["status"] = {"phase": "Running"}
    settle(cr, world, NOW + HOUR)
    assert last(cr) == {}
    assert "running" not in cr["status"]["backups"][0], "no backup is"
    end(world, job, "Complete", NOW + HOUR)
    settle(cr, world, NOW + HOUR)
    assert last(cr) == {}
    del world.objects[pod]
    settle(cr, world, NOW + HOUR)
    assert (last(cr)["result"], last(cr)["reason"]) == ("Failed", "Interrupted")


def test_one_that_takes_too_long_has_failed() -> None:
    cr, world = backed_up()
    job, pod = begin(world, NOW + HOUR, by=VERIFY_CRON_JOB)
    del world.objects[pod]
    end(world, job, "Failed", NOW + 2 * HOUR, "DeadlineExceeded")
    settle(cr, world, NOW + 2 * HOUR)
    assert last(cr)["reason"] == "DeadlineExceeded"
    assert "deadline of 1h" in last(cr)["message"]


def test_a_backup_says_nothing_of_its_verification_nor_the_other_way_round() -> None:
    cr, world = backed_up()
    before = cr["status"]["backups"][0]["lastSuccess"]
    verification(world, NOW + HOUR, "AssertionFailed", "no", snapshot=OTHER_SNAPSHOT)
    settle(cr, world, NOW + 2 * HOUR)
    (found,) = cr["status"]["backups"]
    assert (found["lastSuccess"], "lastFailure" in found) == (before, False)


def test_it_is_suspended_with_the_backup_and_goes_with_it() -> None:
    cr, world = backed_up()
    suspended = with_spec(cr, backups=[backup(verify=VERIFY, suspend=True)])
    settle(suspended, world, NOW)
    assert world.objects[VERIFY_CRON_JOB]["spec"]["suspend"]
    on = with_spec(suspended, backups=[backup(verify=VERIFY)])
    settle(on, world, NOW + HOUR)
    spec = world.objects[VERIFY_CRON_JOB]["spec"]
    assert (spec["suspend"], spec["startingDeadlineSeconds"]) == (False, 10), "what was missed is not made up for"


def test_without_verify_its_schedule_goes_and_what_was_found_is_forgotten() -> None:
    cr, world = backed_up()
    verification(world, NOW + HOUR, "AssertionFailed", "no")
    settle(cr, world, NOW + 2 * HOUR)
    world.writes.clear()
    plain = with_spec(cr, backups=[{**NIGHTLY, "maxAge": "9000h"}])
    settle(plain, world, NOW + 2 * HOUR)
    assert world.writes == [f"delete {VERIFY_CRON_JOB}"]
    assert last(plain) == {}
    assert condition(plain["status"], "BackedUp") == ("True", "SnapshotsFresh")

"""Backups by hand over the in-memory cluster in virtual time: made once, whatever happens to the operator."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.enumerations import Turn, turns
from tests.memory.api_server import Call
from tests.shell import virtual_time
from tests.shell.operator_world import RELEASED, OperatorWorld, asks, release, service
from tests.shell.test_action_flows import phases_of
from tests.shell.test_rollback_flows import end_the_same

from hardened.errors import Refused
from hardened.shell.kinds import CRON_JOB, HARDENED_SERVICE, HARDENED_SERVICE_ACTION, JOB

pytestmark = pytest.mark.one_of(3)

Step = Callable[[OperatorWorld], Any]
NIGHTLY = {
    "name": "nightly",
    # Not while the tests last.
    "schedule": "0 0 1 7 *",
    "repository": {"secretName": "restic", "claim": {"name": "backups"}},
    "source": {"postgres": {"secretName": "db"}},
}
BACKED_UP = {"backups": [NIGHTLY]}
VERIFIED = {"backups": [{**NIGHTLY, "verify": {"schedule": "0 0 1 8 *", "sql": "select true"}}]}


async def create_backed_up(world: OperatorWorld) -> None:
    """A team makes a service with a backup."""
    await world.people.create(HARDENED_SERVICE, service(**{**RELEASED, **BACKED_UP}))


async def create_verified(world: OperatorWorld) -> None:
    """The same, with a backup that is verified."""
    await world.people.create(HARDENED_SERVICE, service(**{**RELEASED, **VERIFIED}))


def played(*steps: Step) -> OperatorWorld:
    """The world after these steps."""

    async def play() -> OperatorWorld:
        world = OperatorWorld()
        await world.play(*steps)
        return world

    return virtual_time.run(play())


def status(world: OperatorWorld) -> dict[str, Any]:
    """Of the service."""
    found: dict[str, Any] = world.server.all(HARDENED_SERVICE)[0]["status"]
    return found


def test_a_backup_by_hand_is_one_job_and_its_snapshot_is_on_record() -> None:
    world = played(create_backed_up, asks("Backup", backup="nightly"))
    (action,) = world.server.all(HARDENED_SERVICE_ACTION)
    assert action["status"]["phase"] == "Succeeded"
    assert action["status"]["result"] == {"backup": "nightly", "snapshot": "ab" * 32}
    assert len(world.server.all(JOB)) == 1
    (found,) = status(world)["backups"]
    assert found["lastSuccess"]["bytes"] == 4096
    assert {c["type"]: c["status"] for c in status(world)["conditions"]}["BackedUp"] == "True"
    assert world.told()["BackupSucceeded"] == 1


@pytest.mark.parametrize("turn", turns(1))
def test_killed_at_any_write_of_it_it_ends_the_same(turn: Turn) -> None:
    end_the_same((create_backed_up, asks("Backup", backup="nightly")), turn.of)


def test_a_verification_by_hand_is_one_job_and_what_it_found_is_on_record() -> None:
    world = played(create_verified, asks("Backup", "a", backup="nightly"), asks("VerifyBackup", "b", backup="nightly"))
    (action,) = (each for each in world.server.all(HARDENED_SERVICE_ACTION) if each["metadata"]["name"] == "b")
    assert action["status"]["phase"] == "Succeeded"
    assert action["status"]["result"] == {"backup": "nightly", "snapshot": "ab" * 32}
    assert f"snapshot {'ab' * 4} was restored" in action["status"]["message"]
    (job,) = (each for each in world.server.all(JOB) if each["metadata"]["labels"].get("hardened.dev/run") == "verify")
    (found,) = status(world)["backups"]
    assert (found["lastVerification"]["job"], found["lastVerification"]["result"]) == (job["metadata"]["name"], "Succeeded")
    assert (world.told()["VerificationSucceeded"], world.told()["BackupSucceeded"]) == (1, 1)


@pytest.mark.parametrize("turn", turns(1))
def test_killed_at_any_write_of_a_verification_it_ends_the_same(turn: Turn) -> None:
    end_the_same((create_verified, asks("Backup", "a", backup="nightly"), asks("VerifyBackup", "b", backup="nightly")), turn.of)


def test_data_is_worked_on_by_one_at_a_time_and_only_what_says_how_is_verified() -> None:
    async def at_once(world: OperatorWorld) -> None:
        await asks("VerifyBackup", "a", backup="nightly")(world)
        await asks("VerifyBackup", "b", backup="nightly")(world)
        await asks("Backup", "c", backup="nightly")(world)

    world = played(create_verified, at_once, release("web:1", **BACKED_UP), asks("VerifyBackup", "d", backup="nightly"))
    assert phases_of(world) == {"a": "Succeeded", "b": "Refused", "c": "Refused", "d": "Refused"}
    said = {a["metadata"]["name"]: a["status"]["message"] for a in world.server.all(HARDENED_SERVICE_ACTION)}
    assert "verification of backup nightly is already under way" in said["b"]
    assert "does not say how it is verified" in said["d"]
    assert len(world.server.all(JOB)) == 1


@pytest.mark.parametrize("turn", turns(1))
def test_killed_at_any_write_of_a_spec_that_gets_a_backup_it_ends_the_same(turn: Turn) -> None:
    end_the_same((create_backed_up, release("web:1", backups=[{**NIGHTLY, "schedule": "0 0 2 7 *"}, {**NIGHTLY, "name": "b"}])), turn.of)


def test_a_second_one_is_refused_and_a_release_waits_for_none() -> None:
    async def at_once(world: OperatorWorld) -> None:
        await asks("Backup", "a", backup="nightly")(world)
        await asks("Backup", "b", backup="nightly")(world)
        await asks("Backup", "c", backup="other")(world)
        await asks("Rollback", "d")(world)

    world = played(create_backed_up, release("web:2", **BACKED_UP), at_once)
    assert phases_of(world) == {"a": "Succeeded", "b": "Refused", "c": "Refused", "d": "Succeeded"}
    said = {a["metadata"]["name"]: a["status"]["message"] for a in world.server.all(HARDENED_SERVICE_ACTION)}
    assert "already under way" in said["b"]
    assert "it has nightly" in said["c"]
    assert len(world.server.all(JOB)) == 1


def test_a_job_that_may_not_be_made_fails_the_action_and_holds_nothing_up() -> None:
    def deny(call: Call) -> None:
        if call.kind == JOB and call.is_write:
            raise Refused("denied by a policy", status=403, reason="Forbidden")

    def denied(world: OperatorWorld) -> Any:
        world.server.before = deny
        return asks("Backup", backup="nightly")(world)

    world = played(create_backed_up, denied)
    (action,) = world.server.all(HARDENED_SERVICE_ACTION)
    assert action["status"]["phase"] == "Failed"
    assert "denied by a policy" in action["status"]["message"]
    assert status(world)["phase"] == "Healthy"


def test_a_job_that_somebody_deletes_is_not_made_again() -> None:
    async def asked_and_deleted(world: OperatorWorld) -> None:
        await asks("Backup", backup="nightly")(world)

        def seen(event: str, kind: Any, obj: dict[str, Any]) -> None:
            entries = (obj.get("status") or {}).get("actions") or ()
            if kind == HARDENED_SERVICE and any(entry.get("job") for entry in entries) and world.server.all(JOB):
                world.server.store.remove(JOB, "shop", world.server.all(JOB)[0]["metadata"]["name"])

        world.server.on_event.append(seen)

    world = played(create_backed_up, asked_and_deleted)
    (action,) = world.server.all(HARDENED_SERVICE_ACTION)
    assert action["status"]["phase"] == "Failed"
    assert "deleted" in action["status"]["message"]
    assert world.server.all(JOB) == []


def test_a_suspended_service_suspends_its_schedule_and_makes_no_backup() -> None:
    world = played(
        create_backed_up,
        release("web:1", **BACKED_UP, suspend=True),
        asks("Backup", "a", backup="nightly"),
        release("web:1", **BACKED_UP, suspend=False),
    )
    assert phases_of(world) == {"a": "Refused"}
    (schedule,) = world.server.all(CRON_JOB)
    assert schedule["spec"]["suspend"] is False
    assert schedule["spec"]["startingDeadlineSeconds"] == 10, "what was missed is not made up for"
    assert world.server.all(JOB) == []


def test_a_backup_whose_pod_a_quota_refuses_says_so_once_and_waits_for_room() -> None:
    async def play() -> tuple[OperatorWorld, str]:
        world = OperatorWorld()
        await world.play(create_backed_up)
        world.server.store.barred["web-nightly"] = "exceeded quota: tight"
        await world.play(asks("Backup", "b", backup="nightly"))  # and all is quiet
        said = str(status(world)["actions"][0]["message"])
        world.server.store.barred.clear()
        await world.play(asks("Resume", "x"))
        return world, said

    world, said = virtual_time.run(play())
    assert "its pod cannot be created" in said
    assert "raise the ResourceQuota" in said
    assert phases_of(world)["b"] == "Succeeded"

"""Backups in a namespace with a LimitRange, in virtual time: their pods ask for what it allows, whoever schedules them."""

from typing import Any

import pytest
from tests.shell.operator_world import OperatorWorld, asks
from tests.shell.test_backup_flows import create_backed_up, played, release

from hardened.shell.kinds import CRON_JOB, HARDENED_SERVICE, JOB, LIMIT_RANGE

pytestmark = pytest.mark.one_of(3)


def limits(**bounds: dict[str, str]) -> Any:
    """Somebody bounds what containers ask for."""

    async def bound(world: OperatorWorld) -> None:
        spec = {"limits": [{"type": "Container", **bounds}]}
        meta = {"name": "bounds", "namespace": "shop"}
        await world.people.create(LIMIT_RANGE, {"apiVersion": "v1", "kind": "LimitRange", "metadata": meta, "spec": spec})

    return bound


def asked(template: dict[str, Any], kind: str, name: str) -> set[str]:
    """What each container of a pod asks for."""
    spec = template["spec"]
    return {each["resources"][kind][name] for each in (*spec.get("initContainers", ()), *spec["containers"])}


def of_schedule(world: OperatorWorld) -> dict[str, Any]:
    (live,) = world.server.all(CRON_JOB)
    found: dict[str, Any] = live["spec"]["jobTemplate"]["spec"]["template"]
    return found


def test_schedules_and_jobs_by_hand_ask_for_what_is_allowed() -> None:
    narrow = limits(max={"memory": "100Mi"}, min={"cpu": "200m"})
    world = played(narrow, create_backed_up, asks("Backup", backup="nightly"))
    (job,) = world.server.all(JOB)
    for template in (of_schedule(world), job["spec"]["template"]):
        assert asked(template, "limits", "memory") == {"100Mi"}
        assert asked(template, "requests", "cpu") == {"200m"}


def test_what_was_fitted_is_left_alone_until_it_becomes_another_one() -> None:
    narrow = limits(max={"memory": "100Mi"})
    before = played(narrow, create_backed_up)
    calls: list[Any] = []

    async def heed(world: OperatorWorld) -> None:
        world.server.before = calls.append

    nightly = {"name": "nightly", "schedule": "0 0 1 7 *", "repository": {"secretName": "restic", "claim": {"name": "backups"}}}
    later = release("web:1", backups=[{**nightly, "source": {"postgres": {"secretName": "db"}}, "schedule": "0 0 1 8 *"}], replicas=3)

    async def scale(world: OperatorWorld) -> None:
        await world.people.merge_patch(HARDENED_SERVICE, "shop", "web", {"spec": {"replicas": 3}})

    world = played(narrow, create_backed_up, heed, scale)
    for kind, name in (("requests", "cpu"), ("limits", "memory")):
        assert asked(of_schedule(world), kind, name) == asked(of_schedule(before), kind, name)
    assert [call for call in calls if call.kind == CRON_JOB and call.is_write] == []
    changed = played(narrow, create_backed_up, later)
    assert asked(of_schedule(changed), "limits", "memory") == {"100Mi"}


def test_what_somebody_edits_of_it_is_repaired() -> None:
    async def edit(world: OperatorWorld) -> None:
        (live,) = world.server.all(CRON_JOB)
        template = of_schedule(world)
        for each in (*template["spec"]["initContainers"], *template["spec"]["containers"]):
            each["resources"]["limits"]["memory"] = "1Mi"
        spec = {"jobTemplate": {"spec": {"template": template}}}
        await world.people.merge_patch(CRON_JOB, "shop", live["metadata"]["name"], {"spec": spec})

    world = played(limits(max={"memory": "100Mi"}), create_backed_up, edit)
    assert asked(of_schedule(world), "limits", "memory") != {"1Mi"}

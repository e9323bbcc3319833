"""When an action that is over goes: known as soon as its end is written, since nobody hears of our own writes."""

from datetime import timedelta
from typing import Any

import pytest
from tests.core.worlds import NOW

from hardened.core.actions.log import LogEntry
from hardened.core.actions.replies import MOST_ANSWERS, MOST_TOLD, MOST_WAITING, answers, crowded

OWNER = {"apiVersion": "hardened.dev/v1alpha1", "kind": "HardenedService", "name": "shop", "uid": "of-shop"}
LATER = NOW + timedelta(minutes=1)


def action(**status: Any) -> dict[str, Any]:
    meta = {"name": "back", "uid": "of-back", "resourceVersion": "1", "ownerReferences": [OWNER]}
    return {"metadata": meta, "spec": {"service": "shop", "action": "Rollback", "ttl": "1m"}, "status": status}


def entry(phase: str, **more: Any) -> LogEntry:
    return LogEntry(name="back", uid="of-back", action="Rollback", phase=phase, message="", started_at=NOW, **more)


@pytest.mark.parametrize(
    ("entries", "look_at"),
    [
        pytest.param([entry("Running")], None, id="it is under way"),
        pytest.param([entry("Succeeded", finished_at=NOW)], LATER, id="its end is written now"),
    ],
)
def test_the_next_look_at_an_action(entries: list[LogEntry], look_at: Any) -> None:
    (answer,), at = answers([action()], entries, OWNER, NOW)
    assert answer.status
    assert at == look_at
    written = action(**answer.status)
    assert answers([written], entries, OWNER, NOW) == ((), look_at)
    if look_at:
        (gone,), _ = answers([written], entries, OWNER, look_at)
        assert gone.is_over


def _many(count: int, first: int = 0, **spec: Any) -> list[dict[str, Any]]:
    """Actions without a status, one a second."""
    found = []
    for number in range(first, first + count):
        created = (NOW + timedelta(seconds=number)).isoformat()
        meta = {
            "name": f"a-{number}",
            "uid": f"of-{number}",
            "resourceVersion": "1",
            "ownerReferences": [OWNER],
            "creationTimestamp": created,
        }
        found.append({"metadata": meta, "spec": {"service": "shop", "action": "Pause", "requestedBy": "jane", **spec}})
    return found


def _answered(bodies: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], int]:
    """The actions once nothing is left to be answered, and the most answers in one look."""
    most = 0
    for _ in range(1000):
        found, at = answers(bodies, [], OWNER, NOW)
        if not found:
            return bodies, most
        assert len(found) < MOST_ANSWERS or at is not None
        most = max(most, len(found))
        by_name = {answer.name: answer for answer in found}
        left = [body for body in bodies if not ((answer := by_name.get(body["metadata"]["name"])) and answer.is_over)]
        bodies = [
            {**body, "status": by_name[body["metadata"]["name"]].status} if body["metadata"]["name"] in by_name else body for body in left
        ]
    raise AssertionError("there is no end of it")


@pytest.mark.parametrize("count", [MOST_WAITING, MOST_WAITING + 1, 1000])
def test_however_many_wait_so_many_stay(count: int) -> None:
    bodies, most = _answered(_many(count))
    waiting = [body for body in bodies if "status" not in body]
    told = [body for body in bodies if "status" in body]
    assert [body["metadata"]["name"] for body in waiting] == [f"a-{number}" for number in range(MOST_WAITING)]
    assert len(told) == min(count - MOST_WAITING, MOST_TOLD)
    assert all(body["status"]["phase"] == "Refused" and "already waiting" in body["status"]["message"] for body in told)
    assert most <= MOST_ANSWERS


def test_what_is_urgent_finds_room_among_those_that_wait() -> None:
    bodies = [*_many(MOST_WAITING), *_many(1, 5000, action="Rollback")]
    assert [body["metadata"]["name"] for body in crowded(bodies, [])] == [f"a-{MOST_WAITING - 1}"]


def test_what_is_remembered_already_is_none_of_a_crowd() -> None:
    bodies = _many(MOST_WAITING + 1)
    last = LogEntry(name=f"a-{MOST_WAITING}", uid="x", action="Pause", phase="Running", message="", started_at=NOW)
    assert crowded(bodies, [last]) == []

"""When an action that is over goes: known as soon as its end is written, since nobody hears of our own writes."""

from datetime import timedelta
from typing import Any

import pytest
from tests.core.worlds import NOW

from hardened.core.actions.answers import answers
from hardened.core.actions.entries import Entry

OWNER = {"apiVersion": "hardened.dev/v1alpha1", "kind": "HardenedService", "name": "shop", "uid": "of-shop"}
LATER = NOW + timedelta(minutes=1)


def action(**status: Any) -> dict[str, Any]:
    meta = {"name": "back", "uid": "of-back", "resourceVersion": "1", "ownerReferences": [OWNER]}
    return {"metadata": meta, "spec": {"service": "shop", "action": "Rollback", "ttl": "1m"}, "status": status}


def entry(phase: str, **more: Any) -> Entry:
    return Entry(name="back", uid="of-back", action="Rollback", phase=phase, message="", started_at=NOW, **more)


@pytest.mark.parametrize(
    ("entries", "look_at"),
    [
        pytest.param([entry("Running")], None, id="it is under way"),
        pytest.param([entry("Succeeded", finished_at=NOW)], LATER, id="its end is written now"),
    ],
)
def test_the_next_look_at_an_action(entries: list[Entry], look_at: Any) -> None:
    (answer,), at = answers([action()], entries, OWNER, NOW)
    assert answer.status
    assert at == look_at
    written = action(**answer.status)
    assert answers([written], entries, OWNER, NOW) == ((), look_at)
    if look_at:
        (gone,), _ = answers([written], entries, OWNER, look_at)
        assert gone.is_over

"""What counts as wrong in a history of the active Service and the Deployments."""

from __future__ import annotations

import pytest

from e2e.invariants import COLOR, REVISION, Change, InvariantMonitor
from e2e.kube import Body


def leads_to(color: str, revision: str = "r") -> Body:
    return {"kind": "Service", "metadata": {"name": "web"}, "spec": {"selector": {COLOR: color, REVISION: revision}}}


def stack(color: str, wanted: int = 2, available: int = 2, revision: str = "r") -> Body:
    labels = {"app": "web", COLOR: color, REVISION: revision}
    return {
        "kind": "Deployment",
        "metadata": {"name": f"web-{color}"},
        "spec": {"replicas": wanted, "template": {"metadata": {"labels": labels}}},
        "status": {"availableReplicas": available},
    }


PREVIEW: Body = {"kind": "Service", "metadata": {"name": "web-preview"}, "spec": {"selector": {COLOR: "green"}}}
FIRST = [leads_to("blue"), PREVIEW, stack("blue")]
#: What is to be kept for how long.
KEEP = {"web-blue": 30.0}
#: Each at its second: green comes up and is led to, and blue goes after half a minute.
GOOD = [(1, stack("green", available=0)), (3, stack("green")), (4, leads_to("green")), (35, stack("blue", wanted=0))]


def seen(*history: tuple[float, Body]) -> InvariantMonitor:
    """A monitor who saw this."""
    monitor = InvariantMonitor()
    monitor.first = FIRST
    monitor.changes = [Change(number, at, body) for number, (at, body) in enumerate(history)]
    return monitor


def test_a_release_as_it_should_be_is_nothing_wrong() -> None:
    monitor = seen(*GOOD)
    assert monitor.wrongs(replicas=2, keep=KEEP) == []
    assert monitor.selected == ("blue", "green")


def test_changes_are_looked_at_in_the_order_of_the_server_and_not_in_that_of_the_watches() -> None:
    monitor = seen(*GOOD)
    monitor.changes.reverse()
    assert monitor.wrongs(replicas=2, keep=KEEP) == []
    assert monitor.selected == ("blue", "green")


@pytest.mark.parametrize(
    ("history", "wrong"),
    [
        pytest.param([(1, leads_to("green"))], "traffic is led to nobody", id="a colour without a Deployment"),
        pytest.param([(1, leads_to("blue", "none"))], "traffic is led to nobody", id="a revision that nobody has"),
        pytest.param([(1, stack("blue", revision="s"))], "traffic is led to nobody", id="the template under the traffic is changed"),
        pytest.param([*GOOD[:1], (2, leads_to("green"))], "web-green serves with 0 available pods of 2", id="switched too early"),
        pytest.param([(1, stack("blue", wanted=1))], "web-blue serves with 2 available pods of 1", id="what serves is scaled down"),
        pytest.param(
            [*GOOD[:3], (33, stack("blue", wanted=0))],
            "web-blue is to have 0 pods 29.0 s after traffic has left it",
            id="one second too soon",
        ),
        pytest.param(
            [*GOOD[:3], (20, leads_to("blue")), (21, leads_to("green")), (40, stack("blue", wanted=0))],
            "web-blue is to have 0 pods 19.0 s after traffic has left it",
            id="too soon after it served again",
        ),
    ],
)
def test_what_should_never_have_been_is_told(history: list[tuple[float, Body]], wrong: str) -> None:
    assert seen(*history).wrongs(replicas=2, keep=KEEP) == [wrong]


def test_a_stack_that_was_deleted_has_no_pods() -> None:
    monitor = seen(*GOOD[:3])
    monitor.changes.append(Change(9, 10, stack("blue"), is_gone=True))
    assert monitor.wrongs(replicas=2, keep=KEEP) == ["web-blue is to have 0 pods 6.0 s after traffic has left it"]


def test_a_stack_of_which_nothing_is_said_is_not_taken_down_at_all() -> None:
    assert seen(*GOOD[:3], (9999, stack("blue", wanted=1))).wrongs(replicas=2, keep={}) == [
        "web-blue is to have 1 pods 9995.0 s after traffic has left it"
    ]


def test_a_switch_back_is_part_of_what_was_selected() -> None:
    assert seen(*GOOD[:3], (8, leads_to("blue"))).selected == ("blue", "green", "blue")

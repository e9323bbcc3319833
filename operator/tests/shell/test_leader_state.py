"""Who leads, as tables. Times are seconds on one candidate's own clock."""

from datetime import UTC, datetime
from typing import Any

import pytest

from hardened.shell.leader_state import Create, LeaderState, Move, Renew, Take, Wait

TODAY = datetime(2030, 1, 1, 12, 0, 0, 250000, tzinfo=UTC)
STAMP = "2030-01-01T12:00:00.250000Z"


def lease(holder: str | None = "them", version: str = "1", renewed: str = "t1", seconds: int | None = 15, **spec: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"holderIdentity": holder, "renewTime": renewed, "leaseDurationSeconds": seconds, **spec}
    meta = {"namespace": "n", "name": "l", "resourceVersion": version, "uid": "u"}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": body}


def candidate(**more: Any) -> LeaderState:
    return LeaderState(identity="me", **more)


@pytest.mark.parametrize(
    ("seen", "at", "now", "expected"),
    [
        pytest.param(None, 0, 0, Create(), id="no Lease"),
        pytest.param(lease("me"), 0, 100, Renew(), id="ours, however old"),
        pytest.param(lease(""), 0, 0, Take(), id="released"),
        pytest.param(lease(None), 0, 0, Take(), id="released, as null"),
        pytest.param(lease("them"), 0, 14.9, Wait(), id="another's, seen less than 15 s ago"),
        pytest.param(lease("them"), 0, 15, Take(), id="another's, the same for 15 s"),
        pytest.param(lease("them", seconds=60), 0, 59, Wait(), id="the holder says for how long"),
        pytest.param(lease("them", seconds=1), 0, 1, Take(), id="a released one whose holder was put back"),
        pytest.param(lease("them", seconds=None), 0, 0.5, Wait(), id="one without a duration lasts a second"),
        pytest.param(lease("them", renewed="1999-01-01T00:00:00Z"), 0, 0, Wait(), id="the time of day in it says nothing"),
    ],
)
def test_next_move(seen: dict[str, Any] | None, at: float, now: float, expected: Move) -> None:
    assert candidate().observed(seen, at).next_move(now) == expected


def test_a_lease_expires_when_its_record_stays_the_same_on_our_clock() -> None:
    state = candidate().observed(lease(renewed="t1"), 100)
    state = state.observed(lease(renewed="t1", version="2"), 110)  # somebody labelled it: the record is the same
    assert state.next_move(114.9) == Wait()
    assert state.next_move(115) == Take()
    state = state.observed(lease(renewed="t2", version="3"), 114)
    assert state.next_move(128) == Wait()
    assert state.next_move(129) == Take()


def test_leadership_lasts_for_the_renew_deadline_after_the_last_renewal_was_sent() -> None:
    state = candidate().observed(None, 0).renewed(lease("me"), sent_at=100, now=104)
    assert [state.leads(now) for now in (100, 109.9, 110, 1000)] == [True, True, False, False]
    assert state.deadline() == 110
    # Others see the record at 100 or later, and wait 15 s from then.
    rival = LeaderState(identity="rival").observed(lease("me"), 100)
    assert rival.next_move(110) == Wait()


@pytest.mark.parametrize(
    ("seen", "leads"),
    [
        pytest.param(lease("me"), True, id="still ours"),
        pytest.param(lease("them"), False, id="another took it"),
        pytest.param(lease(""), False, id="somebody released it"),
        pytest.param(None, True, id="somebody deleted it: we make it anew"),
    ],
)
def test_what_a_leader_reads(seen: dict[str, Any] | None, leads: bool) -> None:
    state = candidate().renewed(lease("me"), 100, 100).observed(seen, 101)
    assert state.leads(102) is leads


def test_what_is_written() -> None:
    state = candidate()
    made = state.to_write(Create(), "n", "l", TODAY)
    spec = {"holderIdentity": "me", "leaseDurationSeconds": 15, "renewTime": STAMP}
    assert made["metadata"] == {"namespace": "n", "name": "l"}
    assert made["spec"] == spec | {"acquireTime": STAMP, "leaseTransitions": 0}

    theirs = lease("them", version="7", leaseTransitions=3, acquireTime="t0")
    taken = state.observed(theirs, 0).to_write(Take(), "n", "l", TODAY)
    assert taken["metadata"] == theirs["metadata"]  # with its resourceVersion: only one candidate's write is taken
    assert taken["spec"] == spec | {"acquireTime": STAMP, "leaseTransitions": 4}

    ours = lease("me", version="8", leaseTransitions=4, acquireTime="t0")
    assert state.observed(ours, 0).to_write(Renew(), "n", "l", TODAY)["spec"] == spec | {"acquireTime": "t0", "leaseTransitions": 4}


def test_a_release_empties_the_holder_and_only_our_own() -> None:
    released = candidate().observed(lease("me", version="8"), 0).to_release(TODAY)
    assert released is not None
    assert (released["spec"]["holderIdentity"], released["spec"]["leaseDurationSeconds"]) == ("", 1)
    assert released["metadata"]["resourceVersion"] == "8"
    assert candidate().observed(lease("them"), 0).to_release(TODAY) is None
    assert candidate().to_release(TODAY) is None

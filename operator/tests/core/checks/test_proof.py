"""What is known of lost requests: kept after the release has ended, and nothing waits for it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.core.releases import SPEC, released
from tests.core.worlds import ANY_KEY, World, body, condition, decide, revision, settle, with_spec

from hardened.api.steps import Step
from hardened.core.checks.proof import Removal, look_at, proven, removal
from hardened.core.checks.verdicts import CheckResult, NoData, Pending, Reported
from hardened.core.model.manifest import ChildKey, Manifest
from hardened.core.model.proof import Counts, Proof
from hardened.core.model.state import CheckOutcome, ReleaseState
from hardened.core.model.target import Target
from hardened.core.model.written import proof_of, proof_written

START = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
GRACE = 30 * SECOND
GREEN, BLUE = Target("green", "two"), Target("blue", "one")
WATCHED = ReleaseState(GREEN, "k", Step.VERIFY_AFTER, START, outcomes=(CheckOutcome("zero-loss", True, requests=200, failed=1),))
KEPT = replace(WATCHED, step=Step.KEEP, keep_until=START + 60 * SECOND)
NEWER = ReleaseState(Target("blue", "three"), "k3", Step.PREVIEW, START + 50 * SECOND)
ENDS = START + 60 * SECOND
OPEN = Proof(GREEN, START, Counts(200, 1), removed_by=ENDS + GRACE)
COUNTED = Reported((CheckResult("zero-loss", True, requests=600, failed=0),))


@pytest.mark.parametrize(
    ("state", "proof", "at", "expected"),
    [
        pytest.param(None, None, 0, None, id="nothing was released"),
        pytest.param(WATCHED, None, 60, None, id="nothing is removed yet"),
        pytest.param(KEPT, None, 49, None, id="it is kept for longer"),
        pytest.param(KEPT, None, 50, Removal(GREEN, START), id="shortly before the end"),
        pytest.param(None, OPEN, 61, Removal(GREEN, START), id="while pods leave"),
        pytest.param(NEWER, OPEN, 61, Removal(GREEN, START), id="while pods leave for the next release"),
        pytest.param(None, OPEN, 90, Removal(GREEN, START, is_over=True), id="once they are gone"),
        pytest.param(None, replace(OPEN, removed_by=None), 90, None, id="once it has said so"),
    ],
)
def test_when_a_removal_is_watched(state: ReleaseState | None, proof: Proof | None, at: int, expected: Removal | None) -> None:
    assert removal(state, proof, START + at * SECOND) == expected


BEFORE = Proof(Target("blue", "zero"), START - timedelta(days=1), Counts(7, 0), Counts(7, 0))


@pytest.mark.parametrize(
    ("before", "state", "following", "said", "at", "expected"),
    [
        pytest.param(BEFORE, NEWER, NEWER, None, 0, BEFORE, id="the last one stays until the next has something to say"),
        pytest.param(
            BEFORE, replace(WATCHED, step=Step.CUTOVER), None, None, 0, BEFORE, id="what was asked before the cutover says nothing"
        ),
        pytest.param(BEFORE, WATCHED, KEPT, None, 0, Proof(GREEN, START, Counts(200, 1)), id="it passed its window"),
        pytest.param(BEFORE, replace(WATCHED, outcomes=()), KEPT, None, 0, Proof(GREEN, START, Counts(200, 1)), id="as it ends"),
        pytest.param(None, WATCHED, None, None, 0, Proof(GREEN, START, Counts(200, 1)), id="with nothing to keep"),
        pytest.param(None, replace(WATCHED, step=Step.SWITCH_BACK), None, None, 0, Proof(GREEN, START, Counts(200, 1)), id="taken back"),
        pytest.param(None, KEPT, None, None, 60, OPEN, id="Keep is over"),
        pytest.param(BEFORE, replace(KEPT, outcomes=()), None, None, 60, replace(OPEN, cutover=None), id="of a rollback"),
        pytest.param(None, KEPT, NEWER, None, 60, OPEN, id="Keep is cut short by the next release"),
        pytest.param(None, KEPT, replace(NEWER, is_rollback=True), None, 60, replace(OPEN, removed_by=None), id="or by a rollback"),
        pytest.param(OPEN, None, None, Pending(), 119, OPEN, id="it has not ended"),
        pytest.param(OPEN, None, None, COUNTED, 90, replace(OPEN, removal=Counts(600, 0), removed_by=None), id="it has counted"),
        pytest.param(OPEN, NEWER, NEWER, COUNTED, 90, replace(OPEN, removal=Counts(600, 0), removed_by=None), id="beside the next release"),
        pytest.param(OPEN, None, None, NoData("lost"), 70, replace(OPEN, removed_by=None), id="it was lost"),
        pytest.param(OPEN, None, None, None, 70, replace(OPEN, removed_by=None), id="nobody can watch"),
        pytest.param(OPEN, None, None, Reported(()), 70, replace(OPEN, removed_by=None), id="it made no request"),
        pytest.param(OPEN, None, None, Pending(), 120, replace(OPEN, removed_by=None), id="it never ends"),
    ],
)
def test_what_is_kept(
    before: Proof | None, state: ReleaseState | None, following: ReleaseState | None, said: Any, at: int, expected: Proof | None
) -> None:
    assert proven(before, state, following, said, GRACE, START + at * SECOND) == expected


@pytest.mark.parametrize(
    ("state", "proof", "at", "expected"),
    [
        pytest.param(KEPT, None, 0, 50, id="to start it"),
        pytest.param(KEPT, None, 50, None, id="it has started"),
        pytest.param(None, OPEN, 61, 90, id="to end it"),
        pytest.param(None, OPEN, 90, 95, id="to read it"),
        pytest.param(None, BEFORE, 90, None, id="no more"),
    ],
)
def test_when_it_is_looked_at(state: ReleaseState | None, proof: Proof | None, at: int, expected: int | None) -> None:
    assert look_at(state, proof, START + at * SECOND) == (None if expected is None else START + expected * SECOND)


@pytest.mark.parametrize("proof", [OPEN, BEFORE, Proof(GREEN, START)])
def test_what_is_written_is_read(proof: Proof) -> None:
    assert proof_of({"proof": proof_written(proof)}) == proof


@pytest.mark.parametrize("field", ["revision", "color", "startedAt", "removedBy"])
@pytest.mark.parametrize("value", [7, [], {}, "soon", ""])
def test_what_cannot_be_read_is_no_proof(field: str, value: Any) -> None:
    if field == "revision" and isinstance(value, str):
        return
    assert proof_of({"proof": proof_written(OPEN) | {field: value}}) is None


def test_counts_that_cannot_be_read_are_no_data() -> None:
    assert proof_of({"proof": proof_written(OPEN) | {"cutover": {"requests": "many"}}}) == replace(OPEN, cutover=None)


# ---- as it is planned


@pytest.fixture
def kept() -> tuple[Manifest, World, datetime]:
    """A service whose second revision was promoted, and whose first one is kept for a minute."""
    cr, world = body(SPEC), World()
    now = released(cr, world)
    assert "proof" not in cr["status"], "before the first release there is nothing to lose"
    cr = with_spec(cr, image="shop:2")
    return cr, world, released(cr, world, now, until="Keep")


def probes(world: World) -> list[str]:
    return [key.name for key in world.objects if key.kind == "Pod"]


def test_the_removal_is_watched_from_before_its_begin_until_the_pods_are_gone(kept: tuple[Manifest, World, datetime]) -> None:
    cr, world, now = kept
    assert cr["status"]["proof"]["cutover"] == {"requests": 5, "failed": 0}
    wait = settle(cr, world, now).requeue_after
    assert probes(world) == []
    assert wait
    now += wait
    settle(cr, world, now)
    (name,) = probes(world)
    assert "-removal-" in name
    world.follow(now)
    now += 10 * SECOND
    settle(cr, world, now)
    assert "release" not in cr["status"], "the release ends at its time"
    assert condition(cr["status"], "Ready") == ("True", "Healthy")
    assert world.objects[ChildKey("Deployment", "shop-blue")]["spec"]["replicas"] == 0
    world.follow(now)
    decided = settle(cr, world, now + 31 * SECOND)
    assert decided.end == ()
    settle(cr, world, now + 32 * SECOND)
    assert world.writes[-1].startswith("end Pod")
    world.follow(now)
    settle(cr, world, now + 33 * SECOND)
    settle(cr, world, now + 34 * SECOND)
    assert probes(world) == []
    counted = {"requests": 5, "failed": 0}
    assert cr["status"]["proof"] | {"startedAt": ""} == {
        "revision": revision(cr), "color": "green", "startedAt": "", "cutover": counted, "removal": counted,
    }  # fmt: skip
    assert settle(cr, world, now + timedelta(hours=1)).requeue_after is None


def test_a_probe_that_is_lost_is_no_data_and_the_release_ends(kept: tuple[Manifest, World, datetime]) -> None:
    cr, world, now = kept
    settle(cr, world, now + 55 * SECOND)
    settle(cr, world, now + 61 * SECOND)
    world.mute = True
    world.follow(now)
    for at in (62, 63, 64):
        settle(cr, world, now + at * SECOND)
    assert probes(world) == []
    assert cr["status"]["proof"].keys() == {"revision", "color", "startedAt", "cutover"}
    assert condition(cr["status"], "Ready") == ("True", "Healthy")


def test_without_anybody_to_watch_pods_are_removed_all_the_same(kept: tuple[Manifest, World, datetime]) -> None:
    cr, world, now = kept
    nobody = replace(ANY_KEY, verifier_image="")
    for at in (55, 61, 62):
        settle(cr, world, now + at * SECOND, nobody)
    assert probes(world) == []
    assert world.objects[ChildKey("Deployment", "shop-blue")]["spec"]["replicas"] == 0
    assert "removedBy" not in cr["status"]["proof"]


def test_the_probe_is_made_last_and_may_fail(kept: tuple[Manifest, World, datetime]) -> None:
    cr, world, now = kept
    decided = decide(cr, world, now + 55 * SECOND)
    assert [(step.manifest["kind"], step.is_optional) for step in decided.apply] == [("Pod", True)]


def test_a_proof_stays_where_the_spec_cannot_be_read(kept: tuple[Manifest, World, datetime]) -> None:
    cr, world, now = kept
    proof = cr["status"]["proof"]
    broken = with_spec(cr, image="shop")
    settle(broken, world, now)
    assert condition(broken["status"], "Ready") == ("False", "InvalidSpec")
    assert broken["status"]["proof"] == proof


def test_the_begin_of_the_next_release_leaves_the_proof(kept: tuple[Manifest, World, datetime]) -> None:
    cr, world, now = kept
    proof = cr["status"]["proof"]
    cr = with_spec(cr, image="shop:3")
    settle(cr, world, now + 31 * SECOND)
    assert cr["status"]["release"]["step"] == "Preview"
    assert {k: v for k, v in cr["status"]["proof"].items() if k != "removedBy"} == proof
    assert any("-removal-" in name for name in probes(world)), "its pods leave for the next one's"
    released(cr, world, now + 32 * SECOND, until="Keep")
    assert cr["status"]["proof"]["revision"] == revision(cr)

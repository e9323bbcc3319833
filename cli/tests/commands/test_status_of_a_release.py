"""`status` and `deploy` while a release moves: the tree, a line for each change, and how a wait for it ends."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hardenctl_world import (
    CHILDREN,
    NEW,
    NEW_IMAGE,
    REVISION,
    FakeCluster,
    degraded,
    deployment,
    going_back,
    gone_back,
    healthy,
    kept,
    modified,
    progressing,
    releasing,
    service,
    taken_back,
)

from hardened.errors import Refused, TryAgain

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CHECKS = [{"name": "smoke", "result": "Passed", "message": "5 of 5 requests"}, {"name": "load", "result": "", "message": ""}]


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hardenctl.output.moments.now", lambda: NOW)


def after(**span: float) -> str:
    return (NOW + timedelta(**span)).isoformat().replace("+00:00", "Z")


def world(status: dict[str, Any], *stacks: dict[str, Any], image: str = NEW_IMAGE) -> FakeCluster:
    cluster = FakeCluster(service(status=status, image=image))
    cluster.objects[f"{CHILDREN}/deployments"] = {"items": list(stacks)}
    return cluster


def tree(shown: Any) -> list[str]:
    return [line for line in shown.stdout.splitlines() if line[:1] in ("├", "└", "│") or line.startswith("   └")]


STACKS = (deployment("green", NEW, 1, 2), deployment("blue", REVISION, 2, 2))
OLD_BRANCH = [f"└─ {REVISION}   registry.example/api:1.0   serves, stable", "   └─ blue    2 of 2 pods ready"]


@pytest.mark.parametrize(
    ("status", "leaf"),
    [
        pytest.param(releasing("Preview", deadline=after(minutes=9, seconds=12)), "step Preview: 9m12s left", id="until it has failed"),
        pytest.param(releasing("ScaleUp", deadline=after(seconds=-1)), "step ScaleUp: 0s left", id="a deadline that has passed"),
        pytest.param(releasing("ScaleUp"), "step ScaleUp", id="without a deadline"),
        pytest.param(releasing("Preview", deadline="soon"), "step Preview", id="a time that cannot be read"),
        pytest.param(releasing("Approval"), "step Approval: awaits promotion", id="for a person"),
        pytest.param(
            releasing("Approval", deadline=after(minutes=30)),
            "step Approval: awaits promotion, promoted automatically in 30m",
            id="for a person, not for ever",
        ),
        pytest.param(releasing("VerifyAfter", windowEndsAt=after(seconds=65)), "step VerifyAfter: the window ends in 1m5s", id="a window"),
        pytest.param(releasing("VerifyAfter", windowEndsAt=after(seconds=-5)), "step VerifyAfter: waits for results", id="and its end"),
        pytest.param(releasing("SwitchBack"), "step SwitchBack: traffic is being switched back", id="the way back"),
        pytest.param(
            gone_back(), "step SwitchBack: traffic has been switched back; its pods stay for a moment", id="the end of the way back"
        ),
        pytest.param(releasing("Preview", pausedAt=after(seconds=-9)), "step Preview: paused", id="a pause"),
        pytest.param(
            releasing("Preview", pausedAt=after(seconds=-9), remaining="5m"), "step Preview: paused, with 5m left", id="and what it left"
        ),
        pytest.param(releasing("Backup", deadline=after(hours=1)), "step Backup: 1h left", id="a step of a newer operator"),
    ],
)
def test_a_release_is_a_tree(run: Any, status: dict[str, Any], leaf: str) -> None:
    assert tree(run(world(status, *STACKS), "status", "api")) == [
        f"├─ {NEW}   {NEW_IMAGE}   new",
        "│  ├─ green   1 of 2 pods ready",
        f"│  └─ {leaf}",
        *OLD_BRANCH,
    ]


def test_a_rollback_under_way_is_told_from_a_release(run: Any) -> None:
    status = releasing("ScaleUp", rollback=True) | {"history": [{"revision": NEW, "image": NEW_IMAGE}]}
    assert tree(run(world(status, *STACKS), "status", "api"))[0] == f"├─ {NEW}   {NEW_IMAGE}   rollback target"


def test_checks_are_leaves(run: Any) -> None:
    status = releasing("VerifyAfter", checks=[*CHECKS, "odd"])
    assert tree(run(world(status, *STACKS), "status", "api"))[1:5] == [
        "│  ├─ green   1 of 2 pods ready",
        "│  ├─ step VerifyAfter",
        "│  ├─ check smoke: Passed: 5 of 5 requests",
        "│  └─ check load: not begun",
    ]


CUTOVER, REMOVAL = {"requests": 812, "failed": 0}, {"requests": 640, "failed": 2}


@pytest.mark.parametrize(
    ("proof", "said"),
    [
        pytest.param(
            {"cutover": CUTOVER, "removal": REMOVAL},
            "cutover: 812 requests, 0 failed; removal of the previous pods: 640 requests, 2 failed",
            id="both",
        ),
        pytest.param(
            {"cutover": CUTOVER, "removedBy": after(seconds=9)},
            "cutover: 812 requests, 0 failed; removal of the previous pods: is watched",
            id="while pods leave",
        ),
        pytest.param({"cutover": "odd"}, "cutover: no data; removal of the previous pods: no data", id="nothing that can be read"),
    ],
)
def test_the_proof_is_told_once_the_release_has_ended(run: Any, proof: dict[str, Any], said: str) -> None:
    status = healthy() | {"proof": {"revision": REVISION, "color": "blue", **proof}}
    shown = run(world(status), "status", "api")
    assert f"Zero loss revision {REVISION}, {said}" in " ".join(shown.stdout.split())
    assert json.loads(run(world(status), "status", "api", "-o", "json").stdout)["proof"] == status["proof"]


def test_without_a_proof_nothing_is_said_of_it(run: Any) -> None:
    assert "Zero loss" not in run(world(healthy() | {"proof": []}), "status", "api").stdout


def test_what_is_kept_is_told_for_how_long(run: Any) -> None:
    status = kept()
    status["release"]["keepUntil"] = after(minutes=3, seconds=20)
    assert tree(run(world(status, deployment("green", NEW, 2, 2), deployment("blue", REVISION, 2, 2)), "status", "api")) == [
        f"├─ {NEW}   {NEW_IMAGE}   serves, stable",
        "│  ├─ green   2 of 2 pods ready",
        "│  └─ step Keep: the previous colour is kept for 3m20s more",
        f"└─ {REVISION}",
        "   └─ blue    2 of 2 pods ready",
    ]


@pytest.mark.parametrize(
    ("late", "word", "result"),
    [pytest.param(True, "rolled back", "rolledback", id="taken back"), pytest.param(False, "rejected", "rejected", id="rejected")],
)
def test_a_version_that_failed_is_shown_with_its_cause(run: Any, late: bool, word: str, result: str) -> None:
    cluster = world(taken_back(after_cutover=late), deployment("green", NEW, 0, 0), deployment("blue", REVISION, 2, 2))
    shown = run(cluster, "status", "api")
    assert tree(shown) == [f"├─ {NEW}   {NEW_IMAGE}   {word}", "│  └─ CheckFailed: check smoke failed: 500", *OLD_BRANCH]
    assert shown.exit_code == 3
    assert "Next: hardenctl explain api -n shop" in shown.stderr
    said = json.loads(run(cluster, "status", "api", "-o", "json").stdout)
    assert (said["result"], said["pin"]["reason"]) == (result, "CheckFailed")
    assert said["stacks"][0] == {"color": "blue", "revision": REVISION, "ready": 2, "wanted": 2, "others": 0, "counted": True}


def test_what_failed_with_nothing_to_go_back_to_has_failed(run: Any) -> None:
    shown = run(world(taken_back(is_available=False)), "status", "api", "-o", "json")
    assert (json.loads(shown.stdout)["result"], shown.exit_code) == ("failed", 1)


def test_one_revision_that_serves_is_no_tree(run: Any) -> None:
    cluster = world(healthy(), deployment("blue", REVISION, 2, 2))
    assert tree(run(cluster, "status", "api")) == []
    assert tree(run(cluster, "status", "api", "-o", "wide")) == [
        f"└─ {REVISION}   registry.example/api:1.0   serves",
        "   └─ blue    2 of 2 pods ready",
    ]


def test_who_may_not_read_deployments_sees_the_rest(run: Any) -> None:
    cluster = world(releasing("ScaleUp"))
    cluster.objects[f"{CHILDREN}/deployments"] = Refused("forbidden", status=403)
    assert tree(run(cluster, "status", "api"))[:2] == [f"├─ {NEW}   {NEW_IMAGE}   new", "│  └─ step ScaleUp"]


def test_a_stranger_of_the_same_label_is_not_shown(run: Any) -> None:
    stranger = deployment("green", NEW, 9, 9)
    stranger["metadata"]["ownerReferences"] = [{"uid": "another"}]
    assert "9 of 9" not in run(world(releasing("ScaleUp"), stranger), "status", "api", "-o", "wide").stdout


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        pytest.param(releasing("Approval"), "hardenctl promote api -n shop", id="a person has to promote it"),
        pytest.param(releasing("Preview", pausedAt=after(seconds=-9)), "hardenctl resume api -n shop", id="a person has paused it"),
        pytest.param(releasing("Preview", phase="Paused"), "hardenctl resume api -n shop", id="its phase says so"),
    ],
)
def test_a_release_that_waits_for_a_person_says_what_to_type(run: Any, status: dict[str, Any], advice: str) -> None:
    shown = run(world(status), "status", "api", "-o", "json")
    said = json.loads(shown.stdout)
    assert (said["result"], said["next"], shown.exit_code) == ("paused", advice, 0)


def scripted(*states: dict[str, Any], first: dict[str, Any]) -> FakeCluster:
    cluster = world(first)
    cluster.watches = [[modified(service(version=n + 2, status=s, image=NEW_IMAGE)) for n, s in enumerate(states)]]
    return cluster


@pytest.mark.parametrize(
    ("flags", "states", "result", "code"),
    [
        pytest.param(["-w"], [releasing("Approval"), kept()], "healthy", 0, id="a promotion is waited for"),
        pytest.param(["-w"], [releasing("SwitchBack"), gone_back()], "healthy", 0, id="the spec went back, and traffic is back"),
        pytest.param(["--for=healthy"], [releasing("SwitchBack"), gone_back()], "healthy", 0, id="healthy it is then"),
        pytest.param(["-w"], [releasing(), taken_back()], "rolledback", 3, id="taken back is an end"),
        pytest.param(["-w"], [releasing(), taken_back(after_cutover=False)], "rejected", 3, id="rejected is an end"),
        pytest.param(["-w"], [releasing(), going_back("SwitchBack")], "timeout", 124, id="taken back it is once traffic is back"),
        pytest.param(["-w"], [going_back("SwitchBack", is_available=False), taken_back()], "rolledback", 3, id="its pods may be gone"),
        pytest.param(["-w"], [going_back("Undo"), degraded("MigrationNotUndone", stalled=True)], "failed", 1, id="it was not undone"),
        pytest.param(["--for=paused"], [releasing("Preview"), releasing("Approval")], "paused", 0, id="until a person has to act"),
        pytest.param(["--for=paused"], [releasing("Preview", pausedAt=after(seconds=-9))], "timeout", 124, id="who paused it has acted"),
        pytest.param(["--for=paused"], [releasing("Approval", approved=True)], "timeout", 124, id="who promoted it has acted"),
        pytest.param(["--for=paused"], [releasing("Preview"), kept()], "healthy", 1, id="nobody had to act"),
        pytest.param(["--for=rolledback"], [kept(), going_back("SwitchBack"), taken_back()], "rolledback", 0, id="until it was taken back"),
        pytest.param(["--for=rolledback", "--timeout=0.3s"], [kept()], "timeout", 124, id="it was not taken back"),
        pytest.param(["--for=healthy"], [releasing(), taken_back()], "rolledback", 3, id="healthy it will not be"),
    ],
)
def test_a_wait_for_a_release_ends(run: Any, flags: list[str], states: list[dict[str, Any]], result: str, code: int) -> None:
    bound = [] if any(flag.startswith("--timeout") for flag in flags) else ["--timeout=0.4s"]
    shown = run(scripted(*states, first=releasing("Preview")), "status", "api", "-o", "json", *flags, *bound)
    assert (json.loads(shown.stdout)["result"], shown.exit_code) == (result, code)


@pytest.mark.parametrize(
    ("goal", "states", "expected"),
    [
        pytest.param("paused", [kept()], "error: not awaiting promotion, and never will be: it is healthy", id="healthy"),
        pytest.param("healthy", [taken_back()], "error: not healthy, and never will be: it is rolledback", id="taken back"),
        pytest.param("paused", [releasing("Preview", pausedAt=after(seconds=-9))], "error: not awaiting promotion after", id="by hand"),
    ],
)
def test_a_goal_that_is_not_reached_is_told(run: Any, goal: str, states: list[dict[str, Any]], expected: str) -> None:
    shown = run(scripted(*states, first=releasing("Preview")), "status", "api", f"--for={goal}", "--timeout=0.3s")
    assert shown.exit_code != 0
    assert expected in shown.stderr


def test_what_was_promoted_and_waits_for_a_place_asks_nobody(run: Any) -> None:
    said = json.loads(run(world(releasing("Approval", approved=True)), "status", "api", "-o", "json").stdout)
    assert (said["result"], said["next"]) == ("progressing", "hardenctl status api -n shop -w")
    assert "waits for a free slot" in run(world(releasing("Approval", approved=True)), "status", "api").stdout


@pytest.mark.parametrize("verb", [["deploy", "api", "--image", NEW_IMAGE], ["status", "api", "-w"]])
def test_who_is_logged_out_meanwhile_learns_that_it_goes_on(run: Any, verb: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hardenctl.cluster.follower.PATIENCE_WITH_LOGIN", 0.0)
    cluster = world(progressing())
    cluster.watches = [TryAgain("Unauthorized", status=401)]
    answer = json.loads(run(cluster, *verb, "-o", "json").stdout)
    assert (answer["result"], answer["next"]) == ("unanswered", "hardenctl status api -n shop -w")
    assert answer["message"] == "shop/api can no longer be followed, and continues: the API server does not accept your credentials"
    assert "log in again" in answer["hint"]


def test_each_step_and_each_result_is_a_line(run: Any) -> None:
    states = [
        releasing("VerifyBefore", deadline=after(minutes=2), checks=[CHECKS[1]]),
        releasing("VerifyBefore", deadline=after(minutes=1), checks=[CHECKS[0]]),
        releasing("Cutover"),
        healthy(),
    ]
    shown = run(scripted(*states, first=releasing("Preview")), "status", "api", "-w")
    assert [line[8:] for line in shown.stderr.splitlines()] == [
        f"progressing: Preview: revision {NEW} ({NEW_IMAGE}) is on its way in green",
        "progressing: VerifyBefore: the new revision is on its way in green (2m left)",
        "check load: not begun",
        "check smoke: Passed: 5 of 5 requests",
        "progressing: Cutover: the new revision is on its way in green",
        f"healthy: revision {REVISION} serves with 2 of 2 pods",
    ]


@pytest.mark.parametrize(
    ("wait", "states", "result", "code", "expected"),
    [
        pytest.param("healthy", [releasing(), kept()], "healthy", 0, "√ shop/api is healthy", id="healthy"),
        pytest.param(
            "healthy",
            [releasing(), taken_back()],
            "rolledback",
            3,
            "runs its previous version, the new one was rolled back: "
            f"revision {NEW} was rolled back: CheckFailed: check smoke failed: 500\n"
            "hint: change it with deploy, by --image or by its file; the same spec applied again, labels and replicas release nothing; "
            "if the version was not the cause: hardenctl retry api -n shop\nNext: hardenctl explain api -n shop",
            id="taken back",
        ),
        pytest.param(
            "healthy", [taken_back(after_cutover=False)], "rejected", 3, "its previous version, the new one was rejected", id="rejected"
        ),
        pytest.param("healthy", [taken_back(is_available=False)], "failed", 1, "has failed", id="rejected, and nothing serves"),
        pytest.param("healthy", [releasing("Approval")], "timeout", 124, "Next: hardenctl promote api -n shop", id="nobody promotes it"),
        pytest.param("paused", [releasing("Approval")], "paused", 0, "Next: hardenctl promote api -n shop", id="paused"),
        pytest.param(
            "paused",
            [releasing("Approval", pausedAt=after(seconds=-9))],
            "timeout",
            124,
            "Next: hardenctl resume api -n shop",
            id="held by a person, and perhaps another version",
        ),
        pytest.param("healthy", [going_back("SwitchBack")], "timeout", 124, "is progressing", id="not taken back yet"),
        pytest.param("paused", [releasing(), kept()], "healthy", 0, "is healthy", id="healthy is further than paused"),
        pytest.param("paused", [releasing(), taken_back()], "rolledback", 3, "was rolled back", id="taken back before it paused"),
    ],
)
def test_a_deployment_ends_with_its_release(
    run: Any, wait: str, states: list[dict[str, Any]], result: str, code: int, expected: str
) -> None:
    for output in ("", "json"):
        cluster = scripted(*states, first=progressing(seen=0))
        flags = ["--image", NEW_IMAGE, f"--wait={wait}", "--timeout=0.4s", *(["-o", output] if output else [])]
        shown = run(cluster, "deploy", "api", *flags)
        assert shown.exit_code == code
        if output:
            assert json.loads(shown.stdout)["result"] == result
        else:
            assert expected in shown.output


WAITS = "the previous pods must stay up first"


@pytest.mark.parametrize(
    ("until", "leaf"),
    [
        pytest.param({"until": after(seconds=28)}, f"waits 28s: {WAITS}", id="until a moment"),
        pytest.param({}, f"waits: {WAITS}", id="nobody knows how long"),
    ],
)
def test_a_newer_spec_that_waits_is_in_the_tree_with_what_it_waits_for(run: Any, until: dict[str, Any], leaf: str) -> None:
    pending = {"revision": "0123456789ab", "image": "registry.example/api:3.0", "message": WAITS, **until}
    live = service(status=releasing("VerifyAfter") | {"pending": pending}, image="registry.example/api:3.0")
    assert tree(run(world(live["status"], *STACKS), "status", "api"))[:3] == [
        "├─ 0123456789ab   registry.example/api:3.0   wanted",
        f"│  └─ {leaf}",
        f"├─ {NEW}   {NEW_IMAGE}   new",
    ]
    assert json.loads(run(FakeCluster(live), "status", "api", "-o", "json").stdout)["pending"] == pending


def test_what_the_last_release_has_lost_is_not_shown_beside_another_revision(run: Any) -> None:
    proof = {"revision": NEW, "color": "green", "cutover": CUTOVER}
    shown = run(world(taken_back() | {"proof": proof}), "status", "api")
    assert "Zero loss" not in shown.stdout, "REVISION serves"


def test_before_anything_serves_the_image_of_the_spec_is_only_wanted(run: Any) -> None:
    status = releasing("Preview")
    del status["serving"], status["stable"]
    shown = run(world(status), "status", "api").stdout
    assert "\nImage " not in shown
    assert "\nWanted image " in shown

"""Status as kstatus reads it: Ready is decided in one place, and nothing is said that was not seen."""

from dataclasses import replace
from typing import Any

import pytest
from tests.core.worlds import NOW, STAMP, body, condition, service

from hardened.api.names import SCHEMA_REVISION
from hardened.api.steps import Step
from hardened.core.model.finding import Diagnosis
from hardened.core.model.manifest import Manifest
from hardened.core.model.reasons import MEANING, Reason
from hardened.core.model.remedies import REMEDY
from hardened.core.model.state import ReleaseState
from hardened.core.model.target import Target
from hardened.core.observe.rollout import Rollout
from hardened.core.status.status import Situation, has_news, status_of, unparsed_status

DONE = Rollout(revision="new", wanted=2, total=2, updated=2, available=2, is_current=True, progressed_at=NOW)
HEALTHY = Situation(
    revision="new",
    image="shop:2",
    serving=Target("blue", "new"),
    shown=Target("blue", "new"),
    shown_image="shop:2",
    selector={"hardened.dev/service": "shop", "hardened.dev/color": "blue"},
    replicas=2,
    rollout=DONE,
    finding=None,
    drift=None,
    history=[],
)
REFUSED = Diagnosis(Reason.APPLY_REFUSED, "apply Deployment shop-blue: no", is_final=True)
FULL = Diagnosis(Reason.QUOTA_EXCEEDED, "exceeded quota", is_final=False)
TYPES = ["Ready", "Available", "Progressing", "Reconciling", "Stalled", "Hardened", "Drifted"]


def status(situation: Situation, before: dict[str, Any] | None = None) -> dict[str, Any]:
    return status_of(service(), situation, before or {}, NOW)


def with_rollout(**changes: Any) -> Situation:
    rollout = replace(DONE, **changes)
    return replace(HEALTHY, rollout=rollout, serving=Target("blue", rollout.revision), shown=Target("blue", rollout.revision))


@pytest.mark.parametrize(
    ("situation", "ready", "reconciling", "stalled", "available", "phase"),
    [
        pytest.param(HEALTHY, ("True", "Healthy"), "False", "False", "True", "Healthy", id="all is as wanted"),
        pytest.param(
            replace(HEALTHY, rollout=None), ("False", "RollingOut"), "True", "False", "False", "Pending", id="nothing is there yet"
        ),
        pytest.param(
            with_rollout(available=0), ("False", "RollingOut"), "True", "False", "False", "Progressing", id="pods are coming up"
        ),
        pytest.param(
            with_rollout(updated=1, total=3), ("False", "RollingOut"), "True", "False", "True", "Progressing", id="one pod is new, two old"
        ),
        pytest.param(
            with_rollout(total=3), ("False", "RollingOut"), "True", "False", "True", "Progressing", id="an old pod still has to leave"
        ),
        pytest.param(
            with_rollout(revision="old"), ("False", "RollingOut"), "True", "False", "True", "Progressing", id="another revision runs"
        ),
        pytest.param(
            with_rollout(is_current=False), ("False", "RollingOut"), "True", "False", "True", "Progressing", id="nobody has counted yet"
        ),
        pytest.param(
            replace(HEALTHY, replicas=5), ("False", "RollingOut"), "True", "False", "True", "Progressing", id="more are wanted"
        ),
        pytest.param(
            replace(HEALTHY, replicas=0, rollout=replace(DONE, wanted=0, total=0, updated=0, available=0)),
            ("True", "ScaledToZero"), "False", "False", "False", "Healthy", id="scaled to zero is ready, and serves nobody",
        ),
        pytest.param(
            replace(HEALTHY, finding=REFUSED), ("False", "ApplyRefused"), "False", "True", "True", "Degraded",
            id="an update was refused: it stalls, and what ran before still serves",
        ),
        pytest.param(
            replace(HEALTHY, finding=FULL), ("False", "QuotaExceeded"), "True", "False", "True", "Degraded",
            id="a cause that may pass: the operator is still at it",
        ),
        pytest.param(
            replace(HEALTHY, finding=FULL, rollout=None), ("False", "QuotaExceeded"), "True", "False", "False", "Degraded",
            id="a cause before anything runs",
        ),
    ],
)  # fmt: skip
def test_conditions(situation: Situation, ready: tuple[str, str], reconciling: str, stalled: str, available: str, phase: str) -> None:
    found = status(situation)
    assert condition(found, "Ready") == ready
    assert [condition(found, kind)[0] for kind in ("Reconciling", "Stalled", "Available")] == [reconciling, stalled, available]
    assert found["phase"] == phase


@pytest.mark.parametrize(
    ("is_approved", "text"),
    [
        (False, "awaits promotion in green"),
        (True, "waits for a free slot (maxConcurrentReleases and namespaceShare of the operator's chart)"),
    ],
)
def test_what_was_promoted_is_not_said_to_wait_for_it(is_approved: bool, text: str) -> None:
    state = ReleaseState(Target("green", "new"), "key", Step.APPROVAL, NOW, is_approved=is_approved)
    ready = status(replace(HEALTHY, state=state, released_image="shop:2"))["conditions"][0]
    assert ready["message"] == f"Approval: revision new (shop:2) {text}"


@pytest.mark.parametrize(("image", "shown"), [("shop:1", " (shop:1)"), ("", "")])
def test_a_release_is_told_by_its_own_image_and_not_by_that_of_a_newer_spec(image: str, shown: str) -> None:
    state = ReleaseState(Target("green", "older"), "key", Step.VERIFY_AFTER, NOW)
    (ready,) = (c for c in status(replace(HEALTHY, state=state, released_image=image))["conditions"] if c["type"] == "Ready")
    assert ready["message"] == f"VerifyAfter: revision older{shown} is watched under live traffic in green"


@pytest.mark.parametrize("situation", [HEALTHY, replace(HEALTHY, rollout=None), replace(HEALTHY, finding=REFUSED)])
def test_every_condition_is_there_at_once_and_carries_the_generation(situation: Situation) -> None:
    found = status_of(replace(service(), generation=7), situation, {}, NOW)
    assert found["observedGeneration"] == 7
    assert [c["type"] for c in found["conditions"]] == TYPES
    assert {c["observedGeneration"] for c in found["conditions"]} == {7}
    assert all(c["reason"] and c["message"] and c["lastTransitionTime"] == STAMP for c in found["conditions"])


@pytest.mark.parametrize(
    "situation", [HEALTHY, with_rollout(available=1), replace(HEALTHY, finding=REFUSED), replace(HEALTHY, finding=FULL)]
)
def test_kstatus_never_sees_two_answers(situation: Situation) -> None:
    found = status(situation)
    ready, busy, stuck = (condition(found, kind)[0] == "True" for kind in ("Ready", "Reconciling", "Stalled"))
    assert [ready, busy, stuck].count(True) == 1


def test_the_same_situation_later_gives_the_same_status() -> None:
    first = status(HEALTHY)
    assert status_of(service(), HEALTHY, first, NOW.replace(year=2027)) == first


def test_serving_names_what_the_deployment_runs() -> None:
    assert status(with_rollout(revision="old"))["serving"]["revision"] == "old"
    assert "serving" not in status(replace(HEALTHY, rollout=None, serving=None, shown=None))


def test_scale_reads_the_pods_that_are_there() -> None:
    found = status(with_rollout(total=3, available=1))
    assert (found["replicas"], found["availableReplicas"]) == (3, 1)
    assert found["selector"] == "hardened.dev/service=shop,hardened.dev/color=blue"


@pytest.mark.parametrize(
    ("schema", "reason"),
    [("", "Gaps"), (SCHEMA_REVISION, "Gaps"), ("0", "CrdMismatch")],
)
def test_a_crd_of_another_build_is_told(schema: str, reason: str) -> None:
    assert condition(status(replace(HEALTHY, crd_schema=schema)), "Hardened") == ("False", reason)


def test_drift_that_cannot_be_repaired_is_told() -> None:
    drift = Diagnosis(Reason.CLAIM_DELETING, "claim shop-data is being deleted")
    assert condition(status(replace(HEALTHY, drift=drift)), "Drifted") == ("True", "ClaimDeleting")
    assert condition(status(HEALTHY), "Drifted") == ("False", "InStep")


INVALID = Diagnosis(Reason.INVALID_SPEC, "spec.image: Required value", is_final=True)


def test_an_invalid_spec_keeps_what_was_known_of_what_runs() -> None:
    before = status(replace(HEALTHY, history=[{"revision": "new", "image": "shop:2", "createdAt": STAMP}]))
    found = unparsed_status(body(generation=9, status=before), INVALID, DONE, NOW)
    assert {k: found[k] for k in ("serving", "history", "replicas", "availableReplicas", "selector")} == {
        k: before[k] for k in ("serving", "history", "replicas", "availableReplicas", "selector")
    }
    assert condition(found, "Ready") == ("False", "InvalidSpec")
    assert condition(found, "Stalled") == ("True", "InvalidSpec")
    assert condition(found, "Reconciling")[0] == "False"
    assert condition(found, "Available")[0] == "True", "the previous version still serves"
    assert found["observedGeneration"] == 9


def test_an_invalid_spec_at_the_first_visit_sets_every_condition() -> None:
    found = unparsed_status(body(), INVALID, None, NOW)
    assert [c["type"] for c in found["conditions"]] == TYPES
    assert condition(found, "Available") == ("False", "NoPodsAvailable"), "how many are wanted does not depend on how many there are"
    assert "serving" not in found


def test_an_invalid_spec_that_asks_for_no_pods_says_so() -> None:
    cr = body()
    cr["spec"]["replicas"] = 0
    assert condition(unparsed_status(cr, INVALID, None, NOW), "Available") == ("False", "ScaledToZero")


def test_every_reason_is_explained() -> None:
    assert set(MEANING) == set(Reason)


def test_every_reason_has_a_cause_and_a_remedy() -> None:
    assert set(REMEDY) == set(Reason)
    assert all(text.endswith(".") for remedy in REMEDY.values() for text in remedy)


def told(available: str = "False", **more: Any) -> Manifest:
    conditions = [
        {"type": "Ready", "status": "False", "reason": "RollingOut"},
        {"type": "Available", "status": available, "reason": "Pods"},
    ]
    return {"observedGeneration": 1, "phase": "Pending", "replicas": 0, "conditions": conditions, "history": [], **more}


BLUE, GREEN = {"color": "blue"}, {"color": "green"}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param({}, told(), True, id="the first one"),
        pytest.param(told(), told(phase="Progressing", replicas=3, availableReplicas=1, history=[1]), False, id="numbers of pods"),
        pytest.param(told(), told("True", serving=BLUE), False, id="the first pods that serve"),
        pytest.param(told("True", serving=BLUE), told(serving=BLUE), True, id="no pod serves any more"),
        pytest.param(told(serving=BLUE), told(serving=GREEN), True, id="others serve"),
        pytest.param(told(release={"step": "Preview"}), told(release={"step": "ScaleUp"}), True, id="a step"),
        pytest.param(told(), told(observedGeneration=2), True, id="another spec"),
        pytest.param(told(), told(conditions=[]), True, id="a condition"),
    ],
)
def test_what_other_numbers_of_pods_alone_say_is_no_news(before: Manifest, after: Manifest, expected: bool) -> None:
    assert has_news(before, after) is expected

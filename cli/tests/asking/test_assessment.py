"""What each verb of a release would be about, by the state of the service."""

from typing import Any

import pytest
from hardenctl_world import NEW, NEW_IMAGE, REVISION, healthy, kept, releasing, service, taken_back

from hardenctl.asking.assessment import ASSESSMENTS, Already, Nothing, ToAsk

OTHER = "0123456789ab"
APPROVAL = releasing("Approval")
PAUSED = releasing("Preview", phase="Paused", pausedAt="2026-01-02T03:04:05Z")
BACK = releasing("SwitchBack", rejected=True)
RETURNING = releasing("ScaleUp", rollback=True)
NOBODY: dict[str, Any] = {"observedGeneration": -1}


@pytest.mark.parametrize(
    ("verb", "status", "revision", "expected", "about"),
    [
        pytest.param("Promote", APPROVAL, "", ToAsk, NEW, id="the one that waits is promoted"),
        pytest.param("Promote", APPROVAL, NEW, ToAsk, NEW, id="the one that was named is promoted"),
        pytest.param("Promote", APPROVAL, OTHER, Nothing, "is being released, not", id="another one than waits is not promoted"),
        pytest.param("Promote", releasing("VerifyBefore"), "", ToAsk, NEW, id="a promotion before the checks are over is for the operator"),
        pytest.param("Promote", releasing("Queued"), "", ToAsk, NEW, id="so is one while it waits for a place"),
        pytest.param("Promote", releasing("Backup"), "", ToAsk, NEW, id="so is one in a step of a newer operator"),
        pytest.param("Promote", releasing("Approval", approved=True), "", Already, NEW, id="nobody promotes twice"),
        pytest.param("Promote", releasing("ScaleUp"), "", Already, NEW, id="what takes over is promoted"),
        pytest.param("Promote", kept(), "", Already, NEW, id="what was promoted is promoted"),
        pytest.param("Promote", kept(), NEW, Already, NEW, id="what was promoted is promoted, by its name too"),
        pytest.param("Promote", APPROVAL, REVISION, Already, REVISION, id="stable is promoted, whatever waits"),
        pytest.param("Promote", kept(), OTHER, Nothing, "no release awaits", id="what nobody knows is not promoted"),
        pytest.param("Promote", BACK, "", Nothing, "is being rolled back", id="what is taken back is not promoted"),
        pytest.param("Promote", taken_back(), "", Nothing, "cannot be promoted: CheckFailed", id="what has failed is not promoted"),
        pytest.param("Promote", NOBODY, "", Nothing, "no release awaits", id="nothing is promoted before the first look"),
        pytest.param("Abort", releasing("Preview"), "", ToAsk, NEW, id="a release is aborted"),
        pytest.param("Abort", releasing("VerifyAfter"), NEW, ToAsk, NEW, id="after its cutover too"),
        pytest.param("Abort", releasing("Preview"), OTHER, Nothing, "is being released, not", id="another one is not aborted"),
        pytest.param("Abort", kept(), "", ToAsk, NEW, id="in Keep it is the operator who refuses"),
        pytest.param("Abort", BACK, "", Already, NEW, id="what is taken back needs no abort"),
        pytest.param("Abort", taken_back(), "", Already, NEW, id="what was taken back needs no abort"),
        pytest.param("Abort", healthy(), "", Nothing, "no release is in progress", id="without a release nothing is aborted"),
        pytest.param("Retry", taken_back(), "", ToAsk, NEW, id="what was taken back is tried again"),
        pytest.param("Retry", taken_back(after_cutover=False), NEW, ToAsk, NEW, id="what was rejected is tried again"),
        pytest.param("Retry", taken_back(), OTHER, Nothing, "which is rejected", id="another one is not tried again"),
        pytest.param("Retry", releasing(), "", Already, NEW, id="what is being released is not tried again"),
        pytest.param("Retry", healthy(), "", Already, REVISION, id="nothing was rejected"),
        pytest.param("Retry", healthy(), OTHER, Nothing, "the spec does not ask for", id="nobody asks for it"),
        pytest.param("Pause", releasing("Preview"), "", ToAsk, "", id="a release is paused"),
        pytest.param("Pause", PAUSED, "", Already, NEW, id="it is already paused"),
        pytest.param("Pause", healthy(), "", ToAsk, "", id="without a release it is the operator who refuses"),
        pytest.param("Resume", PAUSED, "", ToAsk, "", id="it goes on"),
        pytest.param("Resume", releasing("Preview"), "", Already, NEW, id="it goes on already"),
        pytest.param("Resume", healthy(), "", Already, "", id="nothing is paused"),
        pytest.param("Rollback", kept(), "", ToAsk, "", id="to where the operator says"),
        pytest.param("Rollback", kept(), REVISION, ToAsk, REVISION, id="to where it was asked for"),
        pytest.param("Rollback", kept(), NEW, Already, NEW, id="it already serves"),
        pytest.param("Rollback", releasing("VerifyAfter"), REVISION, ToAsk, REVISION, id="away from what just took over"),
        pytest.param(
            "Rollback", releasing("Backup"), REVISION, Already, REVISION, id="what serves serves, beside a step of a newer operator"
        ),
        pytest.param("Rollback", NOBODY, "", ToAsk, "", id="before the first look it is the operator who refuses"),
    ],
)
def test_what_is_at_stake(verb: str, status: dict[str, Any], revision: str, expected: type, about: str) -> None:
    found = ASSESSMENTS[verb](service(status=status), revision)
    assert type(found) is expected
    match found:
        case Nothing(message=message):
            assert about in message
        case ToAsk(revision=shown) | Already(revision=shown):
            assert shown == about


def test_people_are_shown_what_they_approve() -> None:
    found = ASSESSMENTS["Promote"](service(status=APPROVAL, image="registry.example/api:2.0"), "")
    assert found == ToAsk(NEW, f"revision {NEW} (registry.example/api:2.0), in step Approval")


def test_the_image_of_a_newer_spec_is_not_the_one_that_is_released() -> None:
    found = ASSESSMENTS["Promote"](service(generation=2, status=APPROVAL, image="registry.example/api:3.0"), "")
    assert found == ToAsk(NEW, f"revision {NEW} ({NEW_IMAGE}), in step Approval")
    older = {**APPROVAL, "release": {name: value for name, value in APPROVAL["release"].items() if name != "image"}}
    found = ASSESSMENTS["Promote"](service(generation=1, status=older, image="registry.example/api:3.0"), "")
    assert found == ToAsk(NEW, f"revision {NEW}, in step Approval"), "no image rather than another one's"


def test_nor_is_it_the_one_that_is_gone_back_to() -> None:
    found = ASSESSMENTS["Pause"](service(status=RETURNING, image="registry.example/api:3.0"), "")
    assert found == ToAsk("", f"revision {NEW} ({NEW_IMAGE}), in step ScaleUp")

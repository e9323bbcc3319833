"""Sentences without the hashes and images that were told before."""

from typing import Any

import pytest
from hardenctl_world import NEW, NEW_IMAGE, OLD_IMAGE, REVISION, healthy, kept, releasing, service, taken_back

from hardenctl.following.brief import brief

RELEASING, ROLLING_BACK = releasing("Preview"), releasing("Preview", rollback=True)


@pytest.mark.parametrize(
    ("status", "text", "expected"),
    [
        pytest.param(RELEASING, f"Preview: revision {NEW} ({NEW_IMAGE}) starts", "Preview: the new revision starts", id="what is released"),
        pytest.param(ROLLING_BACK, f"revision {NEW} starts", "the rollback target starts", id="what is gone back to"),
        pytest.param(taken_back(), f"revision {NEW} was rolled back", "the new revision was rolled back", id="what was taken back"),
        pytest.param(healthy(), f"revision {REVISION} serves", "the revision serves", id="what serves"),
        pytest.param(kept(), f"revision {NEW} serves", "the revision serves", id="what serves by now"),
        pytest.param(healthy(), "revision 0123456789ab is gone", "revision 0123456789ab is gone", id="another one"),
        pytest.param(RELEASING, f'cannot pull image "{NEW_IMAGE}": no', "cannot pull its image: no", id="an image by that word"),
        pytest.param(RELEASING, f"{NEW_IMAGE} is not there", "api:2.0 is not there", id="an image by itself"),
        pytest.param(RELEASING, f"image {NEW_IMAGE}-x is another", f"image {NEW_IMAGE}-x is another", id="an image that begins so"),
        pytest.param(RELEASING, f"from {OLD_IMAGE}", "from api:1.0", id="the image that serves"),
    ],
)
def test_what_is_known_is_called_by_what_it_is(status: dict[str, Any], text: str, expected: str) -> None:
    assert brief(text, service(status=status, image=NEW_IMAGE)) == expected


def test_what_was_not_told_is_told_in_full() -> None:
    text = f"revision {NEW} ({NEW_IMAGE}) starts"
    assert brief(text, service(status=RELEASING, image=NEW_IMAGE), lambda _: False) == text

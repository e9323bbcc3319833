"""What fails twice is told, whatever it failed for."""

import pytest

from hardened.core.model.manifest import ChildKey
from hardened.core.observe.observed import Observed, WriteError
from hardened.errors import ApiFailure, Refused, TryAgain
from hardened.shell.refusals import Refusals

KEY = ChildKey("Service", "web")


@pytest.mark.parametrize(
    "failure", [Refused("invalid", status=422), TryAgain("failed calling webhook", status=500), TryAgain("no reply")], ids=str
)
def test_what_fails_twice_in_a_row_is_told(failure: ApiFailure) -> None:
    first = Refusals(frozenset())
    assert first.wrote(Observed(), KEY, failure).write_errors == ()
    assert Refusals(first.seen).wrote(Observed(), KEY, failure).write_errors == (WriteError("write Service web", failure),)


def test_a_server_that_is_busy_is_waited_for() -> None:
    with pytest.raises(TryAgain):
        Refusals(frozenset()).wrote(Observed(), KEY, TryAgain("too many requests", status=429))

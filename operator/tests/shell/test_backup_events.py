"""Which ends of backups are told by an Event."""

from typing import Any

import pytest

from hardened.shell.status_events import status_events

GOOD = {"snapshot": "ab" * 32, "at": "2026-01-02T03:30:00Z", "bytes": 4096, "seconds": 4}
BAD = {"at": "2026-01-02T04:30:00Z", "reason": "WrongPassword", "message": "no key found"}
BESIDE = {**GOOD, "snapshot": "cd" * 32, "message": "the repository is not pruned: RepositoryLocked: locked"}


def status(**more: Any) -> dict[str, Any]:
    return {"backups": [{"name": "nightly", **more}]}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param({}, status(), [], id="none has run"),
        pytest.param(status(), status(lastSuccess=GOOD), [("Normal", "BackupSucceeded")], id="one has succeeded"),
        pytest.param(status(lastSuccess=GOOD), status(lastSuccess=GOOD, nextAt="2026-01-03T03:30:00Z"), [], id="nothing new"),
        pytest.param(status(lastSuccess=GOOD), status(lastSuccess=BESIDE), [("Warning", "BackupSucceeded")], id="but for its repository"),
        pytest.param(
            status(lastSuccess=GOOD), status(lastSuccess=GOOD, lastFailure=BAD), [("Warning", "BackupFailed")], id="one has failed"
        ),
        pytest.param(status(lastFailure=BAD), {}, [], id="it is backed up no more"),
    ],
)
def test_each_end_is_told_once(before: dict[str, Any], after: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert [(event.type, event.reason) for event in status_events(before, after)] == expected

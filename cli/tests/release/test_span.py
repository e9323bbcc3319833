"""How long a wait is by default."""

from typing import Any

import pytest
from hardenctl_world import service

from hardenctl.release.span import release_span
from hardened.api.parse import parse_spec

POSTGRES = {"postgres": {"secretName": "db"}}
BACKUP = {"name": "nightly", "schedule": "0 3 * * *", "deadline": "2h", "repository": {"secretName": "r"}, "source": POSTGRES}


@pytest.mark.parametrize(
    ("spec", "least"),
    [
        ({}, 4 * 600 + 10),
        ({"release": {"progressDeadline": "1h30m"}}, 4 * 5400 + 10),
        ({"release": {"progressDeadline": "30s"}, "verify": {"afterCutover": {"window": "1h"}}}, 4 * 30 + 3600),
        ({"release": {"migrate": {"command": ["m"], "deadline": "3h", "undo": {"command": ["u"]}}}}, 4 * 600 + 6 * 3600),
        ({"release": {"backupFirst": "nightly"}, "backups": [BACKUP]}, 4 * 600 + 7200),
        ({"release": {"promotion": "Manual", "autoPromoteAfter": "24h"}}, 4 * 600 + 24 * 3600),
    ],
)
def test_it_is_longer_than_the_deadlines_of_the_release(spec: dict[str, Any], least: float) -> None:
    live = service(ports=[{"name": "http", "containerPort": 8080}], **spec)
    parse_spec(live["spec"])  # the field names are those of the API
    assert least < release_span(live) < least + 3 * 5400


@pytest.mark.parametrize("broken", [5, "soon", None, ["10m"], {}])
def test_what_cannot_be_read_counts_as_left_out(broken: Any) -> None:
    assert release_span(service(release={"progressDeadline": broken})) == release_span(service())
    assert release_span({"spec": broken, "metadata": {}}) == release_span(service())

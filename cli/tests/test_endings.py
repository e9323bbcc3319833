"""However a command ends, it says so in the format that was asked for."""

import json
from typing import Any

import pytest
from hardenctl_world import FakeCluster, service


class Broken(FakeCluster):
    """Makes hardenctl fail in a way that nobody foresaw."""

    def get(self, path: str, within: float | None = None) -> dict[str, Any]:
        raise RuntimeError("no: https://bob:SECRET@host\nand more")


@pytest.mark.parametrize(
    ("flags", "hint", "shows_where"),
    [
        pytest.param([], "run again with -v for where", False, id="in one line"),
        pytest.param(["-v"], "", True, id="with -v, where it was"),
    ],
)
def test_what_nobody_foresaw_is_told_in_one_line(run: Any, flags: list[str], hint: str, shows_where: bool) -> None:
    shown = run(Broken(), "status", "api", "-o", "json", *flags)
    said = json.loads(shown.stdout)
    assert (shown.exit_code, said["result"]) == (1, "error")
    assert (said["message"], said["hint"]) == ("unexpected: RuntimeError: no: https://host", hint)
    assert (__file__ in shown.stderr) is shows_where
    assert "SECRET" not in shown.output


def test_a_service_of_a_newer_crd_is_told_by_its_fields(run: Any) -> None:
    cluster = FakeCluster(service(newField=1))
    shown = run(cluster, "deploy", "api", "--image", "registry.example/api:2.0", "--dry-run=server", "-o", "json")
    said = json.loads(shown.stdout)
    assert (shown.exit_code, said["result"]) == (1, "invalid")
    assert said["message"].startswith("spec.newField: ")
    assert "see hardenctl check" in said["hint"]

"""Which service a NAME means."""

from typing import Any

import pytest
from hardenctl_world import FakeCluster, healthy, service

from hardenctl.app import GROUPS, VERBS, verb_first
from hardenctl.output.outcome import CommandEnd
from hardenctl.release.naming import service_name


@pytest.mark.parametrize(
    "text", ["api", "hs/api", "HS/api", "hardenedservice/api", "hardenedservices/api", "hardenedservice.hardened.dev/api"]
)
def test_a_name_may_have_its_kind_before_it(text: str) -> None:
    assert service_name(text) == "api"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "NAME is empty"),
        ("  ", "NAME is empty"),
        ("hs/", "NAME is empty"),
        ("deploy/api", "'deploy/api' is no HardenedService"),
        ("hs/a/b", "cannot be the name"),
        ("..", "cannot be the name"),
        ("a b", "cannot be the name"),
        ("a%2fb", "cannot be the name"),
        ("a\n", "cannot be the name"),
    ],
)
def test_what_is_none_is_refused(text: str, said: str) -> None:
    with pytest.raises(CommandEnd, match=said) as caught:
        service_name(text)
    assert caught.value.code == 2


_NAMED = [[verb] for verb in VERBS if verb not in GROUPS and verb not in ("render", "check", "version", "init", "completion")]


@pytest.mark.parametrize("verb", [*_NAMED, ["backup", "list"], ["backup", "create"], ["backup", "verify"]], ids=" ".join)
def test_an_empty_name_is_never_all_services(run: Any, verb: list[str]) -> None:
    shown = run(FakeCluster(service(status=healthy())), *verb, "", *(["nightly"] if verb[-1] in ("create", "verify") else []))
    assert shown.exit_code == 2
    assert "NAME is empty" in shown.stderr


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["help", "status"], ["status", "--help"]),
        (["help", "backup", "list"], ["backup", "list", "--help"]),
        (["help"], ["--help"]),
        (["--version"], ["version", "--client"]),
        (["-n", "shop", "status", "help"], ["status", "-n", "shop", "help"]),
    ],
)
def test_help_and_the_version_are_found_where_they_are_looked_for(given: list[str], expected: list[str]) -> None:
    assert verb_first(given) == expected


def test_the_version_and_the_help_of_a_verb(run: Any) -> None:
    assert run(None, "--version").stdout.startswith("hardenctl   ")
    assert run(None, "help", "rollback").stdout == run(None, "rollback", "--help").stdout
    assert run(None, "help", "no-such-verb").exit_code == 2


def test_the_summary_of_each_verb_is_shown_whole(run: Any) -> None:
    shown = run(None, "--help").stdout
    assert all(f" {summary}\n" in shown for summary in VERBS.values())

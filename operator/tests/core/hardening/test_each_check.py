"""Each check finds what it is for, and that alone; none finds anything in a service that leaves nothing open."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from tests.core.hardening_cases import CLEAN, COMPANIONS, FIELDS, LIVE, OTHERS, QUIET, SURROUNDINGS, WAITS_FOR
from tests.core.worlds import body, service

from hardened.api.parse import parse
from hardened.core.hardening.catalog import CHECKS, GROUPS, findings
from hardened.core.hardening.check import Finding, Subject
from hardened.core.hardening.surroundings import Surroundings

BY_ID = {each.id: each for each in CHECKS}


def found(spec: dict[str, Any], around: Surroundings | None = SURROUNDINGS, *, size_manager: str = "") -> list[Finding]:
    svc = replace(service({k: v for k, v in spec.items() if v is not None}), size_manager=size_manager)
    return list(findings(Subject(svc, OTHERS, around)))


def test_ids_are_given_once_and_in_order() -> None:
    assert [each.id for each in CHECKS] == [f"HS{number:03}" for number in range(1, len(CHECKS) + 1)]
    assert len(CHECKS) >= 40
    assert sum(each.is_live for each in CHECKS) >= 15


def test_a_service_that_says_everything_leaves_nothing_open() -> None:
    assert found(CLEAN) == []


@pytest.mark.parametrize("spec", QUIET, ids=lambda each: "+".join(each))
def test_what_is_right_as_it_is_leaves_nothing_open(spec: dict[str, Any]) -> None:
    assert [str(each) for each in found({**CLEAN, **spec})] == []


def _cases() -> Iterator[Any]:
    for identity, changes in FIELDS.items():
        for number, change in enumerate(changes):
            yield pytest.param(identity, change, id=f"{identity}-{number}")


@pytest.mark.parametrize(("identity", "change"), list(_cases()))
def test_a_check_of_fields_finds_what_it_is_for_and_nothing_else_is_found(identity: str, change: dict[str, Any]) -> None:
    change = dict(change)
    manager = change.pop("size_manager", "")
    seen = found({**CLEAN, **change}, size_manager=manager)
    assert {each.check.id for each in seen} == {identity}, [str(each) for each in seen]
    assert found({**CLEAN, **change}, None, size_manager=manager) == seen, "no cluster is needed for it"
    _is_well_said(seen)


def _live_cases() -> Iterator[Any]:
    for identity, cases in LIVE.items():
        for number, (change, around) in enumerate(cases):
            yield pytest.param(identity, change, around, id=f"{identity}-{number}")


@pytest.mark.parametrize(("identity", "change", "around"), list(_live_cases()))
def test_a_check_of_the_cluster_finds_what_it_is_for_and_nothing_else_is_found(
    identity: str, change: dict[str, Any], around: dict[str, Any]
) -> None:
    companions = COMPANIONS.get(identity, set())
    seen = found({**CLEAN, **change}, replace(SURROUNDINGS, **around))
    assert {each.check.id for each in seen} == {identity} | companions, [str(each) for each in seen]
    _is_well_said(seen)
    assert {each.check.id for each in found({**CLEAN, **change}, None)} == companions, "without a cluster nobody can say"
    for name in BY_ID[identity].needs:
        hidden = found({**CLEAN, **change}, replace(SURROUNDINGS, **{**around, name: None}))
        assert identity not in {each.check.id for each in hidden}, "what may not be read is not taken for absent"


def test_every_check_is_tested() -> None:
    assert sorted({*FIELDS, *LIVE, *WAITS_FOR}) == [each.id for each in CHECKS]
    assert {each.id for each in CHECKS if each.is_live} == set(LIVE)
    assert all([*FIELDS.values(), *LIVE.values()])


def _is_well_said(seen: list[Finding]) -> None:
    for each in seen:
        assert each.gap.path.startswith(("spec", "metadata", "apiVersion"))
        assert "\n" not in str(each)
        assert not each.gap.message.endswith(".")
        assert each.fix


def test_services_that_wait_for_each_other_are_named_in_the_order_of_waiting() -> None:
    def waiting(name: str, needed: str) -> Any:
        return parse(body({**CLEAN, "dependsOn": [{"service": needed}]}, name=name))

    ring = {name: waiting(name, needed) for name, needed in (("shop", "db"), ("db", "cache"), ("cache", "shop"))}
    for name, svc in ring.items():
        seen = [each for each in findings(Subject(svc, {n: s for n, s in ring.items() if n != name})) if each.check.id == "HS044"]
        assert len(seen) == 1, name
    assert seen[0].gap.message.endswith("cache → shop → db → cache")
    assert seen[0].gap.path == "spec.dependsOn[0]"
    # Who only waits for a ring is not in it.
    outside = waiting("web", "shop")
    assert "HS044" not in {each.check.id for each in findings(Subject(outside, ring))}


SECRET = "HS-CANARY-hunter2"


@pytest.mark.parametrize(
    "change",
    [
        {"env": [{"name": "DB_PASSWORD", "value": SECRET}]},
        {"env": [{"name": "URL", "value": f"postgres://app:{SECRET}@db/shop"}]},
        {"args": [f"--password={SECRET}"]},
        {"command": ["curl", f"https://user:{SECRET}@host/"]},
        {"files": [{"mountPath": "/etc/shop", "data": {"tls.key": SECRET}}]},
        {"sidecars": [{"name": "proxy", "image": CLEAN["image"], "env": [{"name": "API_TOKEN", "value": SECRET}]}]},
    ],
    ids=["variable", "url", "argument", "command", "file", "sidecar"],
)
def test_no_finding_shows_a_value(change: dict[str, Any]) -> None:
    seen = found({**CLEAN, **change})
    assert {"HS025", "HS026", "HS027", "HS028"} & {each.check.id for each in seen}
    assert SECRET not in repr([(each.gap, str(each)) for each in seen])


@pytest.mark.parametrize(
    "name_and_value",
    [
        ("PASSWORD_FILE", "/run/secrets/password"),
        ("PASSWORD", "/run/secrets/password"),
        ("DB_PASSWORD", "$(OTHER)"),
        ("TOKEN_TTL", "3600"),
        ("PASSWORD_MIN_LENGTH", "8"),
        ("REQUIRE_TOKEN", "true"),
        ("SECRET", ""),
        ("KEY", "left"),
        ("MONKEY", "banana"),
        ("URL", "https://shop.example/a:b@c"),
        ("URL", "http://localhost:8080/x@y"),
        ("URL", "postgres://app@db:5432/shop"),
        ("URL", "postgres://app:$(PASSWORD)@db/shop"),
        ("MAIL", "shop@example.com"),
    ],
    ids=lambda pair: "=".join(pair),
)
def test_what_is_no_secret_is_not_taken_for_one(name_and_value: tuple[str, str]) -> None:
    name, value = name_and_value
    others = [{"name": each, "value": ""} for each in ("OTHER",) if each in value] + (
        [{"name": "PASSWORD", "value": ""}] if "$(P" in value else []
    )
    assert [str(each) for each in found({**CLEAN, "env": [*others, {"name": name, "value": value}]})] == []


@pytest.mark.parametrize("part", ["eyJaaaaaaaaaa.", "a://a:", "-----BEGIN A ", "xoxb-", "eyJ-"])
def test_long_texts_are_read_in_a_moment(part: str) -> None:
    import time

    text = (part * 8192)[:32768]
    began = time.process_time()
    found({**CLEAN, "env": [{"name": "A", "value": text}], "files": [{"mountPath": "/etc/shop", "data": {"a": text}}]})
    assert time.process_time() - began < 2


def test_the_groups_are_the_list() -> None:
    assert [each for group in GROUPS.values() for each in group] == list(CHECKS)
    for each in CHECKS:
        assert each.title.endswith(".")
        assert each.title.count(". ") == 0, "one sentence"
        assert each.cause.endswith(".")
        assert not each.fix.endswith(".")
        assert each.example
        assert len(each.title) < 90

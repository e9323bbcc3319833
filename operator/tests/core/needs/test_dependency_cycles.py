"""Services that depend on each other in a circle are told so by name; those beside it just wait."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.releases import SPEC
from tests.core.worlds import ANY_KEY, NOW, World, body, condition

from hardened.core.model.question import ReadNamespace
from hardened.core.needs.dependencies import cycle_of
from hardened.core.plan import Plan, plan
from hardened.core.status.blockers import PATIENCE


def needing(*names: str, name: str = "a", **more: Any) -> dict[str, Any]:
    """A service that depends on these."""
    return body({**SPEC, "dependsOn": [{"service": each} for each in names], **more}, name=name)


@pytest.mark.parametrize(
    ("own", "others", "way"),
    [
        ("", {}, ""),
        ("b", {"b": ""}, ""),
        ("b", {}, ""),
        ("a", {}, "a a"),
        ("b", {"b": "a"}, "a b a"),
        ("b", {"b": "c", "c": "d", "d": "a"}, "a b c d a"),
        ("b c", {"b": "d", "c": "a", "d": "a"}, "a c a"),
        ("b c", {"b": "a", "c": "a"}, "a b a"),
        ("b", {"b": "c", "c": "b"}, ""),
        ("b", {"b": "b"}, ""),
        ("b", {"b": "c d", "c": "b", "d": "a"}, "a b d a"),
    ],
)
def test_the_shortest_way_back_to_a_service(own: str, others: dict[str, str], way: str) -> None:
    needs = {name: frozenset(found.split()) for name, found in others.items()}
    assert cycle_of(needing(*own.split()), needs) == tuple(way.split())


NAMES = [f"s{n}" for n in range(7)]


@given(st.dictionaries(st.sampled_from(NAMES), st.frozensets(st.sampled_from(NAMES), max_size=3)))
def test_a_service_is_on_a_cycle_where_it_can_be_come_to_from_itself(needs: dict[str, frozenset[str]]) -> None:
    for name in NAMES:
        reached, left = set(), set(needs.get(name, ()))
        while left:
            found = left.pop()
            reached.add(found)
            left |= needs.get(found, frozenset()) - reached
        way = cycle_of(needing(*sorted(needs.get(name, ())), name=name), needs)
        assert bool(way) == (name in reached)
        assert all(after in needs[before] for before, after in pairwise(way))
        assert not way or (way[0], way[-1], len(set(way))) == (name, name, len(way) - 1)


def decided(cr: dict[str, Any], **needs: str) -> Plan:
    observed = replace(World().seen(cr["metadata"]["name"]), needs={name: frozenset(found.split()) for name, found in needs.items()})
    return plan(cr, observed, ANY_KEY, NOW)


@pytest.mark.parametrize(("name", "own", "way"), [("a", "b", "a → b → c → a"), ("b", "c", "b → c → a → b"), ("c", "a", "c → a → b → c")])
def test_each_service_of_a_cycle_is_told_so_by_name_and_looked_at_again(name: str, own: str, way: str) -> None:
    found = decided(needing(own, name=name), a="b", b="c", c="a")
    assert found.status
    assert condition(found.status, "Ready") == ("False", "InvalidSpec")
    assert condition(found.status, "Stalled") == ("True", "InvalidSpec")
    text = f"spec.dependsOn: {way} is a cycle: none of them could ever begin; remove one of these dependencies"
    assert next(c["message"] for c in found.status["conditions"] if c["type"] == "Ready") == text
    assert found.requeue_after == PATIENCE


def test_what_only_depends_on_a_cycle_is_not_on_it() -> None:
    found = decided(needing("a", name="z"), a="b", b="a")
    assert isinstance(found.question, ReadNamespace) or found.is_status_first, "its release begins"


def test_a_service_that_names_itself_is_told_so_and_nothing_else_will_change_that() -> None:
    found = decided(needing("a"), a="a")
    assert found.status
    assert condition(found.status, "Ready") == ("False", "InvalidSpec")
    assert "cannot depend on itself" in found.status["conditions"][0]["message"]
    assert found.requeue_after is None

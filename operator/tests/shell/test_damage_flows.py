"""Two children of a service are deleted, or lose their labels, at once: everything comes back as it was, and nothing is rejected."""

from collections.abc import Callable
from functools import cache
from itertools import combinations, product
from typing import Any

import pytest
from tests.enumerations import Turn, turns
from tests.shell.moments import Moment, after
from tests.shell.operator_world import RELEASED, OperatorWorld, service

from hardened.core.observe.observed import Ownership, owner_of
from hardened.shell.kinds import HARDENED_SERVICE, Kind
from hardened.shell.watches import CHILDREN

Body = dict[str, Any]
Damage = tuple[str, str, str]  # what is done, to an object of which kind, of which name
STRATEGIES = ("BlueGreen", "RollingUpdate", "Recreate")


@cache
def settled(strategy: str) -> Moment[OperatorWorld]:
    """A service that is released by this strategy, and rests."""

    async def made(world: OperatorWorld) -> None:
        spec = {**RELEASED, "release": {"strategy": strategy, "progressDeadline": "10s"}}
        await world.people.create(HARDENED_SERVICE, service(**spec))

    return after(made)


def children(world: OperatorWorld) -> list[tuple[Kind, Body]]:
    (svc,) = world.server.all(HARDENED_SERVICE)
    found = [(kind, child) for kind in CHILDREN for child in world.server.all(kind)]
    return [
        (kind, child) for kind, child in found if owner_of({**child, "kind": kind.name}, "web", svc["metadata"]["uid"]) is Ownership.OURS
    ]


def damaged(*damages: Damage) -> Callable[[OperatorWorld], Any]:
    """One after the other, with no time in between in which anybody could look."""

    async def do(world: OperatorWorld) -> None:
        found = {(kind.name, child["metadata"]["name"]): (kind, child) for kind, child in children(world)}
        for what, kind_name, name in damages:
            kind, child = found[kind_name, name]
            if what == "deleted":
                await world.people.delete(kind, "shop", name, uid=child["metadata"]["uid"])
            else:
                await world.people.merge_patch(kind, "shop", name, {"metadata": {"labels": None}})

    return do


@cache
def clean(strategy: str) -> tuple[dict[str, Any], tuple[tuple[str, str], ...]]:
    """What there is without damage, and the children."""

    async def look(world: OperatorWorld) -> tuple[dict[str, Any], tuple[tuple[str, str], ...]]:
        return world.state(), tuple((kind.name, child["metadata"]["name"]) for kind, child in children(world))

    return settled(strategy).run(look)


def pairs(strategy: str) -> list[tuple[Damage, Damage]]:
    each = [(what, *child) for what, child in product(("deleted", "stripped of its labels"), clean(strategy)[1])]
    return [(first, second) for first, second in combinations(each, 2) if first[1:] != second[1:]]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("turn", turns(1, at=pytest.mark.full))
def test_two_children_that_are_damaged_at_once_come_back_and_nothing_is_rejected(strategy: str, turn: Turn) -> None:
    def after_damage(*damages: Damage) -> dict[str, Any]:
        async def play(world: OperatorWorld) -> dict[str, Any]:
            await world.play(damaged(*damages))
            return world.state()

        return settled(strategy).run(play)

    wrong = [found for pair in turn.of(pairs(strategy)) if (found := _difference(pair, after_damage(*pair), clean(strategy)[0]))]
    assert not wrong, "\n".join(wrong)


def _difference(pair: tuple[Damage, Damage], after: Body, before: Body) -> str:
    others = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    return f"{' and '.join(' '.join(each) for each in pair)}: {others}" if others else ""

"""The driver of a look: what it asks, when it ends, and that it needs no event loop where nobody waits."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from hardened.core.look import Looker, Reader, at_once, look
from hardened.core.model.manifest import ChildKey, Manifest
from hardened.core.model.measurement import Query
from hardened.core.model.question import (
    AskPrometheus,
    ListConstraints,
    ListFormer,
    ListMounts,
    ListPods,
    Question,
    ReadChildren,
    ReadLog,
    ReadNamespace,
    TryPods,
)
from hardened.core.observe.observed import Observed
from hardened.core.plan import Plan

SERVICE = ChildKey("Service", "shop")
POD: Manifest = {"kind": "Pod", "metadata": {"name": "smoke"}}
QUESTIONS: tuple[Question, ...] = (
    ReadChildren(frozenset({SERVICE})),
    AskPrometheus((Query("errors", "up", ""),)),
    ReadNamespace(frozenset({"settings"})),
    ListConstraints(),
    TryPods((POD,)),
    ListPods(),
    ListFormer((("app", "shop"),)),
)
WRITES, REST, FIRST = Plan(end=(SERVICE,)), Plan(status={}), Plan(status={}, is_status_first=True)


@dataclass
class Script:
    """A Looker and a Reader. Its plans are these, whatever is observed; each answer is a snapshot of its own."""

    plans: list[Plan]
    done: list[Any] = field(default_factory=list)

    def plan(self, observed: Observed) -> Plan:
        assert observed.crd_schema == str(len(self.done)), "the world as it was left by what was done last"
        return self.plans[len(self.done)]

    def does(self, observed: Observed, what: Any) -> Observed:
        self.done.append(what)
        return replace(observed, crd_schema=str(len(self.done)))

    async def read_children(self, observed: Observed, keys: frozenset[ChildKey]) -> Observed:
        return self.does(observed, ReadChildren(keys))

    async def ask_prometheus(self, observed: Observed, queries: tuple[Query, ...]) -> Observed:
        return self.does(observed, AskPrometheus(queries))

    async def read_namespace(self, observed: Observed, config_maps: frozenset[str]) -> Observed:
        return self.does(observed, ReadNamespace(config_maps))

    async def list_constraints(self, observed: Observed) -> Observed:
        return self.does(observed, ListConstraints())

    async def try_pods(self, observed: Observed, pods: tuple[Manifest, ...]) -> Observed:
        return self.does(observed, TryPods(pods))

    async def list_pods(self, observed: Observed) -> Observed:
        return self.does(observed, ListPods())

    async def list_mounts(self, observed: Observed) -> Observed:
        return self.does(observed, ListMounts())

    async def list_former(self, observed: Observed, selector: Mapping[str, str]) -> Observed:
        return self.does(observed, ListFormer(tuple(selector.items())))

    async def read_log(self, observed: Observed, wanted: ReadLog) -> Observed:
        return self.does(observed, wanted)

    async def write(self, observed: Observed, decided: Plan) -> Observed | None:
        return self.does(observed, decided)

    async def tell(self, observed: Observed, decided: Plan) -> Observed | None:
        return self.does(observed, decided) if decided.is_status_first else None


class Waiting(Script):
    """One whose reader waits for somebody."""

    async def list_pods(self, observed: Observed) -> Observed:
        await Never()
        return observed


class Never:
    def __await__(self) -> Any:
        yield


def taken(script: Script, rounds: int = 20) -> Plan | None:
    looker: Looker = script
    reader: Reader = script
    return at_once(look(looker, reader, Observed(crd_schema="0"), rounds))


def test_questions_are_answered_and_writes_written_until_the_last_is_told() -> None:
    script = Script([*map(Plan, QUESTIONS), WRITES, FIRST, REST])
    assert taken(script) is REST
    assert script.done == [*QUESTIONS, WRITES, FIRST]


def test_a_question_comes_before_all_else_of_its_plan() -> None:
    script = Script([replace(WRITES, question=ListPods(), status={}), REST])
    assert taken(script) is REST
    assert script.done == [ListPods()]


def test_a_look_at_a_world_that_never_rests_ends_after_its_rounds() -> None:
    script = Script([WRITES] * 4)
    assert taken(script, rounds=3) is None
    assert script.done == [WRITES] * 3


def test_a_look_that_waits_is_refused_where_there_is_no_event_loop() -> None:
    with pytest.raises(RuntimeError, match="event loop"):
        taken(Waiting([Plan(ListPods())]))

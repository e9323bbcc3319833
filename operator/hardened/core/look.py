"""One look at one service: it is planned, what the plan asks for is read, what it says is written, until nothing is left to do.

The operator does what a plan says, `hardenctl deploy --dry-run` only notes it, and tests do it to a world of their own. All look through
`look`; what differs is who answers, a Reader, and who writes, a Looker.
"""

from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import replace
from typing import Any, Protocol, TypeVar, assert_never

from hardened.api import names
from hardened.core.actions.log import entries_of
from hardened.core.actions.seeking import RESTORE, is_restore
from hardened.core.hold.dependents import needed_services
from hardened.core.model.hold import hold_of
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
    TryRuns,
)
from hardened.core.needs.dependencies import named_services
from hardened.core.needs.services import namesakes
from hardened.core.observe.observed import Observed
from hardened.core.plan import Plan

T = TypeVar("T")


class Reader(Protocol):
    """Answers questions, one method for each kind: see core.model.question.

    Each returns the world with the answer in it; also where nobody knows one, or the same question would be asked for ever.
    """

    async def read_children(self, observed: Observed, keys: frozenset[ChildKey]) -> Observed: ...

    async def ask_prometheus(self, observed: Observed, queries: tuple[Query, ...]) -> Observed: ...

    async def read_namespace(self, observed: Observed, config_maps: frozenset[str]) -> Observed: ...

    async def list_constraints(self, observed: Observed) -> Observed: ...

    async def try_pods(self, observed: Observed, pods: tuple[Manifest, ...]) -> Observed: ...

    async def list_pods(self, observed: Observed) -> Observed: ...

    async def list_mounts(self, observed: Observed) -> Observed: ...

    async def list_former(self, observed: Observed, selector: Mapping[str, str]) -> Observed: ...

    async def read_log(self, observed: Observed, wanted: ReadLog) -> Observed: ...


class Looker(Protocol):
    """Whoever looks at a service, and has it as it is by now."""

    def plan(self, observed: Observed) -> Plan:
        """What to do next: core.plan.plan, of the service as it is by now."""

    async def write(self, observed: Observed, decided: Plan) -> Observed | None:
        """Writes all that the plan says, but for its status and its answers. The world afterwards; None to end the look."""

    async def tell(self, observed: Observed, decided: Plan) -> Observed | None:
        """Writes the status of a plan that has nothing else to write, and its answers, unless the status is first.

        None where that ends the look, as it does once all is told; else the world in which it goes on.
        """


async def look(looker: Looker, reader: Reader, observed: Observed, rounds: int) -> Plan | None:
    """The plan that ended the look; None where something was left to do after so many plans.

    observed: what is known of the service at first, see snapshot.
    """
    for _ in range(rounds):
        decided = looker.plan(observed)
        if decided.question is not None:
            after: Observed | None = await _answered(reader, observed, decided.question)
        elif decided.has_writes:
            after = await looker.write(observed, decided)
        else:
            after = await looker.tell(observed, decided)
        if after is None:
            return decided
        observed = after
    return None


async def _answered(reader: Reader, observed: Observed, question: Question) -> Observed:
    match question:
        case ReadChildren(keys):
            return await reader.read_children(observed, keys)
        case AskPrometheus(queries):
            return await reader.ask_prometheus(observed, queries)
        case ReadNamespace(config_maps):
            return await reader.read_namespace(observed, config_maps)
        case ListConstraints():
            return await reader.list_constraints(observed)
        case TryPods(pods):
            return await reader.try_pods(observed, pods)
        case TryRuns(pods):
            found = await reader.try_pods(observed, pods)
            return replace(found, tried=observed.tried, tried_runs=found.tried)
        case ListPods() | ListMounts() | ListFormer():
            return await _listed(reader, observed, question)
        case ReadLog():
            return await reader.read_log(observed, question)
        case _:
            assert_never(question)


async def _listed(reader: Reader, observed: Observed, question: ListPods | ListMounts | ListFormer) -> Observed:
    match question:
        case ListPods():
            return await reader.list_pods(observed)
        case ListMounts():
            return await reader.list_mounts(observed)
        case ListFormer(selector):
            return await reader.list_former(observed, dict(selector))


def at_once(looking: Coroutine[Any, Any, T]) -> T:
    """What a look comes to whose reader and looker never wait. Raises RuntimeError where one does.

    Only what waits hands control back, to whoever would wake it later: an event loop. What never waits runs from its beginning to its end
    when it is first resumed, and needs none.
    """
    try:
        looking.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    looking.close()
    raise RuntimeError("the look waits for something: run it in an event loop")


def snapshot(
    body: Mapping[str, Any],
    children: Iterable[Manifest],
    *,
    service: Callable[[str], Manifest | None],
    needs: Callable[[str], frozenset[str]],
    crd_schema: str,
    dependents: Callable[[str], Iterable[Manifest]] = lambda _: (),
) -> Observed:
    """What is known of a service when a look at it begins.

    children: all that belongs to it, its actions among them; service: a HardenedService of its namespace by name, None where there is none;
    needs: the names of those that the HardenedService of this name depends on; dependents: those that depend on it, which is asked where a
    restore may have to stop them.
    """
    others = needed_services(body) | namesakes(str(body["metadata"]["name"]))
    found = {name: live for name in sorted(others) if (live := service(name)) is not None}
    seen = Observed.of(children, crd_schema=crd_schema)
    stopped = tuple(dependents(str(body["metadata"]["name"]))) if _is_restored(body, seen) else ()
    return replace(seen, services=found, needs=_all_needs(body, needs), dependents=stopped)


def _is_restored(body: Mapping[str, Any], seen: Observed) -> bool:
    """Whether its data is being restored, or will be, or somebody may ask for that in this look."""
    status = body.get("status") or {}
    is_asked = any(live["spec"].get("action") == RESTORE for live in seen.actions) or any(map(is_restore, entries_of(status)))
    return is_asked or hold_of(status) is not None or any(key.kind == "Job" and _restores(live) for key, live in seen.children.items())


def _restores(job: Manifest) -> bool:
    return (job["metadata"].get("labels") or {}).get(names.RUN_LABEL) == names.RESTORE


def _all_needs(body: Mapping[str, Any], needs: Callable[[str], frozenset[str]]) -> dict[str, frozenset[str]]:
    """What everything depends on that the service depends on, each looked up once."""
    found: dict[str, frozenset[str]] = {}
    left = set(named_services(body))
    while left:
        name = left.pop()
        found[name] = needs(name)
        left |= found[name] - found.keys()
    return found

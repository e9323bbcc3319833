"""What a release waits for before its first pod, and pods that wait for room, over the in-memory cluster in virtual time."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from tests.enumerations import Turn, one_of_seven, turns
from tests.memory.api_server import Call
from tests.shell import virtual_time
from tests.shell.moments import Moment, step_of_write
from tests.shell.operator_world import RELEASED, Killed, OperatorWorld, Strike, create_released, release, service
from tests.shell.test_release_flows import Watchman

from hardened.errors import ApiFailure, Refused, TryAgain
from hardened.shell.kinds import CONFIG_MAP, DEPLOYMENT, HARDENED_SERVICE, LIMIT_RANGE, NETWORK_POLICY, POD, RESOURCE_QUOTA, Kind

pytestmark = pytest.mark.one_of(3)

Body = dict[str, Any]
Step = Callable[[OperatorWorld], Any]
SETTINGS = [{"name": "LEVEL", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "level"}}}]


def limit(pods: int) -> Step:
    """Somebody makes a quota, or changes it."""

    async def make(world: OperatorWorld) -> None:
        spec = {"hard": {"pods": str(pods)}}
        if world.server.all(RESOURCE_QUOTA):
            await world.people.merge_patch(RESOURCE_QUOTA, "shop", "small", {"spec": spec})
        else:
            meta = {"name": "small", "namespace": "shop"}
            await world.people.create(RESOURCE_QUOTA, {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": spec})
        world.server.settle()

    return make


async def create_configured(world: OperatorWorld) -> None:
    """A service that needs a ConfigMap, from its first release on."""
    await world.people.create(HARDENED_SERVICE, service(**RELEASED, env=SETTINGS))


def configure(**data: str) -> Step:
    """Somebody makes that ConfigMap, or changes it."""

    async def make(world: OperatorWorld) -> None:
        if any(live["metadata"]["name"] == "settings" for live in world.server.all(CONFIG_MAP)):
            await world.people.merge_patch(CONFIG_MAP, "shop", "settings", {"data": data})
            return
        meta = {"name": "settings", "namespace": "shop"}
        await world.people.create(CONFIG_MAP, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data})

    return make


async def crowd(world: OperatorWorld) -> None:
    """A version for which there is no node."""
    world.server.store.homeless.add("large:1")
    await release("large:1")(world)


async def add_nodes(world: OperatorWorld) -> None:
    world.server.store.homeless.clear()
    world.server.settle()


def bar(part: str, words: str) -> Step:
    """From now on something on the cluster refuses pods with such a name; "" for none."""

    async def make(world: OperatorWorld) -> None:
        world.server.store.barred.clear()
        if part:
            world.server.store.barred[part] = words

    return make


async def deny(world: OperatorWorld) -> None:
    """Somebody closes every way in the namespace."""
    meta, spec = {"name": "default-deny", "namespace": "shop"}, {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    await world.people.create(
        NETWORK_POLICY, {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": spec}
    )


LIMITS = "maximum cpu usage per Container is 200m, but limit is 500m"
WATCHED = {"afterCutover": {"window": "2s", "checks": [{"name": "live", "tcp": {}}]}}
IN_PLACE = {**RELEASED["release"], "strategy": "RollingUpdate"}

FLOWS: dict[str, tuple[Step, ...]] = {
    "first quota": (limit(1), create_released, limit(9)),
    "quota": (create_released, limit(3), release("web:2"), limit(9)),
    "config": (create_configured, configure(other="x"), configure(level="info")),
    "room": (create_released, crowd, add_nodes),
    "probe": (create_released, bar("-cutover-", "exceeded quota: small"), release("web:2"), bar("", "")),
    "check": (create_released, bar("-after-", LIMITS), release("web:2", verify=WATCHED), bar("", "")),
    "denied": (deny, create_released, release("web:2", verify=WATCHED)),
    "in place": (create_released, bar("-cutover-", LIMITS), release("web:2", release=IN_PLACE), bar("", "")),
}


def seen(world: OperatorWorld) -> tuple[str, str, str, str, int]:
    """The step of the release, Ready's reason, whether it stalls, the phase, and how many pods are wanted."""
    found = world.server.all(HARDENED_SERVICE)
    status = found[0].get("status") or {} if found else {}
    conditions = {c["type"]: c for c in status.get("conditions", ())}
    words = [conditions.get("Ready", {}).get("reason", ""), conditions.get("Stalled", {}).get("status", "")]
    pods = sum(live["spec"]["replicas"] for live in world.server.all(DEPLOYMENT))
    return (status.get("release", {}).get("step", ""), words[0], words[1], status.get("phase", ""), pods)


def end(world: OperatorWorld) -> Body:
    """The state, less what is named after its time."""
    return {name: body for name, body in world.state().items() if not name.startswith("Pod ")}


@dataclass(frozen=True)
class Clean:
    """A flow without a kill. moments: before each step; seen, writes: after each; end: the state at the end."""

    moments: list[Moment[tuple[OperatorWorld, Watchman]]]
    seen: list[tuple[str, str, str, str, int]]
    writes: list[int]
    end: Body


@cache
def clean(name: str) -> Clean:
    """Played once."""

    async def play() -> Clean:
        world = OperatorWorld()
        watchman = Watchman(world)
        moments, found, writes = [], [], []
        for step in FLOWS[name]:
            moments.append(Moment((world, watchman)))
            await world.play(step)
            found.append(seen(world))
            writes.append(len(world.server.writes))
        return Clean(moments, found, writes, end(world))

    return virtual_time.run(play())


NOTHING, HEALTHY = ("", "", "", "", 0), ("", "Healthy", "False", "Healthy", 2)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("first quota", [NOTHING, ("Preflight", "QuotaExceeded", "False", "Pending", 0), HEALTHY]),
        ("quota", [HEALTHY, HEALTHY, ("Preflight", "QuotaExceeded", "False", "Progressing", 2), HEALTHY]),
        ("config", [("Preflight", "ConfigMissing", "True", "Degraded", 0), ("Preflight", "ConfigMissing", "True", "Degraded", 0), HEALTHY]),
        # The progress deadline is 10 s, and much more has passed by then.
        ("room", [HEALTHY, ("Preview", "Unschedulable", "False", "Progressing", 4), HEALTHY]),
        ("probe", [HEALTHY, HEALTHY, ("ScaleUp", "QuotaExceeded", "False", "Progressing", 4), HEALTHY]),
        ("check", [HEALTHY, HEALTHY, ("ScaleUp", "PodsRefused", "False", "Progressing", 4), HEALTHY]),
        ("denied", [NOTHING, HEALTHY, HEALTHY]),
        ("in place", [HEALTHY, HEALTHY, ("Preflight", "PodsRefused", "False", "Progressing", 2), HEALTHY]),
    ],
)
def test_it_waits_and_goes_on_by_itself(name: str, expected: list[tuple[str, str, str, str, int]]) -> None:
    assert clean(name).seen == expected


@pytest.mark.parametrize("turn", turns(1))
@pytest.mark.parametrize("name", one_of_seven((name,) for name in FLOWS))
def test_killed_at_any_write_of_it_it_ends_the_same(name: str, turn: Turn) -> None:
    flow = clean(name)
    for nth in turn.of(range(1, flow.writes[-1] + 1)):
        step, nth_of_step = step_of_write(nth, flow.writes)
        strike = Strike(nth_of_step, Killed)

        async def play(kept: tuple[OperatorWorld, Watchman], step: int = step, strike: Strike = strike) -> tuple[Body, list[str]]:
            world, watchman = kept
            world.server.before = strike
            await world.play(*FLOWS[name][step:])
            return end(world), watchman.wrongs

        found, wrongs = flow.moments[step].run(play)
        assert strike.has_struck
        assert wrongs == [], f"write {nth}"
        assert found == flow.end, f"write {nth}"


def test_where_the_quotas_may_not_be_listed_releases_go_on_without(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(call: Call) -> None:
        if (call.verb, call.kind) == ("list", RESOURCE_QUOTA):
            raise Refused("resourcequotas is forbidden", status=403)

    async def play() -> str:
        world = OperatorWorld()
        world.server.before = refuse
        with caplog.at_level("INFO", "hardened.shell.namespace_reader"):
            await world.play(limit(1), create_released, release("web:2"))
        return seen(world)[3]

    assert virtual_time.run(play()) == "Healthy"
    assert [record.levelname for record in caplog.records] == ["INFO"]


def test_pods_of_checks_that_are_refused_for_long_are_logged_once_each(caplog: pytest.LogCaptureFixture) -> None:
    checks = [{"name": "smoke", "tcp": {}}, {"name": "task", "job": {"command": ["true"], "deadline": "5s"}}]

    async def play() -> tuple[str, str, str, str, int]:
        world = OperatorWorld()
        with caplog.at_level("INFO", "hardened.shell.service_look"):
            await world.play(create_released, bar("-verify-", "exceeded quota: small"), release("web:2", verify={"beforeCutover": checks}))
        return seen(world)

    assert virtual_time.run(play())[:2] == ("VerifyBefore", "QuotaExceeded")
    assert sum("done without it" in record.getMessage() for record in caplog.records) == 2


def test_the_quotas_are_listed_for_a_release_and_at_no_other_time() -> None:
    def lists(world: OperatorWorld) -> int:
        return sum((call.verb, call.kind) == ("list", RESOURCE_QUOTA) for call in world.server.calls)

    async def later(world: OperatorWorld) -> None:
        await asyncio.sleep(3600)

    async def play() -> list[int]:
        world, found = OperatorWorld(), []
        for step in (create_released, later, release("web:2", replicas=3), later):
            await world.play(step)
            found.append(lists(world))
        return found

    assert virtual_time.run(play()) == [1, 1, 2, 2]


def test_where_config_maps_may_not_be_read_the_pods_tell_what_is_missing() -> None:
    def refuse(call: Call) -> None:
        if (call.verb, call.kind, call.name) == ("get", CONFIG_MAP, "settings"):
            raise Refused("configmaps is forbidden", status=403)

    async def play() -> str:
        world = OperatorWorld()
        world.server.before = refuse
        await world.play(create_configured)
        return str(world.server.all(HARDENED_SERVICE)[0]["status"]["phase"])

    assert virtual_time.run(play()) == "Healthy"


def told_of(world: OperatorWorld, kind: str = "Ready") -> str:
    (live,) = world.server.all(HARDENED_SERVICE)
    return next(str(each["message"]) for each in live["status"]["conditions"] if each["type"] == kind)


def fails(failure: ApiFailure, verb: str, kind: Kind, name: str | None = None) -> Step:
    """From now on such a call fails. name: None for that of a list."""

    def fail(call: Call) -> None:
        if (call.verb, call.kind, call.name) == (verb, kind, name):
            raise failure

    async def strike(world: OperatorWorld) -> None:
        world.server.before = fail

    return strike


async def mend(world: OperatorWorld) -> None:
    """No call fails any more."""
    world.server.before = None


@pytest.mark.parametrize(
    ("strike", "says"),
    [
        pytest.param(
            fails(Refused("networkpolicies is forbidden", status=403), "apply", NETWORK_POLICY, "web-verify"),
            "apply NetworkPolicy web-verify", id="their way may not be opened",
        ),
        pytest.param(
            fails(TryAgain("internal error", status=500), "list", LIMIT_RANGE),
            "list the LimitRanges and NetworkPolicies: internal error", id="nobody can say what is demanded of them",
        ),
    ],
)  # fmt: skip
def test_pods_whose_way_may_be_closed_are_not_made_and_the_version_waits(strike: Step, says: str) -> None:
    async def play() -> None:
        world = OperatorWorld()
        await world.play(deny, create_released, strike, release("web:2"))
        step, _, stalls, _, pods = seen(world)
        assert (step, stalls, pods) == ("ScaleUp", "False", 4)
        assert not [live for live in world.server.all(POD) if "-verify-" in live["metadata"]["name"]]
        assert says in told_of(world)
        await world.play(mend)
        assert seen(world) == HEALTHY

    virtual_time.run(play())

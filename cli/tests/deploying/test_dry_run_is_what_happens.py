"""What a dry run lists is what the operator then writes: each sample, and each turn of the flows, over the in-memory cluster."""

import asyncio
import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from memory_cluster import MemoryCluster
from tests.memory.api_server import Call, MemoryApiServer
from tests.shell import virtual_time
from tests.shell.operator_world import FLOW, RELEASED, RELEASES, Operator, OperatorWorld, asks, create_released, release, service, today
from tests.shell.test_backup_flows import BACKED_UP
from tests.shell.test_preflight_flows import configure, create_configured, limit

from hardenctl.deploying.observation import OnCluster
from hardenctl.deploying.preview import Change, preview
from hardenctl.deploying.settings import policy_of
from hardened.core.model.policy import Policy
from hardened.shell.kinds import DEPLOYMENT, EVENT, HARDENED_SERVICE, HARDENED_SERVICE_ACTION, SERVICE
from hardened.shell.settings import Settings
from hardened.shell.watches import CHILDREN, OPTIONAL

pytestmark = pytest.mark.one_of(3)

ROOT = Path(__file__).parents[3]
_FILES = [*sorted(ROOT.glob("manifests/samples/*.yaml")), *sorted(ROOT.glob("operator/tests/core/desired/golden/*.yaml"))]
SAMPLES = [pytest.param(path, id=f"{path.parent.name}-{path.stem}") for path in _FILES if not path.stem.endswith(".children")]
#: Virtual seconds in which the operator writes all that it can, while nothing of the cluster moves.
MOMENT = 0.2


#: The operator, as its chart writes it.
SETTINGS = {
    "HARDENED_VERIFIER_IMAGE": "hardened:1",
    "HARDENED_POD_LABEL_KEYS": "team",
    "HARDENED_POD_ANNOTATION_KEYS": "example.org/note,example.org/balancer",
    "HARDENED_SERVICE_ACCOUNT_ANNOTATION_KEYS": "example.org/*",
    "HARDENED_SERVICE_TYPES": "LoadBalancer",
}
_ENV = [{"name": name, "value": value} for name, value in SETTINGS.items()]
POLICY = policy_of(SETTINGS)
OPERATOR = {"spec": {"template": {"spec": {"containers": [{"name": "operator", "env": _ENV}]}}}}


Listed = dict[tuple[str, str], tuple[str, Any]]
_OWN = (HARDENED_SERVICE, HARDENED_SERVICE_ACTION, EVENT)


def listed(changes: tuple[Change, ...]) -> Listed:
    """Each child with what becomes of it, and as what it was written last."""
    return {tuple(change.key): (change.action, _essence(change.manifest)) for change in changes}


def _essence(manifest: Mapping[str, Any] | None) -> Any:
    """Without what makes a write a conditional one, and what is only known then: the owner, and digests of it."""
    if not manifest or manifest.get("kind") == "Pod":
        return None
    meta = {"labels": manifest["metadata"].get("labels")}
    return {**{k: v for k, v in manifest.items() if k != "status"}, "metadata": meta}


class Writes:
    """What the operator writes, by child of one service."""

    def __init__(self, server: MemoryApiServer, service: str) -> None:
        self._service = service
        self._there = {(kind, name) for kind, _, name in server.store.objects}
        self.found: Listed = {}
        server.after = self._saw

    def _saw(self, call: Call) -> None:
        if not call.is_write or call.kind in _OWN or not (call.name or "").startswith(self._service):
            return
        key = (call.kind.name, str(call.name))
        if call.verb == "delete":
            self.found[key] = ("delete", None)
        else:
            body = call.body if call.verb == "apply" else None
            self.found[key] = ("update" if key in self._there else "create", _essence(body))


async def told_and_done(world: OperatorWorld, name: str = "web") -> tuple[Listed, Listed, str]:
    """What a dry run lists of a service as it is now, and what an operator then writes that starts in this moment; and the obstacle."""
    body = copy.deepcopy(world.server.store.existing(HARDENED_SERVICE, "shop", name).body)
    seen = preview(body, "shop", MemoryCluster(world.server, OPERATOR), now=today())
    writes = Writes(world.server, name)
    operator = Operator(world.server, policy=POLICY)
    working = asyncio.create_task(operator.run())
    await asyncio.sleep(MOMENT)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    world.server.after = None
    return listed(seen.changes), writes.found, seen.obstacle


def _sample(path: Path) -> dict[str, Any]:
    body: dict[str, Any] = yaml.safe_load(path.read_text())
    return {**body, "metadata": {"name": body["metadata"]["name"], "namespace": "shop"}}


def creates(body: dict[str, Any]) -> Callable[[OperatorWorld], Any]:
    async def make(world: OperatorWorld) -> None:
        await world.people.create(HARDENED_SERVICE, body)

    return make


@pytest.mark.parametrize("path", SAMPLES)
def test_of_a_new_service_all_is_listed_that_is_written(path: Path) -> None:
    body = _sample(path)

    async def play() -> tuple[Listed, Listed, str]:
        world = OperatorWorld()
        await world.people.create(HARDENED_SERVICE, body)
        return await told_and_done(world, body["metadata"]["name"])

    told, done, _ = virtual_time.run(play())
    assert done
    assert told == done


@pytest.mark.parametrize("path", SAMPLES)
def test_of_a_settled_service_nothing_is_listed(path: Path) -> None:
    body = _sample(path)

    async def play() -> tuple[str, Listed, Listed, str]:
        world = OperatorWorld()
        world.policy = POLICY
        await world.play(creates(body))
        told, done, obstacle = await told_and_done(world, body["metadata"]["name"])
        return world.server.all(HARDENED_SERVICE)[0]["status"]["phase"], told, done, obstacle

    assert virtual_time.run(play()) == ("Healthy", {}, {}, "")


CHOICES: list[dict[str, str]] = [
    {},
    SETTINGS,
    {"HARDENED_POD_LABEL_KEYS": " a , b/*,,"},
    {"HARDENED_NAMESPACES": "shop"},
    {"HARDENED_NAMESPACES": "shop,market"},
    {"HARDENED_PROMETHEUS_SHARED": "Yes"},
    {"HARDENED_PROMETHEUS_SHARED": "0"},
    {"HARDENED_ALLOW_BASELINE": "off"},
    {"HARDENED_SERVICE_ANNOTATION_KEYS": "a.b/c", "HARDENED_SERVICE_TYPES": "LoadBalancer, NodePort"},
    {"HARDENED_VERIFIER_PULL_SECRETS": "mirror, a,", "HARDENED_VERIFIER_RESOURCES": '{"requests": {"cpu": 1}}'},
    {"HARDENED_LOAD_RESOURCES": '{"limits": {"memory": "1Gi"}}', "HARDENED_VERIFIER_RESOURCES": " "},
    {"HARDENED_BACKUP_IMAGE": "backup:1 ", "HARDENED_BACKUP_PULL_SECRETS": "b,a", "HARDENED_BACKUP_RESOURCES": '{"limits": {"cpu": 2}}'},
    {"HARDENED_PROMETHEUS_URL": " http://prometheus:9090"},
    {"HARDENED_CRASH_LOG_LINES": " 5 "},
]


def _policy(settings: dict[str, str]) -> Policy:
    return Settings.from_environ(settings | {"HARDENED_LEADER_ELECT": "false"}).policy


@pytest.mark.parametrize("settings", CHOICES)
def test_the_settings_of_the_operator_are_read_as_it_reads_them(settings: dict[str, str]) -> None:
    assert policy_of(settings) == _policy(settings)


def test_each_setting_of_what_is_allowed_is_among_those() -> None:
    of_old = vars(_policy({}))
    assert {name for settings in CHOICES for name, value in vars(_policy(settings)).items() if value != of_old[name]} == of_old.keys()


def test_every_kind_is_looked_at_that_the_operator_watches() -> None:
    cluster = MemoryCluster(MemoryApiServer(["shop"]), OPERATOR)
    OnCluster(cluster, "shop", "web").children()
    assert cluster.asked == {*CHILDREN, *OPTIONAL}


async def _told_all_along(world: OperatorWorld, *steps: Callable[[OperatorWorld], Any], name: str = "web") -> list[tuple[Listed, Listed]]:
    """At each moment of these steps, until the cluster has come to rest after each, what is told and what is done."""
    found = []
    for step in steps:
        await step(world)
        for _ in range(40):
            version = world.server.store.version
            told, done, _ = await told_and_done(world, name)
            found.append((told, done))
            world.server.settle()
            world.server.collect_garbage()
            await asyncio.sleep(5)
            if world.server.store.version == version:
                break
    return found


def _blue_green(**more: Any) -> dict[str, Any]:
    return {**RELEASED, "release": {**RELEASED["release"], **more}}


def _version(image: str, spec: dict[str, Any], **more: Any) -> Callable[[OperatorWorld], Any]:
    return release(image, **{**spec, **more})


async def _with_db(world: OperatorWorld) -> None:
    """A service that depends on one which serves already."""
    await world.play(creates({**service(**RELEASED), "metadata": {"name": "db", "namespace": "shop"}}))
    await creates(service(**RELEASED, dependsOn=[{"service": "db"}]))(world)


async def _db_goes(world: OperatorWorld) -> None:
    live = await world.people.get(HARDENED_SERVICE, "shop", "db")
    await world.people.delete(HARDENED_SERVICE, "shop", "db", uid=live["metadata"]["uid"])


async def _is_left_alone(world: OperatorWorld) -> None:
    """Nobody does anything; another operator takes over."""


async def _somebody_scales(world: OperatorWorld) -> None:
    await world.people.merge_patch(DEPLOYMENT, "shop", "web-blue", {"spec": {"replicas": 7}})


async def _somebody_deletes(world: OperatorWorld) -> None:
    live = await world.people.get(SERVICE, "shop", "web")
    await world.people.delete(SERVICE, "shop", "web", uid=live["metadata"]["uid"])


CHECKS = [{"name": "smoke", "http": {"path": "/", "port": "http"}}, {"name": "contract", "job": {"command": ["true"], "deadline": "5s"}}]
CHECKED = {**RELEASED, "verify": {"beforeCutover": CHECKS, "afterCutover": {"window": "2s"}}}
IN_PLACE, RECREATED = _blue_green(strategy="RollingUpdate"), _blue_green(strategy="Recreate")
MIGRATED = _blue_green(migrate={"command": ["true"], "deadline": "10s", "undo": {"command": ["true"]}})
BACKED_UP_FIRST = {**_blue_green(backupFirst="nightly"), **BACKED_UP}
FLOWS: dict[str, tuple[Callable[[OperatorWorld], Any], ...]] = {
    "releases": RELEASES,
    "another spec at each time": FLOW,
    "a rollback": (create_released, release("web:2"), asks("Rollback")),
    "actions": (create_released, asks("Pause"), release("web:2"), asks("Resume", "b"), asks("Restart", "c")),
    "approval": (create_released, _version("web:2", _blue_green(promotion="Manual"))),
    "in place": (creates(service(**IN_PLACE)), *(_version(image, IN_PLACE) for image in ("web:2", "dead:1", "web:3"))),
    "made anew": (creates(service(**RECREATED)), *(_version(image, RECREATED) for image in ("web:2", "dead:1", "web:3"))),
    "checks": (creates(service(**CHECKED)), *(_version(image, CHECKED) for image in ("web:2", "web:3"))),
    "a backup first": (create_released, _version("web:2", BACKED_UP_FIRST)),
    "a migration": (create_released, _version("web:2", MIGRATED), _version("web:3", RELEASED)),
    "suspended": (create_released, release("web:2", suspend=True), release("web:2", suspend=False)),
    "a dependency that goes": (_with_db, _db_goes, release("web:2", dependsOn=[{"service": "db"}])),
    "what others did": (create_released, _somebody_scales, _somebody_deletes, _is_left_alone),
}


@pytest.mark.parametrize("flow", FLOWS)
def test_at_each_moment_of_a_flow_what_is_listed_is_what_is_written(flow: str) -> None:
    moments = virtual_time.run(_told_all_along(OperatorWorld(), *FLOWS[flow]))
    for told, done in moments:
        # What the release waits for is listed as well.
        assert {key: told.get(key) for key in done} == done
        assert told.keys() == done.keys() or flow == "a dependency that goes"
    assert sum(bool(done) for _, done in moments) > 1


WAITING = {
    "a service": ([{"service": "db"}], "there is no HardenedService db in this namespace"),
    "an address": ([{"tcp": "redis:6379"}], "no connection could be made so far to redis:6379"),
    "both": (
        [{"service": "db"}, {"tcp": "redis:6379"}],
        "there is no HardenedService db in this namespace; no connection could be made so far",
    ),
}


@pytest.mark.parametrize("missing", WAITING)
def test_what_is_waited_for_is_said_and_what_comes_after_it_is_listed(missing: str) -> None:
    depends, expected = WAITING[missing]

    async def play() -> tuple[Listed, Listed, str]:
        world = OperatorWorld()
        await world.people.create(HARDENED_SERVICE, service(**RELEASED, dependsOn=depends))
        return await told_and_done(world)

    told, done, obstacle = virtual_time.run(play())
    assert {key: told.get(key) for key in done} == done
    assert ("Deployment", "web-blue") in told.keys() - done.keys()
    assert expected in obstacle


def test_a_quota_without_room_and_a_missing_config_map_are_said_and_what_comes_after_is_listed() -> None:
    async def play() -> list[tuple[Listed, Listed, str]]:
        found = []
        for prepare in (limit(1), _is_left_alone):
            world = OperatorWorld()
            await prepare(world)
            await create_configured(world)
            if prepare is not _is_left_alone:
                await configure(level="info")(world)
            found.append(await told_and_done(world))
        return found

    for (told, done, obstacle), expected in zip(
        virtual_time.run(play()), ("waits for room", "ConfigMap settings does not exist"), strict=True
    ):
        assert {key: told.get(key) for key in done} == done
        assert ("Deployment", "web-blue") in told.keys() - done.keys()
        assert expected in obstacle


def test_without_a_cluster_what_a_service_depends_on_is_taken_for_there() -> None:
    found = preview(service(**RELEASED, dependsOn=[{"service": "db"}, {"tcp": "redis:6379"}]), "shop")
    assert ("Deployment", "web-blue") in listed(found.changes)
    assert found.obstacle == ""

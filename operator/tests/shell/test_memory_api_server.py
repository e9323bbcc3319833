"""The in-memory cluster beyond the contract: what tests make of it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.memory.api_server import Call, MemoryApiServer
from tests.memory.defaults import quantity

from hardened.errors import LookAgain, Refused, TryAgain, Vanished
from hardened.failures import EXCEEDED_QUOTA
from hardened.shell.kinds import CONFIG_MAP, DEPLOYMENT, HARDENED_SERVICE, KINDS, SERVICE, Kind

Scenario = Callable[[MemoryApiServer], Awaitable[None]]


def play(scenario: Scenario) -> None:
    asyncio.run(scenario(MemoryApiServer(["shop"])))  # type: ignore[arg-type]


def config_map(name: str = "a", owner: str | None = None, **data: str) -> dict[str, Any]:
    meta: dict[str, Any] = {"namespace": "shop", "name": name}
    if owner is not None:
        meta["ownerReferences"] = [{"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": owner, "controller": True}]
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


def deployment(replicas: int = 2) -> dict[str, Any]:
    labels = {"app": "a"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "shop", "name": "a"}, "spec": spec}


def test_events_tell_every_change_with_a_growing_version() -> None:
    seen: list[tuple[str, str, int]] = []

    def note(event: str, kind: Kind, body: dict[str, Any]) -> None:
        seen.append((event, kind.name, int(body["metadata"]["resourceVersion"])))

    async def scenario(api: MemoryApiServer) -> None:
        api.on_event.append(note)
        made = await api.apply(CONFIG_MAP, config_map(x="1"), force=True)
        await api.apply(CONFIG_MAP, config_map(x="1"), force=True)
        await api.outsider("someone").merge_patch(CONFIG_MAP, "shop", "a", {"data": {"x": "2"}})
        await api.delete(CONFIG_MAP, "shop", "a", uid=made["metadata"]["uid"])

    play(scenario)
    assert [event for event, _, _ in seen] == ["ADDED", "MODIFIED", "DELETED"]
    versions = [version for _, _, version in seen]
    assert versions == sorted(set(versions))


def test_writes_are_counted_and_changes_apart_from_them() -> None:
    async def scenario(api: MemoryApiServer) -> None:
        await api.apply(CONFIG_MAP, config_map(x="1"), force=True)
        await api.apply(CONFIG_MAP, config_map(x="1"), force=True)
        await api.get(CONFIG_MAP, "shop", "a")
        await api.outsider("someone").merge_patch(CONFIG_MAP, "shop", "a", {"data": {"y": "2"}})
        with pytest.raises(LookAgain):
            await api.create(CONFIG_MAP, config_map())
        assert [call.verb for call in api.calls] == ["apply", "apply", "get", "create"]
        assert [call.verb for call in api.writes] == ["apply", "apply"]
        assert [call.verb for call in api.changes] == ["apply"]

    play(scenario)


@pytest.mark.parametrize(("hook", "written"), [("before", False), ("after", True)])
def test_a_lost_request_writes_nothing_and_a_lost_reply_does(hook: str, written: bool) -> None:
    async def scenario(api: MemoryApiServer) -> None:
        def lose(call: Call) -> None:
            raise TryAgain("lost")

        setattr(api, hook, lose)
        with pytest.raises(TryAgain):
            await api.apply(CONFIG_MAP, config_map(), force=True)
        assert bool(api.all(CONFIG_MAP)) is written
        assert bool(api.writes) is written

    play(scenario)


def test_what_comes_out_can_be_changed_without_changing_the_cluster() -> None:
    async def scenario(api: MemoryApiServer) -> None:
        given = config_map(x="1")
        (await api.apply(CONFIG_MAP, given, force=True))["data"]["x"] = "2"
        given["data"]["x"] = "3"
        (await api.list(CONFIG_MAP, "shop")).items[0]["data"]["x"] = "4"
        api.all(CONFIG_MAP)[0]["data"]["x"] = "5"
        assert (await api.get(CONFIG_MAP, "shop", "a"))["data"] == {"x": "1"}

    play(scenario)


def test_deployments_become_available_and_then_nothing_moves() -> None:
    async def scenario(api: MemoryApiServer) -> None:
        await api.apply(DEPLOYMENT, deployment(2), force=True)
        assert api.settle()
        body = await api.get(DEPLOYMENT, "shop", "a")
        status = {key: value for key, value in body["status"].items() if key != "conditions"}
        assert status == {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}
        assert {entry["type"]: entry["status"] for entry in body["status"]["conditions"]} == {"Available": "True", "Progressing": "True"}
        assert body["metadata"]["generation"] == 1
        assert api.settle() == 0
        # Nor does an apply: neither the status nor the controller's annotation is ours.
        assert await api.apply(DEPLOYMENT, deployment(2), force=False) == body

    play(scenario)


def test_a_stuck_deployment_never_has_more_than_it_had() -> None:
    async def scenario(api: MemoryApiServer) -> None:
        await api.apply(DEPLOYMENT, deployment(1), force=True)
        api.settle()
        api.store.stuck.add(("shop", "a"))
        await api.set_scale(DEPLOYMENT, "shop", "a", 3)
        api.settle()
        status = (await api.get(DEPLOYMENT, "shop", "a"))["status"]
        assert (status["replicas"], status["availableReplicas"], status["unavailableReplicas"]) == (3, 1, 2)
        assert {entry["type"]: entry["status"] for entry in status["conditions"]}["Available"] == "False"

    play(scenario)


@pytest.mark.parametrize(
    ("propagation", "at_once", "in_the_end"),
    [
        ("Background", {"child", "grandchild"}, set()),
        ("Foreground", {"owner", "child", "grandchild"}, set()),
        ("Orphan", {"child", "grandchild"}, {"child", "grandchild"}),
    ],
)
def test_what_has_lost_its_owners_is_collected(propagation: Any, at_once: set[str], in_the_end: set[str]) -> None:
    async def scenario(api: MemoryApiServer) -> None:
        owner = (await api.apply(CONFIG_MAP, config_map("owner"), force=True))["metadata"]["uid"]
        child = (await api.apply(CONFIG_MAP, config_map("child", owner), force=True))["metadata"]["uid"]
        await api.apply(CONFIG_MAP, config_map("grandchild", child), force=True)
        assert api.collect_garbage() == 0
        await api.delete(CONFIG_MAP, "shop", "owner", uid=owner, propagation=propagation)
        assert {body["metadata"]["name"] for body in api.all(CONFIG_MAP)} == at_once
        api.collect_garbage()
        assert {body["metadata"]["name"] for body in api.all(CONFIG_MAP)} == in_the_end

    play(scenario)


def test_a_namespace_that_ends_is_emptied() -> None:
    async def scenario(api: MemoryApiServer) -> None:
        await api.apply(CONFIG_MAP, config_map(), force=True)
        api.terminate_namespace("shop")
        assert api.collect_garbage() == 1
        with pytest.raises(Vanished):
            await api.apply(CONFIG_MAP, config_map(), force=True)
        api.add_namespace("shop")
        await api.apply(CONFIG_MAP, config_map(), force=True)

    play(scenario)


def test_a_quota_refuses_what_is_too_much() -> None:
    async def scenario(api: MemoryApiServer) -> None:
        api.store.quota["shop", "ConfigMap"] = 1
        await api.apply(CONFIG_MAP, config_map("a"), force=True)
        with pytest.raises(Refused) as caught:
            await api.apply(CONFIG_MAP, config_map("b"), force=True)
        assert (caught.value.status, caught.value.reason) == (403, EXCEEDED_QUOTA)
        await api.apply(CONFIG_MAP, config_map("a", x="1"), force=True)

    play(scenario)


def test_custom_resources_have_generation_status_and_scale() -> None:
    async def scenario(api: MemoryApiServer) -> None:
        def crd_default(body: dict[str, Any]) -> None:
            body.setdefault("status", {}).setdefault("observedGeneration", -1)

        api.store.defaults["HardenedService"] = crd_default
        person = api.outsider("kubectl")
        body = {"apiVersion": "hardened.dev/v1alpha1", "kind": "HardenedService", "metadata": {"namespace": "shop", "name": "web"}}
        made = await person.create(HARDENED_SERVICE, body | {"spec": {"image": "i:1"}, "status": {"forged": 1}})
        assert (made["metadata"]["generation"], made["status"]) == (1, {"observedGeneration": -1})
        status = {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}], "history": [{"revision": "a"}]}
        told = await api.apply_status(HARDENED_SERVICE, body | {"status": status})
        assert (told["metadata"]["generation"], told["status"]) == (1, status)
        assert await api.apply_status(HARDENED_SERVICE, body | {"status": status}) == told
        await api.set_scale(HARDENED_SERVICE, "shop", "web", 3)
        await person.merge_patch(HARDENED_SERVICE, "shop", "web", {"spec": {"image": "i:2"}})
        last = await api.get(HARDENED_SERVICE, "shop", "web")
        assert (last["metadata"]["generation"], last["spec"], last["status"]) == (3, {"image": "i:2", "replicas": 3}, status)
        await person.replace_status(HARDENED_SERVICE, "shop", "web", {"forged": 1})
        assert (await api.get(HARDENED_SERVICE, "shop", "web"))["status"] == {"forged": 1, "observedGeneration": -1}

    play(scenario)


def test_a_service_without_a_cluster_address_has_none() -> None:
    async def scenario(api: MemoryApiServer) -> None:
        meta = {"namespace": "shop", "name": "a"}
        spec = {"clusterIP": "None", "selector": {"a": "b"}}
        made = await api.apply(SERVICE, {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}, force=True)
        assert (made["spec"]["clusterIP"], made["spec"]["clusterIPs"]) == ("None", ["None"])

    play(scenario)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("1", "1"),
        ("1000m", "1"),
        ("0.5", "500m"),
        (0.25, "250m"),
        (2, "2"),
        ("1500m", "1500m"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("1000", "1k"),
        ("128M", "128M"),
        ("0", "0"),
        ("0Mi", "0"),
        ("100u", "100u"),
        ("512", "512"),
        ("0.5Ki", "512"),
        ("1.001Ki", "1025024m"),
        ("nonsense", "nonsense"),
    ],
)
def test_quantities_are_written_as_the_server_does(given: Any, expected: str) -> None:
    assert quantity(given) == expected


def test_every_kind_can_be_listed() -> None:
    async def scenario(api: MemoryApiServer) -> None:
        assert [(await api.list(kind, None)).items for kind in KINDS.values()] == [[] for _ in KINDS]

    play(scenario)

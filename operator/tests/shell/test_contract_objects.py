"""What the code relies on from an API server: objects are made, read, replaced and deleted."""

import asyncio
import itertools
from collections.abc import Callable

import pytest
from tests.memory.api_server import MemoryApiServer
from tests.shell.contract import ELSE, Check, Promises, Scratch, client, hold_in_memory, hold_on_a_cluster, is_kind, raised

from hardened.errors import ApiFailure, LookAgain, Refused, Vanished
from hardened.failures import EXCEEDED_QUOTA, NAMESPACE_TERMINATING
from hardened.shell.kinds import CONFIG_MAP, DEPLOYMENT, LEASE, SERVICE, Kind

promise = Promises()


#: Of a kind that no server knows.
NOBODYS = Kind("nobody.example", "v1", "things", "Thing", is_optional=True)


# ---- create, get, update


@promise
async def create_makes_an_object_once(w: Scratch) -> None:
    made = await w.api.create(CONFIG_MAP, w.config_map({"a": "1"}))
    assert made["metadata"]["uid"]
    assert made["metadata"]["resourceVersion"].isdecimal()
    assert (await w.now(CONFIG_MAP))["data"] == {"a": "1"}
    assert is_kind(await raised(w.api.create(CONFIG_MAP, w.config_map({}))), LookAgain, 409, "AlreadyExists")


@promise
async def of_a_kind_that_it_does_not_know_the_server_gives_no_reason(w: Scratch) -> None:
    assert is_kind(await raised(w.now(NOBODYS)), Vanished, 404, "")


@promise
async def what_is_not_there_has_vanished(w: Scratch) -> None:
    assert is_kind(await raised(w.now(CONFIG_MAP)), Vanished, 404, "NotFound")
    assert is_kind(await raised(w.api.update(CONFIG_MAP, w.config_map({}))), Vanished, 404, "NotFound")
    assert is_kind(await raised(w.api.merge_patch(CONFIG_MAP, w.namespace, w.name, {})), Vanished, 404, "NotFound")
    assert is_kind(await raised(w.api.delete(CONFIG_MAP, w.namespace, w.name, uid=ELSE)), Vanished, 404, "NotFound")
    assert is_kind(await raised(w.api.set_scale(DEPLOYMENT, w.namespace, w.name, 1)), Vanished, 404, "NotFound")
    status = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": w.meta(), "status": {"replicas": 1}}
    assert is_kind(await raised(w.api.apply_status(DEPLOYMENT, status)), Vanished, 404, "NotFound")


@promise
async def a_namespace_that_is_not_there_has_vanished(w: Scratch) -> None:
    body = w.config_map({})
    body["metadata"]["namespace"] = f"{w.name}-nowhere"
    assert is_kind(await raised(w.api.apply(CONFIG_MAP, body, force=True)), Vanished, 404, "NotFound")


@promise
async def a_put_is_a_compare_and_swap(w: Scratch) -> None:
    first = await w.api.create(LEASE, w.lease("a"))
    second = await w.api.update(LEASE, first | {"spec": first["spec"] | {"holderIdentity": "b"}})
    assert second["metadata"]["resourceVersion"] != first["metadata"]["resourceVersion"]
    assert is_kind(await raised(w.api.update(LEASE, first)), LookAgain, 409, "Conflict")
    assert (await w.now(LEASE))["spec"]["holderIdentity"] == "b"


@promise
async def a_put_of_a_lease_names_its_version_or_makes_it(w: Scratch) -> None:
    made = await w.api.update(LEASE, w.lease("a"))
    assert is_kind(await raised(w.api.update(LEASE, w.lease("b"))), Refused, 422, "Invalid")
    await w.api.delete(LEASE, w.namespace, w.name, uid=made["metadata"]["uid"])
    assert is_kind(await raised(w.api.update(LEASE, made)), LookAgain, 409, "Conflict")


@promise
async def a_merge_patch_lays_over_and_null_removes(w: Scratch) -> None:
    await w.api.create(CONFIG_MAP, w.config_map({"a": "1", "b": "2"}))
    patched = await w.api.merge_patch(CONFIG_MAP, w.namespace, w.name, {"data": {"a": None, "c": "3"}})
    assert patched["data"] == {"b": "2", "c": "3"}


@promise
async def a_lists_selector_is_honoured_and_items_say_what_they_are(w: Scratch) -> None:
    for number in range(5):
        body = w.config_map({}, labels={"of": w.name, "number": str(number)})
        body["metadata"]["name"] += f"-{number}"
        await w.api.create(CONFIG_MAP, body)
    listed = await w.api.list(CONFIG_MAP, w.namespace, f"of={w.name}", chunk=2)
    assert [item["metadata"]["labels"]["number"] for item in listed.items] == ["0", "1", "2", "3", "4"]
    assert {(item["apiVersion"], item["kind"]) for item in listed.items} == {("v1", "ConfigMap")}
    assert not any("managedFields" in item["metadata"] for item in listed.items)
    assert int(listed.version) >= max(int(item["metadata"]["resourceVersion"]) for item in listed.items)
    some = await w.api.list(CONFIG_MAP, None, f"of={w.name},number in (1,3),number!=3,!absent")
    assert [item["metadata"]["labels"]["number"] for item in some.items] == ["1"]
    assert is_kind(await raised(w.api.list(CONFIG_MAP, w.namespace, "a b")), Refused, 400, "BadRequest")


# ---- delete


@promise
async def a_delete_names_the_very_object(w: Scratch) -> None:
    meta = (await w.api.apply(CONFIG_MAP, w.config_map({}), force=True))["metadata"]
    assert is_kind(await raised(w.api.delete(CONFIG_MAP, w.namespace, w.name, uid=ELSE)), LookAgain, 409, "Conflict")
    error = await raised(w.api.delete(CONFIG_MAP, w.namespace, w.name, uid=meta["uid"], resource_version="1"))
    assert is_kind(error, LookAgain, 409, "Conflict")
    await w.api.delete(CONFIG_MAP, w.namespace, w.name, uid=meta["uid"], resource_version=meta["resourceVersion"])
    assert is_kind(await raised(w.now(CONFIG_MAP)), Vanished, 404, "NotFound")
    again = await w.api.apply(CONFIG_MAP, w.config_map({}), force=True)
    assert again["metadata"]["uid"] != meta["uid"]


@promise
async def a_finalizer_keeps_a_deleted_object_until_it_is_gone(w: Scratch) -> None:
    meta = (await w.api.apply(CONFIG_MAP, w.config_map({}, finalizers=["example.com/wait"]), force=True))["metadata"]
    await w.api.delete(CONFIG_MAP, w.namespace, w.name, uid=meta["uid"])
    assert "deletionTimestamp" in (await w.now(CONFIG_MAP))["metadata"]
    await w.api.merge_patch(CONFIG_MAP, w.namespace, w.name, {"metadata": {"finalizers": None}})
    assert is_kind(await raised(w.now(CONFIG_MAP)), Vanished, 404, "NotFound")


# ---- the two servers


@promise.each
def test_in_memory(check: Check) -> None:
    hold_in_memory(check)


@pytest.mark.cluster
@promise.each
def test_on_a_cluster(check: Check, real_namespace: str) -> None:
    hold_on_a_cluster(check, real_namespace)


# ---- namespaces that take nothing


def test_in_memory_an_ending_namespace_takes_nothing_new() -> None:
    server = MemoryApiServer(["shop"])
    server.terminate_namespace("shop")
    error = asyncio.run(raised(server.apply(CONFIG_MAP, Scratch(server, "shop", "thing").config_map({}), force=True)))
    assert is_kind(error, Refused, 403, NAMESPACE_TERMINATING)


@pytest.mark.cluster
def test_on_a_cluster_an_ending_namespace_takes_nothing_new(real_namespaces: Callable[[], str]) -> None:
    from kubernetes import client as typed

    async def run() -> ApiFailure:
        async with client() as api:
            world = Scratch(api, namespace, "thing")
            # The finalizer keeps the namespace in its end for as long as the test needs.
            made = await api.create(CONFIG_MAP, world.config_map({}, finalizers=["example.com/wait"]))
            typed.CoreV1Api().delete_namespace(namespace)
            other = Scratch(api, namespace, "other")
            error = await raised(api.apply(CONFIG_MAP, other.config_map({}), force=True))
            await api.merge_patch(CONFIG_MAP, namespace, made["metadata"]["name"], {"metadata": {"finalizers": None}})
            return error

    namespace = real_namespaces()
    assert is_kind(asyncio.run(run()), Refused, 403, NAMESPACE_TERMINATING)


@pytest.mark.cluster
def test_on_a_cluster_a_quota_is_told_from_a_lack_of_rights(real_namespaces: Callable[[], str]) -> None:
    from kubernetes import client as typed

    namespace = real_namespaces()
    quota = {"metadata": {"name": "none"}, "spec": {"hard": {"count/services": "0"}}}
    typed.CoreV1Api().create_namespaced_resource_quota(namespace, quota)

    async def run() -> ApiFailure:
        async with client() as api, asyncio.timeout(30):
            for number in itertools.count():
                try:
                    await api.apply(SERVICE, Scratch(api, namespace, f"thing-{number}").service({"port": 80}), force=True)
                except ApiFailure as failure:
                    return failure
                await asyncio.sleep(0.1)  # nothing tells when the server has heard of the quota
        raise AssertionError("unreachable: it counts for ever")

    assert is_kind(asyncio.run(run()), Refused, 403, EXCEEDED_QUOTA)

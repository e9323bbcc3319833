"""What the code relies on from an API server: server-side apply, and what it does to the smaller kinds."""

import pytest
from tests.shell.contract import ELSE, Check, Promises, Scratch, hold_in_memory, hold_on_a_cluster, is_kind, raised

from hardened.errors import LookAgain, Refused, Vanished
from hardened.shell.api_server import Body
from hardened.shell.kinds import CONFIG_MAP, CONTROLLER_REVISION, SERVICE

promise = Promises()


# ---- server-side apply


@promise
async def an_apply_makes_and_then_updates(w: Scratch) -> None:
    made = await w.api.apply(CONFIG_MAP, w.config_map({"a": "1"}), force=False)
    updated = await w.api.apply(CONFIG_MAP, w.config_map({"a": "2"}), force=False)
    assert updated["metadata"]["uid"] == made["metadata"]["uid"]
    assert int(updated["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])
    assert updated["data"] == {"a": "2"}


@promise
async def an_apply_that_changes_nothing_keeps_the_resource_version(w: Scratch) -> None:
    made = await w.api.apply(CONFIG_MAP, w.config_map({"a": "1"}, labels={"x": "y"}), force=True)
    again = await w.api.apply(CONFIG_MAP, w.config_map({"a": "1"}, labels={"x": "y"}), force=True)
    assert again == made


@promise
async def an_apply_gives_up_what_it_no_longer_names(w: Scratch) -> None:
    await w.api.apply(CONFIG_MAP, w.config_map({"a": "1", "b": "2"}, labels={"x": "y"}, annotations={"n": "1"}), force=True)
    left = await w.api.apply(CONFIG_MAP, w.config_map({"a": "1"}, annotations={"m": "1"}), force=True)
    assert left["data"] == {"a": "1"}
    assert "labels" not in left["metadata"]
    assert left["metadata"]["annotations"] == {"m": "1"}


@promise
async def an_apply_leaves_what_others_added(w: Scratch) -> None:
    await w.api.apply(CONFIG_MAP, w.config_map({"a": "1"}), force=True)
    await w.api.merge_patch(CONFIG_MAP, w.namespace, w.name, {"data": {"theirs": "1"}, "metadata": {"annotations": {"note": "hi"}}})
    kept = await w.api.apply(CONFIG_MAP, w.config_map({"a": "2"}), force=True)
    assert kept["data"] == {"a": "2", "theirs": "1"}
    assert kept["metadata"]["annotations"] == {"note": "hi"}


@promise
async def an_apply_conflicts_with_another_owner_unless_forced(w: Scratch) -> None:
    # Who creates or patches is another manager than who applies, even under one name.
    await w.api.create(CONFIG_MAP, w.config_map({"a": "theirs"}))
    assert is_kind(await raised(w.api.apply(CONFIG_MAP, w.config_map({"a": "ours"}), force=False)), LookAgain, 409, "Conflict")
    assert (await w.now(CONFIG_MAP))["data"] == {"a": "theirs"}
    assert (await w.api.apply(CONFIG_MAP, w.config_map({"a": "ours"}), force=True))["data"] == {"a": "ours"}


@promise
async def an_apply_of_an_equal_value_shares_it(w: Scratch) -> None:
    await w.api.create(CONFIG_MAP, w.config_map({"a": "1"}))
    await w.api.apply(CONFIG_MAP, w.config_map({"a": "1", "b": "1"}), force=False)
    # What two own stays when one of them gives it up.
    assert (await w.api.apply(CONFIG_MAP, w.config_map({"b": "1"}), force=False))["data"] == {"a": "1", "b": "1"}


@promise
async def an_apply_with_the_uid_of_another_object_is_not_taken(w: Scratch) -> None:
    made = await w.api.apply(CONFIG_MAP, w.config_map({"a": "1"}), force=True)
    error = await raised(w.api.apply(CONFIG_MAP, w.config_map({"a": "2"}, uid=ELSE), force=True))
    assert isinstance(error, LookAgain)
    assert (await w.api.apply(CONFIG_MAP, w.config_map({"a": "3"}, uid=made["metadata"]["uid"]), force=True))["data"] == {"a": "3"}


@promise
async def an_apply_with_a_uid_never_makes_an_object(w: Scratch) -> None:
    assert is_kind(await raised(w.api.apply(CONFIG_MAP, w.config_map({}, uid=ELSE), force=True)), LookAgain, 409, "Conflict")
    assert is_kind(await raised(w.now(CONFIG_MAP)), Vanished, 404, "NotFound")


@promise
async def an_apply_with_a_resource_version_is_a_compare_and_swap(w: Scratch) -> None:
    made = await w.api.apply(CONFIG_MAP, w.config_map({"a": "1"}), force=True)
    version = made["metadata"]["resourceVersion"]
    await w.api.apply(CONFIG_MAP, w.config_map({"a": "2"}, resourceVersion=version), force=True)
    error = await raised(w.api.apply(CONFIG_MAP, w.config_map({"a": "3"}, resourceVersion=version), force=True))
    assert is_kind(error, LookAgain, 409, "Conflict")


@promise
async def an_apply_with_a_resource_version_alone_makes_what_is_gone(w: Scratch) -> None:
    assert (await w.api.apply(CONFIG_MAP, w.config_map({"a": "1"}, resourceVersion="1"), force=True))["data"] == {"a": "1"}


@promise
async def text_beyond_ascii_survives_an_apply(w: Scratch) -> None:
    text = '\U0001f680 é \x85 \u2028 \x7f \ufeff \x01 \\ud83d " \t\n end'
    assert (await w.api.apply(CONFIG_MAP, w.config_map({"a": text}), force=True))["data"] == {"a": text}


@promise
async def a_malformed_apply_is_refused(w: Scratch) -> None:
    assert is_kind(await raised(w.api.apply(CONFIG_MAP, {"metadata": w.meta()}, force=True)), Refused, 400, "BadRequest")
    body = w.config_map({}, managedFields=[{"manager": "someone"}])
    assert is_kind(await raised(w.api.apply(CONFIG_MAP, body, force=True)), Refused, 400, "BadRequest")
    assert is_kind(await raised(w.api.apply(CONFIG_MAP, w.config_map({}, labels={"a": "b c"}), force=True)), Refused, 422, "Invalid")


@promise
async def what_does_not_fit_the_schema_is_refused(w: Scratch) -> None:
    assert isinstance(await raised(w.api.apply(CONFIG_MAP, w.config_map({"a": 1}), force=True)), Refused)  # type: ignore[dict-item]
    assert isinstance(await raised(w.api.apply(CONFIG_MAP, w.config_map({}) | {"dat": {}}, force=True)), Refused)


# ---- services, revisions


@promise
async def a_service_gets_its_address_and_keeps_it(w: Scratch) -> None:
    made = await w.api.apply(SERVICE, w.service({"name": "http", "port": 80}), force=True)
    spec = made["spec"]
    assert spec["ports"] == [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 80}]
    assert spec["clusterIPs"] == [spec["clusterIP"]]
    rest = {"type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster", "ipFamilyPolicy": "SingleStack"}
    assert {key: spec[key] for key in rest} == rest
    moved = await w.api.apply(SERVICE, w.service({"name": "web", "port": 8080, "targetPort": "web"}), force=True)
    assert moved["spec"]["ports"] == [{"name": "web", "port": 8080, "protocol": "TCP", "targetPort": "web"}]
    assert moved["spec"]["clusterIP"] == spec["clusterIP"]
    assert await w.api.apply(SERVICE, w.service({"name": "web", "port": 8080, "targetPort": "web"}), force=True) == moved


@promise
async def a_service_changes_its_type(w: Scratch) -> None:
    async def typed(**spec: str) -> Body:
        body = w.service({"name": "http", "port": 80})
        body["spec"] |= spec
        return (await w.api.apply(SERVICE, body, force=True))["spec"]  # type: ignore[no-any-return]

    open_ = await typed(type="NodePort", sessionAffinity="ClientIP")
    assert open_["ports"][0]["nodePort"] >= 30000
    assert (open_["externalTrafficPolicy"], open_["sessionAffinityConfig"]) == ("Cluster", {"clientIP": {"timeoutSeconds": 10800}})
    closed = await typed(type="ClusterIP")
    assert "nodePort" not in closed["ports"][0]
    assert not {"externalTrafficPolicy", "sessionAffinityConfig"} & closed.keys()
    assert closed["clusterIP"] == open_["clusterIP"]


@promise
async def a_service_never_becomes_headless_nor_ceases_to_be(w: Scratch) -> None:
    plain = w.service({"name": "http", "port": 80})
    headless = plain | {"spec": plain["spec"] | {"clusterIP": "None"}}
    await w.api.apply(SERVICE, headless, force=True)
    assert (await w.api.apply(SERVICE, plain, force=True))["spec"]["clusterIP"] == "None", "what it is to be is dropped without a word"
    await w.api.delete(SERVICE, w.namespace, w.name, uid=(await w.now(SERVICE))["metadata"]["uid"])
    await w.api.apply(SERVICE, plain, force=True)
    assert is_kind(await raised(w.api.apply(SERVICE, headless, force=True)), Refused, 422, "Invalid")


@promise
async def a_services_selector_is_replaced_as_a_whole(w: Scratch) -> None:
    await w.api.apply(SERVICE, w.service({"port": 80}), force=True)
    body = w.service({"port": 80})
    body["spec"]["selector"] = {"color": "green"}
    assert (await w.api.apply(SERVICE, body, force=True))["spec"]["selector"] == {"color": "green"}


@promise
async def a_controller_revisions_data_is_kept_and_never_changes(w: Scratch) -> None:
    data = {"template": {"list": [1, {"a": None}], "float": 0.5}}
    await w.api.apply(CONTROLLER_REVISION, w.controller_revision(data), force=True)
    assert (await w.now(CONTROLLER_REVISION))["data"]["template"]["float"] == 0.5
    error = await raised(w.api.apply(CONTROLLER_REVISION, w.controller_revision({"template": 2}), force=True))
    assert is_kind(error, Refused, 422, "Invalid")


@promise
async def an_immutable_config_map_does_not_change(w: Scratch) -> None:
    await w.api.apply(CONFIG_MAP, w.config_map({"a": "1"}) | {"immutable": True}, force=True)
    assert is_kind(
        await raised(w.api.apply(CONFIG_MAP, w.config_map({"a": "2"}) | {"immutable": True}, force=True)), Refused, 422, "Invalid"
    )


@promise
async def what_is_tried_is_not_made_and_is_refused_as_it_would_be(w: Scratch) -> None:
    await w.api.try_out(CONFIG_MAP, w.config_map({"a": "1"}))
    assert is_kind(await raised(w.now(CONFIG_MAP)), Vanished, 404, "NotFound")
    wrong = w.service({"port": 80})
    wrong["spec"]["ports"] = []
    assert is_kind(await raised(w.api.try_out(SERVICE, wrong)), Refused, 422, "Invalid")
    assert is_kind(await raised(w.now(SERVICE)), Vanished, 404, "NotFound")


# ---- the two servers


@promise.each
def test_in_memory(check: Check) -> None:
    hold_in_memory(check)


@pytest.mark.cluster
@promise.each
def test_on_a_cluster(check: Check, real_namespace: str) -> None:
    hold_on_a_cluster(check, real_namespace)

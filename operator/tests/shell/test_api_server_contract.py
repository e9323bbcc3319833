"""What the code relies on from an API server, as one table that the in-memory one and a real one must both satisfy.

The real one is the cluster that $KUBECONFIG names; those tests carry the marker `cluster`.
"""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.memory.api_server import MemoryApiServer

from hardened.errors import ApiFailure, LookAgain, Refused, Vanished
from hardened.shell.api_server import EXCEEDED_QUOTA, NAMESPACE_TERMINATING, ApiServer, Body
from hardened.shell.client import connect
from hardened.shell.kinds import CONFIG_MAP, CONTROLLER_REVISION, DEPLOYMENT, LEASE, SERVICE, Kind

ELSE = "00000000-0000-4000-8000-999999999999"


@dataclass
class World:
    """One server, a namespace in it, and a name that no other test uses."""

    api: ApiServer
    namespace: str
    name: str

    def meta(self, **more: object) -> Body:
        return {"namespace": self.namespace, "name": self.name, **more}

    def config_map(self, data: dict[str, str], **meta: object) -> Body:
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": self.meta(**meta), "data": data}

    def lease(self, holder: str, **meta: object) -> Body:
        spec = {"holderIdentity": holder, "leaseDurationSeconds": 15}
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": self.meta(**meta), "spec": spec}

    def controller_revision(self, data: Body) -> Body:
        return {"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": self.meta(), "revision": 1, "data": data}

    def service(self, *ports: Body, **meta: object) -> Body:
        spec = {"selector": {"app": self.name}, "ports": list(ports)}
        return {"apiVersion": "v1", "kind": "Service", "metadata": self.meta(**meta), "spec": spec}

    def deployment(self, *containers: Body, replicas: int | None = 0, **meta: object) -> Body:
        labels = {"app": self.name}
        template: Body = {"metadata": {"labels": labels}, "spec": {"containers": list(containers or ({"name": "web", "image": "web:1"},))}}
        spec: Body = {"selector": {"matchLabels": labels}, "template": template}
        if replicas is not None:
            spec["replicas"] = replicas
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": self.meta(**meta), "spec": spec}

    async def now(self, kind: Kind) -> Body:
        return await self.api.get(kind, self.namespace, self.name)


Check = Callable[[World], Awaitable[None]]
CHECKS: list[Check] = []


def promise(check: Check) -> Check:
    CHECKS.append(check)
    return check


async def raised(call: Awaitable[object]) -> ApiFailure:
    with pytest.raises(ApiFailure) as caught:
        await call
    return caught.value


def is_kind(error: ApiFailure, class_: type[ApiFailure], status: int, reason: str) -> bool:
    assert (type(error), error.status, error.reason) == (class_, status, reason), repr(error)
    return True


# ---- create, get, update


@promise
async def create_makes_an_object_once(w: World) -> None:
    made = await w.api.create(CONFIG_MAP, w.config_map({"a": "1"}))
    assert made["metadata"]["uid"]
    assert made["metadata"]["resourceVersion"].isdecimal()
    assert (await w.now(CONFIG_MAP))["data"] == {"a": "1"}
    assert is_kind(await raised(w.api.create(CONFIG_MAP, w.config_map({}))), LookAgain, 409, "AlreadyExists")


@promise
async def what_is_not_there_has_vanished(w: World) -> None:
    assert is_kind(await raised(w.now(CONFIG_MAP)), Vanished, 404, "NotFound")
    assert is_kind(await raised(w.api.update(CONFIG_MAP, w.config_map({}))), Vanished, 404, "NotFound")
    assert is_kind(await raised(w.api.merge_patch(CONFIG_MAP, w.namespace, w.name, {})), Vanished, 404, "NotFound")
    assert is_kind(await raised(w.api.delete(CONFIG_MAP, w.namespace, w.name, uid=ELSE)), Vanished, 404, "NotFound")
    assert is_kind(await raised(w.api.set_scale(DEPLOYMENT, w.namespace, w.name, 1)), Vanished, 404, "NotFound")
    status = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": w.meta(), "status": {"replicas": 1}}
    assert is_kind(await raised(w.api.apply_status(DEPLOYMENT, status)), Vanished, 404, "NotFound")


@promise
async def a_namespace_that_is_not_there_has_vanished(w: World) -> None:
    body = w.config_map({})
    body["metadata"]["namespace"] = f"{w.name}-nowhere"
    assert is_kind(await raised(w.api.apply(CONFIG_MAP, body, force=True)), Vanished, 404, "NotFound")


@promise
async def a_put_is_a_compare_and_swap(w: World) -> None:
    first = await w.api.create(LEASE, w.lease("a"))
    second = await w.api.update(LEASE, first | {"spec": first["spec"] | {"holderIdentity": "b"}})
    assert second["metadata"]["resourceVersion"] != first["metadata"]["resourceVersion"]
    assert is_kind(await raised(w.api.update(LEASE, first)), LookAgain, 409, "Conflict")
    assert (await w.now(LEASE))["spec"]["holderIdentity"] == "b"


@promise
async def a_put_of_a_lease_names_its_version_or_makes_it(w: World) -> None:
    made = await w.api.update(LEASE, w.lease("a"))
    assert is_kind(await raised(w.api.update(LEASE, w.lease("b"))), Refused, 422, "Invalid")
    await w.api.delete(LEASE, w.namespace, w.name, uid=made["metadata"]["uid"])
    assert is_kind(await raised(w.api.update(LEASE, made)), LookAgain, 409, "Conflict")


@promise
async def a_merge_patch_lays_over_and_null_removes(w: World) -> None:
    await w.api.create(CONFIG_MAP, w.config_map({"a": "1", "b": "2"}))
    patched = await w.api.merge_patch(CONFIG_MAP, w.namespace, w.name, {"data": {"a": None, "c": "3"}})
    assert patched["data"] == {"b": "2", "c": "3"}


@promise
async def a_lists_selector_is_honoured_and_items_say_what_they_are(w: World) -> None:
    for number in range(5):
        body = w.config_map({}, labels={"of": w.name, "number": str(number)})
        body["metadata"]["name"] += f"-{number}"
        await w.api.create(CONFIG_MAP, body)
    listed = await w.api.list(CONFIG_MAP, w.namespace, f"of={w.name}", chunk=2)
    assert [item["metadata"]["labels"]["number"] for item in listed] == ["0", "1", "2", "3", "4"]
    assert {(item["apiVersion"], item["kind"]) for item in listed} == {("v1", "ConfigMap")}
    assert not any("managedFields" in item["metadata"] for item in listed)
    some = await w.api.list(CONFIG_MAP, None, f"of={w.name},number in (1,3),number!=3,!absent")
    assert [item["metadata"]["labels"]["number"] for item in some] == ["1"]
    assert is_kind(await raised(w.api.list(CONFIG_MAP, w.namespace, "a b")), Refused, 400, "BadRequest")


# ---- server-side apply


@promise
async def an_apply_makes_and_then_updates(w: World) -> None:
    made = await w.api.apply(CONFIG_MAP, w.config_map({"a": "1"}), force=False)
    updated = await w.api.apply(CONFIG_MAP, w.config_map({"a": "2"}), force=False)
    assert updated["metadata"]["uid"] == made["metadata"]["uid"]
    assert int(updated["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])
    assert updated["data"] == {"a": "2"}


@promise
async def an_apply_that_changes_nothing_keeps_the_resource_version(w: World) -> None:
    made = await w.api.apply(CONFIG_MAP, w.config_map({"a": "1"}, labels={"x": "y"}), force=True)
    again = await w.api.apply(CONFIG_MAP, w.config_map({"a": "1"}, labels={"x": "y"}), force=True)
    assert again == made


@promise
async def an_apply_gives_up_what_it_no_longer_names(w: World) -> None:
    await w.api.apply(CONFIG_MAP, w.config_map({"a": "1", "b": "2"}, labels={"x": "y"}, annotations={"n": "1"}), force=True)
    left = await w.api.apply(CONFIG_MAP, w.config_map({"a": "1"}, annotations={"m": "1"}), force=True)
    assert left["data"] == {"a": "1"}
    assert "labels" not in left["metadata"]
    assert left["metadata"]["annotations"] == {"m": "1"}


@promise
async def an_apply_leaves_what_others_added(w: World) -> None:
    await w.api.apply(CONFIG_MAP, w.config_map({"a": "1"}), force=True)
    await w.api.merge_patch(CONFIG_MAP, w.namespace, w.name, {"data": {"theirs": "1"}, "metadata": {"annotations": {"note": "hi"}}})
    kept = await w.api.apply(CONFIG_MAP, w.config_map({"a": "2"}), force=True)
    assert kept["data"] == {"a": "2", "theirs": "1"}
    assert kept["metadata"]["annotations"] == {"note": "hi"}


@promise
async def an_apply_conflicts_with_another_owner_unless_forced(w: World) -> None:
    # Who creates or patches is another manager than who applies, even under one name.
    await w.api.create(CONFIG_MAP, w.config_map({"a": "theirs"}))
    assert is_kind(await raised(w.api.apply(CONFIG_MAP, w.config_map({"a": "ours"}), force=False)), LookAgain, 409, "Conflict")
    assert (await w.now(CONFIG_MAP))["data"] == {"a": "theirs"}
    assert (await w.api.apply(CONFIG_MAP, w.config_map({"a": "ours"}), force=True))["data"] == {"a": "ours"}


@promise
async def an_apply_of_an_equal_value_shares_it(w: World) -> None:
    await w.api.create(CONFIG_MAP, w.config_map({"a": "1"}))
    await w.api.apply(CONFIG_MAP, w.config_map({"a": "1", "b": "1"}), force=False)
    # What two own stays when one of them gives it up.
    assert (await w.api.apply(CONFIG_MAP, w.config_map({"b": "1"}), force=False))["data"] == {"a": "1", "b": "1"}


@promise
async def an_apply_with_the_uid_of_another_object_is_not_taken(w: World) -> None:
    made = await w.api.apply(CONFIG_MAP, w.config_map({"a": "1"}), force=True)
    error = await raised(w.api.apply(CONFIG_MAP, w.config_map({"a": "2"}, uid=ELSE), force=True))
    assert isinstance(error, LookAgain)
    assert (await w.api.apply(CONFIG_MAP, w.config_map({"a": "3"}, uid=made["metadata"]["uid"]), force=True))["data"] == {"a": "3"}


@promise
async def an_apply_with_a_uid_never_makes_an_object(w: World) -> None:
    assert is_kind(await raised(w.api.apply(CONFIG_MAP, w.config_map({}, uid=ELSE), force=True)), LookAgain, 409, "Conflict")
    assert is_kind(await raised(w.now(CONFIG_MAP)), Vanished, 404, "NotFound")


@promise
async def an_apply_with_a_resource_version_is_a_compare_and_swap(w: World) -> None:
    made = await w.api.apply(CONFIG_MAP, w.config_map({"a": "1"}), force=True)
    version = made["metadata"]["resourceVersion"]
    await w.api.apply(CONFIG_MAP, w.config_map({"a": "2"}, resourceVersion=version), force=True)
    error = await raised(w.api.apply(CONFIG_MAP, w.config_map({"a": "3"}, resourceVersion=version), force=True))
    assert is_kind(error, LookAgain, 409, "Conflict")


@promise
async def an_apply_with_a_resource_version_alone_makes_what_is_gone(w: World) -> None:
    assert (await w.api.apply(CONFIG_MAP, w.config_map({"a": "1"}, resourceVersion="1"), force=True))["data"] == {"a": "1"}


@promise
async def text_beyond_ascii_survives_an_apply(w: World) -> None:
    text = '\U0001f680 é \x85 \u2028 \x7f \ufeff \x01 \\ud83d " \t\n end'
    assert (await w.api.apply(CONFIG_MAP, w.config_map({"a": text}), force=True))["data"] == {"a": text}


@promise
async def a_malformed_apply_is_refused(w: World) -> None:
    assert is_kind(await raised(w.api.apply(CONFIG_MAP, {"metadata": w.meta()}, force=True)), Refused, 400, "BadRequest")
    body = w.config_map({}, managedFields=[{"manager": "someone"}])
    assert is_kind(await raised(w.api.apply(CONFIG_MAP, body, force=True)), Refused, 400, "BadRequest")
    assert is_kind(await raised(w.api.apply(CONFIG_MAP, w.config_map({}, labels={"a": "b c"}), force=True)), Refused, 422, "Invalid")


@promise
async def what_does_not_fit_the_schema_is_refused(w: World) -> None:
    assert isinstance(await raised(w.api.apply(CONFIG_MAP, w.config_map({"a": 1}), force=True)), Refused)  # type: ignore[dict-item]
    assert isinstance(await raised(w.api.apply(CONFIG_MAP, w.config_map({}) | {"dat": {}}, force=True)), Refused)


# ---- deployments


@promise
async def a_deployment_gets_its_defaults_and_they_belong_to_nobody(w: World) -> None:
    container = {
        "name": "web",
        "image": "web:1",
        "ports": [{"containerPort": 80}],
        "resources": {"limits": {"cpu": "1000m", "memory": "1.5Gi", "ephemeral-storage": "1.001Ki"}},
    }
    made = await w.api.apply(DEPLOYMENT, w.deployment(container), force=True)
    pod = made["spec"]["template"]["spec"]
    assert made["spec"]["progressDeadlineSeconds"] == 600
    assert made["spec"]["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}
    assert made["spec"]["revisionHistoryLimit"] == 10
    assert {key: pod[key] for key in pod if key != "containers"} == {
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "securityContext": {},
        "schedulerName": "default-scheduler",
    }
    assert pod["containers"] == [
        {
            "name": "web",
            "image": "web:1",
            "ports": [{"containerPort": 80, "protocol": "TCP"}],
            "resources": {"limits": {"cpu": "1", "memory": "1536Mi", "ephemeral-storage": "1025024m"}},
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
            "imagePullPolicy": "IfNotPresent",
        }
    ]
    (entry,) = made["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"], entry["fieldsType"]) == ("hardened", "Apply", "FieldsV1")
    assert entry["fieldsV1"] == {
        "f:spec": {
            "f:replicas": {},
            "f:selector": {},
            "f:template": {
                "f:metadata": {"f:labels": {"f:app": {}}},
                "f:spec": {
                    "f:containers": {
                        'k:{"name":"web"}': {
                            ".": {},
                            "f:image": {},
                            "f:name": {},
                            "f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}},
                            "f:resources": {"f:limits": {"f:cpu": {}, "f:ephemeral-storage": {}, "f:memory": {}}},
                        }
                    }
                },
            },
        }
    }


@promise
async def probes_and_volumes_get_their_defaults(w: World) -> None:
    container = {
        "name": "web",
        "image": "web@sha256:" + "0" * 64,
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}},
        "livenessProbe": {"tcpSocket": {"port": 80}, "periodSeconds": 3},
        "startupProbe": {"grpc": {"port": 80}},
        "env": [{"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "volumeMounts": [{"name": "files", "mountPath": "/files"}],
        "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
    }
    body = w.deployment(container)
    body["spec"]["template"]["spec"] |= {
        "serviceAccountName": "web",
        "volumes": [{"name": "files", "configMap": {"name": "files"}}, {"name": "tmp", "emptyDir": {"sizeLimit": "1024Mi"}}],
    }
    pod = (await w.api.apply(DEPLOYMENT, body, force=True))["spec"]["template"]["spec"]
    got = pod["containers"][0]
    rest = {"timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 3}
    assert got["readinessProbe"] == {"httpGet": {"path": "/ready", "port": "http", "scheme": "HTTP"}, "periodSeconds": 10, **rest}
    assert got["livenessProbe"] == {"tcpSocket": {"port": 80}, "periodSeconds": 3, **rest}
    assert got["startupProbe"] == {"grpc": {"port": 80, "service": ""}, "periodSeconds": 10, **rest}
    assert got["env"] == [{"name": "POD", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}}]
    assert (got["imagePullPolicy"], got["resources"], pod["serviceAccount"]) == ("IfNotPresent", {}, "web")
    assert got["lifecycle"] == {"preStop": {"sleep": {"seconds": 5}}}
    assert pod["volumes"] == [
        {"name": "files", "configMap": {"name": "files", "defaultMode": 420}},
        {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}},
    ]


@promise
async def containers_merge_by_name_and_their_fields_are_given_up_one_by_one(w: World) -> None:
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    first = w.deployment({"name": "web", "image": "web:1", "env": env, "command": ["a", "b"]}, {"name": "side", "image": "side:1"})
    await w.api.apply(DEPLOYMENT, first, force=True)
    second = w.deployment({"name": "web", "image": "web:2", "env": [{"name": "B", "value": "3"}], "command": ["c"]})
    (web,) = (await w.api.apply(DEPLOYMENT, second, force=True))["spec"]["template"]["spec"]["containers"]
    assert (web["image"], web["env"], web["command"]) == ("web:2", [{"name": "B", "value": "3"}], ["c"])


@promise
async def generation_moves_with_the_spec_and_the_annotations_of_a_deployment(w: World) -> None:
    async def generation(body: Body) -> int:
        return int((await w.api.apply(DEPLOYMENT, body, force=True))["metadata"]["generation"])

    assert await generation(w.deployment()) == 1
    assert await generation(w.deployment()) == 1
    assert await generation(w.deployment(labels={"a": "b"})) == 1
    assert await generation(w.deployment(labels={"a": "b"}, annotations={"a": "b"})) == 2
    assert await generation(w.deployment({"name": "web", "image": "web:2"}, labels={"a": "b"}, annotations={"a": "b"})) == 3


@promise
async def a_defaulted_field_is_left_when_it_comes_to_be_forbidden(w: World) -> None:
    await w.api.apply(DEPLOYMENT, w.deployment(), force=True)
    body = w.deployment()
    body["spec"]["strategy"] = {"type": "Recreate"}
    assert is_kind(await raised(w.api.apply(DEPLOYMENT, body, force=True)), Refused, 422, "Invalid")


@promise
async def an_invalid_deployment_is_refused(w: World) -> None:
    body = w.deployment()
    body["spec"]["selector"] = {"matchLabels": {"app": "another"}}
    assert is_kind(await raised(w.api.apply(DEPLOYMENT, body, force=True)), Refused, 422, "Invalid")
    await w.api.apply(DEPLOYMENT, w.deployment(), force=True)
    assert is_kind(await raised(w.api.apply(DEPLOYMENT, w.deployment(replicas=-1), force=True)), Refused, 422, "Invalid")


@promise
async def a_struct_that_nobody_holds_any_more_goes_with_its_defaults(w: World) -> None:
    probe = {"httpGet": {"path": "/ready", "port": 80}, "periodSeconds": 3, "timeoutSeconds": 2}
    limits = {"limits": {"cpu": "1"}}
    hook = {"preStop": {"sleep": {"seconds": 3}}}
    full = {"name": "web", "image": "web:1", "readinessProbe": probe, "livenessProbe": probe, "resources": limits, "lifecycle": hook}
    await w.api.apply(DEPLOYMENT, w.deployment(full), force=True)
    less = {"name": "web", "image": "web:1", "livenessProbe": {"tcpSocket": {"port": 80}, "periodSeconds": 3}}
    (web,) = (await w.api.apply(DEPLOYMENT, w.deployment(less), force=True))["spec"]["template"]["spec"]["containers"]
    assert "readinessProbe" not in web
    assert "lifecycle" not in web
    assert web["resources"] == {}
    rest = {"timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 3}
    assert web["livenessProbe"] == {"tcpSocket": {"port": 80}, "periodSeconds": 3, **rest}


@promise
async def an_element_of_a_list_goes_even_if_another_holds_a_field_of_it(w: World) -> None:
    web, side = {"name": "web", "image": "web:1"}, {"name": "side", "image": "side:1"}
    await w.api.apply(DEPLOYMENT, w.deployment(web, side), force=True)
    theirs = {"spec": {"template": {"spec": {"containers": [web, side | {"workingDir": "/x"}]}}}}
    await w.api.merge_patch(DEPLOYMENT, w.namespace, w.name, theirs)
    left = (await w.api.apply(DEPLOYMENT, w.deployment(web), force=True))["spec"]["template"]["spec"]["containers"]
    assert [container["name"] for container in left] == ["web"]


@promise
async def a_volume_changes_its_source(w: World) -> None:
    async def volumes(source: Body) -> Body:
        body = w.deployment({"name": "web", "image": "web:1", "volumeMounts": [{"name": "v", "mountPath": "/v"}]})
        body["spec"]["template"]["spec"]["volumes"] = [{"name": "v", **source}]
        return (await w.api.apply(DEPLOYMENT, body, force=True))["spec"]["template"]["spec"]["volumes"]  # type: ignore[no-any-return]

    assert await volumes({"configMap": {"name": "c"}}) == [{"name": "v", "configMap": {"name": "c", "defaultMode": 420}}]
    assert await volumes({"emptyDir": {}}) == [{"name": "v", "emptyDir": {}}]
    assert await volumes({"emptyDir": {"sizeLimit": "1Gi"}}) == [{"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}]
    assert await volumes({"emptyDir": {}}) == [{"name": "v", "emptyDir": {}}]


@promise
async def a_strategy_that_we_applied_can_be_changed(w: World) -> None:
    async def strategy(value: Body) -> Body:
        body = w.deployment()
        body["spec"]["strategy"] = value
        return (await w.api.apply(DEPLOYMENT, body, force=True))["spec"]["strategy"]  # type: ignore[no-any-return]

    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    assert await strategy(rolling) == rolling
    assert await strategy({"type": "Recreate"}) == {"type": "Recreate"}
    assert await strategy(rolling) == rolling


@promise
async def a_scale_takes_the_replicas_and_nothing_else(w: World) -> None:
    def paused(image: str, replicas: int | None) -> Body:
        body = w.deployment({"name": "web", "image": image}, replicas=replicas)
        body["spec"]["paused"] = True  # no pods on the real cluster
        return body

    await w.api.apply(DEPLOYMENT, paused("web:1", 1), force=True)
    await w.api.set_scale(DEPLOYMENT, w.namespace, w.name, 2)
    assert (await w.now(DEPLOYMENT))["spec"]["replicas"] == 2
    assert is_kind(await raised(w.api.apply(DEPLOYMENT, paused("web:1", 1), force=False)), LookAgain, 409, "Conflict")
    # Without replicas in it the apply has lost nothing and takes nothing back.
    kept = await w.api.apply(DEPLOYMENT, paused("web:2", None), force=False)
    assert kept["spec"]["replicas"] == 2
    owners = {(entry["manager"], entry["operation"], entry.get("subresource")) for entry in kept["metadata"]["managedFields"]}
    assert {("hardened", "Apply", None), ("hardened", "Update", "scale")} <= owners


@promise
async def a_scale_to_zero_leaves_the_replicas_to_nobody(w: World) -> None:
    await w.api.apply(DEPLOYMENT, w.deployment(replicas=1), force=True)
    await w.api.set_scale(DEPLOYMENT, w.namespace, w.name, 0)
    assert (await w.now(DEPLOYMENT))["spec"]["replicas"] == 0
    assert (await w.api.apply(DEPLOYMENT, w.deployment(replicas=None), force=False))["spec"]["replicas"] == 0
    assert (await w.api.apply(DEPLOYMENT, w.deployment(replicas=0), force=False))["spec"]["replicas"] == 0


@promise
async def replicas_that_only_we_applied_fall_to_the_default_when_given_up(w: World) -> None:
    await w.api.apply(DEPLOYMENT, w.deployment(replicas=0), force=True)
    assert (await w.api.apply(DEPLOYMENT, w.deployment(replicas=None), force=True))["spec"]["replicas"] == 1


@promise
async def a_status_is_written_by_its_subresource_alone(w: World) -> None:
    body = w.deployment(replicas=0) | {"status": {"collisionCount": 7}}
    made = await w.api.apply(DEPLOYMENT, body, force=True)
    assert "collisionCount" not in made.get("status", {})
    status = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": w.meta(), "spec": {"replicas": 5}, "status": {"collisionCount": 3}}
    told = await w.api.apply_status(DEPLOYMENT, status)
    assert (told["status"]["collisionCount"], told["spec"]["replicas"]) == (3, 0)
    assert told["metadata"]["generation"] == made["metadata"]["generation"]
    after = await w.api.apply(DEPLOYMENT, body, force=True)
    assert after["status"]["collisionCount"] == 3


@promise
async def a_kind_without_the_subresource_has_none(w: World) -> None:
    await w.api.apply(CONFIG_MAP, w.config_map({}), force=True)
    assert is_kind(await raised(w.api.apply_status(CONFIG_MAP, w.config_map({}))), Vanished, 404, "NotFound")
    assert is_kind(await raised(w.api.set_scale(CONFIG_MAP, w.namespace, w.name, 1)), Vanished, 404, "NotFound")


# ---- services, revisions


@promise
async def a_service_gets_its_address_and_keeps_it(w: World) -> None:
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
async def a_service_changes_its_type(w: World) -> None:
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
async def a_services_selector_is_replaced_as_a_whole(w: World) -> None:
    await w.api.apply(SERVICE, w.service({"port": 80}), force=True)
    body = w.service({"port": 80})
    body["spec"]["selector"] = {"color": "green"}
    assert (await w.api.apply(SERVICE, body, force=True))["spec"]["selector"] == {"color": "green"}


@promise
async def a_controller_revisions_data_is_kept_and_never_changes(w: World) -> None:
    data = {"template": {"list": [1, {"a": None}], "float": 0.5}}
    await w.api.apply(CONTROLLER_REVISION, w.controller_revision(data), force=True)
    assert (await w.now(CONTROLLER_REVISION))["data"]["template"]["float"] == 0.5
    error = await raised(w.api.apply(CONTROLLER_REVISION, w.controller_revision({"template": 2}), force=True))
    assert is_kind(error, Refused, 422, "Invalid")


@promise
async def an_immutable_config_map_does_not_change(w: World) -> None:
    await w.api.apply(CONFIG_MAP, w.config_map({"a": "1"}) | {"immutable": True}, force=True)
    assert is_kind(
        await raised(w.api.apply(CONFIG_MAP, w.config_map({"a": "2"}) | {"immutable": True}, force=True)), Refused, 422, "Invalid"
    )


# ---- delete


@promise
async def a_delete_names_the_very_object(w: World) -> None:
    meta = (await w.api.apply(CONFIG_MAP, w.config_map({}), force=True))["metadata"]
    assert is_kind(await raised(w.api.delete(CONFIG_MAP, w.namespace, w.name, uid=ELSE)), LookAgain, 409, "Conflict")
    error = await raised(w.api.delete(CONFIG_MAP, w.namespace, w.name, uid=meta["uid"], resource_version="1"))
    assert is_kind(error, LookAgain, 409, "Conflict")
    await w.api.delete(CONFIG_MAP, w.namespace, w.name, uid=meta["uid"], resource_version=meta["resourceVersion"])
    assert is_kind(await raised(w.now(CONFIG_MAP)), Vanished, 404, "NotFound")
    again = await w.api.apply(CONFIG_MAP, w.config_map({}), force=True)
    assert again["metadata"]["uid"] != meta["uid"]


@promise
async def a_finalizer_keeps_a_deleted_object_until_it_is_gone(w: World) -> None:
    meta = (await w.api.apply(CONFIG_MAP, w.config_map({}, finalizers=["example.com/wait"]), force=True))["metadata"]
    await w.api.delete(CONFIG_MAP, w.namespace, w.name, uid=meta["uid"])
    assert "deletionTimestamp" in (await w.now(CONFIG_MAP))["metadata"]
    await w.api.merge_patch(CONFIG_MAP, w.namespace, w.name, {"metadata": {"finalizers": None}})
    assert is_kind(await raised(w.now(CONFIG_MAP)), Vanished, 404, "NotFound")


# ---- the two servers


def sentence(check: Check) -> str:
    return check.__name__.replace("_", " ")  # type: ignore[attr-defined]


@pytest.mark.parametrize("check", CHECKS, ids=sentence)
def test_in_memory(check: Check) -> None:
    asyncio.run(check(World(MemoryApiServer(["shop"]), "shop", "thing")))  # type: ignore[arg-type]


@pytest.mark.cluster
@pytest.mark.parametrize("check", CHECKS, ids=sentence)
def test_on_a_cluster(check: Check, real_namespace: str) -> None:
    async def run() -> None:
        async with client() as api:
            await check(World(api, real_namespace, f"t-{uuid.uuid4().hex[:12]}"))

    asyncio.run(run())


def test_in_memory_an_ending_namespace_takes_nothing_new() -> None:
    server = MemoryApiServer(["shop"])
    server.terminate_namespace("shop")
    error = asyncio.run(raised(server.apply(CONFIG_MAP, World(server, "shop", "thing").config_map({}), force=True)))
    assert is_kind(error, Refused, 403, NAMESPACE_TERMINATING)


@pytest.mark.cluster
def test_on_a_cluster_an_ending_namespace_takes_nothing_new(real_namespaces: Callable[[], str]) -> None:
    from kubernetes import client as typed

    async def run() -> ApiFailure:
        async with client() as api:
            world = World(api, namespace, "thing")
            # The finalizer keeps the namespace in its end for as long as the test needs.
            made = await api.create(CONFIG_MAP, world.config_map({}, finalizers=["example.com/wait"]))
            typed.CoreV1Api().delete_namespace(namespace)
            other = World(api, namespace, "other")
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
        async with client() as api:
            return await raised(api.apply(SERVICE, World(api, namespace, "thing").service({"port": 80}), force=True))

    assert is_kind(asyncio.run(run()), Refused, 403, EXCEEDED_QUOTA)


@asynccontextmanager
async def client() -> AsyncIterator[ApiServer]:
    api = await connect(os.environ)
    try:
        yield api
    finally:
        await api.close()


@pytest.fixture(scope="module")
def real_namespaces(kubeconfig: Path, rights: None) -> Iterator[Callable[[], str]]:
    """Makes namespaces on the cluster, and deletes them in the end."""
    from kubernetes import client as typed
    from kubernetes import config

    config.load_kube_config(str(kubeconfig))
    made: list[str] = []

    def make() -> str:
        made.append(f"contract-{uuid.uuid4().hex[:8]}")
        typed.CoreV1Api().create_namespace({"metadata": {"name": made[-1]}})
        return made[-1]

    yield make
    for name in made:
        try:
            typed.CoreV1Api().delete_namespace(name)
        except typed.ApiException as error:
            if error.status != 404:
                raise


@pytest.fixture(scope="module")
def real_namespace(real_namespaces: Callable[[], str]) -> str:
    return real_namespaces()

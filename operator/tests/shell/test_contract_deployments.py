"""What the code relies on from an API server: Deployments are defaulted and merged; scale and status are written apart from the rest."""

import pytest
from tests.shell.contract import ELSE, Check, Promises, Scratch, hold_in_memory, hold_on_a_cluster, is_kind, raised

from hardened.errors import LookAgain, Refused, Vanished
from hardened.shell.api_server import Body
from hardened.shell.kinds import CONFIG_MAP, DEPLOYMENT, HARDENED_SERVICE

promise = Promises()


# ---- defaults and merging


@promise
async def a_deployment_gets_its_defaults_and_they_belong_to_nobody(w: Scratch) -> None:
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
async def probes_and_volumes_get_their_defaults(w: Scratch) -> None:
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
async def containers_merge_by_name_and_their_fields_are_given_up_one_by_one(w: Scratch) -> None:
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    first = w.deployment({"name": "web", "image": "web:1", "env": env, "command": ["a", "b"]}, {"name": "side", "image": "side:1"})
    await w.api.apply(DEPLOYMENT, first, force=True)
    second = w.deployment({"name": "web", "image": "web:2", "env": [{"name": "B", "value": "3"}], "command": ["c"]})
    (web,) = (await w.api.apply(DEPLOYMENT, second, force=True))["spec"]["template"]["spec"]["containers"]
    assert (web["image"], web["env"], web["command"]) == ("web:2", [{"name": "B", "value": "3"}], ["c"])


@promise
async def generation_moves_with_the_spec_and_the_annotations_of_a_deployment(w: Scratch) -> None:
    async def generation(body: Body) -> int:
        return int((await w.api.apply(DEPLOYMENT, body, force=True))["metadata"]["generation"])

    assert await generation(w.deployment()) == 1
    assert await generation(w.deployment()) == 1
    assert await generation(w.deployment(labels={"a": "b"})) == 1
    assert await generation(w.deployment(labels={"a": "b"}, annotations={"a": "b"})) == 2
    assert await generation(w.deployment({"name": "web", "image": "web:2"}, labels={"a": "b"}, annotations={"a": "b"})) == 3


@promise
async def a_defaulted_field_is_left_when_it_comes_to_be_forbidden(w: Scratch) -> None:
    await w.api.apply(DEPLOYMENT, w.deployment(), force=True)
    body = w.deployment()
    body["spec"]["strategy"] = {"type": "Recreate"}
    assert is_kind(await raised(w.api.apply(DEPLOYMENT, body, force=True)), Refused, 422, "Invalid")


@promise
async def an_invalid_deployment_is_refused(w: Scratch) -> None:
    body = w.deployment()
    body["spec"]["selector"] = {"matchLabels": {"app": "another"}}
    assert is_kind(await raised(w.api.apply(DEPLOYMENT, body, force=True)), Refused, 422, "Invalid")
    await w.api.apply(DEPLOYMENT, w.deployment(), force=True)
    assert is_kind(await raised(w.api.apply(DEPLOYMENT, w.deployment(replicas=-1), force=True)), Refused, 422, "Invalid")


@promise
async def a_struct_that_nobody_holds_any_more_goes_with_its_defaults(w: Scratch) -> None:
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
async def an_element_of_a_list_goes_even_if_another_holds_a_field_of_it(w: Scratch) -> None:
    web, side = {"name": "web", "image": "web:1"}, {"name": "side", "image": "side:1"}
    await w.api.apply(DEPLOYMENT, w.deployment(web, side), force=True)
    theirs = {"spec": {"template": {"spec": {"containers": [web, side | {"workingDir": "/x"}]}}}}
    await w.api.merge_patch(DEPLOYMENT, w.namespace, w.name, theirs)
    left = (await w.api.apply(DEPLOYMENT, w.deployment(web), force=True))["spec"]["template"]["spec"]["containers"]
    assert [container["name"] for container in left] == ["web"]


@promise
async def a_volume_changes_its_source(w: Scratch) -> None:
    async def volumes(source: Body) -> Body:
        body = w.deployment({"name": "web", "image": "web:1", "volumeMounts": [{"name": "v", "mountPath": "/v"}]})
        body["spec"]["template"]["spec"]["volumes"] = [{"name": "v", **source}]
        return (await w.api.apply(DEPLOYMENT, body, force=True))["spec"]["template"]["spec"]["volumes"]  # type: ignore[no-any-return]

    assert await volumes({"configMap": {"name": "c"}}) == [{"name": "v", "configMap": {"name": "c", "defaultMode": 420}}]
    assert await volumes({"emptyDir": {}}) == [{"name": "v", "emptyDir": {}}]
    assert await volumes({"emptyDir": {"sizeLimit": "1Gi"}}) == [{"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}]
    assert await volumes({"emptyDir": {}}) == [{"name": "v", "emptyDir": {}}]


@promise
async def a_strategy_that_we_applied_can_be_changed(w: Scratch) -> None:
    async def strategy(value: Body) -> Body:
        body = w.deployment()
        body["spec"]["strategy"] = value
        return (await w.api.apply(DEPLOYMENT, body, force=True))["spec"]["strategy"]  # type: ignore[no-any-return]

    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    assert await strategy(rolling) == rolling
    assert await strategy({"type": "Recreate"}) == {"type": "Recreate"}
    assert await strategy(rolling) == rolling


# ---- scale and status


@promise
async def a_scale_takes_the_replicas_and_nothing_else(w: Scratch) -> None:
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
async def a_scale_of_what_has_changed_since_is_a_conflict(w: Scratch) -> None:
    made = await w.api.apply(DEPLOYMENT, w.deployment(replicas=0), force=True)
    await w.api.merge_patch(DEPLOYMENT, w.namespace, w.name, {"metadata": {"annotations": {"touched": "yes"}}})
    stale = w.api.set_scale(DEPLOYMENT, w.namespace, w.name, 1, resource_version=made["metadata"]["resourceVersion"])
    assert is_kind(await raised(stale), LookAgain, 409, "Conflict")
    assert (await w.now(DEPLOYMENT))["spec"]["replicas"] == 0


@promise
async def a_scale_to_zero_leaves_the_replicas_to_nobody(w: Scratch) -> None:
    await w.api.apply(DEPLOYMENT, w.deployment(replicas=1), force=True)
    await w.api.set_scale(DEPLOYMENT, w.namespace, w.name, 0)
    assert (await w.now(DEPLOYMENT))["spec"]["replicas"] == 0
    assert (await w.api.apply(DEPLOYMENT, w.deployment(replicas=None), force=False))["spec"]["replicas"] == 0
    assert (await w.api.apply(DEPLOYMENT, w.deployment(replicas=0), force=False))["spec"]["replicas"] == 0


@promise
async def replicas_that_only_we_applied_fall_to_the_default_when_given_up(w: Scratch) -> None:
    await w.api.apply(DEPLOYMENT, w.deployment(replicas=0), force=True)
    assert (await w.api.apply(DEPLOYMENT, w.deployment(replicas=None), force=True))["spec"]["replicas"] == 1


@promise
async def a_status_is_written_by_its_subresource_alone(w: Scratch) -> None:
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
async def the_status_of_a_custom_resource_is_held_to_its_version_and_not_to_its_uid(w: Scratch) -> None:
    head = {"apiVersion": HARDENED_SERVICE.api_version, "kind": HARDENED_SERVICE.name}
    made = await w.api.create(HARDENED_SERVICE, {**head, "metadata": w.meta(), "spec": {"image": "web:1", "suspend": True}})
    said = {"status": {"phase": "Suspended"}}
    told = await w.api.apply_status(HARDENED_SERVICE, {**head, "metadata": w.meta(uid=ELSE), **said})
    assert (told["status"]["phase"], told["metadata"]["uid"]) == ("Suspended", made["metadata"]["uid"])
    old, new = made["metadata"]["resourceVersion"], told["metadata"]["resourceVersion"]
    error = await raised(w.api.apply_status(HARDENED_SERVICE, {**head, "metadata": w.meta(resourceVersion=old), **said}))
    assert is_kind(error, LookAgain, 409, "Conflict")
    await w.api.apply_status(HARDENED_SERVICE, {**head, "metadata": w.meta(resourceVersion=new), **said})
    await w.api.delete(HARDENED_SERVICE, w.namespace, w.name, uid=made["metadata"]["uid"])
    error = await raised(w.api.apply_status(HARDENED_SERVICE, {**head, "metadata": w.meta(resourceVersion=new), **said}))
    assert is_kind(error, Vanished, 404, "NotFound")


@promise
async def a_kind_without_the_subresource_has_none(w: Scratch) -> None:
    await w.api.apply(CONFIG_MAP, w.config_map({}), force=True)
    assert is_kind(await raised(w.api.apply_status(CONFIG_MAP, w.config_map({}))), Vanished, 404, "NotFound")
    assert is_kind(await raised(w.api.set_scale(CONFIG_MAP, w.namespace, w.name, 1)), Vanished, 404, "NotFound")


# ---- the two servers


@promise.each
def test_in_memory(check: Check) -> None:
    hold_in_memory(check)


@pytest.mark.cluster
@promise.each
def test_on_a_cluster(check: Check, real_namespace: str) -> None:
    hold_on_a_cluster(check, real_namespace)

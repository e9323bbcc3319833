"""A report counts only from the very pod that was asked for: who may make pods can put another one in its place."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.core.release.test_plan_migrations import UNDO, runs, second
from tests.core.releases import CHECKED, SECOND, released
from tests.core.worlds import World, body, condition, live, service, settle, with_spec

from hardened.core.checks.asked import strangeness
from hardened.core.desired.check_pod import job_pod, load_pod, once_pod, verifier_pod
from hardened.core.model.kit import Kit
from hardened.core.model.manifest import ChildKey, Manifest
from hardened.core.observe.observed import Made
from hardened.core.revisions.revision import render

SVC = service(
    CHECKED,
    env=[{"name": "A", "value": "b"}],
    imagePullSecrets=[{"name": "pull"}],
    security={"runAsUser": 1000, "runAsGroup": 3000, "fsGroup": 2000},
    scheduling={
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"key": "team"}],
        "priorityClassName": "high",
        "runtimeClassName": "gvisor",
    },
    podMetadata={"labels": {"team": "a"}, "annotations": {"example.org/note": "b"}},
    files=[{"mountPath": "/etc/shop", "data": {"a": "b"}}],
    volumes=[
        {"name": "keys", "mountPath": "/keys", "secret": {"secretName": "keys", "items": [{"key": "a", "path": "b"}]}},
        {"name": "data", "mountPath": "/data", "claim": {"size": "1Gi", "accessModes": ["ReadWriteMany"], "shared": True}},
    ],
)
TASK = {"authority": "shop", "waitSeconds": 9, "checks": [{"name": "smoke", "host": "shop.market.svc"}], "probes": [{"durationSeconds": 3}]}
PODS = {
    "a verifier": verifier_pod(SVC, "v", TASK, kit=Kit("hardened:1"), seconds=9),
    "load": load_pod(SVC, "v", ["--rate", "9"], kit=Kit("hardened:1"), seconds=9),
    "a command": job_pod(SVC, "v", ["check"], {"HARDENED_HOST": "shop"}, image="team:1", seconds=9, revision="0123456789ab"),
    "a migration": once_pod(SVC, render(SVC), "v", ["migrate"], {"HARDENED_HOST": "shop"}, seconds=9),
}


def own(pod: Manifest) -> Manifest:
    found: Manifest = pod["spec"]["containers"][0]
    return found


Change = Callable[[Manifest], Any]
FORGED: dict[str, Change] = {
    "another image": lambda p: own(p).update(image="evil:1"),
    "another command": lambda p: own(p).update(command=["sh", "-c", "echo fine"]),
    "more arguments": lambda p: own(p).update(args=["--fine"]),
    "one more variable": lambda p: own(p).setdefault("env", []).append({"name": "LD_PRELOAD", "value": "/x/evil.so"}),
    "another variable": lambda p: own(p).update(env=[{"name": "HARDENED_TASK", "value": "{}"}]),
    "variables from a secret": lambda p: own(p).update(envFrom=[{"secretRef": {"name": "theirs"}}]),
    "one more mount": lambda p: own(p).update(volumeMounts=[{"name": "x", "mountPath": "/opt/hardened"}]),
    "a hook": lambda p: own(p).update(lifecycle={"postStart": {"exec": {"command": ["sh"]}}}),
    "another folder": lambda p: own(p).update(workingDir="/x"),
    "another place for its message": lambda p: own(p).update(terminationMessagePath="/x"),
    "its log for its message": lambda p: own(p).update(terminationMessagePolicy="FallbackToLogsOnError"),
    "less security": lambda p: own(p)["securityContext"].update(readOnlyRootFilesystem=False),
    "another user": lambda p: p["spec"]["securityContext"].update(runAsNonRoot=False),
    "another group": lambda p: p["spec"]["securityContext"].update(fsGroup=1),
    "another name": lambda p: own(p).update(name="other"),
    "another account": lambda p: p["spec"].update(serviceAccountName="deployer"),
    "a token": lambda p: p["spec"].update(automountServiceAccountToken=True),
    "another address for a name": lambda p: p["spec"].update(hostAliases=[{"ip": "10.0.0.9", "hostnames": ["shop.market.svc"]}]),
    "another server of names": lambda p: p["spec"].update(dnsPolicy="None", dnsConfig={"nameservers": ["10.0.0.9"]}),
    "another domain": lambda p: p["spec"].update(dnsConfig={"searches": ["evil.example"]}),
    "the node's network": lambda p: p["spec"].update(hostNetwork=True),
    "one space of processes": lambda p: p["spec"].update(shareProcessNamespace=True),
    "to be started again": lambda p: p["spec"].update(restartPolicy="OnFailure"),
    "an ephemeral container": lambda p: p["spec"].update(ephemeralContainers=[{"name": "debug"}]),
}
ELSEWISE: dict[str, Change] = {
    "as it is": lambda _: None,
    "on a node": lambda p: p["spec"].update(nodeName="n1", schedulerName="default-scheduler", serviceAccountName="default"),
    "with what the API server fills in": lambda p: p["spec"].update(dnsPolicy="ClusterFirst", priority=0, tolerations=[{"key": "a"}]),
    "on another node, by another class": lambda p: p["spec"].update(
        nodeSelector={"a": "b"}, priorityClassName="low", runtimeClassName="runc"
    ),
    "pulled with other secrets": lambda p: p["spec"].update(imagePullSecrets=[{"name": "mirror"}]),
    "with other labels": lambda p: p["metadata"]["labels"].update(team="b", mesh="c"),
    "told to end": lambda p: p["spec"].update(activeDeadlineSeconds=1),
    "beside a mesh": lambda p: p["spec"]["containers"].insert(0, {"name": "istio-proxy", "image": "istio:1"}),
    "behind an init container": lambda p: p["spec"].update(initContainers=[{"name": "istio-init", "image": "istio:1"}]),
    "with more volumes": lambda p: p["spec"].setdefault("volumes", []).append({"name": "mesh", "emptyDir": {}}),
    "with fewer searches for a name": lambda p: p["spec"].update(dnsConfig={"options": [{"name": "ndots", "value": "2"}]}),
    "behind a gate": lambda p: p["spec"].update(readinessGates=[{"conditionType": "mesh.example/ready"}]),
    "with how it may be resized": lambda p: own(p).update(resizePolicy=[{"resourceName": "cpu", "restartPolicy": "NotRequired"}]),
    "always pulled": lambda p: own(p).update(imagePullPolicy="Always"),
    "with other bounds": lambda p: own(p).update(resources={"limits": {"cpu": "1"}}),
}


def shown(asked: Manifest, change: Change) -> Manifest:
    found = live(copy.deepcopy(asked))
    change(found)
    return found


@pytest.mark.parametrize("kind", PODS)
@pytest.mark.parametrize("how", FORGED)
def test_another_pod_in_its_place_is_told_by_its_fields(how: str, kind: str) -> None:
    assert strangeness(PODS[kind], shown(PODS[kind], FORGED[how]), None)


@pytest.mark.parametrize("kind", PODS)
@pytest.mark.parametrize("how", ELSEWISE)
def test_what_a_cluster_makes_of_it_is_the_same_pod(how: str, kind: str) -> None:
    assert strangeness(PODS[kind], shown(PODS[kind], ELSEWISE[how]), None) == ""


@pytest.mark.parametrize("kind", ["a command", "a migration"])
def test_other_volumes_than_those_that_were_asked_for_are_told(kind: str) -> None:
    def volume(pod: Manifest, name: str) -> Manifest:
        found: Manifest = next(each for each in pod["spec"]["volumes"] if each["name"] == name)
        return found

    asked = PODS[kind]
    assert strangeness(asked, shown(asked, lambda p: volume(p, "keys")["secret"].update(defaultMode=420)), None) == ""
    for change in (
        lambda p: volume(p, "keys")["secret"].update(secretName="theirs"),
        lambda p: volume(p, "data")["persistentVolumeClaim"].update(claimName="theirs"),
        lambda p: volume(p, "files-0")["configMap"].update(name="theirs"),
        lambda p: own(p)["volumeMounts"].pop(),
        lambda p: own(p)["volumeMounts"][0].update(mountPath="/theirs"),
    ):
        assert strangeness(asked, shown(asked, change), None)


def test_what_is_asked_in_another_step_of_the_same_release_is_the_same() -> None:
    later = json.loads(json.dumps(TASK)) | {"waitSeconds": 0, "probes": [{"durationSeconds": 99}]}
    asked = verifier_pod(SVC, "v", later, kit=Kit("hardened:1"), seconds=99)
    assert strangeness(asked, live(PODS["a verifier"]), None) == ""
    other = verifier_pod(SVC, "v", {**TASK, "checks": []}, kit=Kit("hardened:1"), seconds=9)
    assert strangeness(other, live(PODS["a verifier"]), None)


def test_of_a_pod_that_this_process_made_what_admission_has_made_of_it_stands() -> None:
    pod = shown(PODS["a verifier"], lambda p: own(p).update(image="mirror.example/hardened:1", env=[{"name": "HTTP_PROXY", "value": "x"}]))
    made = Made(pod["metadata"]["uid"], "mirror.example/hardened:1")
    assert strangeness(PODS["a verifier"], pod, made) == ""
    assert strangeness(PODS["a verifier"], pod, replace_uid(made)) == "it was replaced"
    own(pod)["image"] = "evil:1"
    assert strangeness(PODS["a verifier"], pod, made) == "its image was changed"


def replace_uid(made: Made) -> Made:
    return made._replace(uid="another")


def pod_of(world: World, part: str) -> tuple[ChildKey, Manifest]:
    (found,) = ((key, o) for key, o in world.objects.items() if key.kind == "Pod" and part in key.name)
    return found


@pytest.mark.parametrize("how", ["another command", "another address for a name"])
def test_a_check_that_must_fail_is_not_made_to_pass_by_a_pod_in_its_place(how: str) -> None:
    cr, world = body(CHECKED), World()
    now = released(cr, world)
    world.failing.add("smoke")
    cr = with_spec(cr, image="shop:2")
    for _ in range(40):
        settle(cr, world, now)
        world.follow(now)
        for key, pod in list(world.objects.items()):
            if key.kind == "Pod" and "-before-" in key.name and "status" in pod:
                FORGED[how](pod)
                report = json.dumps({"results": [{"name": "smoke", "result": "Passed", "message": "forged", "requests": 1, "failed": 0}]})
                ended = {"name": "verifier", "state": {"terminated": {"exitCode": 0, "message": report}}}
                pod["status"] = {"phase": "Succeeded", "containerStatuses": [ended]}
        now += 20 * SECOND
    assert cr["status"]["serving"]["image"] != "shop:2"
    made = [write for write in world.writes if write.startswith("apply Pod") and "-before-" in write]
    assert len(made) > 1, "it is made anew"


def test_a_pod_that_was_replaced_by_its_very_copy_says_nothing() -> None:
    cr, world = body(CHECKED), World()
    now = released(cr, world)
    world.slow = True
    cr = with_spec(cr, image="shop:2")
    now = released(cr, world, now, until="VerifyBefore")
    world.slow = False
    key, pod = pod_of(world, "-before-")
    pod["metadata"]["creationTimestamp"] = now.isoformat()
    world.made[key] = Made("the one that we made", own(pod)["image"])
    world.follow(now)
    settle(cr, world, now)
    assert (world.objects[key] is pod, cr["status"]["release"]["step"]) == (True, "VerifyBefore")
    now += 15 * SECOND
    settle(cr, world, now)
    again = world.objects[key]
    assert again["metadata"]["uid"] == world.made[key].uid != pod["metadata"]["uid"]
    assert ("status" in again, cr["status"]["release"]["step"]) == (False, "VerifyBefore")
    world.follow(now)
    settle(cr, world, now)
    assert cr["status"]["release"]["step"] != "VerifyBefore"


@pytest.mark.parametrize("how", ["another image", "another command"])
def test_a_pod_in_the_place_of_a_migration_does_not_pass_for_it(how: str) -> None:
    cr, world, now = second(**UNDO)
    settle(cr, world, now)
    _, pod = pod_of(world, "-migrate-")
    FORGED[how](pod)
    for _ in range(20):
        world.follow(now)
        settle(cr, world, now)
        now += 5 * SECOND
    assert cr["status"]["pin"]["reason"] == "MigrationFailed"
    assert "is not the one that the operator asked for" in cr["status"]["pin"]["message"]
    assert runs(world) == ["migrate", "undo"]


@pytest.mark.parametrize(
    "made", ["mirror.example/docker.io/shop:2", "docker.io/library/shop:2", "shop:2@sha256:abc", "io/shop:2@sha256:abc"]
)
def test_nobody_remembers_what_admission_made_of_the_image_of_a_migration_and_it_is_the_one(made: str) -> None:
    cr, world, now = second(**UNDO)
    settle(cr, world, now)
    _, pod = pod_of(world, "-migrate-")
    assert own(pod)["image"] == "shop:2"
    own(pod)["image"] = made
    released(cr, world, now)
    assert (condition(cr["status"], "Ready"), runs(world)) == (("True", "Healthy"), ["migrate"])


def test_a_migration_that_nobody_touched_is_the_one_that_was_asked_for() -> None:
    cr, world, now = second(**UNDO)
    released(cr, world, now)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")

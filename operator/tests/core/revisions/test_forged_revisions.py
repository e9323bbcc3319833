"""Who may write ControllerRevisions gets no pod that no HardenedService can ask for, and takes nothing from those that serve."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from tests.core.release.test_plan_migrations import act
from tests.core.releases import CHECKED, SPEC, lead, passes, released, sizes, target
from tests.core.strategies import generated
from tests.core.worlds import NOW, WEB, World, body, condition, live, revision, settle, with_spec

from hardened.api.parse import parse
from hardened.core.desired.children import signed
from hardened.core.desired.controller_revision import controller_revision
from hardened.core.model.manifest import ChildKey, Manifest, key_of
from hardened.core.revisions.revision import render
from hardened.core.revisions.usable import problem

pytestmark = pytest.mark.one_of(3)

Change = Callable[[Manifest], Any]


def container(template: Manifest) -> Manifest:
    found: Manifest = template["spec"]["containers"][0]
    return found


def mount_host(template: Manifest) -> None:
    template["spec"]["volumes"].append({"name": "host", "hostPath": {"path": "/etc"}})
    container(template)["volumeMounts"].append({"name": "host", "mountPath": "/host"})


def add_volume(**source: Any) -> Change:
    return lambda template: template["spec"]["volumes"].append({"name": "x", **source})


#: What a tenant would like, each one field or two.
ESCAPES: dict[str, Change] = {
    "hostPID": lambda t: t["spec"].update(hostPID=True),
    "hostNetwork": lambda t: t["spec"].update(hostNetwork=True),
    "a host path": mount_host,
    "a projected token": add_volume(projected={"sources": [{"serviceAccountToken": {"path": "t"}}]}),
    "a csi volume": add_volume(csi={"driver": "evil.example"}),
    "somebody's secret": add_volume(secret={"secretName": "theirs"}),
    "somebody's claim": add_volume(persistentVolumeClaim={"claimName": "theirs"}),
    "another account": lambda t: t["spec"].update(serviceAccountName="default"),
    "its token": lambda t: t["spec"].update(automountServiceAccountToken=True),
    "a node": lambda t: t["spec"].update(nodeName="control-plane"),
    "a node selector": lambda t: t["spec"].update(nodeSelector={"node-role.kubernetes.io/control-plane": ""}),
    "every taint": lambda t: t["spec"]["tolerations"].append({"operator": "Exists"}),
    "the control plane's taint": lambda t: t["spec"]["tolerations"].append({"key": "node-role.kubernetes.io/control-plane"}),
    "a kind of node": lambda t: t["spec"]["affinity"].update(
        nodeAffinity={"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchFields": []}]}}
    ),
    "a priority of the system's": lambda t: t["spec"].update(priorityClassName="system-node-critical"),
    "another scheduler": lambda t: t["spec"].update(schedulerName="evil"),
    "root": lambda t: t["spec"]["securityContext"].update(runAsUser=0),
    "another user": lambda t: t["spec"]["securityContext"].update(runAsUser=999),
    "another user of one container": lambda t: container(t)["securityContext"].update(runAsUser=999),
    "a group of files": lambda t: t["spec"]["securityContext"].update(fsGroup=999),
    "privileges": lambda t: container(t)["securityContext"].update(privileged=True),
    "a capability": lambda t: container(t)["securityContext"]["capabilities"].update(add=["SYS_ADMIN"]),
    "a writable root": lambda t: container(t)["securityContext"].update(readOnlyRootFilesystem=False),
    "no security context": lambda t: container(t).pop("securityContext"),
    "another image": lambda t: container(t).update(image="evil:1"),
    "another command": lambda t: container(t).update(command=["sh"]),
    "a command in a probe": lambda t: container(t).update(livenessProbe={"exec": {"command": ["sh"]}}),
    "a command in a hook": lambda t: container(t).update(lifecycle={"postStart": {"exec": {"command": ["sh"]}}}),
    "a variable from a secret": lambda t: container(t).update(
        env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}]
    ),
    "variables from a secret": lambda t: container(t).update(envFrom=[{"secretRef": {"name": "theirs"}}]),
    "another container": lambda t: t["spec"]["containers"].append({**container(t), "name": "beside"}),
    "an init container": lambda t: t["spec"].update(initContainers=[{**container(t), "name": "before"}]),
    "an ephemeral container": lambda t: t["spec"].update(ephemeralContainers=[{**container(t), "name": "later"}]),
    "an annotation": lambda t: t["metadata"].update(annotations={"container.apparmor.security.beta.kubernetes.io/app": "unconfined"}),
    "a label": lambda t: t["metadata"]["labels"].update({"app.kubernetes.io/name": "database"}),
    "a namespace": lambda t: t["metadata"].update(namespace="kube-system"),
    "a pull secret": lambda t: t["spec"].update(imagePullSecrets=[{"name": "theirs"}]),
    "no pod at all": lambda t: t.update(spec="text"),
    "no containers": lambda t: t["spec"].update(containers=[]),
}


def forged(cr: Manifest, change: Change, number: int = 2, **annotations: str) -> Manifest:
    """What stores the revision that a service asks for, but for the change of its template."""
    svc = parse(cr)
    made = signed(controller_revision(svc, render(svc), number, annotations))
    made["data"]["template"] = copy.deepcopy(made["data"]["template"])
    change(made["data"]["template"])
    return live(made, number=900)


def put(world: World, manifest: Manifest) -> ChildKey:
    world.objects[key_of(manifest)] = manifest
    return key_of(manifest)


def templates(world: World) -> dict[str, Manifest]:
    return {key.name: copy.deepcopy(o["spec"]["template"]) for key, o in world.objects.items() if key.kind == "Deployment"}


@pytest.mark.parametrize("renderer", ["1", "0", "99"])
@pytest.mark.parametrize("escape", ESCAPES)
def test_no_template_is_taken_that_no_renderer_of_ours_can_have_made(escape: str, renderer: str) -> None:
    made = forged(body(SPEC), ESCAPES[escape])
    made["data"]["renderer"] = renderer
    assert problem("shop", made)


BASELINE = {**SPEC, "security": {"profile": "baseline", "addCapabilities": ["CHOWN"]}}
#: What the standard's baseline allows, and no HardenedService can ask for.
ROOT: dict[str, Change] = {
    "root": lambda t: (t["spec"]["securityContext"].update(runAsNonRoot=False), container(t)["securityContext"].pop("runAsNonRoot")),
    "root, by its number": lambda t: container(t)["securityContext"].update(runAsUser=0),
    "more than it has": lambda t: container(t)["securityContext"].update(allowPrivilegeEscalation=True),
    "every system call": lambda t: container(t)["securityContext"].update(seccompProfile={"type": "Unconfined"}),
    "what a container has by default": lambda t: container(t)["securityContext"]["capabilities"].pop("drop"),
    "one more capability": lambda t: container(t)["securityContext"]["capabilities"].update(add=["CHOWN", "SETUID"]),
}


@pytest.mark.parametrize("escape", ROOT)
def test_nor_of_a_profile_that_allows_more(escape: str) -> None:
    assert problem("shop", forged(body(BASELINE), lambda t: t["spec"].pop("enableServiceLinks"))) == ""
    assert problem("shop", forged(body(BASELINE), ROOT[escape]))


def test_what_an_account_was_annotated_with_before_is_taken() -> None:
    spec = {**SPEC, "serviceAccount": {"annotations": {"app.kubernetes.io/part-of": "shop"}}}
    assert problem("shop", forged(body(spec), lambda _: None)) == ""


def test_every_spec_is_taken_as_it_was_rendered_and_no_longer_once_it_says_more() -> None:
    for spec in generated(40):
        assert problem("shop", forged(body(spec), lambda _: None)) == ""
        for escape in ("hostPID", "another account", "another image", "another command", "a node"):
            assert problem("shop", forged(body(spec), ESCAPES[escape])), escape


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda t: t["spec"].pop("enableServiceLinks"), id="less"),
        pytest.param(lambda t: t["spec"].update(terminationGracePeriodSeconds=5), id="another time to end"),
        pytest.param(lambda t: container(t).update(terminationMessagePolicy="FallbackToLogsOnError"), id="where it says why it ended"),
        pytest.param(lambda t: container(t)["resources"]["limits"].update(cpu="3"), id="other bounds"),
        pytest.param(lambda t: add_volume(emptyDir={})(t), id="one more writable folder"),
    ],
)
def test_what_an_older_renderer_can_have_made_is_taken(change: Change) -> None:
    assert problem("shop", forged(body(SPEC), change)) == ""


@pytest.mark.parametrize("strategy", ["BlueGreen", "RollingUpdate", "Recreate"])
@pytest.mark.parametrize("escape", ["hostPID", "another image"])
def test_a_forged_revision_is_not_released_and_is_named_until_it_is_deleted(escape: str, strategy: str) -> None:
    cr, world = body({**WEB, "release": {"strategy": strategy, "progressDeadline": "1m", "keepPrevious": "30s"}}), World()
    now = passes(cr, world, NOW, 60, every=10)
    serving, before = cr["status"]["serving"], templates(world)
    cr = with_spec(cr, image="shop:2")
    key = put(world, forged(cr, ESCAPES[escape], **{"hardened.dev/promotion": "7"}))
    now = passes(cr, world, now, 600, every=10)
    assert (templates(world), cr["status"]["serving"]) == (before, serving)
    assert condition(cr["status"], "Ready") == ("False", "RevisionForged")
    assert condition(cr["status"], "Stalled") == ("True", "RevisionForged")
    assert condition(cr["status"], "Available")[0] == "True"
    assert key.name in cr["status"]["conditions"][0]["message"]
    assert "pin" not in cr["status"], "the version itself is not to blame"
    del world.objects[key]
    passes(cr, world, now, 240, every=10)
    assert (cr["status"]["serving"]["image"], condition(cr["status"], "Ready")) == ("shop:2", ("True", "Healthy"))


def test_what_serves_stays_and_is_scaled_where_what_stores_it_was_forged() -> None:
    cr, world = body(SPEC), World()
    now = released(cr, world)
    before, served = templates(world), lead(world)
    put(world, forged(cr, ESCAPES["hostPID"], **{"hardened.dev/promotion": "9"}))
    cr = {**with_spec(cr, replicas=5), "status": cr["status"]}
    passes(cr, world, now, 120, every=10)
    assert (templates(world), lead(world), sizes(world)["shop-blue"]) == (before, served, 5)
    assert condition(cr["status"], "Ready") == ("False", "RevisionForged")


def test_a_release_whose_revision_is_forged_meanwhile_is_taken_back() -> None:
    cr, world = body(CHECKED), World()
    now = released(cr, world)
    serving = target(cr, "blue")
    cr = with_spec(cr, image="shop:2")
    now = released(cr, world, now, until="VerifyAfter")
    put(world, forged(cr, ESCAPES["hostPID"]))
    passes(cr, world, now, 120, every=10)
    assert lead(world) == serving
    assert condition(cr["status"], "Ready") == ("False", "RevisionForged")
    assert not any(template["spec"].get("hostPID") for template in templates(world).values())


def test_a_forged_revision_that_says_it_was_promoted_neither_serves_nor_is_gone_back_to() -> None:
    cr, world = body(SPEC), World()
    now = released(cr, world)
    serving = lead(world)
    other = with_spec(cr, image="shop:9")
    key = put(world, forged(other, ESCAPES["a host path"], **{"hardened.dev/promotion": "99"}))
    now = passes(cr, world, now, 60, every=10)
    assert lead(world) == serving
    assert cr["status"]["stable"]["revision"] == revision(cr)
    assert condition(cr["status"], "Drifted") == ("True", "RevisionForged")
    assert condition(cr["status"], "Ready") == ("True", "Healthy"), "what serves is as it should be"
    act(world, "back", "Rollback", revision=revision(other))
    passes(cr, world, now, 60, every=10)
    assert [entry["phase"] for entry in cr["status"]["actions"]] == ["Refused"]
    assert (lead(world), key in world.objects) == (serving, True)


def test_another_object_that_ends_in_the_name_of_a_revision_does_not_stand_for_it() -> None:
    cr, world = body(SPEC), World()
    now = released(cr, world)
    theirs = copy.deepcopy(next(o for key, o in world.objects.items() if key.kind == "ControllerRevision"))
    theirs["metadata"] |= {"name": f"a-{revision(cr)}", "annotations": {"hardened.dev/promotion": "5"}}
    put(world, theirs)
    passes(cr, world, now, 30, every=10)
    assert cr["status"]["stable"]["promotion"] == 1
    assert condition(cr["status"], "Drifted") == ("True", "RevisionForged")


@pytest.mark.parametrize("number", ["9" * 5000, "9" * 18, "-1", "٣", ""])
def test_a_number_of_any_size_on_a_revision_stops_nothing(number: str) -> None:
    cr, world = body(SPEC), World()
    now = released(cr, world)
    key = next(key for key in world.objects if key.kind == "ControllerRevision")
    world.objects[key]["metadata"]["annotations"]["hardened.dev/promotion"] = number
    world.objects[key]["revision"] = 2**63 - 1
    cr = with_spec(cr, image="shop:2")
    released(cr, world, now)
    made = [o["revision"] for each, o in world.objects.items() if each.kind == "ControllerRevision" and each != key]
    assert made
    assert all(0 < each < 2**63 for each in made)
    assert condition(cr["status"], "Ready") == ("True", "Healthy")


def test_a_template_of_a_deployment_in_our_name_is_not_taken_either() -> None:
    cr, world = body(SPEC), World()
    now = released(cr, world)
    stored = next(key for key in world.objects if key.kind == "ControllerRevision")
    deployment = world.objects[ChildKey("Deployment", "shop-blue")]
    deployment["spec"]["template"]["spec"]["hostPID"] = True
    deployment["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:template"]["f:spec"]["f:hostPID"] = {}
    del world.objects[stored]
    settle(cr, world, now)
    assert "hostPID" not in world.objects[stored]["data"]["template"]["spec"]

"""What others change is set back; what the operator no longer wants is given up; and no pod restarts for it."""

import copy
from dataclasses import replace
from typing import Any

import pytest
from tests.core.worlds import WEB, World, condition, decide, keys, live, running, settle, with_spec

from hardened.api import names
from hardened.api.parse import parse
from hardened.core.desired.children import at_rest
from hardened.core.model.manifest import ChildKey, Manifest, key_of
from hardened.core.model.revision import RENDERER
from hardened.core.revisions.revision import render, revision_name

DEPLOYMENT = ChildKey("Deployment", "shop-blue")
SCALED = {**WEB, "autoscale": {"maxReplicas": 4, "cpu": 70}}
FILES = {**SCALED, "files": [{"mountPath": "/etc/shop", "data": {"a": "b"}}]}


def set_path(live: Manifest, path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for name in parents:
        live = live[int(name)] if isinstance(live, list) else live[name]
    live[last] = value


EDITS = [
    pytest.param("Deployment shop-blue", "spec.replicas", 9, id="replicas beside the spec"),
    pytest.param("Deployment shop-blue", "spec.template.spec.containers.0.image", "evil:1", id="the image"),
    pytest.param("Deployment shop-blue", "spec.template.spec.containers.0.securityContext.privileged", True, id="privileges"),
    pytest.param("Deployment shop-blue", "spec.template.spec.automountServiceAccountToken", True, id="a token"),
    pytest.param("Service shop", "spec.selector", {"app": "evil"}, id="whom the Service leads to"),
    pytest.param("NetworkPolicy shop-blue", "spec.ingress", [{}], id="an opened policy"),
    pytest.param("PodDisruptionBudget shop-blue", "spec.maxUnavailable", 2, id="a loosened budget"),
    pytest.param("HorizontalPodAutoscaler shop", "spec.maxReplicas", 900, id="an autoscaler without bounds"),
    pytest.param("ServiceAccount shop", "automountServiceAccountToken", True, id="an account with a token"),
]


@pytest.mark.parametrize(("child", "path", "value"), EDITS)
def test_a_foreign_edit_is_repaired_and_named(child: str, path: str, value: Any) -> None:
    cr, world = running(SCALED)
    live = world.objects[ChildKey(*child.split())]
    before = copy.deepcopy(live["spec"] if "spec" in live else live["automountServiceAccountToken"])
    set_path(live, path, value)
    decided = decide(cr, world)
    assert keys(decided.apply) == [child]
    assert decided.apply[0].repairs.replace("[app]", ".0").startswith(path)
    settle(cr, world)
    after = world.objects[ChildKey(*child.split())]
    assert (after["spec"] if "spec" in after else after["automountServiceAccountToken"]) == before


@pytest.mark.parametrize("child", [str(k) for k in running(FILES)[1].objects])
def test_a_deleted_child_is_made_again(child: str) -> None:
    cr, world = running(FILES)
    del world.objects[ChildKey(*child.split())]
    decided = decide(cr, world)
    assert keys(decided.apply) == [child]
    assert decided.apply[0].is_new


def test_what_others_add_beside_our_fields_stays() -> None:
    cr, world = running()
    live = world.objects[DEPLOYMENT]
    live["spec"]["template"]["metadata"]["annotations"] = {"kubectl.kubernetes.io/restartedAt": "now"}
    live["metadata"]["labels"]["theirs"] = "x"
    assert not decide(cr, world).has_writes


def test_a_field_that_is_no_longer_wanted_is_given_up_although_nothing_differs() -> None:
    cr, world = running({**WEB, "service": {"annotations": {"a": "b"}, "trafficDistribution": "PreferClose"}})
    cr = with_spec(cr, service=None)
    decided = decide(cr, world)
    assert keys(decided.apply) == ["Service shop"]
    assert decided.apply[0].repairs == "", "it is our own change, not a repair"
    assert "annotations" not in {k: v for k, v in decided.apply[0].manifest["metadata"]["annotations"].items() if k == "a"}
    settle(cr, world)
    assert not decide(cr, world).has_writes


def left_by_an_older_renderer() -> tuple[Manifest, World, Manifest]:
    """A service that an operator with another renderer has left, and the pod template of its Deployment."""
    cr, world = running()
    svc = parse(cr)
    template = copy.deepcopy(render(svc).template)
    template["spec"]["containers"][0]["terminationMessagePolicy"] = "FallbackToLogsOnError"
    template["spec"]["priorityClassName"] = "of-the-older-renderer"
    del template["spec"]["enableServiceLinks"]
    older = replace(render(svc), template=template, renderer="0")
    for number, manifest in enumerate(at_rest(svc, older, svc.spec.replicas or 0)):
        world.objects[key_of(manifest)] = live(manifest, number=number)
    world.run_pods()
    return cr, world, copy.deepcopy(world.objects[DEPLOYMENT]["spec"]["template"])


def test_an_operator_with_another_renderer_changes_no_pod() -> None:
    cr, world, before = left_by_an_older_renderer()
    settle(cr, world)
    assert world.objects[DEPLOYMENT]["spec"]["template"] == before
    assert world.writes == []


def test_new_rendering_enters_with_the_next_revision() -> None:
    cr, world, _ = left_by_an_older_renderer()
    settle(with_spec(cr, image="shop:2"), world)
    spec = world.objects[DEPLOYMENT]["spec"]["template"]["spec"]
    assert "priorityClassName" not in spec
    assert spec["enableServiceLinks"] is False


def test_a_deployment_of_an_older_renderer_is_repaired_to_what_is_stored() -> None:
    cr, world, before = left_by_an_older_renderer()
    world.objects[DEPLOYMENT]["spec"]["template"]["spec"]["priorityClassName"] = "theirs"
    settle(cr, world)
    assert world.objects[DEPLOYMENT]["spec"]["template"]["spec"]["priorityClassName"] == before["spec"]["priorityClassName"]


def test_deleted_revisions_are_rebuilt_where_they_serve_and_missed_elsewhere() -> None:
    cr, world = running()
    first = revision_name(parse(cr).spec)
    cr = with_spec(cr, image="shop:2")
    settle(cr, world)
    world.run_pods()
    settle(cr, world)
    for key in [k for k in world.objects if k.kind == "ControllerRevision"]:
        del world.objects[key]
    template = copy.deepcopy(world.objects[DEPLOYMENT]["spec"]["template"])
    decided = settle(cr, world)
    assert decided.status
    assert condition(decided.status, "Drifted") == ("True", "RevisionMissing")
    missing = {e["revision"]: bool(e.get("missing")) for e in decided.status["history"]}
    assert missing == {first: True, revision_name(parse(cr).spec): False}
    assert world.objects[DEPLOYMENT]["spec"]["template"] == template


def test_the_serving_revision_is_rebuilt_from_its_deployment_not_from_this_renderer() -> None:
    cr, world = running()
    settle(cr, world)
    live = world.objects[DEPLOYMENT]
    # What an older renderer applied: managed fields name it, as the API server keeps them.
    live["spec"]["template"]["spec"]["hostname"] = "of-the-older-renderer"
    live["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:template"]["f:spec"]["f:hostname"] = {}
    before = copy.deepcopy(live["spec"]["template"])
    key = next(k for k in world.objects if k.kind == "ControllerRevision")
    del world.objects[key]
    settle(cr, world)
    rebuilt = world.objects[key]["data"]
    assert rebuilt["template"]["spec"]["hostname"] == "of-the-older-renderer"
    assert names.COLOR_LABEL not in rebuilt["template"]["metadata"]["labels"]
    assert world.objects[DEPLOYMENT]["spec"]["template"] == before
    assert rebuilt["renderer"] == RENDERER


def test_a_revision_that_goes_while_its_deployment_is_edited_is_rebuilt_as_it_was() -> None:
    cr, world = running()
    key = next(k for k in world.objects if k.kind == "ControllerRevision")
    before, stored = copy.deepcopy(world.objects[DEPLOYMENT]["spec"]), world.objects.pop(key)
    live = world.objects[DEPLOYMENT]
    live["spec"]["template"]["spec"]["automountServiceAccountToken"] = True
    (mine,) = live["metadata"]["managedFields"]
    del mine["fieldsV1"]["f:spec"]["f:template"]["f:spec"]["f:automountServiceAccountToken"]
    theirs = {"f:spec": {"f:template": {"f:spec": {"f:automountServiceAccountToken": {}}}}}
    live["metadata"]["managedFields"].append({"manager": "kubectl-edit", "operation": "Update", "fieldsV1": theirs})
    settle(cr, world)
    assert world.objects[key]["data"] == stored["data"]
    assert world.objects[DEPLOYMENT]["spec"] == before


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(None, id="nothing"),
        pytest.param("text", id="text"),
        pytest.param({"fields": "text", "template": {}}, id="fields that are no fields"),
        pytest.param({"scheme": "1", "fields": {"image": 5}, "template": {}}, id="fields that do not parse"),
        pytest.param({"scheme": "1", "fields": {"image": "evil:1"}, "template": {}}, id="fields of another revision"),
    ],
)
def test_stored_data_that_is_not_ours_is_not_run(forged: Any) -> None:
    cr, world = running()
    key = next(k for k in world.objects if k.kind == "ControllerRevision")
    world.objects[key]["data"] = forged
    before = copy.deepcopy(world.objects[DEPLOYMENT]["spec"]["template"])
    decided = decide(cr, world)
    assert keys(decided.apply) == [str(key)]
    assert before == world.objects[DEPLOYMENT]["spec"]["template"]

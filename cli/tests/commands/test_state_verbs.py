"""`state export` and `state import`: what is carried to a new cluster, in which order it is made there, and what is left as it is."""

import copy
import importlib
import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from hardenctl_world import CHILDREN, NEW_IMAGE, OLD_IMAGE, SERVICES, FakeCluster, healthy, service, stored, taken_back

from hardened.api.parse import parse_spec
from hardened.core.model.annotations import annotations_of
from hardened.core.observe.observed import Ownership, owner_of
from hardened.core.revisions.revision import key_of, revision_name
from hardened.core.revisions.usable import problem
from hardened.errors import Refused

STORED = f"{CHILDREN}/controllerrevisions"
#: As the operator names them.
V1, V2 = (revision_name(parse_spec({"image": image})) for image in (OLD_IMAGE, NEW_IMAGE))
V2_KEY = key_of(V2, parse_spec({"image": NEW_IMAGE}))
REJECTED = json.dumps([{"key": V2_KEY, "reason": "CheckFailed", "message": "smoke: 500", "afterCutover": True}])
SIGNED = {"hardened.dev/applied": "d1g3st"}


def revision(name: str, number: int, image: str, **marks: Any) -> dict[str, Any]:
    """As the operator stores it, with labels, a signature, and what a server adds."""
    found = stored(name, number, image, **marks)
    meta = found["metadata"]
    meta |= {"namespace": "shop", "resourceVersion": "7", "managedFields": [{"manager": "hardened"}]}
    meta["labels"] = {"app.kubernetes.io/managed-by": "hardened", "hardened.dev/service": "api", "hardened.dev/revision": name}
    meta["annotations"] = {**meta["annotations"], **SIGNED}
    return found


def world(status: dict[str, Any] | None = None, *revisions: dict[str, Any], image: str = NEW_IMAGE) -> FakeCluster:
    """v1 was promoted, v2 was rolled back, and the spec still asks for v2."""
    live = service(status=status or rolled_back(), image=image)
    live["metadata"] |= {
        "labels": {"team": "payments"},
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "example.com/owner": "ada"},
        "ownerReferences": [{"uid": "of-another-cluster"}],
        "managedFields": [{"manager": "kubectl"}],
        "creationTimestamp": "2026-01-02T03:04:05Z",
    }
    cluster = FakeCluster(live)
    cluster.objects[STORED] = {"items": list(revisions) if revisions else [revision(V1, 1, OLD_IMAGE, promotion=1), rejected()]}
    return cluster


def rolled_back() -> dict[str, Any]:
    found = taken_back()
    found["stable"] = {"color": "blue", "revision": V1, "promotion": 1}
    found["pin"] = {"revision": V2, "rejectedKey": V2_KEY, "reason": "CheckFailed", "message": "smoke: 500", "afterCutover": True}
    return found


def rejected() -> dict[str, Any]:
    return revision(V2, 2, NEW_IMAGE, rejected=REJECTED)


def export(run: Any, cluster: FakeCluster) -> tuple[list[dict[str, Any]], str]:
    shown = run(cluster, "state", "export")
    assert shown.exit_code == 0, shown.stderr
    whole = yaml.safe_load(shown.stdout)
    assert (whole["apiVersion"], whole["kind"]) == ("v1", "List")
    return whole["items"], shown.stderr


def load(run: Any, cluster: FakeCluster, items: Any, *more: str) -> Any:
    text = yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": items})
    return run(cluster, "state", "import", "-f", "-", *more, stdin=text)


def test_what_is_exported_of_a_service(run: Any) -> None:
    items, told = export(run, world())
    assert [(each["kind"], each["metadata"]["name"]) for each in items] == [
        ("ControllerRevision", f"api-{V1}"),
        ("ControllerRevision", f"api-{V2}"),
        ("HardenedService", "api"),
    ]
    assert items[-1] == {
        "apiVersion": "hardened.dev/v1alpha1",
        "kind": "HardenedService",
        "metadata": {"name": "api", "namespace": "shop", "labels": {"team": "payments"}, "annotations": {"example.com/owner": "ada"}},
        "spec": {"image": NEW_IMAGE, "replicas": 2},
    }
    assert "warning" not in told


def test_revisions_come_as_the_operator_takes_them_in_another_cluster(run: Any) -> None:
    *items, _ = export(run, world())[0]
    for each in items:
        assert set(each["metadata"]) == {"name", "namespace", "labels", "annotations"}
        assert owner_of(each, "api", "uid-of-a-new-cluster") is Ownership.OURS
        assert problem("api", each) == ""
    stable, pinned = (annotations_of(each, each["metadata"]["name"].rpartition("-")[2]) for each in items)
    assert (stable.promotion, stable.rejections) == (1, ())
    assert [each.key for each in pinned.rejections] == [V2_KEY]


def test_a_revision_that_is_neither_stable_nor_rejected_stays_behind(run: Any) -> None:
    older = revision(V2, 1, NEW_IMAGE, promotion=1)
    status = healthy() | {"stable": {"color": "blue", "revision": V1, "promotion": 2}}
    items, _ = export(run, world(status, older, revision(V1, 2, OLD_IMAGE, promotion=2), image=OLD_IMAGE))
    assert [each["metadata"]["name"] for each in items] == [f"api-{V1}", "api"]


def test_what_status_alone_remembers_is_written_down(run: Any) -> None:
    """Somebody stripped the annotations."""
    *items, _ = export(run, world(None, revision(V1, 1, OLD_IMAGE), revision(V2, 2, NEW_IMAGE)))[0]
    stable, pinned = (annotations_of(each, each["metadata"]["name"].rpartition("-")[2]) for each in items)
    assert stable.promotion == 1
    assert [(each.key, each.after_cutover) for each in pinned.rejections] == [(V2_KEY, True)]


@pytest.mark.parametrize(
    ("revisions", "lack"),
    [
        ([rejected()], f"stable revision {V1} is not stored"),
        ([revision(V1, 1, OLD_IMAGE, promotion=1)], f"rejected revision {V2} is not stored"),
    ],
)
def test_what_cannot_be_taken_along_is_told(run: Any, revisions: list[dict[str, Any]], lack: str) -> None:
    assert lack in export(run, world(None, *revisions))[1]


def test_a_forged_or_foreign_revision_is_not_taken_along(run: Any) -> None:
    forged = copy.deepcopy(rejected())
    forged["data"]["template"]["spec"]["hostPID"] = True
    foreign = revision(V1, 1, OLD_IMAGE, promotion=9)
    foreign["metadata"]["ownerReferences"] = [{"uid": "somebody", "kind": "StatefulSet", "name": "x", "controller": True}]
    items, told = export(run, world(None, forged, foreign))
    assert [each["kind"] for each in items] == ["HardenedService"]
    assert "its template sets hostPID" in told


def test_a_service_that_never_served_is_told_to_be_new(run: Any) -> None:
    items, told = export(run, world(healthy(), revision(V1, 1, OLD_IMAGE), image=OLD_IMAGE))
    assert [each["kind"] for each in items] == ["HardenedService"]
    assert "no revision of it was ever promoted" in told


def test_all_namespaces_and_names_alone(run: Any) -> None:
    cluster = world()
    cluster.objects["/apis/apps/v1/controllerrevisions"] = cluster.objects.pop(STORED)
    shown = run(cluster, "state", "export", "-A", "-o", "name")
    assert shown.stdout.split() == [
        f"controllerrevision.apps/api-{V1}",
        f"controllerrevision.apps/api-{V2}",
        "hardenedservice.hardened.dev/api",
    ]


def test_every_page_is_read(run: Any) -> None:
    class Paged(FakeCluster):
        def get(self, path: str, within: float | None = None) -> dict[str, Any]:
            found = super().get(path, within)
            if path.partition("?")[0] != STORED:
                return found
            at = int(path.partition("continue=")[2] or 0)
            more = {"metadata": {"continue": str(at + 1)}} if at == 0 else {}
            return {"items": [found["items"][at]], **more}

    cluster = Paged()
    cluster.objects = world().objects
    assert len(export(run, cluster)[0]) == 3


def test_in_a_new_cluster_revisions_come_first_and_the_service_goes_on_at_the_end(run: Any) -> None:
    items, _ = export(run, world())
    new = FakeCluster()
    shown = load(run, new, items)
    assert shown.exit_code == 0, shown.stderr
    assert [each["kind"] for each in new.made] == ["ControllerRevision", "ControllerRevision", "HardenedService"]
    assert new.made[-1]["spec"]["suspend"] is True
    assert new.merged == [(f"{SERVICES}/api", {"spec": {"suspend": None}})]
    assert export(run, _listed(new))[0][-1]["spec"]["image"] == NEW_IMAGE


def _listed(cluster: FakeCluster) -> FakeCluster:
    """With the uid, the version and the lists that a server has."""
    cluster.objects[f"{SERVICES}/api"]["metadata"] |= {"uid": "new", "resourceVersion": "1"}
    cluster.objects[STORED] = {"items": [each for each in cluster.made if each["kind"] == "ControllerRevision"]}
    return cluster


def test_there_and_back_again_nothing_is_lost(run: Any) -> None:
    items, _ = export(run, world())
    new = FakeCluster()
    load(run, new, items)
    again, _ = export(run, _listed(new))
    again[-1]["spec"].pop("suspend")
    assert again == items


def test_a_service_that_was_suspended_stays_so(run: Any) -> None:
    items, _ = export(run, world())
    items[-1]["spec"]["suspend"] = True
    new = FakeCluster()
    assert load(run, new, items).exit_code == 0
    assert new.made[-1]["spec"]["suspend"] is True
    assert new.merged == []


def test_a_service_that_is_there_is_left_with_its_revisions_and_named(run: Any) -> None:
    items, _ = export(run, world())
    there = FakeCluster(service(image=OLD_IMAGE))
    shown = load(run, there, items, "-o", "json")
    told = json.loads(shown.stdout)
    assert (shown.exit_code, told["result"], told["made"]) == (0, "unchanged", [])
    assert {each["name"] for each in told["left"]} == {"api", f"api-{V1}", f"api-{V2}"}
    assert (there.made, there.merged) == ([], [])


def test_a_revision_that_is_there_is_left_and_the_rest_is_made(run: Any) -> None:
    items, _ = export(run, world())
    there = FakeCluster()
    there.objects[f"{STORED}/api-{V1}"] = items[0]
    told = json.loads(load(run, there, items, "-o", "json").stdout)
    assert [each["name"] for each in told["left"]] == [f"api-{V1}"]
    assert [each["name"] for each in told["made"]] == [f"api-{V2}", "api"]


def test_a_service_without_one_of_its_revisions_is_not_made(run: Any) -> None:
    items, _ = export(run, world())
    new = FakeCluster()
    new.objects[f"create {STORED}/api-{V2}"] = Refused("controllerrevisions is forbidden", status=403, reason="Forbidden")
    shown = load(run, new, items)
    assert shown.exit_code == 1
    assert f"api-{V2} could not be made" in shown.stderr
    assert "HardenedService" not in [each["kind"] for each in new.made]


def test_a_dry_run_makes_nothing_and_says_what_it_would(run: Any) -> None:
    items, _ = export(run, world())
    new = FakeCluster()
    shown = load(run, new, items, "--dry-run")
    assert shown.exit_code == 0
    assert shown.stdout.count("would be made") == 3
    assert (new.made, new.merged) == ([], [])


def test_what_is_nothing_to_import_is_named(run: Any) -> None:
    items, _ = export(run, world())
    forged = copy.deepcopy(items[1])
    forged["data"]["template"]["spec"]["hostPID"] = True
    alone = copy.deepcopy(items[0])
    alone["metadata"]["labels"]["hardened.dev/service"] = "another"
    others = [{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": "shop"}}, "text", {"kind": "HardenedService"}]
    new = FakeCluster()
    told = json.loads(load(run, new, [items[0], forged, alone, *others, items[-1], items[-1]], "-o", "json").stdout)
    assert len(told["made"]) == 2
    assert len(told["left"]) == 6
    assert "its template sets hostPID" in str(told["left"])
    assert "twice" in str(told["left"])


@pytest.mark.parametrize(
    "text", ["", "kind: List\napiVersion: v1\nitems: []\n", "a: [", "kind: Secret\nmetadata: {name: a, namespace: b}\n"]
)
def test_a_file_without_a_service_is_refused(run: Any, text: str) -> None:
    shown = run(FakeCluster(), "state", "import", "-f", "-", stdin=text)
    assert shown.exit_code == 2
    assert shown.stdout == ""


def test_a_file_is_needed(run: Any) -> None:
    assert run(None, "state", "import").exit_code == 2


@pytest.mark.parametrize("verb", ["export", "import"])
def test_its_examples_work(run: Any, verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = run(world(), "state", "export").stdout
    Path("state.yaml").write_text(text)
    for example in importlib.import_module(f"hardenctl.commands.state.{verb}").EXAMPLES:
        words = shlex.split(example.partition("#")[0].partition(" > ")[0].partition(" < ")[0])
        shown = run(world() if verb == "export" else FakeCluster(), *words, stdin=text)
        assert shown.exit_code == 0, shown.stderr

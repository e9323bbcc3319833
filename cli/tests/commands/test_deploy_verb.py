"""`deploy`: what it sends, what it says, how it exits."""

import json
import threading
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
import yaml
from hardenctl_world import (
    REVISION,
    SERVICES,
    FakeCluster,
    degraded,
    gone_back,
    healthy,
    modified,
    progressing,
    releasing,
    service,
    taken_back,
)

from hardenctl.cluster.replies import Conflict, FieldConflict, InvalidFields
from hardened.errors import ApiFailure, FieldError, Refused, Vanished

IMAGE = "registry.example/api:2.0"
FILE = """\
apiVersion: hardened.dev/v1alpha1
kind: HardenedService
metadata: {name: NAME}
spec:
  image: registry.example/api:1.0
  ports: [{name: http, containerPort: 8080}]
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "api.yaml"
    path.write_text(FILE.replace("NAME", "api"))
    return str(path)


def _applied(cluster: FakeCluster) -> dict[str, Any]:
    [(path, manifest, dry_run)] = cluster.applied
    assert (path, dry_run) == (f"{SERVICES}/api", False)
    return manifest


def test_an_image_makes_a_minimal_service(run: Any) -> None:
    cluster = FakeCluster()
    shown = run(cluster, "deploy", "api", "--image", IMAGE, "--port", "8080", "--replicas", "3", "--wait=none")
    assert shown.exit_code == 0
    assert shown.stdout == "shop/api created\n"
    assert _applied(cluster)["spec"] == {"image": IMAGE, "ports": [{"name": "http", "containerPort": 8080}], "replicas": 3}


def test_an_image_keeps_what_was_applied_before_and_pins_the_object(run: Any) -> None:
    live = service(token="t")
    fields = {"f:spec": {"f:image": {}, "f:token": {}}}
    live["metadata"]["managedFields"] = [{"manager": "hardenctl", "operation": "Apply", "fieldsV1": fields}]
    cluster = FakeCluster(live)
    assert run(cluster, "deploy", "api", "--image", IMAGE, "--wait=none").exit_code == 0
    sent = _applied(cluster)
    assert sent["spec"] == {"image": IMAGE, "token": "t"}
    assert sent["metadata"]["uid"] == "uid-api"


@pytest.mark.parametrize(
    ("states", "result", "code", "expected"),
    [
        pytest.param([progressing(), healthy()], "healthy", 0, f"√ shop/api is healthy: revision {REVISION} serves", id="healthy"),
        pytest.param([releasing("SwitchBack"), gone_back()], "healthy", 0, "shop/api is healthy", id="back to what served"),
        pytest.param([degraded(), healthy()], "healthy", 0, "shop/api is healthy", id="a passing fault"),
        pytest.param([degraded(stalled=True)], "failed", 1, "error: shop/api has failed: pod api-1", id="a final fault"),
        pytest.param([progressing()], "timeout", 124, "hint: only the waiting has ended; the release continues", id="time is up"),
    ],
)
def test_a_deployment_ends(run: Any, states: list[dict[str, Any]], result: str, code: int, expected: str) -> None:
    for output in ("", "json"):
        cluster = FakeCluster()
        cluster.watches = [[modified(service(version=n + 2, status=s, image=IMAGE)) for n, s in enumerate(states)]]
        shown = run(cluster, "deploy", "api", "--image", IMAGE, "--timeout=0.4s", *(["-o", output] if output else []))
        assert shown.exit_code == code
        if output:
            assert json.loads(shown.stdout)["result"] == result
        else:
            assert expected in shown.output


def test_who_may_deploy_but_not_watch_learns_how_it_went(run: Any) -> None:
    cluster = FakeCluster(service(status=healthy()))
    cluster.watches = [Refused("forbidden: cannot watch", status=403)]
    shown = run(cluster, "deploy", "api", "--image", IMAGE, "--timeout=0.3s", "-o", "json")
    said = json.loads(shown.stdout)
    assert (said["result"], shown.exit_code) == ("timeout", 124)
    assert [each["change"] for each in said["services"]] == ["configured"]


class Unreadable(FakeCluster):
    """May be written, and not read."""

    def get(self, path: str, within: float | None = None) -> dict[str, Any]:
        raise Refused("forbidden: cannot get", status=403)


def test_who_may_not_read_what_an_image_would_leave_out_changes_nothing(run: Any) -> None:
    cluster = Unreadable(service())
    shown = run(cluster, "deploy", "api", "--image", IMAGE)
    assert shown.exit_code == 4
    assert "kubectl auth can-i get hardenedservices.hardened.dev -n shop" in shown.stderr
    assert not cluster.applied


def test_who_may_not_read_can_apply_a_whole_file(run: Any, file: str) -> None:
    shown = run(Unreadable(service()), "deploy", "-f", file, "--wait=none")
    assert (shown.stdout, shown.exit_code) == ("shop/api applied\n", 0)


@pytest.mark.parametrize("theirs", [healthy(3), taken_back() | {"observedGeneration": 3}, progressing(3)], ids=["healthy", "bad", "slow"])
def test_a_version_that_somebody_else_replaced_did_not_succeed(run: Any, theirs: dict[str, Any]) -> None:
    for output in ("", "json"):
        cluster = FakeCluster(service(status=healthy()))
        cluster.watches = [[modified(service(version=3, generation=3, status=theirs, image="registry.example/api:3.0"))]]
        shown = run(cluster, "deploy", "api", "--image", IMAGE, "--timeout=0.4s", *(["-o", output] if output else []))
        assert shown.exit_code == 1
        if output:
            said = json.loads(shown.stdout)
            assert (said["result"], said["services"][0]["next"]) == ("superseded", "hardenctl history api -n shop")
        else:
            assert "error: shop/api runs another version: its spec was changed" in shown.stderr
            assert "now asks for registry.example/api:3.0" in shown.stderr


def test_a_size_that_an_autoscaler_chose_meanwhile_is_no_other_version(run: Any) -> None:
    cluster = FakeCluster(service(status=healthy()))
    cluster.watches = [[modified(service(version=3, generation=3, status=healthy(3), image=IMAGE, replicas=5))]]
    assert run(cluster, "deploy", "api", "--image", IMAGE, "--timeout=5s").exit_code == 0


def test_an_operator_that_does_not_look_is_asked_for(run: Any) -> None:
    for output in ("", "json"):
        cluster = FakeCluster(service(status=healthy()))
        shown = run(cluster, "deploy", "api", "--image", IMAGE, "--timeout=0.3s", *(["-o", output] if output else []))
        assert shown.exit_code == 124
        if output:
            assert json.loads(shown.stdout)["services"][0]["next"] == "hardenctl check -n shop"
        else:
            assert "hint: only the waiting has ended: is the operator running?" in shown.stderr
            assert "hardenctl check" in shown.stderr


class Scripted(FakeCluster):
    """Each service has a watch of its own. It sends its one state once the services before it have got theirs."""

    def __init__(self, order: list[tuple[str, dict[str, Any]]]) -> None:
        super().__init__()
        self.order, self.turn = order, threading.Condition()

    def watch(self, path: str, timeout: float) -> Any:
        mine = dict(parse_qsl(path.partition("?")[2]))["fieldSelector"].removeprefix("metadata.name=")
        with self.turn:
            if not self.turn.wait_for(lambda: self.order and self.order[0][0] == mine, timeout=30):
                return
            _, status = self.order.pop(0)
            self.turn.notify_all()
        yield modified(service(mine, version=7, status=status, ports=[{"name": "http", "containerPort": 8080}]))


def test_several_services_are_followed_side_by_side(run: Any) -> None:
    # The last of the file is rejected first: who waits for them in turn hears of it when all others have ended.
    cluster = Scripted([("two", taken_back()), ("one", healthy())])
    text = "---\n".join(FILE.replace("NAME", name) for name in ("one", "two"))
    shown = run(cluster, "deploy", "-f", "-", "--timeout=20s", stdin=text)
    told = [line.split()[1:3] for line in shown.stderr.splitlines() if "rolledback:" in line or " healthy:" in line]
    assert told == [["two:", "rolledback:"], ["one:", "healthy:"]]
    assert "√ shop/one is healthy" in shown.stdout
    assert shown.exit_code == 3


def test_a_service_that_was_healthy_already_needs_no_wait(run: Any, file: str) -> None:
    cluster = FakeCluster(service(status=healthy(), ports=[{"name": "http", "containerPort": 8080}]))
    shown = run(cluster, "deploy", "-f", file)
    assert shown.exit_code == 0
    assert "shop/api unchanged" in shown.stderr


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        pytest.param(Refused("forbidden", status=403), "kubectl auth can-i patch hardenedservices.hardened.dev -n shop", id="no right"),
        pytest.param(
            Conflict("conflict", (FieldConflict("spec.image", "kubectl-edit"),)),
            "spec.image is managed by kubectl-edit, which set another value\n"
            "hint: change it with kubectl edit, or take it over with --force-conflicts",
            id="another manager",
        ),
        pytest.param(Conflict("conflict", (FieldConflict("spec.image", "argocd-controller"),)), "change it at its source", id="GitOps"),
        pytest.param(
            InvalidFields("invalid", (FieldError("spec.image", "no"),), status=422, reason="Invalid"),
            "api.yaml:5:3: spec.image: no",
            id="a wrong field",
        ),
        pytest.param(Refused("unknown field spec.x", status=400), "the CRD in the cluster is older", id="an old CRD"),
    ],
)
def test_a_refusal_exits_4_and_says_how_to_go_on(run: Any, file: str, refusal: Refused, expected: str) -> None:
    cluster = FakeCluster(service())
    cluster.refusal = refusal
    shown = run(cluster, "deploy", "-f", file)
    assert shown.exit_code == 4
    assert expected in shown.stderr


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        pytest.param(Refused("forbidden", status=403), "can-i patch hardenedservices.hardened.dev -n billing", id="no right"),
        pytest.param(Vanished('namespaces "billing" not found', status=404), "kubectl create namespace billing", id="no namespace"),
    ],
)
def test_a_refusal_names_the_namespace_of_the_file(run: Any, refusal: ApiFailure, expected: str) -> None:
    cluster = FakeCluster()
    cluster.refusal = refusal
    shown = run(cluster, "deploy", "-f", "-", stdin=FILE.replace("NAME", "api, namespace: billing"))
    assert shown.exit_code == 4
    assert expected in shown.stderr


def test_an_image_alone_leaves_what_a_file_said_of_the_object(run: Any) -> None:
    live = service(status=healthy())
    said = {"labels": {"team": "a"}, "finalizers": ["acme.example/keep"], "ownerReferences": [{"kind": "ConfigMap", "uid": "u1"}]}
    fields = {"f:labels": {"f:team": {}}, "f:finalizers": {'v:"acme.example/keep"': {}}, "f:ownerReferences": {'k:{"uid":"u1"}': {}}}
    entry = {"manager": "hardenctl", "operation": "Apply", "fieldsV1": {"f:metadata": fields, "f:spec": {"f:image": {}}}}
    live["metadata"] |= {**said, "managedFields": [entry]}
    cluster = FakeCluster(live)
    assert run(cluster, "deploy", "api", "--image", IMAGE, "--wait=none").exit_code == 0
    assert said.items() <= _applied(cluster)["metadata"].items()


def test_a_conflict_can_be_forced(run: Any, file: str) -> None:
    cluster = FakeCluster(service())
    cluster.refusal = Conflict("conflict", (FieldConflict("spec.image", "kubectl"),))
    assert run(cluster, "deploy", "-f", file, "--force-conflicts", "--wait=none").exit_code == 0


def test_several_services_are_tried_before_any_is_changed(run: Any) -> None:
    cluster = FakeCluster()
    text = "---\n".join(FILE.replace("NAME", name) for name in ("one", "two"))
    shown = run(cluster, "deploy", "-f", "-", "--wait=none", stdin=text)
    assert shown.exit_code == 0
    assert [(path.rpartition("/")[2], dry) for path, _, dry in cluster.applied] == [
        ("one", True),
        ("two", True),
        ("one", False),
        ("two", False),
    ]


def test_one_service_of_a_file(run: Any) -> None:
    cluster = FakeCluster()
    text = "---\n".join(FILE.replace("NAME", name) for name in ("one", "api"))
    assert run(cluster, "deploy", "api", "-f", "-", "--wait=none", stdin=text).exit_code == 0
    assert _applied(cluster)["metadata"]["name"] == "api"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "deploy needs an image or a file"),
        (["--image", IMAGE], "--image needs the NAME"),
        (["", "--image", IMAGE], "NAME is empty"),
        (["", "-f", "-"], "NAME is empty"),
        (["api", "--image", IMAGE, "-f", "-"], "exclude each other"),
        (["api", "--image", "registry.example/api"], "--image: an image needs a digest"),
        (["api", "--image", IMAGE, "--port", "0"], "--port: "),
        (["Api", "--image", IMAGE], "NAME Api: must begin with a lower case letter"),
        (["api", "--image", IMAGE, "--timeout", "soon"], "--timeout 'soon' is not a duration"),
        (["api", "--image", IMAGE, "--wait=maybe"], "--wait=maybe is not known"),
        (["-f", "-", "-n", "other"], "is for namespace shop, but --namespace says other"),
    ],
)
def test_usage_errors_change_nothing(run: Any, arguments: list[str], expected: str) -> None:
    cluster = FakeCluster()
    shown = run(cluster, "deploy", *arguments, stdin=FILE.replace("NAME", "api, namespace: shop"))
    assert shown.exit_code == 2
    assert expected in shown.stderr
    assert not cluster.applied


@pytest.mark.parametrize(("name", "expected"), [("y", "must be a string; quote it"), ("''", "Required value: the name of the service")])
def test_a_name_that_yaml_reads_as_something_else_is_to_be_quoted(run: Any, name: str, expected: str) -> None:
    shown = run(None, "deploy", "-f", "-", "--dry-run=client", stdin=FILE.replace("NAME", name))
    assert shown.exit_code == 2
    assert f"metadata.name: {expected}" in shown.stderr


def test_of_several_services_each_warning_names_its_own(run: Any) -> None:
    both = FILE.replace("NAME", "api, namespace: shop") + "\n---\n" + FILE.replace("NAME", "web, namespace: shop")
    warned = run(None, "deploy", "-f", "-", "--dry-run=client", stdin=both).stderr
    assert "warning: shop/api: no liveness probe (set probes.liveness)" in warned
    assert "warning: shop/web: no liveness probe (set probes.liveness)" in warned


@pytest.mark.parametrize("is_there", [False, True])
def test_a_dry_run_of_an_image_can_be_kept_as_a_file(run: Any, tmp_path: Path, is_there: bool) -> None:
    cluster = FakeCluster(*([service(status=healthy())] if is_there else []))
    shown = run(cluster, "deploy", "api", "--image", IMAGE, "-o", "yaml", "--dry-run=client")
    (tmp_path / "made.yaml").write_text(shown.stdout)
    assert yaml.safe_load(shown.stdout) == {
        "apiVersion": "hardened.dev/v1alpha1",
        "kind": "HardenedService",
        "metadata": {"name": "api", "namespace": "shop"},
        "spec": {"image": IMAGE},
    }
    assert run(cluster, "deploy", "-f", str(tmp_path), "--wait=none").exit_code == 0
    assert [dry_run for _, _, dry_run in cluster.applied] == [False]


@pytest.mark.parametrize("where", ["client", "server"])
def test_a_dry_run_shows_what_the_operator_would_make(run: Any, file: str, where: str) -> None:
    cluster = FakeCluster()
    shown = run(cluster if where == "server" else None, "deploy", "-f", file, f"--dry-run={where}", "-o", "name")
    kinds = [line.split("/")[0] for line in shown.stdout.splitlines()]
    assert kinds == ["controllerrevision", "serviceaccount", "networkpolicy", "poddisruptionbudget", "deployment", "service"]
    assert "warning: no liveness probe (set probes.liveness)" in shown.stderr
    assert all(dry_run for _, _, dry_run in cluster.applied)

"""`report`: what is in the bundle, what is not, and where it goes."""

import io
import json
import shlex
import stat
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hardenctl_world import ACTIONS, SERVICES, FakeCluster
from service_world import CORE, CRASHED, NEW_POD, OLD_PODS, around, event

from hardenctl.cluster.paths import CRD, GROUP, VERSION
from hardenctl.commands.report import EXAMPLES
from hardenctl.reporting import bundle, reading
from hardened.errors import Refused, TryAgain

OPERATOR = "/api/v1/namespaces/hardened-system/pods"
SECRET = "Q8SECRETZ"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def world() -> FakeCluster:
    """A release whose new pod crashes, with an operator and something secret wherever there can be."""
    events = [event("Pod", NEW_POD, "BackOff", f"restarting, DB_PASSWORD={SECRET}"), event("Pod", "another-one", "Killing", "not ours")]
    cluster = around(None, CRASHED, *events)
    live = cluster.objects[f"{SERVICES}/api"]
    live["spec"] |= {"env": [{"name": "API_TOKEN", "value": SECRET}], "files": [{"mountPath": "/etc/api", "data": {"app.toml": SECRET}}]}
    live["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(live["spec"])}
    cluster.logs = {
        NEW_POD: ["starting", f"cannot log in with {SECRET}"],
        OLD_PODS[0]: ["GET / 200"],
        "operator-1": ["looking at shop/api"],
    }
    operator = {
        "metadata": {"name": "hardened-operator", "namespace": "hardened-system"},
        "spec": {"replicas": 1, "template": {"spec": {"containers": [{"image": "registry.example/operator:0.1.0"}]}}},
        "status": {"availableReplicas": 1},
    }
    status = {"containerStatuses": [{"name": "operator", "restartCount": 0, "state": {"running": {}}}]}
    asked = [{"metadata": {"name": name}, "spec": {"service": name, "action": "Retry"}} for name in ("api", "web")]
    cluster.objects |= {
        "/apis/apps/v1/deployments": {"items": [operator]},
        OPERATOR: {"items": [{"metadata": {"name": "operator-1", "namespace": "hardened-system"}, "status": status}]},
        CRD: {"metadata": {"annotations": {"hardened.dev/schema-revision": "14"}}, "status": {}},
        VERSION: {"gitVersion": "v1.36.0"},
        ACTIONS: {"items": asked},
        "/apis/keda.sh/v1alpha1/namespaces/shop/scaledobjects": {"items": []},
    }
    return cluster


def unpacked(content: bytes) -> dict[str, str]:
    """Without the folder that all of it is in."""
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        found = {entry.name: tar.extractfile(entry).read().decode() for entry in tar.getmembers()}  # type: ignore[union-attr]
    (folder,) = {name.partition("/")[0] for name in found}
    assert folder.startswith("hardened-report-shop-api-")
    return {name.partition("/")[2]: text for name, text in found.items()}


def report(run: Any, cluster: FakeCluster, *more: str) -> tuple[Any, dict[str, str]]:
    shown = run(cluster, "report", "api", "-f", "api.tar.gz", *more)
    assert shown.exit_code == 0, shown.stderr
    return shown, unpacked(Path("api.tar.gz").read_bytes())


def test_what_is_in_it(run: Any) -> None:
    _, files = report(run, world())
    assert set(files) == {
        "manifest.json",
        "service.yaml",
        "children/ControllerRevision.yaml",
        "children/Deployment.yaml",
        "pods.yaml",
        "replicasets.yaml",
        "actions.yaml",
        "events.yaml",
        f"logs/{NEW_POD}/app.previous.log",
        *(f"logs/{pod}/app.log" for pod in OLD_PODS),
        "operator/deployment.yaml",
        "operator/pods.yaml",
        "operator/logs/operator-1/operator.log",
    }
    assert [each["metadata"]["name"] for each in yaml.safe_load(files["actions.yaml"])] == ["api"]
    assert [each["reason"] for each in yaml.safe_load(files["events.yaml"])] == ["BackOff"]
    assert files["operator/logs/operator-1/operator.log"] == "looking at shop/api\n"
    assert files[f"logs/{OLD_PODS[0]}/app.log"] == "GET / 200\n"


def test_nothing_secret_is_in_it_and_the_manifest_says_where_it_was(run: Any) -> None:
    _, files = report(run, world())
    assert not [name for name, text in files.items() if SECRET in text or "hunter2" in text]
    found = {each["path"]: each for each in json.loads(files["manifest.json"])["files"]}
    assert {"spec.env[0].value", 'spec.files[0].data["app.toml"]'} <= set(found["service.yaml"]["redacted"])
    assert found[f"logs/{NEW_POD}/app.previous.log"]["redacted"] == ["line 2"]
    assert found["service.yaml"]["redactions"] == len(found["service.yaml"]["redacted"])
    assert set(found) == set(files) - {"manifest.json"}
    assert all(found[name]["bytes"] == len(text.encode()) for name, text in files.items() if name in found)


def test_the_manifest_says_of_what_and_with_which_versions(run: Any) -> None:
    _, files = report(run, world())
    told = json.loads(files["manifest.json"])
    assert told["service"] == {"namespace": "shop", "name": "api", "uid": "uid-api"}
    assert told["versions"] == {"hardenctl": "0.1.0", "cluster": "v1.36.0", "crd": "schema revision 14", "operator": "0.1.0"}
    assert (told["secretsRead"], told["missing"]) == (False, [])


def test_no_secret_is_asked_for(run: Any) -> None:
    class Watched(FakeCluster):
        paths: list[str] = []  # noqa: RUF012

        def get(self, path: str, within: float | None = None) -> dict[str, Any]:
            self.paths.append(path)
            return super().get(path, within)

    cluster = Watched()
    cluster.objects = world().objects
    report(run, cluster)
    assert len(cluster.paths) > 10
    assert not [path for path in cluster.paths if "/secrets" in path]


@pytest.mark.parametrize(
    ("path", "what"),
    [
        (f"{CORE}/events", "Events"),
        (f"{CORE}/pods", "Pods"),
        (ACTIONS, "actions"),
        ("/apis/apps/v1/namespaces/shop/controllerrevisions", "ControllerRevisions"),
        ("/apis/apps/v1/deployments", "the operator's Deployment"),
        (VERSION, "the cluster's version"),
    ],
)
@pytest.mark.parametrize(
    "error", [Refused("it is forbidden", status=403, reason="Forbidden"), TryAgain("no answer", status=500, reason="")]
)
def test_what_cannot_be_read_is_named_and_the_rest_is_there(run: Any, path: str, what: str, error: Any) -> None:
    cluster = world()
    cluster.objects[path] = error
    shown, files = report(run, cluster)
    told = json.loads(files["manifest.json"])
    assert what in [each["what"] for each in told["missing"]]
    assert error.message in str(told["missing"])
    assert what in shown.stderr
    assert "service.yaml" in files


def test_who_may_not_read_the_crd_learns_that_it_is_there(run: Any) -> None:
    cluster = world()
    cluster.objects |= {CRD: Refused("it is forbidden", status=403, reason="Forbidden"), GROUP: {"resources": []}}
    _, files = report(run, cluster)
    assert "no right to read it" in json.loads(files["manifest.json"])["versions"]["crd"]


def test_a_log_that_cannot_be_read_is_named(run: Any) -> None:
    cluster = world()
    cluster.logs[OLD_PODS[0]] = Refused("pods/log is forbidden", status=403, reason="Forbidden")
    shown, files = report(run, cluster, "-o", "json")
    told = json.loads(shown.stdout)
    assert told["missing"] == [{"what": f"the log of {OLD_PODS[0]}, container app", "why": "pods/log is forbidden"}]
    assert told["result"] == "warnings"
    assert f"logs/{OLD_PODS[0]}/app.log" not in files
    assert f"logs/{OLD_PODS[1]}/app.log" in files


def test_a_team_without_rights_to_the_operators_log_is_told_so_without_alarm(run: Any) -> None:
    cluster = world()
    cluster.objects[OPERATOR] = Refused("pods is forbidden", status=403, reason="Forbidden")
    shown, files = report(run, cluster)
    assert {"what": reading.OPERATOR_LOG, "why": "pods is forbidden"} in json.loads(files["manifest.json"])["missing"]
    assert "note: the operator's log is not in it" in shown.stderr
    assert "forbidden" not in shown.stderr


def test_a_kind_that_the_cluster_lacks_is_not_missing(run: Any) -> None:
    cluster = world()
    del cluster.objects["/apis/keda.sh/v1alpha1/namespaces/shop/scaledobjects"]
    _, files = report(run, cluster)
    assert json.loads(files["manifest.json"])["missing"] == []


def test_so_is_one_that_nobody_says_whether_it_lacks_unless_the_service_has_a_use_for_it(run: Any) -> None:
    cluster = world()
    cluster.objects["/apis/keda.sh/v1alpha1/namespaces/shop/scaledobjects"] = Refused("it is forbidden", status=403, reason="Forbidden")
    _, files = report(run, cluster)
    assert json.loads(files["manifest.json"])["missing"] == []
    Path("api.tar.gz").unlink()
    cluster.objects[f"{SERVICES}/api"]["spec"]["autoscale"] = {"prometheus": [{"query": "up", "target": 1}]}
    _, files = report(run, cluster)
    assert [each["what"] for each in json.loads(files["manifest.json"])["missing"]] == ["ScaledObjects"]


def test_it_is_bounded_in_requests_and_says_so(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(FakeCluster):
        asked_for = 0

        def get(self, path: str, within: float | None = None) -> dict[str, Any]:
            found = super().get(path, within)
            if path.partition("?")[0] == f"{CORE}/events":
                self.asked_for += 1
                found["metadata"] = {"continue": "more"}
            return found

    monkeypatch.setattr(reading, "LOGS", 1)
    cluster = Endless()
    whole = world()
    cluster.objects, cluster.logs = whole.objects, whole.logs
    _, files = report(run, cluster)
    missing = {each["what"]: each["why"] for each in json.loads(files["manifest.json"])["missing"]}
    assert cluster.asked_for == reading.PAGES
    assert "more than" in missing["Events"]
    assert "the first 1 were read" in missing["logs"]
    assert len([name for name in files if name.startswith("logs/")]) == 1


def test_it_is_bounded_in_bytes_and_says_so(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "FILE_LIMIT", 3000)
    cluster = world()
    cluster.objects[f"{CORE}/events"] = {"items": [event("Pod", NEW_POD, "BackOff", "x" * 5000)]}
    _, files = report(run, cluster)
    told = json.loads(files["manifest.json"])
    assert "events.yaml" not in files
    assert "events.yaml" in [each["what"] for each in told["missing"]]
    assert all(each["bytes"] <= 3000 for each in told["files"])


def test_all_of_it_together_is_bounded_as_well(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "TOTAL_LIMIT", 4000)
    _, files = report(run, world())
    told = json.loads(files["manifest.json"])
    assert sum(each["bytes"] for each in told["files"]) <= 4000
    assert "of all files" in str(told["missing"])


def test_a_log_that_never_ends_does(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LINES", 3)

    class Talking(FakeCluster):
        def lines(self, path: str, timeout: float) -> Any:
            while True:
                yield "again"

    cluster = Talking()
    cluster.objects = world().objects
    _, files = report(run, cluster)
    assert files[f"logs/{OLD_PODS[0]}/app.log"] == "again\n" * 3


def test_the_file_is_its_owners_and_never_written_over(run: Any) -> None:
    report(run, world())
    assert stat.S_IMODE(Path("api.tar.gz").stat().st_mode) == 0o600
    before = Path("api.tar.gz").read_bytes()
    again = run(world(), "report", "api", "-f", "api.tar.gz")
    assert again.exit_code == 2
    assert "exists" in again.stderr
    assert Path("api.tar.gz").read_bytes() == before


def test_by_default_it_goes_into_this_folder_under_a_name_of_its_own(run: Any) -> None:
    shown = run(world(), "report", "api")
    (file,) = Path().glob("hardened-report-shop-api-*.tar.gz")
    assert file.name in shown.stdout
    assert "service.yaml" in unpacked(file.read_bytes())


def test_to_stdout_nothing_but_the_archive_is_written(run: Any) -> None:
    shown = run(world(), "report", "api", "-f", "-")
    assert shown.exit_code == 0
    assert "service.yaml" in unpacked(shown.stdout_bytes)
    assert list(Path().iterdir()) == []


def test_stdout_is_not_for_both(run: Any) -> None:
    shown = run(None, "report", "api", "-f", "-", "-o", "json")
    assert shown.exit_code == 2
    assert "exclude each other" in shown.stderr


def test_a_folder_that_is_not_there_is_no_crash(run: Any) -> None:
    shown = run(world(), "report", "api", "-f", "nowhere/api.tar.gz")
    assert shown.exit_code == 1
    assert "cannot write nowhere/api.tar.gz" in shown.stderr


def test_a_service_that_is_not_there_is_not_found_and_leaves_no_file(run: Any) -> None:
    assert run(FakeCluster(), "report", "api").exit_code == 1
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("example", EXAMPLES)
def test_its_examples_work(run: Any, example: str) -> None:
    words = shlex.split(example.partition("#")[0].partition(" > ")[0].replace("report shop", "report api"))
    shown = run(world(), *words)
    assert shown.exit_code == 0, shown.stderr

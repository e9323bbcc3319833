"""`diff`: a file against the cluster, children included, and a revision against another one."""

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hardenctl_world import ACTIONS, CHILDREN, NEW, NEW_IMAGE, REVISION, FakeCluster, healthy, kept, service, stored
from memory_cluster import MemoryCluster
from tests.memory.api_server import MemoryApiServer
from tests.shell import virtual_time
from tests.shell.operator_world import OperatorWorld

from hardened.errors import LookAgain, Refused, TryAgain
from hardened.shell.kinds import HARDENED_SERVICE, Kind

SAMPLE: dict[str, Any] = yaml.safe_load((Path(__file__).parents[3] / "manifests/samples/web.yaml").read_text())


class WithDryRun(MemoryCluster):
    """An apply is a dry run: the service as it would be."""

    def apply(self, path: str, manifest: Mapping[str, Any], *, force: bool = False, dry_run: bool = False) -> dict[str, Any]:
        assert dry_run, "nothing is written"
        live: dict[str, Any] = copy.deepcopy(self.get(path))
        spec = {**live["spec"], **manifest["spec"]}
        meta = {**live["metadata"], "generation": live["metadata"]["generation"] + (spec != live["spec"])}
        return {**live, "metadata": meta, "spec": spec}


@pytest.fixture(scope="module")
def server() -> MemoryApiServer:
    """On which the sample is Healthy."""

    async def play() -> MemoryApiServer:
        world = OperatorWorld()

        async def make(world: OperatorWorld) -> None:
            await world.people.create(HARDENED_SERVICE, {**SAMPLE, "metadata": {"name": "web", "namespace": "shop"}})

        await world.play(make)
        return world.server

    return virtual_time.run(play())


def file_with(tmp_path: Path, **spec: Any) -> str:
    path = tmp_path / "web.yaml"
    path.write_text(yaml.safe_dump({**SAMPLE, "metadata": {"name": "web"}, "spec": {**SAMPLE["spec"], **spec}}))
    return str(path)


def test_the_same_file_differs_in_nothing(run: Any, server: MemoryApiServer, tmp_path: Path) -> None:
    shown = run(WithDryRun(server), "diff", "-f", file_with(tmp_path))
    assert (shown.exit_code, shown.output) == (0, "")
    found = json.loads(run(WithDryRun(server), "diff", "-f", file_with(tmp_path), "-o", "json").stdout)
    assert found["result"] == "unchanged"
    assert found["services"][0]["objects"] == []


def test_a_size_changes_one_child(run: Any, server: MemoryApiServer, tmp_path: Path) -> None:
    replicas = SAMPLE["spec"].get("replicas", 2) + 1
    shown = run(WithDryRun(server), "diff", "-f", file_with(tmp_path, replicas=replicas))
    assert shown.exit_code == 1
    lines = shown.stdout.splitlines()
    heads = [line for line in lines if line.startswith(("create ", "update ", "delete "))]
    assert heads[0] == "update HardenedService/web"
    assert "update Deployment/web-blue" in heads
    assert f"+  replicas: {replicas}" in lines
    assert f"-  replicas: {replicas - 1}" in lines
    assert shown.stderr.endswith(f"Next: hardenctl deploy -f {tmp_path / 'web.yaml'}\n")


def test_another_version_comes_up_beside_the_one_that_serves(run: Any, server: MemoryApiServer, tmp_path: Path) -> None:
    env = [{"name": "GREETING", "value": "hi"}, {"name": "API_TOKEN", "value": "hunter2"}]
    shown = run(WithDryRun(server), "diff", "-f", file_with(tmp_path, env=env), "-o", "json")
    assert shown.exit_code == 1
    assert "hunter2" not in shown.output
    found = json.loads(shown.stdout)
    assert set(found) == {"result", "services"}
    assert found["result"] == "differs"
    (one,) = found["services"]
    assert set(one) == {"namespace", "name", "revision", "obstacle", "objects"}
    assert all(set(each) == {"action", "kind", "name", "diff"} for each in one["objects"])
    changed = {(each["action"], each["kind"]) for each in one["objects"]}
    assert {("update", "HardenedService"), ("create", "ControllerRevision"), ("create", "Deployment")} <= changed
    assert ("update", "Deployment") not in changed, "what serves stays as it is"
    assert all("+" in each["diff"] for each in one["objects"])


def test_nothing_was_written(run: Any, server: MemoryApiServer, tmp_path: Path) -> None:
    before: dict[tuple[Kind, str, str], Any] = copy.deepcopy(server.store.objects)
    run(WithDryRun(server), "diff", "-f", file_with(tmp_path, replicas=7))
    assert {key: each.body for key, each in before.items()} == {key: each.body for key, each in server.store.objects.items()}


def revisions(*, missing: bool = False) -> FakeCluster:
    cluster = FakeCluster(service(status=kept(), image=NEW_IMAGE))
    old = stored(REVISION, 1, "registry.example/api:1.0", promotion=1, env=[{"name": "LEVEL", "value": "info"}])
    new = stored(NEW, 2, NEW_IMAGE, promotion=2, env=[{"name": "LEVEL", "value": "debug"}])
    cluster.objects[f"{CHILDREN}/controllerrevisions"] = {"items": [new] if missing else [old, new]}
    cluster.objects[ACTIONS] = {"items": []}
    return cluster


def test_a_revision_against_the_one_that_serves(run: Any) -> None:
    shown = run(revisions(), "diff", "api", "1")
    assert shown.exit_code == 1
    assert shown.stdout == (
        f"--- {REVISION}/revision/api\n"
        f"+++ {NEW}/revision/api\n"
        "@@ -1,4 +1,4 @@\n"
        " env:\n"
        " - name: LEVEL\n"
        "-  value: info\n"
        "-image: registry.example/api:1.0\n"
        "+  value: debug\n"
        f"+image: {NEW_IMAGE}\n"
    )


def test_revisions_as_data(run: Any) -> None:
    found = json.loads(run(revisions(), "diff", "api", NEW[:6], "1", "-o", "json").stdout)
    assert set(found) == {"result", "namespace", "name", "from", "to", "diff"}
    assert (found["result"], found["from"], found["to"]) == ("differs", NEW, REVISION)
    same = run(revisions(), "diff", "api", "2", "-o", "json")
    assert (same.exit_code, json.loads(same.stdout)["result"], json.loads(same.stdout)["diff"]) == (0, "unchanged", "")


def test_a_revision_that_is_gone(run: Any) -> None:
    cluster = revisions(missing=True)
    live = next(each for each in cluster.objects.values() if isinstance(each, dict) and each.get("kind") == "HardenedService")
    live["status"]["history"] = [
        {"revision": REVISION, "image": "registry.example/api:1.0", "createdAt": "2026-01-01T00:00:00Z", "missing": True}
    ]
    shown = run(cluster, "diff", "api", REVISION)
    assert shown.exit_code == 2
    assert f"the fields of revision {REVISION} are not known" in shown.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param([], id="nothing is named"),
        pytest.param(["api"], id="no revision is named"),
        pytest.param(["api", "9"], id="no such revision"),
        pytest.param(["api", "1", "-f", "x"], id="a file and a revision"),
        pytest.param(["-f", "no-such-file"], id="no such file"),
        pytest.param(["nope", "1"], id="no such service"),
        pytest.param(["api", "1", "-o", "wide"], id="no such output"),
        pytest.param(["api", "1", "--force-conflicts"], id="a flag of files"),
    ],
)
def test_an_error_is_never_1(run: Any, arguments: list[str]) -> None:
    assert run(revisions(), "diff", *arguments).exit_code > 1


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        pytest.param(TryAgain("boom", status=500), 5, id="the server fails"),
        pytest.param(Refused("forbidden", status=403), 4, id="it may not be read"),
        pytest.param(LookAgain("conflict", status=409), 4, id="a conflict"),
        pytest.param(RuntimeError("a defect"), 2, id="a defect of ours"),
    ],
)
def test_what_the_cluster_says_is_never_1(run: Any, failure: Exception, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise failure

    cluster = FakeCluster(service(status=healthy()))
    monkeypatch.setattr(cluster, "get", fail)
    assert run(cluster, "diff", "api", "1").exit_code == code

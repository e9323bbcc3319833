"""What `-o json` prints: each verb against the schema that the repository keeps, which is the one that the code says."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hardenctl_world import NEW_IMAGE, FakeCluster, healthy, service
from json_output import assert_fits, verb_of
from pydantic import ValidationError
from request_world import BEFORE, DONE, world
from service_world import CRASHED, NEW_POD, around

from hardenctl.app import GROUPS, VERBS
from hardenctl.output.shapes import SHAPES
from hardenctl.verbs import schema_file
from manifests.schemas import schemas

ROOT = Path(__file__).resolve().parents[2]
FILE = str(Path(__file__).parent / "commands/golden/worker.yaml")
SAVED = str(Path(__file__).parent / "commands/golden/state.yaml")
DEPLOYMENT = str(Path(__file__).parent / "converting/examples/deployment-guestbook.yaml")
FROM_GIT = ["--name", "shop", "-n", "shop", "--repo-url", "https://git.example/shop.git"]
NIGHTLY = {
    "name": "nightly",
    "schedule": "30 3 * * *",
    "repository": {"secretName": "restic"},
    "source": {"postgres": {"secretName": "db"}},
    "verify": {"schedule": "0 5 * * 0"},
}
TOLD = {"name": "nightly", "lastSuccess": {"snapshot": "ab" * 32, "at": "2026-01-02T03:30:00Z", "bytes": 4096, "seconds": 4}}


def backed_up() -> FakeCluster:
    cluster = FakeCluster(service(status={**healthy(), "backups": [TOLD]}, backups=[NIGHTLY]))
    cluster.answers = [DONE]
    return cluster


def looked_at() -> FakeCluster:
    cluster = around(None, CRASHED)
    cluster.logs = {NEW_POD: ["hello"], "api-blue-7f6d8-aaaaa": ["hello"], "api-blue-7f6d8-bbbbb": ["hello"]}
    return cluster


def two() -> FakeCluster:
    return FakeCluster(service(status=healthy()), service("web", status=healthy()))


#: A command line, its cluster, and the shape that it is to have: every shape of every verb.
WHOLE: list[tuple[list[str], FakeCluster | None, str]] = [
    (["deploy", "api", "--image", NEW_IMAGE, "--wait=none"], FakeCluster(service(status=healthy())), "Deployed"),
    (["deploy", "-f", FILE, "--dry-run=client"], None, "DryRun"),
    (["get"], two(), "Services"),
    (["status", "api"], looked_at(), "Status"),
    (["status", "api", "web"], two(), "Statuses"),
    (["status"], two(), "Services"),
    (["explain", "api"], looked_at(), "Explained"),
    (["explain", "CrashLooping"], None, "ReasonPage"),
    (["events", "api"], looked_at(), "Events"),
    (["logs", "api"], looked_at(), "Logs"),
    (["tree", "api"], looked_at(), "Tree"),
    (["report", "api"], looked_at(), "Report"),
    (["diff", "-f", FILE], FakeCluster(), "FileDiff"),
    (["diff", "api", "1", "2"], looked_at(), "RevisionDiff"),
    (["history", "api"], looked_at(), "History"),
    (["rollback", "api"], world(BEFORE["rollback"], DONE), "RolledBack"),
    *(([verb, "api"], world(BEFORE[verb], DONE), "Done") for verb in ("promote", "abort", "retry", "pause", "resume")),
    (["suspend", "api", "--until", "2h"], two(), "Suspended"),
    (["unsuspend", "api"], two(), "Suspended"),
    (["backup", "create", "api", "nightly"], backed_up(), "Done"),
    (["backup", "verify", "api", "nightly"], backed_up(), "Done"),
    (["backup", "list", "api"], backed_up(), "Backups"),
    (["restore", "api", "--backup", "nightly", "--snapshot", "latest", "--yes"], backed_up(), "Restored"),
    (["eject", "api", "--dry-run"], FakeCluster(service(status=healthy())), "Ejected"),
    (["state", "export"], two(), "Manifests"),
    (["state", "import", "-f", SAVED], FakeCluster(), "Import"),
    (["init", "--from", DEPLOYMENT], None, "Conversion"),
    (["render", "-f", FILE], None, "Manifests"),
    (["generate", "rbac"], None, "Manifests"),
    (["generate", "argocd", *FROM_GIT], None, "Manifests"),
    (["generate", "flux", *FROM_GIT], None, "Manifests"),
    (["preflight", "-f", FILE, "--offline"], None, "Preflight"),
    (["check"], FakeCluster(), "Check"),
    (["version", "--client"], None, "Version"),
]


@pytest.mark.parametrize(("words", "cluster", "shape"), WHOLE, ids=[" ".join(words[:3]) for words, _, _ in WHOLE])
def test_each_verb_prints_what_its_schema_says(
    run: Any, words: Sequence[str], cluster: FakeCluster | None, shape: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # `report` writes a file
    shown = run(cluster, *words, "-o", "json")
    assert assert_fits(verb_of(words), shown.stdout) == shape, shown.stdout + shown.stderr


def test_the_table_has_every_shape_of_every_verb() -> None:
    wanted = {(verb, each.__name__) for verb, found in SHAPES.items() for each in found}
    assert {(verb_of(words), shape) for words, _, shape in WHOLE} == wanted


def test_every_verb_has_a_schema_that_its_help_names(run: Any) -> None:
    import importlib

    single = [[verb] for verb in VERBS if verb not in GROUPS]
    grouped = [[group, verb] for group in GROUPS for verb in importlib.import_module(f"hardenctl.commands.{group}").VERBS]
    for words in [*single, *grouped]:
        verb = " ".join(words)
        has_json = "json" in importlib.import_module(f"hardenctl.commands.{'.'.join(words)}").OUTPUTS
        assert has_json == (verb in SHAPES)
        assert (schema_file(verb) in " ".join(run(None, *words, "--help").stdout.split())) == has_json


@pytest.mark.parametrize("path", schemas())
def test_the_repository_has_the_schemas_of_the_code(path: str) -> None:
    found = json.loads((ROOT / path).read_text())
    assert found == json.loads(schemas()[path]())
    # Fields are only ever added: a reader that knows a schema reads what a later version prints.
    assert all(each.get("additionalProperties") in (None, True) for each in found["$defs"].values())


@pytest.mark.parametrize(
    "printed",
    [
        pytest.param({"result": "ok", "client": "1", "more": ""}, id="a field that is not named"),
        pytest.param({"result": "fine", "client": "1"}, id="a word that there is not"),
        pytest.param({"result": "ok", "client": 1}, id="another type"),
        pytest.param({"result": "ok"}, id="a field that is missing"),
    ],
)
def test_what_does_not_fit_is_found(printed: dict[str, Any]) -> None:
    with pytest.raises((AssertionError, ValidationError)):
        assert_fits("version", json.dumps(printed))

"""`init`: what it reads, where it writes, and how it ends."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from hardenctl.commands.init import EXAMPLES

SOURCES = Path(__file__).parent.parent / "converting" / "examples"
DEPLOYMENT = str(SOURCES / "deployment-guestbook.yaml")
COMPOSE = str(SOURCES / "compose-shop.yaml")


def deployment(name: str = "shop", image: str = "registry.example/shop:1.0", **pod: Any) -> dict[str, Any]:
    containers = [{"name": name, "image": image, "ports": [{"containerPort": 8080}]}]
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": containers, **pod}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {"replicas": 2, "template": template}}


def init(run: Any, *documents: Any, more: tuple[str, ...] = ()) -> Any:
    return run(None, "init", "--from", "-", *more, stdin=yaml.safe_dump_all(documents))


def test_it_writes_a_file_and_never_over_one(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    first = run(None, "init", "--from", DEPLOYMENT, "--to", str(file))
    assert (first.exit_code, first.stdout) == (0, "")
    assert f"Next: hardenctl preflight -f {file}" in first.stderr
    assert yaml.safe_load(file.read_text())["metadata"]["name"] == "frontend"
    again = run(None, "init", "--from", DEPLOYMENT, "--to", str(file))
    assert again.exit_code == 2
    assert "exists" in again.stderr


def test_as_data_it_lists_what_was_changed_guessed_and_left_out(run: Any) -> None:
    found = json.loads(run(None, "init", "--from", COMPOSE, "-o", "json").stdout)
    assert (found["result"], found["source"]) == ("ok", "compose")
    assert [each["metadata"]["name"] for each in found["services"]] == ["web", "cache"]
    for kind in ("changed", "guessed", "leftOut"):
        assert found[kind]
        assert all(each.keys() == {"service", "field", "message"} and all(each.values()) for each in found[kind])


def test_the_names_alone(run: Any) -> None:
    shown = run(None, "init", "--from", COMPOSE, "-o", "name")
    assert shown.stdout == "hardenedservice.hardened.dev/web\nhardenedservice.hardened.dev/cache\n"


def test_only_the_service_that_is_named(run: Any) -> None:
    shown = run(None, "init", "cache", "--from", COMPOSE)
    assert yaml.safe_load(shown.stdout)["metadata"]["name"] == "cache"
    assert "services.web" not in shown.stderr


@pytest.mark.parametrize("image", ["", "shop", "shop:latest", "registry.example:5000/shop"])
def test_an_image_without_a_fixed_version_has_to_be_named(run: Any, image: str) -> None:
    refused = init(run, deployment(image=image))
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "--image shop=" in refused.stderr
    named = init(run, deployment(image=image), more=("--image", "registry.example/shop:1.1"))
    assert named.exit_code == 0
    assert yaml.safe_load(named.stdout)["spec"]["image"] == "registry.example/shop:1.1"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "init needs what runs the service"),
        (("--from", "absent.yaml"), "cannot read absent.yaml"),
        (("--from", COMPOSE, "nobody"), "there is no nobody"),
        (("--from", COMPOSE, "--image", "nobody=a:1"), "there is no nobody"),
        (("--from", COMPOSE, "--image", "a:1"), "several services"),
        (("--from", COMPOSE, "--image", "web="), "names no image"),
        (("--from", COMPOSE, "--image", "web=a:latest"), "is no fixed version"),
        (("--from", COMPOSE, "-o", "table"), "is not an output of init"),
    ],
)
def test_what_makes_no_sense_is_refused(run: Any, arguments: tuple[str, ...], said: str) -> None:
    shown = run(None, "init", *arguments)
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert said in shown.stderr


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"kind": "Job", "metadata": {"name": "once"}}, "the file has Job"),
        ({"hello": "world"}, "the file has no object"),
        (["a", "list"], "the file has no object"),
        ({"services": {"tool": {"image": "a:1", "profiles": ["x"]}}}, "without a profile"),
        (deployment(containers=[]), "there is no container"),
        (deployment("UPPER"), "metadata.name"),
        (deployment("a" * 41), "at most 40 characters"),
        (
            {"kind": "Rollout", "metadata": {"name": "r"}, "spec": {"workloadRef": {"kind": "Deployment", "name": "d"}}},
            "refers to Deployment d",
        ),
    ],
)
def test_what_nothing_comes_of_says_why(run: Any, document: Any, said: str) -> None:
    shown = init(run, document)
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert said in shown.stderr


def test_a_file_that_is_no_yaml_says_where(run: Any) -> None:
    shown = run(None, "init", "--from", "-", stdin="services:\n  a: [")
    assert shown.exit_code == 2
    assert "stdin:" in shown.stderr


@pytest.mark.parametrize("example", EXAMPLES)
def test_its_examples_work(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, example: str) -> None:
    api = {"services": {"web": {"image": "web:1.0", "ports": ["80:8080"]}, "db": {"image": "postgres:15"}}}
    service = {
        "kind": "Service",
        "metadata": {"name": "api"},
        "spec": {"selector": {"app": "api"}, "ports": [{"port": 80, "targetPort": 8080}]},
    }
    backend = {"service": {"name": "api", "port": {"number": 80}}}
    ingress = {"kind": "Ingress", "metadata": {"name": "api"}, "spec": {"defaultBackend": backend}}
    rollout = {**deployment(), "kind": "Rollout"}
    for name, documents in {
        "deployment": [deployment()], "compose": [api], "ingress": [ingress, service, deployment("api")], "rollout": [rollout],
    }.items():  # fmt: skip
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump_all(documents))
    monkeypatch.chdir(tmp_path)
    words = shlex.split(example.partition("#")[0].partition(">")[0])
    assert run(None, *words).exit_code == 0

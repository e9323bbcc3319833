"""`generate argocd` and `generate flux`: what is printed, and what is refused by the name of its flag."""

import importlib
import json
import shlex
from pathlib import Path
from typing import Any

import lupa
import pytest
import yaml

from hardenctl.commands.generate import argocd

ROOT = Path(__file__).resolve().parents[3]
URL = "https://git.example/shop/deploy.git"
GIVEN = {"--name": "shop", "--namespace": "shop", "--repo-url": URL, "--path": "services"}


def generate(run: Any, verb: str, *more: str, **changed: str) -> Any:
    flags = {**GIVEN, **{f"--{flag.replace('_', '-')}": value for flag, value in changed.items()}}
    return run(None, "generate", verb, *(word for flag, value in flags.items() if value for word in (flag, value)), *more)


def printed(run: Any, verb: str, *more: str, **changed: str) -> list[dict[str, Any]]:
    shown = generate(run, verb, *more, **changed)
    assert shown.exit_code == 0, shown.stderr
    return list(yaml.safe_load_all(shown.stdout))


def snippets(tool: str) -> list[dict[str, Any]]:
    """What the repository shows of it."""
    return list(yaml.safe_load_all((ROOT / f"manifests/gitops/{tool}.yaml").read_text()))


def test_the_application_of_argo_cd_is_the_one_that_the_repository_shows(run: Any) -> None:
    [found] = printed(run, "argocd", revision="main")
    retry = found["spec"]["syncPolicy"].pop("retry")
    assert found in snippets("argocd")
    assert retry == {"limit": 5, "backoff": {"duration": "5s", "factor": 2, "maxDuration": "3m"}}


def test_what_argo_cd_has_to_know_of_health_is_what_the_repository_shows(run: Any) -> None:
    _, found = printed(run, "argocd", "--health")
    assert found in snippets("argocd")


READY, STALLED = {"type": "Ready", "message": "as it is"}, {"type": "Stalled", "message": "a person has to act"}


def health(status: dict[str, Any] | None, *, generation: int = 2) -> tuple[str, str]:
    """What Argo CD would say of a service, by a real Lua: the status and the message."""
    runtime = lupa.LuaRuntime(register_eval=False)
    live = {"metadata": {"generation": generation}, **({"status": status} if status is not None else {})}
    runtime.globals().obj = runtime.table_from(live, recursive=True)
    found = runtime.execute(argocd.HEALTH)
    return found["status"], found["message"]


def of(ready: str, *, stalled: str = "False", observed: int = 2, **status: Any) -> dict[str, Any]:
    conditions = [{**READY, "status": ready}, {**STALLED, "status": stalled}]
    return {"observedGeneration": observed, "conditions": conditions, **status}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(None, "Progressing", id="nothing is known yet"),
        pytest.param({}, "Progressing", id="an empty status"),
        pytest.param(of("True", observed=1), "Progressing", id="an older generation was healthy"),
        pytest.param(of("True", phase="Healthy"), "Healthy", id="ready"),
        pytest.param(of("False", phase="Progressing", release={"step": "ScaleUp"}), "Progressing", id="a release at work"),
        pytest.param(of("False", phase="Degraded"), "Progressing", id="a trouble that may pass"),
        pytest.param(of("False", stalled="True", phase="Rejected"), "Degraded", id="rejected"),
        pytest.param(of("False", phase="Progressing", release={"step": "Approval"}), "Suspended", id="waits for an approval"),
        pytest.param(of("False", phase="Paused", release={"step": "Preview"}), "Suspended", id="paused"),
        pytest.param(of("False", phase="Suspended"), "Suspended", id="suspended"),
        pytest.param(of("False", stalled="True", phase="Suspended"), "Degraded", id="suspended, and nothing can be done"),
    ],
)
def test_argo_cd_sees_a_service_as_it_is(status: dict[str, Any] | None, expected: str) -> None:
    said, message = health(status)
    assert said == expected
    assert message in ("the operator has not seen this generation yet", "as it is", "a person has to act")


def test_by_default_argo_cd_follows_the_default_branch_and_the_root(run: Any) -> None:
    [found] = printed(run, "argocd", path="")
    assert found["spec"]["source"] == {"repoURL": URL, "targetRevision": "HEAD", "path": "."}


def test_what_argo_cd_is_given_is_what_it_gets(run: Any) -> None:
    [found] = printed(
        run,
        "argocd",
        repo_url="git@git.example:shop/deploy.git",
        revision="v1.4",
        project="team",
        argocd_namespace="gitops",
        namespace="web",
    )
    assert found["metadata"] == {"name": "shop", "namespace": "gitops"}
    assert found["spec"]["project"] == "team"
    assert found["spec"]["source"]["repoURL"] == "git@git.example:shop/deploy.git"
    assert found["spec"]["source"]["targetRevision"] == "v1.4"
    assert found["spec"]["destination"] == {"server": "https://kubernetes.default.svc", "namespace": "web"}
    assert "ignoreDifferences" not in found["spec"]


def test_the_objects_of_flux_are_those_that_the_repository_shows(run: Any) -> None:
    assert [each for each in printed(run, "flux", wait_timeout="15m") if each not in snippets("flux")] == []


def test_flux_waits_as_long_as_a_release_may_take(run: Any) -> None:
    from hardenctl.output.duration import seconds
    from hardenctl.release.span import release_span

    for flags, spec in (({}, {}), ({"progress_deadline": "20m"}, {"release": {"progressDeadline": "20m"}})):
        _, found = printed(run, "flux", **flags)
        assert seconds(found["spec"]["timeout"], "timeout") == release_span({"spec": spec})


def test_flux_applies_nothing_before_the_operator_is_there(run: Any) -> None:
    _, alone = printed(run, "flux")
    assert "dependsOn" not in alone["spec"]
    _, found = printed(run, "flux", "--depends-on", "hardened-operator", "--depends-on", "platform/policies")
    assert found["spec"]["dependsOn"] == [{"name": "hardened-operator"}, {"name": "policies", "namespace": "platform"}]


def test_flux_follows_a_branch_or_a_tag(run: Any) -> None:
    for flags, wanted in (({}, {"branch": "main"}), ({"branch": "live"}, {"branch": "live"}), ({"tag": "v1.4"}, {"tag": "v1.4"})):
        source, _ = printed(run, "flux", **flags)
        assert source["spec"]["ref"] == wanted


def test_flux_has_its_own_way_to_write_a_span_and_a_folder(run: Any) -> None:
    _, found = printed(run, "flux", interval="90", path="./services//shop/")
    assert (found["spec"]["interval"], found["spec"]["path"]) == ("1m30s", "./services/shop")
    _, found = printed(run, "flux", path=".")
    assert found["spec"]["path"] == "./"


def test_names_alone(run: Any) -> None:
    assert generate(run, "argocd", "--health", "-o", "name").stdout.split() == ["application.argoproj.io/shop", "configmap/argocd-cm"]
    assert generate(run, "flux", "-o", "name").stdout.split() == [
        "gitrepository.source.toolkit.fluxcd.io/shop",
        "kustomization.kustomize.toolkit.fluxcd.io/shop",
    ]


@pytest.mark.parametrize("verb", ["argocd", "flux"])
def test_json_and_yaml_are_the_same_objects(run: Any, verb: str) -> None:
    assert json.loads(generate(run, verb, "-o", "json").stdout)["items"] == printed(run, verb)


@pytest.mark.parametrize("verb", ["argocd", "flux"])
@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--name", ""),
        ("--name", "Shop"),
        ("--name", "shop_1"),
        ("--name", "s" * 64),
        ("--namespace", ""),
        ("--namespace", "a/b"),
        ("--repo-url", ""),
        ("--repo-url", "git.example/shop"),
        ("--repo-url", "file:///srv/git"),
        ("--repo-url", "https://"),
        ("--repo-url", "https://git.example/a b"),
        ("--path", "/services"),
        ("--path", "a/../../b"),
        ("--path", "a\nb"),
    ],
)
def test_what_makes_no_sense_is_refused_by_the_name_of_its_flag(run: Any, verb: str, flag: str, value: str) -> None:
    shown = generate(run, verb, **{flag.removeprefix("--").replace("-", "_"): value})
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert f"error: {flag}" in shown.stderr


@pytest.mark.parametrize(
    ("verb", "flag", "value"),
    [
        ("argocd", "--revision", "a..b"),
        ("argocd", "--revision", "-x"),
        ("argocd", "--project", "No Project"),
        ("argocd", "--argocd-namespace", "Argo"),
        ("flux", "--branch", "a b"),
        ("flux", "--tag", "v1~2"),
        ("flux", "--interval", "often"),
        ("flux", "--interval", "0"),
        ("flux", "--wait-timeout", "1d"),
        ("flux", "--progress-deadline", "-1m"),
        ("flux", "--depends-on", "/operator"),
        ("flux", "--depends-on", "a/b/c"),
        ("flux", "--flux-namespace", "flux.system"),
    ],
)
def test_so_is_what_only_one_of_them_takes(run: Any, verb: str, flag: str, value: str) -> None:
    shown = generate(run, verb, f"{flag}={value}")
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert f"error: {flag}" in shown.stderr


def test_flux_takes_a_branch_or_a_tag_and_not_both(run: Any) -> None:
    shown = generate(run, "flux", branch="main", tag="v1")
    assert shown.exit_code == 2
    assert "--branch and --tag" in shown.stderr


def test_flux_is_told_how_to_write_what_only_git_takes(run: Any) -> None:
    shown = generate(run, "flux", repo_url="git@git.example:shop/deploy.git")
    assert shown.exit_code == 2
    assert "ssh://git@git.example/shop/deploy.git" in shown.stderr


@pytest.mark.parametrize("verb", ["argocd", "flux"])
@pytest.mark.parametrize(
    "url", ["https://bob:pa55@git.example/shop.git", "https://pa55@git.example/shop.git", "ssh://git:pa55@git.example/a"]
)
def test_credentials_are_not_to_be_committed_and_not_repeated(run: Any, verb: str, url: str) -> None:
    shown = generate(run, verb, repo_url=url)
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert "credentials" in shown.stderr
    assert "pa55" not in shown.stderr


@pytest.mark.parametrize("verb", ["argocd", "flux"])
def test_its_examples_work(run: Any, verb: str) -> None:
    for example in importlib.import_module(f"hardenctl.commands.generate.{verb}").EXAMPLES:
        shown = run(None, *shlex.split(example.partition(" > ")[0]))
        assert shown.exit_code == 0, shown.stderr
        assert list(yaml.safe_load_all(shown.stdout))

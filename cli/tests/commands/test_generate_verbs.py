"""`generate`: what is printed for a repository."""

import importlib
import json
from typing import Any

import pytest
import yaml

from hardenctl.app import GROUPS, VERBS
from hardenctl.cluster.rights import VERB_RIGHTS, Right, rules_of

#: They ask no cluster for anything.
WITHOUT = {"init", "render", "generate rbac", "generate argocd", "generate flux", "completion"}


def rules(run: Any, *arguments: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(run(None, "generate", "rbac", *arguments).stdout))


def test_each_verb_is_in_the_table_of_rights() -> None:
    single = {verb for verb in VERBS if verb not in GROUPS}
    grouped = {f"{group} {verb}" for group in GROUPS for verb in importlib.import_module(f"hardenctl.commands.{group}").VERBS}
    assert set(VERB_RIGHTS) == (single | grouped) - WITHOUT


def test_the_role_of_a_verb_in_a_namespace(run: Any) -> None:
    assert rules(run, "--verb", "promote", "-n", "shop") == [
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": "hardenctl-promote", "namespace": "shop"},
            "rules": [
                {"apiGroups": ["hardened.dev"], "resources": ["hardenedservices"], "verbs": ["get"]},
                {"apiGroups": ["hardened.dev"], "resources": ["hardenedserviceactions"], "verbs": ["create", "get", "list", "watch"]},
                {"apiGroups": ["hardened.dev"], "resources": ["hardenedservices/promote"], "verbs": ["create"]},
            ],
        }
    ]


def test_what_is_needed_elsewhere_is_a_role_of_its_own(run: Any) -> None:
    own, beyond = rules(run, "--verb=check", "-n", "shop")
    assert (own["kind"], beyond["kind"], beyond["metadata"]) == ("Role", "ClusterRole", {"name": "hardenctl-check-cluster"})
    assert {"customresourcedefinitions", "deployments"} == {name for rule in beyond["rules"] for name in rule["resources"]}
    assert [each["kind"] for each in rules(run, "--verb=check")] == ["ClusterRole", "ClusterRole"]


def test_all_verbs_and_some(run: Any) -> None:
    names = run(None, "generate", "rbac", "-o", "name").stdout.split()
    assert {f"clusterrole.rbac.authorization.k8s.io/hardenctl-{verb.replace(' ', '-')}" for verb in VERB_RIGHTS} - set(names) == {
        "clusterrole.rbac.authorization.k8s.io/hardenctl-version"  # which has no namespace
    }
    assert len(names) == len(set(names))
    shown = run(None, "generate", "rbac", "--verb", "get", "--verb", "backup  create", "--verb", "get", "-o", "json")
    assert [each["metadata"]["name"] for each in json.loads(shown.stdout)["items"]] == ["hardenctl-get", "hardenctl-backup-create"]


def test_what_is_no_verb_is_refused_with_those_that_are(run: Any) -> None:
    shown = run(None, "generate", "rbac", "--verb", "delete")
    assert shown.exit_code == 2
    assert "no verb that needs a right" in shown.stderr
    assert "backup create" in shown.stderr


@pytest.mark.parametrize("verb", VERB_RIGHTS)
def test_no_role_gives_more_than_it_says(verb: str) -> None:
    for each in VERB_RIGHTS[verb]:
        assert "*" not in (each.group, each.resource, *each.verbs)
        assert each.resource not in ("secrets", "pods/exec", "serviceaccounts/token")
        assert set(each.verbs) <= {"get", "list", "watch", "create", "patch"} | ({"delete"} if verb == "eject" else set())


def test_rights_of_one_kind_are_one_rule() -> None:
    given = [Right("", "pods", ("list",)), Right("", "events", ("list",)), Right("", "pods", ("list",)), Right("", "pods/log", ("get",))]
    assert rules_of(given) == [
        {"apiGroups": [""], "resources": ["pods", "events"], "verbs": ["list"]},
        {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
    ]

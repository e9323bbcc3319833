"""`generate argocd`: the Application by which Argo CD applies services from Git."""

from collections.abc import Iterator
from typing import Annotated

import typer

from hardenctl.cluster.session import Session
from hardenctl.commands.generate.git_source import (
    NameOption,
    PathOption,
    RepoUrlOption,
    folder,
    object_name,
    ref,
    repo_url,
    target_namespace,
)
from hardenctl.output.objects import full_name, print_objects
from hardenctl.output.outcome import Exit
from hardened.core.model.manifest import Manifest

OUTPUTS = ("yaml", "json", "name")
EXAMPLES = (
    "generate argocd --name shop -n shop --repo-url https://git.example/shop/deploy.git --path services",
    "generate argocd --name shop -n shop --repo-url git@git.example:shop/deploy.git --revision v1.4 --project shop",
    "generate argocd --name shop -n shop --repo-url https://git.example/shop/deploy.git --health > shop.yaml",
)
MORE = (
    "The Application prunes, repairs by itself, and applies on the server. It ignores no differences: the operator writes into no field "
    "that Git has. With --health, also what Argo CD has to know once per installation so that a sync waits for the release: a ConfigMap "
    "argocd-cm, to be merged into the one that is there. The namespace has to be there. Asks no cluster."
)
#: Argo CD's own namespace, as it is installed.
_NAMESPACE = "argocd"
_CLUSTER = "https://kubernetes.default.svc"
#: As its documentation has it: a namespace, or a CRD, may be there a moment later.
_RETRY = {"limit": 5, "backoff": {"duration": "5s", "factor": 2, "maxDuration": "3m"}}
#: What the health of a HardenedService is: Suspended where it waits for a person. manifests/gitops has the same.
HEALTH = """\
local status = obj.status or {}
if status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "the operator has not seen this generation yet"}
end
local found = {}
for _, condition in ipairs(status.conditions or {}) do
  found[condition.type] = condition
end
local ready, stalled = found.Ready or {}, found.Stalled or {}
if stalled.status == "True" then
  return {status = "Degraded", message = stalled.message}
end
local step = (status.release or {}).step
local is_left_to_a_person = status.phase == "Suspended" or status.phase == "Paused" or step == "Approval"
local health = {status = "Progressing", message = ready.message}
if ready.status == "True" then
  health.status = "Healthy"
elseif is_left_to_a_person then
  health.status = "Suspended"
end
return health
"""


def run(
    session: Session,
    called: NameOption = "",
    repository: RepoUrlOption = "",
    path: PathOption = "",
    revision: Annotated[str, typer.Option("--revision", metavar="REF", help="Branch, tag or commit; HEAD: the default one.")] = "HEAD",
    project: Annotated[str, typer.Option("--project", metavar="PROJECT", help="The AppProject.")] = "default",
    argocd_namespace: Annotated[str, typer.Option("--argocd-namespace", metavar="NAMESPACE", help="Where Argo CD is.")] = _NAMESPACE,
    health: Annotated[bool, typer.Option("--health", help="Also the health check of HardenedServices.")] = False,
) -> Exit:
    """From what is given alone."""
    source = {
        "repoURL": repo_url(repository, is_scp_taken=True),
        "targetRevision": ref(revision, "--revision"),
        "path": folder(path),
    }
    home = object_name(argocd_namespace, "--argocd-namespace")
    found = objects(
        object_name(called, "--name"), home, source, target_namespace(session), object_name(project, "--project"), has_health=health
    )
    print_objects(session.console, list(found), called=full_name)
    return Exit.OK


def objects(name: str, home: str, source: Manifest, namespace: str, project: str, *, has_health: bool) -> Iterator[Manifest]:
    """The Application, and the health check where it is wanted. home: Argo CD's namespace; namespace: of the services."""
    yield {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": home},
        "spec": {
            "project": project,
            "source": source,
            "destination": {"server": _CLUSTER, "namespace": namespace},
            "syncPolicy": {
                "automated": {"prune": True, "selfHeal": True},
                "syncOptions": ["ServerSideApply=true"],
                "retry": _RETRY,
            },
        },
    }
    if has_health:
        labels = {"app.kubernetes.io/name": "argocd-cm", "app.kubernetes.io/part-of": "argocd"}
        yield {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "argocd-cm", "namespace": home, "labels": labels},
            "data": {"resource.customizations.health.hardened.dev_HardenedService": HEALTH},
        }

"""`generate flux`: the GitRepository and the Kustomization by which Flux applies services from Git."""

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from hardenctl.cluster.session import Session
from hardenctl.commands.generate.git_source import (
    NameOption,
    PathOption,
    RepoUrlOption,
    folder,
    interval,
    object_name,
    ref,
    repo_url,
    target_namespace,
)
from hardenctl.output.duration import shown
from hardenctl.output.objects import full_name, print_objects
from hardenctl.output.outcome import Exit, usage
from hardenctl.release.span import release_span
from hardened.core.model.manifest import Manifest

OUTPUTS = ("yaml", "json", "name")
EXAMPLES = (
    "generate flux --name shop -n shop --repo-url https://git.example/shop/deploy.git --path services",
    "generate flux --name shop -n shop --repo-url ssh://git@git.example/shop/deploy.git --depends-on hardened-operator",
    "generate flux --name shop -n shop --repo-url https://git.example/shop/deploy.git --progress-deadline 20m > shop.yaml",
)
MORE = (
    "The Kustomization prunes, and waits until every HardenedService is ready: Flux reads their conditions, so that no health checks are "
    "needed. It waits as long as a release may take by its own deadlines; --progress-deadline is the longest of the services', and "
    "--wait-timeout says another time, as it needs to where a release migrates or waits for a person. --depends-on names the Kustomization "
    "that installs the operator, with its namespace where that is another one: nothing is applied before it is ready. The namespace has to "
    "be there. Asks no cluster."
)
#: Flux's own namespace, as it is installed.
_NAMESPACE = "flux-system"
_SOURCE_EVERY = "1m"


def run(
    session: Session,
    called: NameOption = "",
    repository: RepoUrlOption = "",
    path: PathOption = "",
    branch: Annotated[str, typer.Option("--branch", metavar="BRANCH", help="The branch (default: main).")] = "",
    tag: Annotated[str, typer.Option("--tag", metavar="TAG", help="A tag instead of a branch.")] = "",
    every: Annotated[str, typer.Option("--interval", metavar="TIME", help="How often what Git has is applied again.")] = "10m",
    wait_timeout: Annotated[str, typer.Option("--wait-timeout", metavar="TIME", help="How long Flux waits for a release.")] = "",
    progress_deadline: Annotated[
        str, typer.Option("--progress-deadline", metavar="TIME", help="The longest release.progressDeadline of the services.")
    ] = "10m",
    depends_on: Annotated[
        list[str] | None, typer.Option("--depends-on", metavar="NAME", help="The Kustomization that installs the operator.")
    ] = None,
    flux_namespace: Annotated[str, typer.Option("--flux-namespace", metavar="NAMESPACE", help="Where Flux is.")] = _NAMESPACE,
) -> Exit:
    """From what is given alone."""
    if branch and tag:
        raise usage("--branch and --tag exclude each other", "name the one that Flux is to follow")
    source = {
        "interval": _SOURCE_EVERY,
        "url": repo_url(repository, is_scp_taken=False),
        "ref": {"tag": ref(tag, "--tag")} if tag else {"branch": ref(branch or "main", "--branch")},
    }
    home = object_name(flux_namespace, "--flux-namespace")
    longest = interval(progress_deadline, "--progress-deadline")
    kustomization = {
        "interval": interval(every, "--interval"),
        "targetNamespace": target_namespace(session),
        "path": f"./{folder(path)}" if folder(path) != "." else "./",
        "prune": True,
        "wait": True,
        "timeout": interval(wait_timeout, "--wait-timeout") if wait_timeout else whole_release(longest),
    }
    print_objects(
        session.console, list(objects(object_name(called, "--name"), home, source, kustomization, depends_on or ())), called=full_name
    )
    return Exit.OK


def whole_release(progress_deadline: str) -> str:
    """How long a release may take whose steps each may take so long. Example: "10m" -> "1h2m10s"."""
    return shown(release_span({"spec": {"release": {"progressDeadline": progress_deadline}}}))


def objects(name: str, home: str, source: Manifest, kustomization: Manifest, depends_on: Sequence[str]) -> Iterator[Manifest]:
    """Both. home: Flux's namespace; source, kustomization: their specs; depends_on: NAME or NAMESPACE/NAME. Raises CommandEnd (usage)."""
    first = {"dependsOn": [_reference(each) for each in depends_on]} if depends_on else {}
    meta = {"name": name, "namespace": home}
    yield {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository", "metadata": meta, "spec": source}
    yield {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": dict(meta),
        "spec": {**first, **kustomization, "sourceRef": {"kind": "GitRepository", "name": name}},
    }


def _reference(text: str) -> Manifest:
    namespace, slash, name = text.rpartition("/")
    found = {"name": object_name(name, "--depends-on")}
    return {**found, "namespace": object_name(namespace, "--depends-on")} if slash else found

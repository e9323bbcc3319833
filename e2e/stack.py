"""`python -m e2e.stack bookmark-api`: an example stack on a cluster, with its images, its passwords, and the operator where there is none.

Again at any time: what is there already is not made again.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from .cluster import ClusterError, Provider, tools
from .cluster.command import Argument, attempt, run
from .cluster.existing import ExistingCluster
from .cluster.program import run_program
from .cluster.progress import say, span, step
from .install import NAMESPACE as OPERATOR_NAMESPACE
from .install import ROOT, cluster_of, install, release_status, to_export
from .workloads.build import Part, build_part

CHARTS = ROOT / "charts/stacks"
#: Stack -> the images that its chart names by default.
PARTS: Mapping[str, tuple[Part, ...]] = {"bookmark-api": ("bookmarks", "postgres", "redis")}
#: Stack -> the keys of the Secret of passwords that it needs.
PASSWORDS: Mapping[str, tuple[str, ...]] = {"bookmark-api": ("postgres-password", "redis-password")}
READY_S = 420


def bring_up(cluster: Provider, stack: str, namespace: str, helm_args: Sequence[str] = ()) -> None:
    """The stack as a release of its own name, ready when this returns. helm_args: passed on to `helm upgrade`. Raises ClusterError."""
    cluster.up()
    kubeconfig = cluster.kubeconfig
    if not isinstance(cluster, ExistingCluster):  # to one of others, its images are pushed, and its values name them
        cluster.load([build_part(part) for part in PARTS[stack]])
    ensure_operator(cluster)
    ensure_passwords(kubeconfig, namespace, stack)
    with step(f"helm upgrade --install {stack}"):
        upgrade(kubeconfig, stack, namespace, ["--wait", f"--timeout={READY_S}s", *helm_args])


def upgrade(kubeconfig: Path, stack: str, namespace: str, helm_args: Sequence[str]) -> None:
    """The chart. Raises ClusterError, with how far its services are."""
    command: list[Argument] = [*_helm(kubeconfig, namespace), "upgrade", "--install", stack, CHARTS / stack]
    done = attempt([*command, *helm_args], timeout=READY_S + 60)
    if done.returncode:
        kubectl: list[Argument] = [tools.kubectl(), "--kubeconfig", kubeconfig, "--namespace", namespace]
        raise ClusterError(f"helm: {done.stderr.strip()}\n{attempt([*kubectl, 'get', 'hs', '--output=wide'], timeout=60).stdout}")


def ensure_operator(cluster: Provider) -> None:
    """This checkout's operator, where the cluster has none."""
    if not release_status(_helm(cluster.kubeconfig, OPERATOR_NAMESPACE)):
        install(cluster)


def ensure_passwords(kubeconfig: Path, namespace: str, stack: str) -> None:
    """The namespace and the Secret, with passwords of 48 random hex digits. What is there stays: the data belongs to its password."""
    kubectl: list[Argument] = [tools.kubectl(), "--kubeconfig", kubeconfig]
    if attempt([*kubectl, "get", "namespace", namespace], timeout=60).returncode:
        run([*kubectl, "create", "namespace", namespace], timeout=60)
    if attempt([*kubectl, "--namespace", namespace, "get", "secret", stack], timeout=60).returncode:
        data = "\n".join(f"  {key}: {secrets.token_hex(24)}" for key in PASSWORDS[stack])
        secret = f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: {stack}\nstringData:\n{data}\n"
        run([*kubectl, "--namespace", namespace, "create", "--filename=-"], stdin=secret, timeout=60)  # by no argument: those can be seen


def notes(kubeconfig: Path, stack: str, namespace: str) -> str:
    """What the chart proposes to try."""
    return run([*_helm(kubeconfig, namespace), "get", "notes", stack], timeout=60).strip()


def _helm(kubeconfig: Path, namespace: str) -> list[Argument]:
    return [tools.helm(), "--kubeconfig", kubeconfig, "--namespace", namespace]


def command(
    stack: Annotated[str, typer.Argument(help=f"One of {', '.join(PARTS)}.")],
    helm_args: Annotated[list[str] | None, typer.Argument(help="For `helm upgrade`, after `--`: e.g. `-- --set api.replicas=3`.")] = None,
    name: Annotated[str, typer.Option("--name", envvar="CLUSTER", help="The local cluster, where no kubeconfig is named.")] = "demo",
    kubeconfig: Annotated[Path | None, typer.Option(envvar=["HARDENED_KUBECONFIG", "KUBECONFIG"], help="The cluster to use.")] = None,
    namespace: Annotated[str, typer.Option(help="Default: the stack's name.")] = "",
) -> None:
    """Install an example stack, or bring it up to this checkout, and print what to try."""
    if stack not in PARTS:
        raise ClusterError(f"there is no stack {stack}: say one of {', '.join(PARTS)}")
    began, cluster = time.monotonic(), cluster_of(name, kubeconfig)
    bring_up(cluster, stack, namespace or stack, helm_args or ())
    say(f"{stack} is ready after {span(time.monotonic() - began)}")
    typer.echo(to_export(cluster.kubeconfig))
    typer.echo(notes(cluster.kubeconfig, stack, namespace or stack))


def main() -> None:
    """The program: an error that a person can do something about is one line, and exit status 1."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(command)
    run_program(app)


if __name__ == "__main__":
    main()

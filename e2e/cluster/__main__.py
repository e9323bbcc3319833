"""`python -m e2e.cluster`: a cluster at the prompt. What a script reads goes to stdout, what a person reads to stderr."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from . import tools
from .choice import choose
from .errors import ClusterError
from .local.cluster import LocalCluster
from .program import run_program
from .progress import say
from .provider import Provider

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A Kubernetes cluster for trying things on: one you name by --kubeconfig, kind where Docker is, else one built from source.",
    epilog="Example: eval $(python -m e2e.cluster up) && kubectl get nodes",
)

Name = Annotated[str, typer.Option("--name", envvar="CLUSTER", help="Which cluster.")]
Kubeconfig = Annotated[
    Path | None,
    typer.Option("--kubeconfig", envvar="HARDENED_KUBECONFIG", help="Use this cluster, which somebody else runs, and make none."),
]
Component = Annotated[
    str, typer.Argument(help="etcd, apiserver, controller-manager, scheduler, or containerd-N, kubelet-N, proxy-N, firewall-N of node N.")
]
Index = Annotated[int, typer.Argument(help="The node's number, from 0.")]


@app.command(epilog="Example: python -m e2e.cluster up --name mine --nodes 3 --firewall")
def up(
    name: Name = "demo",
    nodes: Annotated[int, typer.Option(help="How many nodes, at least.")] = 2,
    kubeconfig: Kubeconfig = None,
    firewall: Annotated[
        bool, typer.Option("--firewall", help="Enforce NetworkPolicies from now on, where the cluster is built from source.")
    ] = False,
) -> None:
    """Bring a cluster up, or repair it. The first time everything is built: 20 minutes on two cores. Later it takes seconds."""
    cluster = choose(name, kubeconfig)
    cluster.up(nodes=nodes, firewall=firewall)
    print(f"export KUBECONFIG={cluster.kubeconfig}")


@app.command(epilog="Example: python -m e2e.cluster load hardened-operator:dev ./other.tar")
def load(
    images: Annotated[list[str], typer.Argument(help="Names in the local image store, or archives.")],
    name: Name = "demo",
    kubeconfig: Kubeconfig = None,
) -> None:
    """Put images on every node that does not have them yet."""
    choose(name, kubeconfig).load(images)


@app.command(epilog="Example: python -m e2e.cluster down --name mine")
def down(name: Name = "demo", kubeconfig: Kubeconfig = None) -> None:
    """Take a cluster down and leave nothing of it behind. One named by --kubeconfig is never touched."""
    if not choose(name, kubeconfig).down():
        say(f"nothing to do: there is no cluster {name} of ours")


@app.command(epilog="Example: python -m e2e.cluster status")
def status(name: Name = "demo", kubeconfig: Kubeconfig = None) -> None:
    """Say what a cluster is made of and how that is. Exits with 1 where there is no cluster."""
    found = choose(name, kubeconfig).status()
    if not found:
        raise ClusterError(f"there is no cluster {name}: `up --name {name}` makes it")
    for part in found:
        print(f"{part.name:20} {part.state}")


@app.command(epilog="Example: python -m e2e.cluster logs kubelet-1")
def logs(component: Component, name: Name = "demo") -> None:
    """Print the log of a component."""
    with _local(name).log(component).open(errors="replace") as lines:
        sys.stdout.writelines(lines)


@app.command(epilog="Example: python -m e2e.cluster stop apiserver")
def stop(component: Component, name: Name = "demo") -> None:
    """Freeze a component (SIGSTOP): it keeps its connections and answers nothing."""
    _local(name).stop(component)


@app.command("continue", epilog="Example: python -m e2e.cluster continue apiserver")
def resume(component: Component, name: Name = "demo") -> None:
    """Let a stopped component go on (SIGCONT)."""
    _local(name).resume(component)


@app.command(epilog="Example: python -m e2e.cluster kill containerd-1")
def kill(component: Component, name: Name = "demo") -> None:
    """End a component at once (SIGKILL)."""
    _local(name).kill(component)


@app.command(epilog="Example: python -m e2e.cluster start containerd-1")
def start(component: Component, name: Name = "demo") -> None:
    """Start a component that was killed."""
    _local(name).start(component)


@app.command(epilog="Example: python -m e2e.cluster stop-node 1")
def stop_node(index: Index, name: Name = "demo") -> None:
    """Power a node off: all its processes end at once and its cable is dead."""
    _local(name).stop_node(index)


@app.command(epilog="Example: python -m e2e.cluster start-node 1")
def start_node(index: Index, name: Name = "demo") -> None:
    """Power a node on again, and wait until it is ready."""
    _local(name).start_node(index)


@app.command(epilog="Example: python -m e2e.cluster add-node")
def add_node(name: Name = "demo") -> None:
    """Add a node, and print its name."""
    print(_local(name).add_node())


@app.command(epilog="Example: grep hardened.dev $(python -m e2e.cluster audit) | tail -1")
def audit(name: Name = "demo") -> None:
    """Print the path of the audit log: a line of JSON for each request to the API server."""
    print(_local(name).audit_log)


@app.command("bin", epilog="Example: export PATH=$(python -m e2e.cluster bin):$PATH")
def bin_folder() -> None:
    """Print the folders of kubectl and of helm, for PATH."""
    print(f"{tools.bin_dir()}:{tools.helm().parent}")


@app.command(epilog="Example: $(python -m e2e.cluster helm) version")
def helm() -> None:
    """Print the path of helm, building it first where it is not there."""
    print(tools.helm())


@app.command(epilog="Example: $(python -m e2e.cluster kubectl) get pods")
def kubectl() -> None:
    """Print the path of kubectl, building it first where it is not there."""
    print(tools.kubectl())


def _local(name: str) -> LocalCluster:
    cluster: Provider = choose(name)
    if not isinstance(cluster, LocalCluster):
        raise ClusterError("only a local cluster can do that: unset HARDENED_KUBECONFIG, and set HARDENED_PROVIDER=local")
    return cluster


def main() -> None:
    """The program: an error that a person can do something about is one line, and exit status 1."""
    run_program(app)


if __name__ == "__main__":
    main()

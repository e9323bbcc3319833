"""`python -m e2e.demo`: the tour. A cluster, the operator, a service on it, an answered request, and a deletion by hand that is put right.

What is there already is not made again: a second tour takes seconds. The cluster is left running.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from e2e.cluster import ClusterError, Provider, choose, tools
from e2e.cluster.command import Argument, attempt, run
from e2e.cluster.progress import span
from e2e.install import ROOT, ensure_image, install
from e2e.kube import Kube, KubeError, TooLate
from e2e.workloads.build import build

CHART = ROOT / "charts/hardened-service"
NAMESPACE = "demo"
SERVICE = "web"
#: Seconds that the service may take to be ready, and a deleted child to be there again.
READY_S = 120
REPAIR_S = 60


@dataclass
class Tour:
    """What one step leaves for the next. images: the operator's and the service's."""

    cluster: Provider
    images: list[str] = field(default_factory=list)

    @property
    def access(self) -> list[Argument]:
        """The flag that kubectl, helm and hardenctl all take."""
        return ["--kubeconfig", self.cluster.kubeconfig]

    def kubectl(self, *arguments: Argument) -> str:
        """What kubectl prints."""
        return run([tools.kubectl(), *self.access, "--namespace", NAMESPACE, *arguments], timeout=60).rstrip()


Step = Callable[[Tour], str]
"""Does it, and says what came of it."""


def bring_up(tour: Tour) -> str:
    """The cluster, made or repaired."""
    tour.cluster.up()
    return tour.kubectl("get", "nodes")


def load_images(tour: Tour) -> str:
    """The operator's image and the service's, built and on the nodes."""
    tour.images = [ensure_image(), build("static")]
    tour.cluster.load(tour.images)
    return "\n".join(tour.images)


def install_operator(tour: Tour) -> str:
    """The operator, by its chart."""
    install(tour.cluster, tour.images[0])
    return tour.kubectl("get", "pods", "--namespace=hardened-system")


def apply_service(tour: Tour) -> str:
    """A service, by the chart for services: helm returns when it is ready."""
    given = {"image": tour.images[1], "replicas": 2, "probePath": "/health/ready", "livenessPath": "/health/live"}
    values = [f"--set={name}={value}" for name, value in given.items()]
    options = [f"--namespace={NAMESPACE}", "--create-namespace", "--wait", f"--timeout={READY_S}s"]
    done = attempt([tools.helm(), "upgrade", "--install", SERVICE, CHART, *tour.access, *options, *values], timeout=READY_S + 60)
    if done.returncode:
        shown = attempt([tools.kubectl(), *tour.access, "--namespace", NAMESPACE, "describe", "hs", SERVICE], timeout=60)
        raise ClusterError(f"helm: {done.stderr.strip()}\n{shown.stdout}")
    columns = ["--output=custom-columns=MADE:.kind,NAME:.metadata.name", f"--selector=hardened.dev/service={SERVICE}"]
    return tour.kubectl("get", "deploy,svc,netpol,pdb,sa,controllerrevisions", *columns)


def show_status(tour: Tour) -> str:
    """The service in the words of hardenctl."""
    return run([sys.executable, "-m", "hardenctl", "status", SERVICE, "--namespace", NAMESPACE, *tour.access], timeout=60).rstrip()


def ask(tour: Tour) -> str:
    """A request to the Service, through the API server, which this machine can reach."""
    path = f"/api/v1/namespaces/{NAMESPACE}/services/{SERVICE}:http/proxy/"
    answer = tour.kubectl("get", "--raw", path)
    return f"GET {path}\n{answer}\nanswered by the pod {json.loads(answer)['pod']}"


def repair(tour: Tour) -> str:
    """The Service deleted by hand, and made again by the operator."""
    seconds = asyncio.run(delete_and_await(tour.cluster.kubeconfig))
    return f"deleted by hand, and there again after {seconds * 1000:.0f} ms"


async def delete_and_await(kubeconfig: Path) -> float:
    """Deletes the Service, and the seconds from then until there is another one."""
    async with Kube(kubeconfig) as kube:
        old = await kube.get("Service", SERVICE, NAMESPACE)
        if old is None:
            raise ClusterError(f"the Service {SERVICE} is not there: something else deletes it")
        uid = old["metadata"]["uid"]
        seen = asyncio.create_task(
            kube.until("Service", SERVICE, NAMESPACE, lambda live: live is not None and live["metadata"]["uid"] != uid, within=REPAIR_S)
        )
        begun = time.monotonic()
        await kube.delete("Service", SERVICE, NAMESPACE)
        await seen
        return time.monotonic() - begun


STEPS: tuple[tuple[str, Step], ...] = (
    ("a cluster: {cluster}", bring_up),
    ("the images, built and on its nodes", load_images),
    ("the operator, by its chart", install_operator),
    (f"a service, {SERVICE}, by helm: one object in, a hardened deployment out", apply_service),
    (f"hardenctl status {SERVICE}", show_status),
    ("a request to it", ask),
    ("its Service is deleted by hand", repair),
)


def tell(text: str = "") -> None:
    """A line of the tour, at once: what is being done goes to stderr meanwhile."""
    print(text, flush=True)


def take(tour: Tour) -> None:
    """The whole tour. Raises ClusterError."""
    begun = time.monotonic()
    for number, (title, step) in enumerate(STEPS, 1):
        tell(f"{number}/{len(STEPS)}  {title.format(cluster=tour.cluster.name)}")
        since = time.monotonic()
        shown = step(tour)
        tell("\n".join(f"     {line}" for line in shown.splitlines()))
        tell(f"     {span(time.monotonic() - since)}\n")
    tell(f"The whole tour took {span(time.monotonic() - begun)}. The cluster is left running. To go on:\n\n{next_commands(tour)}")


def next_commands(tour: Tour) -> str:
    """What to try next, to be pasted as it is."""
    folders = {"kubectl": tools.bin_dir(), "hardenctl": Path(sys.executable).parent}
    path = "".join(f"{folder}:" for program, folder in folders.items() if not shutil.which(program))
    name = "" if tour.cluster.name == "demo" else f" CLUSTER={tour.cluster.name}"
    lines = (
        f"export KUBECONFIG={tour.cluster.kubeconfig}" + (f" PATH={path}$PATH" if path else ""),
        "kubectl get hs -A",
        f"hardenctl status {SERVICE} -n {NAMESPACE}",
        f"make down{name}",
    )
    return "\n".join(f"  {line}" for line in lines)


def main() -> None:
    """The program: what a person can do something about is one line, and exit status 1."""
    name = os.environ.get("CLUSTER") or "demo"
    try:
        take(Tour(choose(name)))
    except (ClusterError, KubeError, TooLate) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print(f"\ninterrupted; `make demo` goes on from here, `make down CLUSTER={name}` takes it all away", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()

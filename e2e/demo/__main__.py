"""`python -m e2e.demo`: the tour. A cluster, the operator, a service on it, an answered request, a deletion by hand that is put right; and,
while requests come in, a good version that goes live, a bad one that is refused, and a worse one that is taken back.

What is there already is not made again. The cluster is left running.
"""

from __future__ import annotations

import os
import sys
import time

from e2e.cluster import ClusterError, choose
from e2e.cluster.progress import span
from e2e.demo.releases import end_load, release_bad, release_good, release_worse, start_load
from e2e.demo.service import apply_service, ask, bring_up, install_operator, load_images, repair, show_status
from e2e.demo.tour import NAMESPACE, SERVICE, Tour, TourStep
from e2e.install import to_export
from e2e.kube import KubeError, TooLate

STEPS: tuple[tuple[str, TourStep], ...] = (
    ("a cluster: {cluster}", bring_up),
    ("the images, built and loaded onto its nodes", load_images),
    ("the operator, by its chart", install_operator),
    (f"a service, {SERVICE}, by helm: one object in, a hardened deployment out", apply_service),
    (f"hardenctl status {SERVICE}", show_status),
    ("a request to it", ask),
    ("its Service, deleted by hand, comes back", repair),
    ("requests begin to come in", start_load),
    ("a good version: it goes live", release_good),
    ("a bad version: it is ready but answers with errors; its check rejects it, and no client ever sees it", release_bad),
    ("a worse version: it passes its check but is slow; it goes live and is rolled back", release_worse),
    ("the outcome of the requests", end_load),
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
    name = "" if tour.cluster.name == "demo" else f" CLUSTER={tour.cluster.name}"
    lines = (
        to_export(tour.cluster.kubeconfig),
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
        print(f"\ninterrupted; `make demo` continues from here, `make down CLUSTER={name}` removes everything", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()

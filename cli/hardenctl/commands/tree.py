"""`tree`: a service with its revisions, their colours, and the pods of each with their state."""

from collections.abc import Mapping, Sequence
from typing import Any

from hardenctl.asking.arguments import NameArgument
from hardenctl.cluster.session import Session
from hardenctl.output import moments
from hardenctl.output.outcome import Exit
from hardenctl.output.program import PROG
from hardenctl.release import report
from hardenctl.release.lookup import find
from hardenctl.release.pods import PodReading, live_pods_of, reading_of
from hardenctl.release.stacks import RunningStack, stacks_of
from hardenctl.release.state import image_of
from hardenctl.release.tree import LeftOver, colors_of, pods_under, revisions_of, roles, tree
from hardenctl.release.verdict import verdict_of
from hardened.core.model.manifest import Manifest
from hardened.errors import ApiFailure

OUTPUTS = ("json", "yaml")
EXAMPLES = (
    "tree shop                              # revisions, colours, pods",
    "tree shop -o json                      # as data, with the node of each pod",
)
MORE = (
    "The newest revision comes first. Of each pod: the end of its name, its state, and its age. "
    "Exits 0, and 1 when the service does not exist. "
    "-o json: `result` as of `status`, `namespace`, `name`, `next`, and `revisions`: a list of `revision`, `image`, `roles` and `colors`: "
    "a list of `color`, `ready`, `wanted` and `pods`, each with `name`, `revision`, `color`, `state`, `ready`, `restarts`, `createdAt` "
    "and `node`. Rights: the cluster role view."
)


def run(session: Session, name: NameArgument) -> Exit:
    """Draws it."""
    live, console = find(session, name), session.console
    verdict, stacks, pods = verdict_of(live), stacks_of(session, live), _pods(session, live)
    meta = live["metadata"]
    is_late = any(not pod.is_ready for pod in pods)
    step = f"{PROG} explain {name} -n {session.namespace}{session.cluster_flags}" if is_late else ""
    if console.output:
        revisions = [_data(live, each, stacks, pods) for each in revisions_of(live, stacks, pods)]
        head = {"result": str(verdict.result), "namespace": meta["namespace"], "name": meta["name"]}
        console.data({**head, "revisions": revisions, "next": step})
        return Exit.OK
    console.print(f"{console.mark(report.mark_of(verdict))} {meta['namespace']}/{meta['name']} is {verdict.result}")
    for line in tree(console, live, stacks, moments.now(), pods):
        console.print(line)
    console.advise(step)
    return Exit.OK


def _pods(session: Session, live: Manifest) -> list[PodReading]:
    try:
        return [reading_of(pod) for pod in live_pods_of(session, live)]
    except ApiFailure as error:
        session.console.warn(f"pods are left out: {error}")
        return []


def _data(live: Mapping[str, Any], revision: str, stacks: Sequence[RunningStack], pods: Sequence[PodReading]) -> Manifest:
    colors = [_color(each, revision, pods) for each in colors_of(revision, stacks, pods)]
    return {"revision": revision, "image": image_of(live, revision), "roles": roles(live, revision), "colors": colors}


def _color(each: RunningStack | LeftOver, revision: str, pods: Sequence[PodReading]) -> Manifest:
    under = pods_under(each.color, revision, pods)
    ready, wanted = (sum(pod.is_ready for pod in under), 0) if isinstance(each, LeftOver) else (each.ready, each.wanted)
    return {"color": each.color, "ready": ready, "wanted": wanted, "pods": [pod.data() for pod in under]}

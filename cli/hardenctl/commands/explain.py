"""`explain`: why a service waits or is not Ready; or what a reason means."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from hardenctl.cluster.session import Session
from hardenctl.output import moments
from hardenctl.output.console import Console
from hardenctl.output.formats import printable
from hardenctl.output.outcome import Exit, ResultWord
from hardenctl.output.program import PROG
from hardenctl.release import next_step, report
from hardenctl.release.budgets import blocking_budgets
from hardenctl.release.cause import Cause, Link, World, cause_of, chain_of
from hardenctl.release.children import children_of
from hardenctl.release.lookup import find
from hardenctl.release.pods import live_pods_of
from hardenctl.release.reason_pages import command_of, is_reason, page, reason_named
from hardenctl.release.stacks import stacks_of
from hardenctl.release.state import release_of
from hardenctl.release.timeline import timeline_of
from hardenctl.release.verdict import ServiceVerdict, verdict_of, waits_for_approval
from hardened.api.steps import Step
from hardened.core.model.manifest import Manifest
from hardened.core.model.reasons import MEANING, Reason
from hardened.core.model.remedies import REMEDY
from hardened.errors import ApiFailure

OUTPUTS = ("json", "yaml")
EXAMPLES = (
    "explain shop                           # why it waits or is not Ready, and what to do next",
    "explain CrashLooping                   # what a reason means, its usual cause, and what to do",
    "explain shop -o json                   # the same as data",
)
MORE = (
    "Shows the cause in one sentence, the chain from the spec to the revision, its pods and their newest warnings, and the next command. "
    "Exits 0 whatever it finds (`status` judges), 1 when the service does not exist, 2 for a reason that there is none of. "
    "-o json of a service: `result` as of `status`, `namespace`, `name`, `reason`, `cause`, `meaning`, `fix`, `next`, and `chain`: a list "
    "of `kind` (spec, condition, budget, needs, release, check, revision, colour, pod, event), `name`, `state` and `message`. "
    "Of a reason: `result`, `reason`, `meaning`, `cause`, `fix`, `command`. Rights: the cluster role view."
)

#: The words of the LimitRanger, which does not name its object.
_LIMIT_RANGE = re.compile(r"(maximum|minimum) \S+ usage per |max limit to request ratio per ")
#: Width of the words before each line.
_TITLE = 10


def run(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME|REASON", help="The service, or a reason such as CrashLooping.")],
) -> Exit:
    """Explains a service, or a reason."""
    if is_reason(name):
        return _of_reason(session.console, name)
    live = find(session, name)
    verdict, world = verdict_of(live), _world(session, live)
    cause = cause_of(world, verdict)
    chain, step = chain_of(world, moments.now()), _next(session, world, verdict, cause)
    meaning, fix = _general(cause.reason, live)
    if session.console.output:
        links = [{"kind": link.kind, "name": link.name, "state": link.state, "message": link.message} for link in chain]
        found = {"reason": cause.reason, "cause": cause.sentence, "meaning": meaning, "fix": fix, "chain": links, "next": step}
        meta = live["metadata"]
        session.console.data({"result": str(verdict.result), "namespace": meta["namespace"], "name": meta["name"]} | found)
        return Exit.OK
    _show(session.console, live, verdict, cause, chain)
    session.console.advise(step)
    return Exit.OK


def _of_reason(console: Console, word: str) -> Exit:
    reason = reason_named(word)
    found = page(reason)
    if console.output:
        console.data({"result": str(ResultWord.OK), "reason": str(reason), **found})
        return Exit.OK
    console.print(f"{reason}\n")
    for title, text in found.items():
        if title == "command":  # what is to be pasted is one line
            console.print(f"{title.capitalize().ljust(_TITLE)}{text}")
        else:
            _titled(console, title.capitalize(), text)
    return Exit.OK


def _world(session: Session, live: Manifest) -> World:
    try:
        pods, deployments = live_pods_of(session, live), children_of(session, live, "Deployment")
    except ApiFailure as error:
        session.console.warn(f"pods are left out: {error}")
        pods, deployments = [], []
    timeline, budgets = timeline_of(session, live, (), session.console.trace), blocking_budgets(session, live, pods)
    return World(live, deployments, stacks_of(session, live), pods, timeline, budgets)


def _next(session: Session, world: World, verdict: ServiceVerdict, cause: Cause) -> str:
    live = world.live
    if verdict.result is ResultWord.HEALTHY and world.budgets:
        return f"kubectl describe poddisruptionbudget {world.budgets[0].name} -n {live['metadata']['namespace']}{session.cluster_flags}"
    if verdict.result in (ResultWord.HEALTHY, ResultWord.DELETED):
        return ""
    given = next_step.after(verdict, live, session.cluster_flags)
    # What waits for a person, for the operator, or for a restore is known to all verbs alike.
    if waits_for_approval(live) or not cause.reason or cause.reason in (Reason.RESTORE_FAILED, Reason.ROLLBACK_FAILED):
        return given
    meta, release = live["metadata"], release_of(live)
    if (cause.reason == Reason.CONFIG_MISSING and not cause.pod) or cause.reason == Reason.NOT_OWNED:
        return given
    if cause.reason == Reason.PODS_REFUSED and _LIMIT_RANGE.search(cause.sentence):
        return f"kubectl describe limitranges -n {meta['namespace']}{session.cluster_flags}"
    found = command_of(
        cause.reason,
        name=meta["name"],
        namespace=meta["namespace"],
        # Until its preflight has passed no verb finds it.
        revision="" if release and release.step == Step.PREFLIGHT else cause.revision,
        pod=cause.pod,
        container=cause.container,
        has_pods=cause.has_pods,
        has_ended=cause.has_ended,
        has_logs=cause.has_logs,
    )
    # Of a reason that is not known here, what to look at is known to no page of it: the timeline has all that there is.
    return (found or f"{PROG} events {meta['name']} -n {meta['namespace']}") + session.cluster_flags


def _general(reason: str, live: Mapping[str, Any]) -> tuple[str, str]:
    """What a reason means, and what to do about it; nothing of one that a newer operator may know."""
    if reason not in set(Reason):
        return "", ""
    return MEANING[Reason(reason)], "Promote it, or abort it." if waits_for_approval(live) else REMEDY[Reason(reason)].fix


def _show(console: Console, live: Mapping[str, Any], verdict: ServiceVerdict, cause: Cause, chain: Sequence[Link]) -> None:
    meta, is_healthy = live["metadata"], verdict.result is ResultWord.HEALTHY
    reason = f": {cause.reason}" if cause.reason and not is_healthy else ""
    console.print(f"{console.mark(report.mark_of(verdict))} {meta['namespace']}/{meta['name']} is {verdict.result}{printable(reason)}")
    _, fix = _general(cause.reason, live)
    _titled(console, "State" if is_healthy else "Cause", cause.sentence or "the operator does not say why", "\n")
    if fix and not is_healthy:
        _titled(console, "Fix", fix)
    before, gap = "", "\n"
    for link in chain:
        title = "" if link.kind == before else link.kind
        before = link.kind
        _titled(console, title, ": ".join(filter(None, (link.name, link.state, link.message))), gap)
        gap = ""


def _titled(console: Console, title: str, text: str, gap: str = "") -> None:
    console.print(gap + console.hanging(title.ljust(_TITLE), _TITLE, text))

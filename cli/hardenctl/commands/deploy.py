"""`deploy`: applies one or more services and waits until they are healthy."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from hardenctl.cluster.session import Session
from hardenctl.deploying import submission
from hardenctl.deploying.apply import apply_one, find_live, read_live
from hardenctl.deploying.submission import Submission
from hardenctl.following.waiting import Waited, wait
from hardenctl.output import duration
from hardenctl.output.formats import printable
from hardenctl.output.outcome import Exit, ResultWord, usage, worst
from hardenctl.output.program import PROG
from hardenctl.release import next_step, report
from hardenctl.release.span import release_span
from hardenctl.release.verdict import ServiceVerdict, is_seen, verdict_of
from hardened.core.model.manifest import Manifest
from hardened.errors import Refused

OUTPUTS = ("json", "yaml", "name")
EXAMPLES = (
    "deploy shop --image registry.example/shop:1.4              # a new version; the rest stays",
    "deploy shop --image registry.example/shop:1.4 --port 8080  # a new service",
    "deploy -f shop.yaml                                        # all of a file; - reads stdin",
    "deploy -f shop.yaml --dry-run=server                       # what it would change",
    "deploy shop --image registry.example/shop:1.4 -o yaml --dry-run=client # the HardenedService, for a file",
    "deploy shop --image registry.example/shop:1.4 --wait=paused # until it awaits promotion",
)
MORE = (
    "Files are checked first, and every wrong field is named with its line and column; unknown fields are errors. "
    "It writes by server-side apply, as field manager hardenctl. Ctrl-C only ends the waiting, never the release. "
    "Exits 0 once healthy (with --wait=paused: or awaiting promotion), 1 when the release failed or was superseded, "
    "2 for a wrong file or flag, 3 when the new version was rejected or rolled back and the previous one serves, "
    "4 when the server refuses it, 5 when the cluster could not be asked, 124 when --timeout has passed. "
    "Several services are followed side by side, and the worst decides."
)


def run(
    session: Session,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The service; with a file, only this one.", show_default=False)] = None,
    image: Annotated[str, typer.Option("--image", metavar="IMAGE", help="Image to release, with a tag or a digest.")] = "",
    files: Annotated[list[str] | None, typer.Option("--filename", "-f", metavar="FILE", help="File or folder; - for stdin.")] = None,
    port: Annotated[int | None, typer.Option("--port", help="Port of a new service; without one it is a worker.")] = None,
    replicas: Annotated[int | None, typer.Option("--replicas", help="Number of pods.")] = None,
    wait_for: Annotated[str, typer.Option("--wait", metavar="healthy|paused|none", help="What to wait for.")] = "healthy",
    timeout: Annotated[str, typer.Option("--timeout", metavar="TIME", help="How long all may take (default: as a release may).")] = "",
    dry_run: Annotated[str, typer.Option("--dry-run", metavar="client|server", help="Change nothing; show what would change.")] = "",
    force_conflicts: Annotated[bool, typer.Option("--force-conflicts", help="Take over fields that others manage.")] = False,
) -> Exit:
    """Applies, then waits."""
    _check_words("--wait", wait_for, (*_GOALS, "none"))
    _check_words("--dry-run", dry_run, ("", "client", "server", "none"))
    submissions = _submissions(session, name or "", image, files or [], port, replicas, needs_cluster=dry_run != "client")
    if dry_run in ("client", "server"):
        from hardenctl.deploying.dry_run import show  # loads the models

        return show(session, submissions, is_server=dry_run == "server", force=force_conflicts)
    applied = _apply_all(session, submissions, force_conflicts)
    if wait_for == "none":
        return _without_waiting(session, applied)
    return _wait_all(session, applied, _GOALS[wait_for])


#: Healthy is further than paused: a release that asks nobody never pauses.
_GOALS = {"healthy": (ResultWord.HEALTHY,), "paused": (ResultWord.PAUSED, ResultWord.HEALTHY)}


def _check_words(flag: str, given: str, known: Sequence[str]) -> None:
    if given not in known:
        raise usage(f"{flag}={given} is not known", f"it takes {' or '.join(filter(None, known))}")


def _submissions(
    session: Session, name: str, image: str, files: list[str], port: int | None, replicas: int | None, *, needs_cluster: bool
) -> list[Submission]:
    if bool(image) == bool(files):
        hint = f"{PROG} deploy NAME --image IMAGE, or {PROG} deploy -f FILE"
        raise usage("--image and -f exclude each other" if image else "deploy needs an image or a file", hint)
    if image:
        if not name:
            raise usage("--image needs the NAME of the service", f"{PROG} deploy NAME --image {image}")
        return [submission.of_image(session.namespace, name, image, read_live(session, name), port, replicas)]
    if port is not None or replicas is not None:
        raise usage("--port and --replicas need --image: a file sets them itself")
    from hardenctl.files.manifest_file import read

    documents = [document for document in read(files, session.console.note) if name in ("", document.name)]
    if not documents:
        raise usage(f"there is no service {name} in {', '.join(files)}")
    namespace = session.namespace if needs_cluster else session.flags.namespace or "default"
    return [submission.of_document(document, session.flags.namespace, namespace) for document in documents]


@dataclass(frozen=True)
class Applied:
    """A service that was applied."""

    live: Manifest
    """As the server replied."""
    change: str
    """created, configured or unchanged; applied where what was there before may not be read."""


def _apply_all(session: Session, submissions: Sequence[Submission], force: bool) -> list[Applied]:
    if len(submissions) > 1:
        # What the server would refuse of the last must not be found out after the first was changed.
        for each in submissions:
            apply_one(session, each, force=force, dry_run=True)
    applied = []
    for each in submissions:
        change = _change_by(session, each)
        live = apply_one(session, each, force=force)
        found = Applied(live, change(live))
        session.console.progress(f"    0s  {each.namespace}/{each.name} {found.change}")
        applied.append(found)
    return applied


def _change_by(session: Session, each: Submission) -> Callable[[Manifest], str]:
    """What an apply did, from its reply: asked before it."""
    try:
        before = find_live(session, each.namespace, each.name) if each.document else each.whole
    except Refused:
        return lambda _: "applied"
    version = ((before or {}).get("metadata") or {}).get("resourceVersion")
    if version is None:
        return lambda _: "created"
    return lambda live: "unchanged" if version == live["metadata"]["resourceVersion"] else "configured"


def _without_waiting(session: Session, applied: Iterable[Applied]) -> Exit:
    console, found = session.console, list(applied)
    services = [report.summary(a.live, verdict_of(a.live), session.cluster_flags) | {"change": a.change} for a in found]
    if console.output in ("json", "yaml"):
        console.data({"result": str(ResultWord.APPLIED), "services": services})
        return Exit.OK
    for a in found:
        meta = a.live["metadata"]
        console.print(report.full_name(a.live) if console.output == "name" else f"{meta['namespace']}/{meta['name']} {a.change}")
        console.advise(f"{PROG} status {meta['name']} -n {meta['namespace']} -w{session.cluster_flags}")
    return Exit.OK


def _wait_all(session: Session, applied: Sequence[Applied], goals: Sequence[ResultWord]) -> Exit:
    began = time.monotonic()
    deadline = session.wait(max(release_span(a.live) for a in applied))
    waited = wait(session, [a.live for a in applied], goals, deadline, began)
    ended = [_if_ours(a, w) for a, w in zip(applied, waited, strict=True)]
    code = worst(w.code for w in ended)
    if session.console.output in ("json", "yaml"):
        services = [
            report.summary(w.live, w.verdict, session.cluster_flags) | {"change": a.change} for w, a in zip(ended, applied, strict=True)
        ]
        result = next(w.verdict.result for w in ended if w.code == code)
        session.console.data({"result": str(result), "services": services})
    for each in ended:
        _say(session, each, time.monotonic() - began)
    return code


def _if_ours(applied: Applied, waited: Waited) -> Waited:
    """What came of it, unless that is another version than the one that was applied: then so much."""
    from hardened.api.service import REVISION_FIELDS

    ours, theirs = applied.live["spec"], waited.live["spec"]
    if waited.verdict.result is ResultWord.DELETED or all(ours.get(field) == theirs.get(field) for field in REVISION_FIELDS):
        return waited
    text = f"its spec was changed meanwhile and now asks for {theirs.get('image')}"
    return Waited(ServiceVerdict(ResultWord.SUPERSEDED, text), waited.live, Exit.FAILED)


def _say(session: Session, waited: Waited, span: float) -> None:
    console, meta, verdict = session.console, waited.live["metadata"], waited.verdict
    name = f"{meta['namespace']}/{meta['name']}"
    if waited.code == Exit.OK:
        if not console.output:
            console.print(f"{console.mark(report.mark_of(verdict))} {name} is {verdict.result}: {printable(verdict.message)}")
        elif console.output == "name":
            console.print(report.full_name(waited.live))
        step = next_step.after(verdict, waited.live, session.cluster_flags)
        console.advise(step or f"{PROG} status {meta['name']} -n {meta['namespace']}{session.cluster_flags}")
        return
    if verdict.result is ResultWord.TIMED_OUT:
        found = verdict_of(waited.live)
        hint = (
            "only the waiting has ended; the release continues"
            if is_seen(waited.live)
            else "only the waiting has ended: is the operator running?"
        )
        console.complain(f"{name} is {found.result} after {duration.shown(span)}: {found.message}", hint)
    else:
        hint = next_step.unpinning(waited.live, session.cluster_flags) if verdict.is_taken_back else ""
        console.complain(f"{name} {_ENDS.get(verdict.result, 'has failed')}: {verdict.message}", hint)
    console.advise(next_step.after(verdict, waited.live, session.cluster_flags))


_ENDS = {
    ResultWord.SUSPENDED: "is suspended",
    ResultWord.DELETED: "is gone",
    ResultWord.SUPERSEDED: "runs another version",
    ResultWord.REJECTED: "runs its previous version, the new one was rejected",
    ResultWord.ROLLED_BACK: "runs its previous version, the new one was rolled back",
}

"""`events`: what happened to a service, in the order of time."""

from datetime import datetime
from typing import Annotated

import typer

from hardenctl.asking.arguments import NameArgument
from hardenctl.cluster.session import Session
from hardenctl.output import duration, moments
from hardenctl.output.console import Console, Mark
from hardenctl.output.formats import printable
from hardenctl.output.outcome import Exit, ResultWord
from hardenctl.output.program import PROG
from hardenctl.release.lookup import find
from hardenctl.release.revisions import named, stored_of
from hardenctl.release.timeline import Happening, timeline_of
from hardened.api import names

OUTPUTS = ("wide", "json", "yaml")
EXAMPLES = (
    "events shop                            # the newest last",
    "events shop --for=3                    # of one revision, by its number or its name",
    "events shop --since=30m -o wide        # with times and whole names",
    "events shop -o json                    # as data",
)
MORE = (
    "One timeline of the service, its children, its pods and its actions: who did what, and when. The cluster keeps Events for an hour "
    "(by default); revisions, actions, writes to the spec and ends of containers are known for longer. "
    "Exits 0, also when nothing is known; 1 when the service does not exist. "
    "-o json: `result`, `namespace`, `name`, `next`, and `events`, the oldest first, each with `at`, `who`, `kind`, `name`, `type` (Normal "
    "or Warning), `reason`, `message`, `count` and `revision`. Rights: the cluster role view."
)
#: The most characters of who did it in the table: the whole of it is in -o wide.
_WHO = 12
_SHORT_KINDS = {
    names.KIND: "service",
    names.ACTION_KIND: "action",
    "ControllerRevision": "revision",
    "HorizontalPodAutoscaler": "hpa",
    "PersistentVolumeClaim": "claim",
}


def run(
    session: Session,
    name: NameArgument,
    revision: Annotated[str, typer.Option("--for", metavar="REVISION", help="Only what is about this revision.")] = "",
    since: Annotated[str, typer.Option("--since", metavar="TIME", help="Only what is newer than this, such as 30m.")] = "",
) -> Exit:
    """Lists it, the newest last."""
    span = duration.seconds(since, "--since") if since else None
    live, console, now = find(session, name), session.console, moments.now()
    kept = stored_of(session, live, console.warn)
    wanted = named(kept, revision).revision if revision else ""
    found = [
        each
        for each in timeline_of(session, live, kept, console.warn)
        if wanted in ("", each.revision) and (span is None or (now - each.at).total_seconds() <= span)
    ]
    step = f"{PROG} explain {name} -n {session.namespace}{session.cluster_flags}" if any(each.is_warning for each in found) else ""
    if console.output in ("json", "yaml"):
        meta = live["metadata"]
        rows = [each.data() for each in found]
        console.data({"result": str(ResultWord.OK), "namespace": meta["namespace"], "name": meta["name"], "events": rows, "next": step})
        return Exit.OK
    is_wide = console.output == "wide"
    who = max((len(_who(each, is_wide)) for each in found), default=0)
    for each in found:
        console.print(_line(console, each, now, who, name, is_wide=is_wide))
    if not found:
        about = f" about revision {wanted}" if wanted else ""
        console.print(f"nothing is known{about}: the cluster keeps Events for an hour, if its API server does not say otherwise")
    console.advise(step)
    return Exit.OK


def _line(console: Console, each: Happening, now: datetime, who: int, service: str, *, is_wide: bool) -> str:
    when = each.at.strftime("%Y-%m-%dT%H:%M:%SZ") if is_wide else moments.age(each.at, now).rjust(4)
    head = f"{when}  {_who(each, is_wide).ljust(who)}  "
    about = f"{each.kind}/{each.name}" if is_wide else _about(each, service)
    count = f" (x{each.count})" if each.count > 1 else ""
    text = f"{about} {each.reason}{count}{': ' if each.message else ''}{each.message}"
    mark = console.mark(Mark.WARNING if each.is_warning else Mark.QUIET)
    return console.hanging(f"{mark} {head}", len(head) + 2, text)


def _about(each: Happening, service: str) -> str:
    """Short: what the reader has typed is not said again. Example: Pod api-green-6c9f-x2v1q of api -> pod green-6c9f-x2v1q."""
    kind = _SHORT_KINDS.get(each.kind, each.kind.lower())
    return kind if each.name == service or not each.name else f"{kind} {each.name.removeprefix(f'{service}-')}"


def _who(each: Happening, is_wide: bool) -> str:
    if is_wide:
        return printable(each.who)
    short = printable(each.who).removeprefix("hardened-").removeprefix("default-").removesuffix("-controller")
    return short if len(short) <= _WHO else f"{short[: _WHO - 1]}…"

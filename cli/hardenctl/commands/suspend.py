"""`suspend`: the operator changes nothing of a service any more, until somebody, or a moment, ends that."""

from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from hardenctl.asking.arguments import NameArgument
from hardenctl.asking.suspending import is_endless, tell, until_of, written
from hardenctl.cluster.session import Session
from hardenctl.output import duration, moments
from hardenctl.output.outcome import CommandEnd, Exit, ResultWord, usage
from hardenctl.output.program import PROG
from hardenctl.release.lookup import find
from hardened.core.model.manifest import Manifest

OUTPUTS = ("json", "yaml", "name")
EXAMPLES = (
    "suspend shop                                  # until `unsuspend`",
    "suspend shop --until 2h                       # goes on by itself in two hours",
    "suspend shop --until 2030-01-31T18:00:00Z     # or at that moment; +01:00 is understood, too",
)
MORE = (
    "While a service is suspended the operator changes nothing of it: no release, repair, scaling or scheduled backup. Its pods "
    "go on serving. A release that has reached its cutover is finished first. It writes spec.suspend, or spec.suspendUntil, by server-side "
    "apply as field manager hardenctl-suspend; `status` says until when. Exits 0, 1 when the service does not exist, 2 for a moment that "
    "has passed, 4 when somebody else manages the field, or it is suspended without an end already."
)
ForceOption = Annotated[bool, typer.Option("--force-conflicts", help="Take over fields that others manage.")]


def run(
    session: Session,
    name: NameArgument,
    until: Annotated[str, typer.Option("--until", metavar="TIME", help="When it goes on: a moment, or a time such as 2h.")] = "",
    force_conflicts: ForceOption = False,
) -> Exit:
    """Writes it, unless it is so already."""
    end = moment_of(until, moments.now()) if until else None
    live = find(session, name)
    shown = f"{end:%Y-%m-%dT%H:%M:%SZ}" if end else ""
    if (end is None and is_endless(live)) or (end is not None and not is_endless(live) and until_of(live) == end):
        return tell(session, live, f"is suspended already{f' until {shown}' if end else ''}", is_changed=False)
    spec: dict[str, Any] = {"suspendUntil": shown} if end else {"suspend": True}
    if end and is_endless(live):
        _check_that_it_ends(session, live, spec, force=force_conflicts)
    after = written(session, live, spec, force=force_conflicts)
    return tell(session, after, f"is suspended until {shown or 'somebody ends it'}", is_changed=True)


def _check_that_it_ends(session: Session, live: Manifest, spec: dict[str, Any], *, force: bool) -> None:
    """Raises CommandEnd where `suspend: true` would stay, which is somebody else's."""
    if is_endless(written(session, live, spec, force=force, dry_run=True)):
        name, flags = live["metadata"]["name"], session.cluster_flags
        raise CommandEnd(
            "spec.suspend is true, which has no end and is not ours: an end has no effect beside it",
            result=ResultWord.REFUSED,
            code=Exit.REFUSED,
            hint="end that first, then suspend it again with an end",
            next_step=f"{PROG} unsuspend {name} -n {session.namespace}{flags}",
        )


def moment_of(text: str, now: datetime) -> datetime:
    """When it ends, to the second. text: a moment with its zone, or a time from now on. Raises CommandEnd (usage)."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        span = duration.seconds(text, "--until", "30s, 10m or 1h30m, or as a moment: 2030-01-31T18:00:00Z")
        return (now + timedelta(seconds=span)).replace(microsecond=0)
    if found.tzinfo is None:
        raise usage(f"--until {text!r} has no time zone", "write it as 2030-01-31T18:00:00Z, or as a time from now on, such as 2h")
    if found <= now:
        raise usage(f"--until {text!r} has passed", f"it is {now:%Y-%m-%dT%H:%M:%SZ} now")
    return found.astimezone(now.tzinfo).replace(microsecond=0)

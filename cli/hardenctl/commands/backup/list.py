"""`backup list`: the backups of a service."""

from hardenctl.asking.arguments import NameArgument
from hardenctl.cluster.session import Session
from hardenctl.output import moments
from hardenctl.output.formats import table
from hardenctl.output.outcome import Exit, ResultWord
from hardenctl.output.program import PROG
from hardenctl.release.backups import BackupReading, bytes_text, readings
from hardenctl.release.lookup import find

OUTPUTS = ("wide", "json", "yaml", "name")
EXAMPLES = (
    "backup list shop",
    "backup list shop -o wide                       # with the whole of what went wrong",
    "backup list shop -o json",
)
MORE = (
    "AGE is that of the newest good snapshot, from the begin of its dump. RPO is what may be lost by the schedule: the longest time "
    "from one run to the next, and what a run takes at most. VERIFIED: when its snapshot was restored last to see whether it "
    "can be, and what came of that. STATE: ok, overdue (older than maxAge) or no snapshot, and what else is to be known."
)
#: The most characters of a cause in the table: the whole of it is in -o wide.
_SHORT = 60


def run(session: Session, name: NameArgument) -> Exit:
    """Lists them, as the spec does."""
    live, console, now = find(session, name), session.console, moments.now()
    found = readings(live, now)
    mended_by = [("create", each) for each in found if not each.is_good] + [("verify", each) for each in found if not each.is_verified]
    step = next((f"{PROG} backup {verb} {name} {bad.name} -n {session.namespace}{session.cluster_flags}" for verb, bad in mended_by), "")
    match console.output:
        case "json" | "yaml":
            meta = live["metadata"]
            rows = [each.data() for each in found]
            console.data(
                {"result": str(ResultWord.OK), "namespace": meta["namespace"], "name": meta["name"], "backups": rows, "next": step}
            )
        case "name":
            for each in found:
                console.print(each.name)
        case form:
            console.print(_text(found, is_wide=form == "wide") if found else "the service has no backups: add them to spec.backups")
            console.advise(step)
    return Exit.OK


def _text(found: list[BackupReading], *, is_wide: bool) -> str:
    head = ("NAME", "SOURCE", "SCHEDULE", "SNAPSHOT", "AGE", "SIZE", "NEXT", "RPO", "VERIFIED", "STATE")
    return table(head, (_cells(each, is_wide=is_wide) for each in found))


def _cells(each: BackupReading, *, is_wide: bool) -> tuple[str, ...]:
    state = each.state if is_wide or len(each.state) <= _SHORT else f"{each.state[: _SHORT - 1]}…"
    seen = (each.snapshot[:8] or "-", each.age or "-", bytes_text(each.bytes) if each.snapshot else "-")
    return (each.name, each.source, each.schedule, *seen, each.next or "-", each.recovery_point or "-", each.verified or "-", state)

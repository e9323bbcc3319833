"""`backup create`: makes one of a service's backups now."""

from dataclasses import replace
from typing import Annotated

import typer

from hardenctl.asking import arguments
from hardenctl.asking.arguments import OUTPUTS, NameArgument, ReasonOption, TimeoutOption, WaitOption, action_arguments
from hardenctl.asking.perform import perform
from hardenctl.cluster.session import Session
from hardenctl.output.outcome import Exit
from hardenctl.release.backups import backups_of
from hardenctl.release.lookup import find

__all__ = ["EXAMPLES", "MORE", "OUTPUTS", "run"]

EXAMPLES = (
    "backup create shop nightly                     # now, and wait for its end",
    'backup create shop nightly --no-wait --reason "before the migration"',
)
MORE = (
    "It is made as the schedule makes it: the same source, repository, deadline and retention. While one is under way, a second one is "
    "refused. Waits as long as the backup's deadline, unless --timeout says otherwise. "
) + arguments.MORE

#: Seconds beyond the deadline of the backup, until its end is known.
_BEYOND = 60.0


def run(
    session: Session,
    name: NameArgument,
    backup: Annotated[str, typer.Argument(metavar="BACKUP", help="One of spec.backups, by its name.")],
    reason: ReasonOption = "",
    wait: WaitOption = True,
    timeout: TimeoutOption = "",
) -> Exit:
    """Asks for it, and waits."""
    wanted = replace(action_arguments("Backup", name, "", reason, wait, timeout), backup=backup)
    live = find(session, name)
    if wait and not timeout:
        deadline = next((each.deadline.total_seconds() for each in backups_of(live) if each.name == backup), 0.0)
        wanted = replace(wanted, span=max(wanted.span or 0.0, deadline + _BEYOND))
    return perform(session, live, wanted)

"""`backup verify`: restores the newest snapshot of one of a service's backups into scratch space, and looks at it, now."""

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
    "backup verify shop nightly                     # now, and wait for its end",
    'backup verify shop nightly --no-wait --reason "after the disk was changed"',
)
MORE = (
    "It is verified as the schedule of its `verify` does it: the newest good snapshot is restored into scratch space, never into the "
    "application, and what `verify` demands is looked at there. Waits as long as the deadline of `verify`, unless --timeout says "
    "otherwise. "
) + arguments.MORE

#: Seconds beyond the deadline of the verification, until its end is known.
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
    wanted = replace(action_arguments("VerifyBackup", name, "", reason, wait, timeout), backup=backup)
    live = find(session, name)
    if wait and not timeout:
        known = (each.verify.deadline.total_seconds() for each in backups_of(live) if each.name == backup and each.verify)
        wanted = replace(wanted, span=max(wanted.span or 0.0, next(known, 0.0) + _BEYOND))
    return perform(session, live, wanted)

"""`backup verify`: restores the newest snapshot of one of a service's backups into scratch space, and looks at it, now."""

from hardenctl.asking import arguments
from hardenctl.asking.arguments import OUTPUTS, NameArgument, ReasonOption, TimeoutOption, WaitOption, action_arguments
from hardenctl.cluster.session import Session
from hardenctl.commands.backup.by_hand import BackupArgument, ask_for_run
from hardenctl.output.outcome import Exit

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


def run(
    session: Session,
    name: NameArgument,
    backup: BackupArgument,
    reason: ReasonOption = "",
    wait: WaitOption = True,
    timeout: TimeoutOption = "",
) -> Exit:
    """Asks for it, and waits."""
    asked = action_arguments("VerifyBackup", name, "", reason, wait, timeout)
    return ask_for_run(session, asked, backup, timeout, lambda each: each.verify.deadline if each.verify else None)

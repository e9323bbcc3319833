"""`backup create`: makes one of a service's backups now."""

from hardenctl.asking import arguments
from hardenctl.asking.arguments import OUTPUTS, NameArgument, ReasonOption, TimeoutOption, WaitOption, action_arguments
from hardenctl.cluster.session import Session
from hardenctl.commands.backup.by_hand import BackupArgument, ask_for_run
from hardenctl.output.outcome import Exit

__all__ = ["EXAMPLES", "MORE", "OUTPUTS", "run"]

EXAMPLES = (
    "backup create shop nightly                     # now, and wait for its end",
    'backup create shop nightly --no-wait --reason "before the migration"',
)
MORE = (
    "It is made as the schedule makes it: the same source, repository, deadline and retention. While one is under way, a second one is "
    "refused. Waits as long as the backup's deadline, unless --timeout says otherwise. "
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
    asked = action_arguments("Backup", name, "", reason, wait, timeout)
    return ask_for_run(session, asked, backup, timeout, lambda each: each.deadline)

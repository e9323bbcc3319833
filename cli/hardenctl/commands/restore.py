"""`restore`: brings the data of a snapshot back."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

import typer

from hardenctl.asking import arguments
from hardenctl.asking.arguments import OUTPUTS, NameArgument, ReasonOption, TimeoutOption, WaitOption, YesOption, action_arguments
from hardenctl.asking.consent import backup_named, consent, source_of, stakes
from hardenctl.asking.perform import Addition, perform
from hardenctl.asking.request import ActionOutcome
from hardenctl.asking.with_data import restored
from hardenctl.cluster.session import Session
from hardenctl.output import moments
from hardenctl.output.outcome import Exit, usage
from hardenctl.release.backups import longest_wait
from hardenctl.release.lookup import find
from hardenctl.release.recovery_point import RecoveryPoint, chosen
from hardened.core.model.manifest import Manifest

__all__ = ["EXAMPLES", "MORE", "OUTPUTS", "run"]

EXAMPLES = (
    "restore shop --backup nightly --snapshot latest          # asks before anything is overwritten",
    "restore shop --backup nightly --snapshot 1f2e3d4c --yes  # for scripts",
    "restore shop --backup nightly --snapshot latest --into shop_then   # a new database beside the one that serves",
)
MORE = (
    "What is there is stored first, then replaced by what the snapshot holds; who the backup's `stops` names is stopped meanwhile. "
    "Without a terminal it needs --yes. With --into, for PostgreSQL alone, nothing is stopped and the data that serves is left alone. "
    "While the restore runs, a line is printed for each change. If it fails, the service stays stopped, so that it never runs on half "
    "of the data: repeat the restore, or give it up by `abort`. Waits as long as the restore may take, which is four times the backup's "
    "deadline, unless --timeout says otherwise. "
) + arguments.MORE

#: The name of a database that is made.
_INTO = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}")


def run(
    session: Session,
    name: NameArgument,
    backup: Annotated[str, typer.Option("--backup", metavar="BACKUP", help="One of spec.backups, by its name.")] = "",
    snapshot: Annotated[
        str, typer.Option("--snapshot", metavar="ID|latest", help="The snapshot, or the newest good one that the status knows.")
    ] = "",
    into: Annotated[
        str, typer.Option("--into", metavar="NEW", help="Restore into a new database of this name, not over what serves.")
    ] = "",
    yes: YesOption = False,
    reason: ReasonOption = "",
    wait: WaitOption = True,
    timeout: TimeoutOption = "",
) -> Exit:
    """Asks for it once somebody has agreed, and waits."""
    wanted = action_arguments("Restore", name, "", reason, wait, timeout)
    if not backup or not snapshot:
        raise usage(
            f"--{'snapshot' if backup else 'backup'} is missing", "say what is to be restored: --backup BACKUP --snapshot ID|latest"
        )
    live = find(session, name)
    spec = backup_named(live, backup)
    point = chosen(session.cluster_flags, live, backup, snapshot) if spec else RecoveryPoint(snapshot)
    kind, _ = source_of(spec)
    _check_into(into, kind)
    wanted = replace(
        wanted,
        backup=backup,
        snapshot=point.snapshot,
        into=into,
        beside=" ".join(filter(None, (point.text(moments.now()), f"into {into}" if into else ""))),
        span=wanted.span if timeout or wanted.span is None else max(wanted.span, longest_wait(live, backup)),
    )

    def agree() -> None:
        if not into:
            consent(session, name, stakes(session, live, spec, point, moments.now()), is_given=yes)

    return perform(session, live, wanted, _ended(point), agree)


def _check_into(into: str, kind: str) -> None:
    if into and kind not in ("", "postgres"):
        then = "leave it out to restore over what is there; to look at it beside that, see Restore by hand in docs/operations.md"
        raise usage(f"--into is not for a backup of {kind}", then)
    if into and not _INTO.fullmatch(into):
        raise usage(f"--into {into!r} is not the name of a database", "it has letters, digits, _ and -, at most 63, a letter or _ first")


def _ended(point: RecoveryPoint) -> Addition:
    """What is told of a restore that has succeeded: the moment that the data is of, and how long it took."""

    def add(_live: Manifest, outcome: ActionOutcome | None) -> tuple[Sequence[str], Mapping[str, Any]]:
        return restored(point, outcome)

    return add

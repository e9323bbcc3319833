"""What the verbs that make a run by hand share: the backup that it is of, and how long its end is waited for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from hardenctl.asking.arguments import ActionArguments
from hardenctl.asking.perform import perform
from hardenctl.cluster.session import Session
from hardenctl.output.outcome import Exit
from hardenctl.release.backups import BEYOND, backups_of
from hardenctl.release.lookup import find

if TYPE_CHECKING:
    from hardened.api.backup import Backup

BackupArgument = Annotated[str, typer.Argument(metavar="BACKUP", help="One of spec.backups, by its name.")]


def ask_for_run(
    session: Session, asked: ActionArguments, backup: str, timeout: str, deadline: Callable[[Backup], timedelta | None]
) -> Exit:
    """Asks for it, and waits for as long as its deadline where `timeout` is "". deadline: that of a run of the backup."""
    wanted = replace(asked, backup=backup)
    live = find(session, wanted.name)
    if wanted.span is not None and not timeout:
        most = next((deadline(each) for each in backups_of(live) if each.name == backup), None) or timedelta()
        wanted = replace(wanted, span=max(wanted.span, most.total_seconds() + BEYOND))
    return perform(session, live, wanted)

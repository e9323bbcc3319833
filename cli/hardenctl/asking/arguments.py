"""What the verbs of releases take: their arguments and options, and what is asked for by them."""

import re
from dataclasses import dataclass
from typing import Annotated

import typer

from hardenctl.output import duration
from hardenctl.output.outcome import usage
from hardenctl.output.program import PROG

OUTPUTS = ("json", "yaml", "name")
#: The most characters of a reason: it ends in logs, Events and tables.
LONGEST_REASON = 512
_WAIT_SECONDS = 600.0

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The service.")]
RevisionOption = Annotated[
    str,
    typer.Option("--revision", metavar="R", help="Act only on this revision (default: the current one)."),
]
ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Reason, recorded in status and history.")]
WaitOption = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the result.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Agree to what is overwritten, without being asked.")]
TimeoutOption = Annotated[str, typer.Option("--timeout", metavar="TIME", help="How long all may take (default: as a release may).")]

MORE = (
    "Creates a HardenedServiceAction, which the operator answers; Git and the spec are not changed. Ctrl-C only ends the waiting. "
    "Exits 0 when it is done, or was already; 1 when it failed, 4 when it was refused, 124 when --timeout has passed, 5 when the "
    "cluster could not be asked. `result` is one of ok, unchanged, requested (with --no-wait), failed, refused, timeout, unanswered."
)


@dataclass(frozen=True)
class ActionArguments:
    """What is asked for at the prompt."""

    action: str
    """As the API names it."""
    name: str
    """Of the service."""
    revision: str = ""
    """The one that is meant, "" for the one at stake."""
    reason: str = ""
    """Why, "" where nobody said."""
    span: float | None = None
    """Seconds to wait, None for not at all."""
    is_bounded: bool = False
    """Somebody has said how long to wait."""
    beside: str = ""
    """What is said beside it when it is asked for, such as the revision that the operator should choose; "" for nothing."""
    across_migration: bool = False
    """Of a rollback: also where a migration ran since."""
    backup: str = ""
    """Of a backup, its verification, a restore, or the abort of one: which of the service's."""
    snapshot: str = ""
    """Of a restore: which one of the backup."""
    into: str = ""
    """Of a restore: where to, instead of what serves."""
    with_data: bool = False
    """Of a rollback: also the data, from the snapshot that belongs to the revision."""

    @property
    def subject(self) -> str:
        """What it is about: a revision, or a backup; "" for whatever is at stake."""
        return self.backup or self.revision

    @property
    def ends_hold(self) -> bool:
        """Pods that were stopped come back after it."""
        return (self.action == "Restore" and not self.into) or (self.action == "Abort" and bool(self.backup))

    @property
    def verb(self) -> str:
        """Its name at the prompt."""
        return "verification" if self.action == "VerifyBackup" else self.action.lower()


def action_arguments(action: str, name: str, revision: str, reason: str, wait: bool, timeout: str) -> ActionArguments:
    """From the flags of a verb. Raises CommandEnd (usage) for what the API would not take."""
    if revision and not re.fullmatch(r"[0-9a-f]{12}", revision):
        raise usage(f"--revision {revision!r} is not a revision", f"it has 12 hex digits, as {PROG} history {name} shows them")
    if len(reason) > LONGEST_REASON or any(ord(c) < 32 or ord(c) == 127 for c in reason):
        raise usage(f"--reason must be one line of at most {LONGEST_REASON} characters")
    if timeout and not wait:
        raise usage("--timeout and --no-wait exclude each other")
    span = duration.seconds(timeout, "--timeout") if timeout else _WAIT_SECONDS
    return ActionArguments(action, name, revision, reason, span if wait else None, bool(timeout))

"""`rollback`: goes back to a revision that was promoted before."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

import typer

from hardenctl.asking import arguments
from hardenctl.asking.arguments import OUTPUTS, NameArgument, ReasonOption, TimeoutOption, WaitOption, action_arguments
from hardenctl.asking.perform import perform
from hardenctl.cluster.session import Session
from hardenctl.output.outcome import Exit
from hardenctl.release.lookup import find
from hardenctl.release.references import References, references_of
from hardenctl.release.revisions import DIGITS, Stored, before, named, stored_of
from hardenctl.release.state import serving_of
from hardened.core.model.manifest import Manifest
from hardened.errors import ApiFailure

__all__ = ["EXAMPLES", "MORE", "OUTPUTS", "run"]

EXAMPLES = (
    "rollback shop                                 # to the revision promoted before",
    "rollback shop --to-revision 3                 # to that one, as `history` numbers them",
    'rollback shop --reason "p99 doubled" --no-wait',
)
MORE = (
    "Traffic switches at once while the previous colour is still up; otherwise the revision is started first. It was checked when it was "
    "promoted, and is not checked again. Its `files` are rolled back with it; Secrets, referenced ConfigMaps and the data in claims are "
    "not, as the output says. The revision that it replaces is rejected until `retry`, or until the spec changes. "
) + arguments.MORE


def run(
    session: Session,
    name: NameArgument,
    to_revision: Annotated[
        str, typer.Option("--to-revision", metavar="R", help="The target: its number, its name, or the first digits of its name.")
    ] = "",
    across_migration: Annotated[
        bool, typer.Option("--across-migration", help="Roll back even across a migration; its changes stay.")
    ] = False,
    reason: ReasonOption = "",
    wait: WaitOption = True,
    timeout: TimeoutOption = "",
) -> Exit:
    """Asks for it, and waits."""
    action_arguments("Rollback", name, "", reason, wait, timeout)  # wrong flags are told before the cluster is asked for anything
    live = find(session, name)
    is_looked_up = bool(to_revision) and not _is_whole(to_revision)
    kept = stored_of(session, live, session.console.warn) if is_looked_up else _kept(session, live)
    revision = named(kept, to_revision).revision if is_looked_up else to_revision
    likely = None if revision else before(kept, live)

    def leftovers(after: Manifest) -> tuple[Sequence[str], Mapping[str, Any]]:
        # A status that still tells of the revision that was left says nothing of where it went.
        has_moved = serving_of(after) != serving_of(live)
        target = revision or (serving_of(after) if has_moved else likely.revision if likely else "")
        return _leftovers(next((references_of(each.fields) for each in kept if each.revision == target and each.fields), None))

    wanted = replace(
        action_arguments("Rollback", name, revision, reason, wait, timeout),
        likely=f"{likely.revision} ({likely.image})" if likely else "",
        across_migration=across_migration,
    )
    return perform(session, live, wanted, leftovers)


def _is_whole(text: str) -> bool:
    return re.fullmatch(rf"[0-9a-f]{{{DIGITS}}}", text) is not None


def _kept(session: Session, live: Manifest) -> list[Stored]:
    """What can be read of the revisions: a rollback to one that is named in full needs none of it, and does not fail for want of it."""
    try:
        return stored_of(session, live, session.console.trace)
    except ApiFailure as error:
        session.console.trace(f"cannot read the revisions: {error}")
        return []


def _leftovers(found: References | None) -> tuple[Sequence[str], Mapping[str, Any]]:
    if found is None:
        return ["not rolled back: the content of Secrets, referenced ConfigMaps and claims"], {"notRolledBack": None}
    names = {"secrets": list(found.secrets), "configMaps": list(found.config_maps), "claims": list(found.claims)}
    return [f"not rolled back: {found}"] if str(found) else [], {"notRolledBack": names}

"""`rollback`: goes back to a revision that was promoted before."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from hardenctl import asking
from hardenctl.asking import OUTPUTS, Name, Reason, Timeout, Wait, perform, service_of, wish
from hardenctl.cluster import Manifest
from hardenctl.outcome import Exit
from hardenctl.references import References, references_of
from hardenctl.release_state import serving_of
from hardenctl.revisions import DIGITS, Stored, before, named, stored_of
from hardenctl.session import Session
from hardened.errors import ApiFailure

__all__ = ["EXAMPLES", "MORE", "OUTPUTS", "run"]

EXAMPLES = (
    "rollback shop                                 # to the revision promoted before",
    "rollback shop --to-revision 3                 # to that one, as `history` numbers them",
    'rollback shop --reason "p99 doubled" --no-wait',
)
MORE = (
    "At once while the previous colour is still up; else the revision is brought up first. It was checked when it was promoted, and is not "
    "checked again. Its `files` come back with it; secrets, referenced ConfigMaps and the data in claims do not, as the output says. "
    "The revision that is left is rejected until `retry`, or until the spec changes. "
) + asking.MORE


def run(
    session: Session,
    name: Name,
    to_revision: Annotated[
        str, typer.Option("--to-revision", metavar="R", help="Where to: its number, its name, or the first digits of its name.")
    ] = "",
    reason: Reason = "",
    wait: Wait = True,
    timeout: Timeout = "",
) -> Exit:
    """Asks for it, and waits."""
    wish("Rollback", name, "", reason, wait, timeout)  # wrong flags are told before the cluster is asked for anything
    live = service_of(session, name)
    revision = to_revision if _is_whole(to_revision) else named(stored_of(session, live), to_revision).revision if to_revision else ""

    def leftovers(after: Manifest) -> tuple[Sequence[str], Mapping[str, Any]]:
        return _leftovers(_references(session, after, revision, is_over=wait))

    return perform(session, live, wish("Rollback", name, revision, reason, wait, timeout), leftovers)


def _is_whole(text: str) -> bool:
    return re.fullmatch(rf"[0-9a-f]{{{DIGITS}}}", text) is not None


def _references(session: Session, live: Manifest, revision: str, *, is_over: bool) -> References | None:
    """Of the revision that is gone back to; None where it cannot be read. is_over: it serves by now."""
    try:
        kept = stored_of(session, live)
    except ApiFailure as error:
        session.console.trace(f"the revision cannot be read: {error}")
        return None
    wanted = revision or (serving_of(live) if is_over else "")
    target: Stored | None = next((each for each in kept if each.revision == wanted), None) if wanted else before(kept, live)
    return references_of(target.fields) if target and target.fields else None


def _leftovers(found: References | None) -> tuple[Sequence[str], Mapping[str, Any]]:
    if found is None:
        return ["not rolled back: what secrets, referenced ConfigMaps and claims hold"], {"notRolledBack": None}
    names = {"secrets": list(found.secrets), "configMaps": list(found.config_maps), "claims": list(found.claims)}
    return [f"not rolled back: {found}"] if str(found) else [], {"notRolledBack": names}

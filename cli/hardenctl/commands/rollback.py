"""`rollback`: goes back to a revision that was promoted before."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

import typer

from hardenctl.asking import arguments
from hardenctl.asking.arguments import OUTPUTS, NameArgument, ReasonOption, TimeoutOption, WaitOption, YesOption, action_arguments
from hardenctl.asking.consent import backup_named, consent, source_of, stakes
from hardenctl.asking.perform import perform
from hardenctl.asking.request import ActionOutcome
from hardenctl.asking.with_data import RevisionData, restorable, restored
from hardenctl.cluster.session import Session
from hardenctl.output import moments
from hardenctl.output.outcome import CommandEnd, Exit, ResultWord, usage
from hardenctl.output.program import PROG
from hardenctl.release.backups import longest_wait
from hardenctl.release.lookup import find
from hardenctl.release.recovery_point import of_revision
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
    "rollback shop --with-data                     # with the data of before its migration; asks first",
    "rollback shop --with-data --to-revision 3 --yes",
)
MORE = (
    "Traffic switches at once while the previous colour is still up; otherwise the revision is started first. It was checked when it was "
    "promoted, and is not checked again. Its `files` are rolled back with it; Secrets, referenced ConfigMaps and the data in claims are "
    "not, as the output says. The revision that it replaces is rejected until `retry`, or until the spec changes. --with-data brings the "
    "data back, too: all pods are stopped, what is there is stored, the snapshot that `release.backupFirst` took before the target was "
    "replaced is restored, and only the target starts on it. What was written since then is lost, so that it needs a yes, and the right to "
    "restore. If the restore fails, the service stays stopped: repeat it, or give it up by `abort`. "
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
    with_data: Annotated[
        bool, typer.Option("--with-data", help="Also restore the snapshot that was taken before the target was replaced.")
    ] = False,
    yes: YesOption = False,
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
    likely = None if revision else before(kept, live, moments.now())
    data = None
    if with_data:
        # Whoever agrees to it must have seen which data comes back: the target is named, not left to the operator.
        revision, likely = revision or (likely.revision if likely else ""), None
        data = _data_of(session, live, revision)
        restorable(session, live, revision, data)

    def leftovers(after: Manifest, outcome: ActionOutcome | None) -> tuple[Sequence[str], Mapping[str, Any]]:
        # A status that still tells of the revision that was left says nothing of where it went.
        has_moved = serving_of(after) != serving_of(live)
        target = revision or (serving_of(after) if has_moved else likely.revision if likely else "")
        found = next((references_of(each.fields) for each in kept if each.revision == target and each.fields), None)
        lines, more = _leftovers(replace(found, claims=_untouched(found, data)) if found else None)
        if data is None:
            return lines, more
        point, data_of_it = restored(data.point, outcome)
        return [*point, *lines], {**more, **data_of_it}

    def agree() -> None:
        if data:
            starts = f"starts then: revision {revision} alone; what serves now is rejected"
            consent(session, name, [*stakes(session, live, data.backup, data.point, moments.now()), starts], is_given=yes)

    wanted = replace(
        action_arguments("Rollback", name, revision, reason, wait, timeout),
        beside=f"target: {likely.revision} ({likely.image})" if likely else "",
        across_migration=across_migration,
        with_data=with_data,
    )
    if data and wanted.span is not None and not timeout:
        wanted = replace(wanted, span=wanted.span + longest_wait(live, str(data.backup["name"])))
    return perform(session, live, wanted, leftovers, agree)


def _data_of(session: Session, live: Manifest, revision: str) -> RevisionData:
    """Raises CommandEnd where no data belongs to the revision."""
    name = live["metadata"]["name"]
    step = f"{PROG} history {name} -n {session.namespace}{session.cluster_flags}"
    if not revision:
        raise usage("--with-data needs a target, and none can be told: name it by --to-revision", f"see `{step}`")
    found = of_revision(live, revision)
    if found is None:
        text = f"no snapshot belongs to revision {revision}: `release.backupFirst` takes one before a revision is replaced"
        raise CommandEnd(text, result=ResultWord.REFUSED, code=Exit.REFUSED, next_step=step)
    backup, point = found
    spec = backup_named(live, backup)
    if not spec:
        text = f"revision {revision} has a snapshot of backup {backup}, which spec.backups does not name any more"
        raise CommandEnd(text, result=ResultWord.REFUSED, code=Exit.REFUSED, hint="add it again, with the same repository and source")
    return RevisionData(spec, point)


def _untouched(found: References, data: RevisionData | None) -> tuple[str, ...]:
    """The claims that keep the data that they have."""
    restored = source_of(data.backup) if data else ("", "")
    return tuple(name for name in found.claims if restored != ("volume", name))


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

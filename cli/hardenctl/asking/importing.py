"""Makes saved services in another cluster, each after its revisions: an operator that saw it first would release its spec as a new one."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from hardenctl.cluster import paths
from hardenctl.cluster.failures import explained
from hardenctl.cluster.replies import is_kind_missing
from hardenctl.cluster.session import Session
from hardenctl.release.saved_state import NotSaved, Saved
from hardened.api import names
from hardened.core.model.manifest import Manifest
from hardened.errors import ApiFailure, LookAgain, Vanished

#: Of an object that is there, whatever is in it.
IS_THERE = "it is there already, and is left as it is"


@dataclass
class Imported:
    """What came of a file."""

    made: list[Manifest] = field(default_factory=list)
    """In the order in which it was made, or would be."""
    left: list[NotSaved] = field(default_factory=list)
    """What was passed over, and is there, or was not wanted."""
    failed: list[NotSaved] = field(default_factory=list)
    """What could not be made."""


def imported(session: Session, services: Iterable[Saved], *, dry_run: bool) -> Imported:
    """Makes what is not there, and changes nothing that is. dry_run: the server only checks. Raises Vanished for an unknown kind."""
    found, resume = Imported(), list[Manifest]()
    for each in services:
        if _one(session, each, found, dry_run=dry_run):
            resume.append(each.service)
    for service in resume:
        _unsuspend(session, service, found)
    return found


def _one(session: Session, each: Saved, found: Imported, *, dry_run: bool) -> bool:
    """Whether the service was made, suspended, and is to go on."""
    meta = each.service["metadata"]
    path = paths.service(meta["namespace"], meta["name"])
    try:
        is_there = _is_there(session, path)
    except ApiFailure as error:
        if isinstance(error, Vanished):
            raise
        found.failed.append(_note(each.service, str(error)))
        return False
    if is_there:
        found.left.append(_note(each.service, IS_THERE))
        found.left += [_note(one, f"service {meta['name']} is there already") for one in each.revisions]
        return False
    for one in each.revisions:
        if not _make(session, one, found, dry_run=dry_run):
            why = f"{one['metadata']['name']} could not be made, without which its spec would be released unseen"
            found.failed.append(_note(each.service, why))
            return False
    spec = each.service["spec"]
    if not _make(session, {**each.service, "spec": {**spec, "suspend": True}}, found, dry_run=dry_run, told=each.service):
        return False
    return not dry_run and not spec.get("suspend")


def _is_there(session: Session, path: str) -> bool:
    """Raises ApiFailure, Vanished where the cluster does not know the kind."""
    try:
        session.cluster.get(path)
    except Vanished as error:
        if is_kind_missing(error):
            raise
        return False
    return True


def _make(session: Session, body: Manifest, found: Imported, *, dry_run: bool, told: Manifest | None = None) -> bool:
    """Whether it is there now, or would be. told: what is told of it where that is something else."""
    is_revision = bool(body["kind"] == "ControllerRevision")
    try:
        if is_revision and _is_there(session, _path(body)):
            found.left.append(_note(body, IS_THERE))
            return True
        _send(session, body, dry_run=dry_run)
    except LookAgain as error:
        is_there = is_revision or error.reason == "AlreadyExists"
        (found.left if is_there else found.failed).append(_note(body, IS_THERE if is_there else str(error)))
        return is_revision
    except ApiFailure as error:
        namespace = body["metadata"]["namespace"]
        found.failed.append(_note(body, explained(error, "create", namespace, session.cluster_flags).message))
        return False
    found.made.append(told or body)
    return True


def _path(revision: Manifest) -> str:
    meta = revision["metadata"]
    return paths.one(paths.children("ControllerRevision", meta["namespace"]), meta["name"])


def _send(session: Session, body: Manifest, *, dry_run: bool) -> None:
    """A revision is applied as the operator would have: who else manages a mark of it keeps the operator from ever taking it off, and the
    server takes the same data for other data where it was written with other spaces."""
    if body["kind"] == "ControllerRevision":
        session.cluster.apply(_path(body), body, dry_run=dry_run, manager=names.MANAGER)
        return
    dry = "All" if dry_run else None
    path = paths.with_query(
        paths.services(body["metadata"]["namespace"]), fieldManager=paths.FIELD_MANAGER, fieldValidation="Strict", dryRun=dry
    )
    session.cluster.create(path, body)


def _unsuspend(session: Session, service: Manifest, found: Imported) -> None:
    """As the file has it. What was made suspended, and is cut short, stays so: nothing is released unseen."""
    meta = service["metadata"]
    try:
        session.cluster.merge(paths.service(meta["namespace"], meta["name"]), {"spec": {"suspend": service["spec"].get("suspend")}})
    except ApiFailure as error:
        found.failed.append(_note(service, f"it was made, and is suspended still: {error}"))


def _note(body: Manifest, why: str) -> NotSaved:
    meta = body["metadata"]
    return NotSaved(body["kind"], meta["namespace"], meta["name"], why)

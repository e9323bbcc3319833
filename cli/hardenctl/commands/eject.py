"""`eject`: a service goes on as it is, without the operator."""

from typing import Annotated

import typer

from hardenctl.asking import ejecting
from hardenctl.asking.arguments import NameArgument
from hardenctl.asking.consent import consent
from hardenctl.asking.ejecting import Left
from hardenctl.cluster.session import Session
from hardenctl.output.outcome import Exit, ResultWord
from hardenctl.release.lookup import find
from hardened.core.model.manifest import Manifest
from hardened.errors import Vanished

OUTPUTS = ("json", "yaml", "name")
EXAMPLES = (
    "eject shop --dry-run                   # what would stay behind",
    "eject shop                             # asks first",
    "eject shop --yes -o json",
)
MORE = (
    "Suspends the service, deletes the HardenedService alone, and leaves everything that the operator made: pods, Service, policies and "
    "claims go on as they are, and no request is lost. An autoscaler scales the Deployment from then on. What stays is listed. Killed "
    "half-way, the same command completes it. Apply the same HardenedService again, and the operator takes all of it back. Refused in the "
    "middle of a release or a restore. Exits 0 once it is done, or was done before; 1 for no such service, 4 when it is refused, "
    "124 when the operator, or the garbage collector, does not follow within --timeout."
)
_SECONDS = 120.0


def run(
    session: Session,
    name: NameArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Agree to it, without being asked.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing; list what would stay behind.")] = False,
    timeout: Annotated[str, typer.Option("--timeout", metavar="TIME", help="How long all may take (default: 2m).")] = "",
) -> Exit:
    """Says what stays, asks, and does it."""
    live = _live(session, name)
    if live is None:
        return _completed(session, name)
    is_begun = bool(live["metadata"].get("deletionTimestamp"))
    if not is_begun:
        ejecting.refuse_unsettled(live)
    kept = ejecting.suspended_backups(live)
    left = ejecting.left_behind(ejecting.children(session, name, str(live["metadata"]["uid"])), kept)
    if dry_run:
        return _tell(session, name, left, ResultWord.OK, "would be ejected; what stays behind:")
    if not is_begun:
        lines = [
            "deleted: the HardenedService alone; nobody repairs, releases or rolls back any more",
            *(f"stays: {each}" for each in left),
        ]
        consent(session, name, lines, is_given=yes)
    deadline = session.wait(_SECONDS)
    if not is_begun:
        live = ejecting.stand_still(session, live, deadline)
        session.console.progress("suspended: the operator changes nothing")
    ejecting.orphan(session, live, deadline)
    found = ejecting.children(session, name, None)
    ejecting.hand_over(session, found, kept)
    return _tell(session, name, ejecting.left_behind(found, kept), ResultWord.OK, "is ejected; what stays behind:")


def _live(session: Session, name: str) -> Manifest | None:
    """The service; None where it is gone, and something of it stays."""
    from hardenctl.cluster.paths import service
    from hardenctl.cluster.replies import is_kind_missing

    try:
        return session.cluster.get(service(session.namespace, name))
    except Vanished as error:
        if not is_kind_missing(error) and ejecting.children(session, name, None):
            return None
    return find(session, name)


def _completed(session: Session, name: str) -> Exit:
    """An earlier run deleted the HardenedService, and may have come no further."""
    found = ejecting.children(session, name, None)
    ejecting.hand_over(session, found, frozenset())
    return _tell(session, name, ejecting.left_behind(found, frozenset()), ResultWord.UNCHANGED, "is ejected already; what stays behind:")


def _tell(session: Session, name: str, left: list[Left], result: ResultWord, text: str) -> Exit:
    console, namespace = session.console, session.namespace
    match console.output:
        case "json" | "yaml":
            console.data({"result": str(result), "namespace": namespace, "name": name, "left": [each.data() for each in left]})
        case "name":
            for each in left:
                console.print(f"{each.kind.lower()}/{each.name}")
        case _:
            console.print(f"{namespace}/{name} {text}")
            for each in left:
                console.print(f"  {each}")
            console.advise(f"kubectl get all -n {namespace} -l hardened.dev/service={name}{session.cluster_flags}")
    return Exit.OK

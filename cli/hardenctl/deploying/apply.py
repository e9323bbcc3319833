"""Sends a service: reads what is there before, and applies."""

from hardenctl.cluster.failures import explained
from hardenctl.cluster.paths import service
from hardenctl.cluster.replies import InvalidFields, is_kind_missing
from hardenctl.cluster.session import Session
from hardenctl.deploying.submission import Submission
from hardenctl.output.outcome import CommandEnd, Exit, ResultWord
from hardened.core.model.manifest import Manifest
from hardened.errors import ApiFailure, Refused, Vanished


def find_live(session: Session, namespace: str, name: str) -> Manifest | None:
    """The service as it is, None where there is none of this name. Raises ApiFailure, Vanished where the cluster does not know the kind."""
    try:
        return session.cluster.get(service(namespace, name))
    except Vanished as error:
        if is_kind_missing(error):
            raise
        return None


def read_live(session: Session, name: str) -> Manifest | None:
    """The service as it is. Raises CommandEnd for who may write it, but not read it.

    An apply takes away what its manager said before and leaves out now: without knowing that, an image alone would take all else away.
    """
    try:
        return find_live(session, session.namespace, name)
    except Refused as error:
        raise explained(error, "get", session.namespace, session.cluster_flags) from error


def apply_one(session: Session, each: Submission, *, force: bool, dry_run: bool = False) -> Manifest:
    """Applies one release. A field that the server finds wrong is shown where it stands in the file."""
    try:
        return session.cluster.apply(service(each.namespace, each.name), each.body, force=force, dry_run=dry_run)
    except ApiFailure as error:
        if not isinstance(error, InvalidFields) or not each.document:
            raise explained(error, "patch", each.namespace, session.cluster_flags) from error
        wrong = each.document.wrong(error.errors)
        raise CommandEnd(wrong.message, result=ResultWord.REFUSED, code=Exit.REFUSED, hint="the server refused these fields") from error

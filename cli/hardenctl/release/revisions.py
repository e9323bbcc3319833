"""The stored revisions of a service: what can be gone back to, and what became of each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hardenctl.cluster.session import Session
from hardenctl.output.outcome import usage
from hardenctl.release.children import children_of
from hardenctl.release.state import pin_of
from hardenctl.release.verdict import status
from hardened.core.model.annotations import NO_ANNOTATIONS, RevisionAnnotations, annotations_of
from hardened.core.model.manifest import Manifest
from hardened.core.model.state import Rejection
from hardened.errors import Refused

#: Digits of a whole revision, and the least that are enough to mean one.
DIGITS = 12
_LEAST = 4


@dataclass(frozen=True)
class Stored:
    """One revision."""

    revision: str
    """Its name: twelve hex digits."""
    image: str
    """What its pods run, "" if unknown."""
    created_at: str
    """As the cluster writes it, "" if unknown."""
    number: int = 0
    """1 for the first, 0 if unknown."""
    name: str = ""
    """Of its object, "" if unknown."""
    annotations: RevisionAnnotations = NO_ANNOTATIONS
    """What became of it."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Its part of the spec."""
    is_missing: bool = False
    """It was deleted."""
    pinned_under: str = ""
    """The key that status rejects it under, "" for none."""
    manifest: Manifest = field(default_factory=dict, repr=False)
    """Its object, {} if unknown."""

    @property
    def rejection(self) -> Rejection | None:
        """The last one that still counts: it failed, or was taken back, and nobody has retried it. None where it has passed since."""
        return self.annotations.rejection(self.pinned_under)


def stored_of(session: Session, live: Mapping[str, Any], tell: Callable[[str], None]) -> list[Stored]:
    """Every revision that is stored or known of, the newest first. tell: is told where they may not be read.

    Who may not read them gets what status says: no numbers, and not what became of each. Raises ApiFailure.
    """
    try:
        items = children_of(session, live, "ControllerRevision")
    except Refused as error:
        tell(f"the state of each revision is unknown, because you may not list controllerrevisions: {error}")
        items = []
    found = {each.revision: each for item in items for each in [_stored(item, live)]}
    for entry in status(live).get("history") or ():
        if isinstance(entry, Mapping) and entry.get("revision"):
            known = Stored(
                str(entry["revision"]),
                str(entry.get("image", "")),
                str(entry.get("createdAt", "")),
                is_missing=entry.get("missing") is True,
            )
            found.setdefault(known.revision, known)
    return sorted(found.values(), key=lambda s: (s.number, s.created_at, s.revision), reverse=True)


def named(kept: list[Stored], text: str) -> Stored:
    """The revision that somebody means by its number, its name, or the first digits of its name. Raises CommandEnd for none, or several."""
    found = [each for each in kept if text.isdecimal() and each.number == int(text) != 0]
    if not found:
        found = [each for each in kept if len(text) >= _LEAST and each.revision.startswith(text)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(f"{each.number or '?'} ({each.revision})" for each in kept) or "none"
    raise usage(f"{text} is {'more than one revision' if found else 'no revision'} of this service", f"the revisions are: {known}")


def before(kept: list[Stored], live: Mapping[str, Any], now: datetime) -> Stored | None:
    """Where a rollback goes that names no target, as the operator chooses. None where it would refuse one, and where nobody can say."""
    manifests = [each.manifest for each in kept if each.manifest]
    if not manifests:
        return None
    from hardened.core.release.rollback_choice import rollback_choice  # loads the models: it is the operator's own decision

    choice = rollback_choice(live, manifests, now)
    return next((each for each in kept if each.revision == choice), None)


def _stored(live: Manifest, owner: Mapping[str, Any]) -> Stored:
    data = live.get("data") if isinstance(live.get("data"), Mapping) else {}
    fields = data.get("fields") if isinstance(data, Mapping) and isinstance(data.get("fields"), Mapping) else {}
    number = data.get("number") if isinstance(data, Mapping) else None
    # Labels can be stripped and changed, and `revision` rewritten; a name and `data` cannot.
    name = str(live["metadata"]["name"])
    revision = name.rpartition("-")[2]
    pin = pin_of(owner)
    return Stored(
        revision=revision,
        name=name,
        image=str((fields or {}).get("image", "")),
        created_at=str(live["metadata"].get("creationTimestamp", "")),
        number=number if isinstance(number, int) else int(live.get("revision") or 0),
        annotations=annotations_of(live, revision),
        fields=fields or {},
        pinned_under=pin.key if pin and pin.revision == revision else "",
        manifest={**live, "apiVersion": "apps/v1", "kind": "ControllerRevision"},  # which the items of a list lack
    )

"""What stands in for a spec that cannot be used: what keeps clients served is decided from it, whatever somebody writes meanwhile."""

from collections.abc import Iterable, Mapping
from typing import Any

from hardened.api import names
from hardened.api.parse import HardenedService, parse_spec
from hardened.api.service import AT_ONCE_FIELDS
from hardened.api.steps import Step
from hardened.core.model.annotations import annotations_of
from hardened.core.model.manifest import Manifest
from hardened.core.model.policy import Policy
from hardened.core.model.written import stable_of, state_of
from hardened.core.observe.fixed import is_headless
from hardened.core.observe.observed import Observed, Ownership, owner_of
from hardened.core.revisions.history import History
from hardened.core.revisions.revision import revision_name, revision_of, stored
from hardened.core.revisions.usable import problem
from hardened.errors import InvalidSpec


def last_usable(body: Mapping[str, Any], observed: Observed, policy: Policy) -> HardenedService | None:
    """The service as it was before its spec could not be used any more; None where nothing is stored of it.

    What reaches a pod is that of the revision at work, else of the one that serves, as it is stored. Of what applies at once, each field
    of the present spec counts that can be used beside that; `lacks` names the others.
    """
    meta, status, spec = body["metadata"], body.get("status") or {}, body.get("spec")
    ours = [live for live in observed.children.values() if owner_of(live, meta["name"], meta["uid"]) is Ownership.OURS]
    kept = History.of(ours, lambda live: problem(meta["name"], live))
    name = _revision(kept, status)
    live = kept.named(name)
    found = stored(live) if live else None
    if found is None:
        return None
    usable, lacks = dict(found.fields), set()
    given = spec if isinstance(spec, Mapping) else {}
    for field in (each for each in AT_ONCE_FIELDS if each in given):
        if _is_usable(usable, field, given[field], policy):
            usable[field] = given[field]
            continue
        lacks.add(field)
        if field == "service":
            known_as = _as_it_is(meta["name"], given[field], ours)
            kept_as = next((each for each in known_as if _is_usable(usable, field, each, Policy.of_anything())), None)
            usable |= {} if kept_as is None else {field: kept_as}
    try:
        known = parse_spec(usable)
    except InvalidSpec:
        return None  # stored by an operator that read specs otherwise
    if revision_name(known) != name:
        return None
    generation = int(meta.get("generation", 0))
    return HardenedService(meta["name"], meta["namespace"], meta["uid"], generation, known, is_stand_in=True, lacks=frozenset(lacks))


def _as_it_is(name: str, given: Any, ours: Iterable[Manifest]) -> list[Manifest]:
    """What a spec says of the Service, as far as the Service is like that already: what was allowed once is not taken from its clients.

    With the rest of what it says first, and then without, since that may be what cannot be used.
    """
    live = next((each for each in ours if each["kind"] == "Service" and each["metadata"]["name"] == name), None)
    if live is None or not isinstance(given, Mapping):
        return []
    asked, found = given.get("annotations"), live["metadata"].get("annotations") or {}
    keys = [key for key in asked if key in found and not key.startswith(names.RESERVED_PREFIXES)] if isinstance(asked, Mapping) else []
    kind = "Headless" if is_headless(live) else live["spec"].get("type", "ClusterIP")
    known = {"type": kind, "annotations": {key: found[key] for key in keys}}
    return [{**given, **known}, known]


def _revision(kept: History, status: Mapping[str, Any]) -> str:
    """The revision at work, while it may still serve; else the one that was promoted last."""
    state = state_of(status)
    if state and not state.is_rollback and state.step is not Step.UNDO and kept.named(state.target.revision):
        return state.target.revision
    promotion, name = max(((annotations_of(live, "").promotion, revision_of(live)) for live in kept.usable), default=(0, ""))
    remembered = stable_of(status)
    return name if promotion or remembered is None else remembered.target.revision


def _is_usable(usable: Manifest, field: str, value: Any, policy: Policy) -> bool:
    try:
        spec = parse_spec({**usable, field: value})
    except InvalidSpec:
        return False
    return not any(error.path.startswith(f"spec.{field}.") for error in policy.violations(spec))

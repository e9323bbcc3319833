"""Where a rollback would go that names no revision, for whoever asks for one: judged as the operator judges the request itself."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from hardened.api import names
from hardened.api.parse import HardenedService, parse
from hardened.core.model.kit import Kit
from hardened.core.model.manifest import Manifest
from hardened.core.model.policy import Policy
from hardened.core.observe.facts import Facts
from hardened.core.observe.last_usable import last_usable
from hardened.core.observe.observed import Observed
from hardened.core.release.decide import decide
from hardened.errors import InvalidSpec

#: No action that anybody makes has this name: the API server takes none with such a letter.
_NAME = "_"


def rollback_choice(body: Mapping[str, Any], revisions: Iterable[Manifest], now: datetime) -> str:
    """The revision; "" where the operator would refuse to go anywhere, and where nobody can say.

    body: the HardenedService as the API server has it; revisions: its ControllerRevisions, with their kind; now: timezone-aware.
    """
    seen = Observed.of([*revisions, _request(body, now)])
    svc = _service(body, seen)
    if svc is None:
        return ""
    decided = decide(Facts(svc, body.get("status") or {}, seen), Kit(), now)
    return next((each.revision for each in decided.actions if each.name == _NAME and each.phase == "Running"), "")


def _service(body: Mapping[str, Any], seen: Observed) -> HardenedService | None:
    try:
        return parse(body)
    except InvalidSpec:
        return last_usable(body, seen, Policy.of_anything())


def _request(body: Mapping[str, Any], now: datetime) -> Manifest:
    """The action, as it would be made now. That a migration ran in between does not change where it goes."""
    meta = body["metadata"]
    owner = {"apiVersion": names.API_VERSION, "kind": names.KIND, "name": meta["name"], "uid": meta["uid"]}
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.ACTION_KIND,
        "metadata": {
            "name": _NAME,
            "namespace": meta["namespace"],
            "uid": _NAME,
            "resourceVersion": "0",
            "creationTimestamp": now.isoformat(),
            "ownerReferences": [owner],
        },
        "spec": {"service": meta["name"], "action": "Rollback", "requestedBy": _NAME, "acrossMigration": True},
    }

"""Parses a HardenedServiceAction at the door."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hardened.api.action import HardenedServiceActionSpec
from hardened.api.parse import validated


@dataclass(frozen=True)
class HardenedServiceAction:
    """A parsed HardenedServiceAction. created_at: by the API server's clock, in UTC; None for one that it has not seen yet."""

    name: str
    namespace: str
    uid: str
    created_at: datetime | None
    spec: HardenedServiceActionSpec


def parse_action(body: Mapping[str, Any]) -> HardenedServiceAction:
    """The typed form of a HardenedServiceAction object. Raises InvalidSpec."""
    meta = body.get("metadata") or {}
    created = meta.get("creationTimestamp")
    return HardenedServiceAction(
        name=str(meta.get("name", "")),
        namespace=str(meta.get("namespace", "default")),
        uid=str(meta.get("uid", "")),
        created_at=datetime.fromisoformat(created) if created else None,
        spec=validated(HardenedServiceActionSpec, body.get("spec")),
    )

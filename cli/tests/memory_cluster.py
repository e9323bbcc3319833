"""The in-memory cluster, behind hardenctl's own interface."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

from tests.memory.api_server import MemoryApiServer
from tests.memory.selector import matches

from hardenctl.cluster.paths import ALL_DEPLOYMENTS
from hardened.shell.kinds import KINDS, Kind


class MemoryCluster:
    """hardenctl's view of the in-memory cluster. Items of lists come without apiVersion and kind, as from a real server.

    deployments: of all namespaces, the operator's among them.
    """

    context = server = "test"
    namespace = "shop"

    def __init__(self, server: MemoryApiServer, *deployments: dict[str, Any]) -> None:
        self._store, self._deployments = server.store, deployments
        self.asked: set[Kind] = set()

    def get(self, path: str, within: float | None = None) -> dict[str, Any]:
        plain, _, query = path.partition("?")
        if plain == ALL_DEPLOYMENTS:
            return {"items": list(self._deployments)}
        parts = plain.split("/")
        at = parts.index("namespaces")
        kind = next(kind for kind in KINDS.values() if kind.plural == parts[at + 2] and "/".join(parts[2:at]) == kind.api_version)
        self.asked.add(kind)
        if len(parts) > at + 3:
            return copy.deepcopy(self._store.existing(kind, parts[at + 1], parts[at + 3]).body)
        selector = dict(parse_qsl(query)).get("labelSelector", "")
        found = [body for body in self._store.bodies(kind, parts[at + 1]) if matches(selector, body)]
        return {"items": [copy.deepcopy({k: v for k, v in b.items() if k not in ("apiVersion", "kind")}) for b in found]}

    def apply(self, path: str, manifest: Mapping[str, Any], *, force: bool = False, dry_run: bool = False) -> dict[str, Any]:
        raise AssertionError("nothing is written")

    def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        raise AssertionError("nothing is written")

    def watch(self, path: str, timeout: float) -> Iterator[dict[str, Any]]:
        raise AssertionError("nothing is watched")

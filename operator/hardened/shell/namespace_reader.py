"""What a release needs to know of its namespace before its first pod. Asked for when one begins, and never watched."""

import asyncio
import logging
from collections.abc import Iterable

from hardened.api import names
from hardened.core.model.manifest import ChildKey, key_of
from hardened.core.observe.observed import Constraints, NamespaceSnapshot
from hardened.errors import ApiFailure, LookAgain, Refused, Vanished
from hardened.shell.api_server import ApiServer, Body
from hardened.shell.kinds import CONFIG_MAP, KINDS, LIMIT_RANGE, NETWORK_POLICY, RESOURCE_QUOTA, Kind

logger = logging.getLogger(__name__)

#: What the operator has made bounds none of its own pods.
_OF_OTHERS = f"{names.MANAGED_BY_LABEL}!={names.MANAGED_BY}"
#: The words for a webhook that may not be called for a dry run, since it does more than to answer.
_UNTRIED = "does not support dry run"


class NamespaceReader:
    """Looks at namespaces. What it may not list, as under the rights of an older chart, is not there for it."""

    def __init__(self, api: ApiServer) -> None:
        self._api = api
        self._told: set[Kind] = set()

    async def look(self, namespace: str, config_maps: Iterable[str]) -> NamespaceSnapshot:
        """The quotas of a namespace, and those of these ConfigMaps that are there; nothing of ConfigMaps where they may not be read."""
        asked = asyncio.gather(*(self._config_map(namespace, name) for name in config_maps))
        quotas, found = await asyncio.gather(self._listed(RESOURCE_QUOTA, namespace), asked)
        known = {live["metadata"]["name"]: live for each in found for live in each or ()}
        # What pods of checks ask for counts where a quota does.
        limit_ranges = await self._listed(LIMIT_RANGE, namespace) if quotas else []
        return NamespaceSnapshot(tuple(quotas), None if None in found else known, tuple(limit_ranges))

    async def constraints(self, namespace: str) -> Constraints:
        """What a namespace demands of the pods that work for a release."""
        limit_ranges, policies = await asyncio.gather(
            self._listed(LIMIT_RANGE, namespace), self._listed(NETWORK_POLICY, namespace, _OF_OTHERS)
        )
        return Constraints(tuple(limit_ranges), tuple(policies))

    async def refused(self, manifests: Iterable[Body]) -> dict[ChildKey, ApiFailure]:
        """Which of these objects, none of which is there, could not be made, and why. A webhook that cannot be asked so says nothing."""
        wanted = list(manifests)
        failures = await asyncio.gather(*(self._refusal(manifest) for manifest in wanted))
        return {key_of(manifest): failure for manifest, failure in zip(wanted, failures, strict=True) if failure}

    async def _refusal(self, manifest: Body) -> ApiFailure | None:
        try:
            await self._api.try_out(KINDS[manifest["kind"]], manifest)
        except LookAgain:
            return None  # it is there by now
        except ApiFailure as failure:
            return None if _UNTRIED in failure.message else failure
        return None

    async def _listed(self, kind: Kind, namespace: str, label_selector: str = "") -> list[Body]:
        try:
            return (await self._api.list(kind, namespace, label_selector)).items
        except Refused as refusal:
            if refusal.status != 403:
                raise
            if kind not in self._told:
                logger.info("%s are not looked at for a release: %s", kind.plural, refusal)
            self._told.add(kind)
            return []

    async def _config_map(self, namespace: str, name: str) -> list[Body] | None:
        try:
            return [await self._api.get(CONFIG_MAP, namespace, name)]
        except Vanished:
            return []
        except Refused as refusal:
            logger.info("ConfigMap %s/%s is not looked at before a release begins: %s", namespace, name, refusal)
            return None

"""What a release needs to know of its namespace before its first pod. Asked for when one begins, and never watched."""

import asyncio
import logging
from collections.abc import Iterable

from hardened.core.live.observed import Surroundings
from hardened.core.manifest import ChildKey, key_of
from hardened.errors import ApiFailure, LookAgain, Refused, Vanished
from hardened.shell.api_server import ApiServer, Body
from hardened.shell.kinds import CONFIG_MAP, KINDS, RESOURCE_QUOTA

logger = logging.getLogger(__name__)

#: The words for a webhook that may not be called for a dry run, since it does more than to answer.
_UNTRIED = "does not support dry run"


class Lookout:
    """Looks at namespaces. Where it may not see the quotas, as under the rights of an older chart, there are none for it."""

    def __init__(self, api: ApiServer) -> None:
        self._api = api
        self._has_told = False

    async def look(self, namespace: str, config_maps: Iterable[str]) -> Surroundings:
        """The quotas of a namespace, and those of these ConfigMaps that are there; nothing of ConfigMaps where they may not be read."""
        asked = asyncio.gather(*(self._config_map(namespace, name) for name in config_maps))
        quotas, found = await asyncio.gather(self._quotas(namespace), asked)
        known = {live["metadata"]["name"]: live for each in found for live in each or ()}
        return Surroundings(tuple(quotas), None if None in found else known)

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

    async def _quotas(self, namespace: str) -> list[Body]:
        try:
            return (await self._api.list(RESOURCE_QUOTA, namespace)).items
        except Refused as refusal:
            if refusal.status != 403:
                raise
            if not self._has_told:
                logger.info("quotas are not looked at before a release begins: %s", refusal)
            self._has_told = True
            return []

    async def _config_map(self, namespace: str, name: str) -> list[Body] | None:
        try:
            return [await self._api.get(CONFIG_MAP, namespace, name)]
        except Vanished:
            return []
        except Refused as refusal:
            logger.info("ConfigMap %s/%s is not looked at before a release begins: %s", namespace, name, refusal)
            return None

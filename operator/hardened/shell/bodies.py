"""The bodies of what the cache knows by name only, read before a look that needs them."""

import asyncio
import logging
from typing import Final

from hardened.api import names
from hardened.errors import Refused, Vanished
from hardened.shell.api_server import UNREADABLE, ApiServer
from hardened.shell.cache import Cache
from hardened.shell.entries import Child
from hardened.shell.kinds import ENDPOINT_SLICE, KINDS
from hardened.shell.workqueue import Key

logger = logging.getLogger(__name__)

#: Children that are read by name at the same time.
AT_ONCE: Final = 8
#: Rounds of that: what changes meanwhile is read again.
READS: Final = 3


async def complete(api: ApiServer, cache: Cache, key: Key) -> None:
    """Reads what the cache lacks of a service. Once of each state of an object: its own writes are known without."""
    refused: set[Child | None] = set()
    for _ in range(READS):
        lacking = [child for child in cache.lacking(key) if child not in refused]
        slices = [child for child in lacking if child.kind == ENDPOINT_SLICE.name]
        if slices:
            # There is no right to get one.
            for live in (await api.list(ENDPOINT_SLICE, key.namespace, f"{names.SERVICE_LABEL}={key.name}")).items:
                cache.wrote(ENDPOINT_SLICE, live)
        others = [child for child in lacking if child not in slices]
        for begin in range(0, len(others), AT_ONCE):
            refused.update(await asyncio.gather(*(_read(api, cache, key, child) for child in others[begin : begin + AT_ONCE])))


async def _read(api: ApiServer, cache: Cache, key: Key, child: Child) -> Child | None:
    """The child, where it may not be read."""
    kind = KINDS[child.kind]
    try:
        cache.wrote(kind, kind.named(await api.get(kind, key.namespace, child.name)))
    except Vanished:
        cache.deleted(kind, key.namespace, child.name, child.uid)
    except Refused as refusal:
        if refusal.reason == UNREADABLE:
            cache.unreadable(kind, key.namespace, child.name)
        logger.info("%s: done without it: %s", key, refusal)
        return child
    return None

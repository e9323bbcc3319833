"""kopf's part: it watches, and tells the cache and the queue what changed. It decides and writes nothing."""

import asyncio
import itertools
import random
import ssl
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final

import aiohttp
import kopf

from hardened.api import names
from hardened.shell.cache import BY_METADATA, PARTIAL, Cache
from hardened.shell.credentials import Credentials
from hardened.shell.health import Liveness
from hardened.shell.kinds import (
    CONFIG_MAP,
    CONTROLLER_REVISION,
    CRON_JOB,
    DEPLOYMENT,
    ENDPOINT_SLICE,
    HARDENED_SERVICE,
    HARDENED_SERVICE_ACTION,
    HORIZONTAL_POD_AUTOSCALER,
    JOB,
    NETWORK_POLICY,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    POD_DISRUPTION_BUDGET,
    SERVICE,
    SERVICE_ACCOUNT,
)
from hardened.shell.lists import Lists
from hardened.shell.replies import fewer_objects, response_class
from hardened.shell.streams import Streams
from hardened.shell.workqueue import WorkQueue

CHILDREN: Final = (
    DEPLOYMENT,
    SERVICE,
    SERVICE_ACCOUNT,
    CONFIG_MAP,
    POD_DISRUPTION_BUDGET,
    NETWORK_POLICY,
    PERSISTENT_VOLUME_CLAIM,
    CONTROLLER_REVISION,
    HORIZONTAL_POD_AUTOSCALER,
    # The server makes them, with the labels of the Service that they are of.
    ENDPOINT_SLICE,
    CRON_JOB,
    # Those of CronJobs as well, with the labels that their template has.
    JOB,
    POD,
)
#: What a cluster may lack whose CRDs are older than this operator.
OPTIONAL: Final = (HARDENED_SERVICE_ACTION,)
WATCHED: Final = (HARDENED_SERVICE, *OPTIONAL, *CHILDREN)
#: What is watched of each kind. Of pods only those that work beside the application: its own are listed when somebody asks.
SELECTORS: Final = {
    **dict.fromkeys(CHILDREN, names.CHILD_SELECTOR),
    **dict.fromkeys((HARDENED_SERVICE, *OPTIONAL), ""),
    POD: names.WATCHED_PODS,
}

#: A watch that is alive is renewed at least this often, which is what the liveness limit of 180 s is measured by.
WATCH_SECONDS: Final = 120
#: A rejected token is tried again after this long: the kubelet may be about to replace it.
LOGIN_PAUSE: Final = 1.0


class EndlessBackoff:
    """1, 2, 3, 3 … s with jitter, for ever: kopf gives up after a list that ends, and its process would exit in every API outage.

    The bound is what keeps the promise that 5 s after an outage changes are heard of again.
    """

    def __iter__(self) -> Iterator[float]:
        for attempt in itertools.count():
            yield min(3.0, 2.0**attempt) * random.uniform(0.8, 1.2)


class NoDiffs(kopf.DiffBaseStorage):
    """Nothing is compared with what it was before, since no handler asks for it: kopf would copy each object of each event three times."""

    def build(self, *, body: kopf.Body, extra_fields: Any = None) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Nothing is kept."""


@dataclass(frozen=True)
class Watching:
    """What the handlers need."""

    cache: Cache
    queue: WorkQueue
    signs: Liveness
    clock: Callable[[], float]
    """Monotonic seconds."""


def register(registry: kopf.OperatorRegistry, login: Callable[[], Awaitable[kopf.AiohttpSession]]) -> None:
    """Registers the login, and one event handler per kind: what has one is watched."""

    async def seen(**_: Any) -> None:
        """Nothing is left to do: see Streams."""

    for kind in WATCHED:
        kopf.on.event(group=kind.group, version=kind.version, plural=kind.plural, id=kind.plural, registry=registry)(seen)

    async def give_credentials(**_: Any) -> kopf.AiohttpSession:
        return await login()

    kopf.on.login(registry=registry, id="login", retries=1)(give_credentials)


def settings() -> kopf.OperatorSettings:
    """kopf's settings, as this operator needs them."""
    chosen = kopf.OperatorSettings()
    chosen.networking.request_timeout = 15
    chosen.networking.connect_timeout = 5
    chosen.networking.error_backoffs = EndlessBackoff()
    chosen.networking.enforce_retry_after = True
    chosen.networking.trust_env = False
    chosen.watching.server_timeout = WATCH_SECONDS
    chosen.watching.client_timeout = WATCH_SECONDS + 30
    chosen.watching.connect_timeout = 5
    chosen.watching.inactivity_timeout = 70
    chosen.watching.reconnect_backoff = 1
    chosen.watching.chunk_size = 100
    # A worker holds its place for idle_timeout after its last event: at kopf's 5 s, twenty places take 1,000 objects 250 s.
    chosen.queueing.worker_limit = 20
    chosen.queueing.idle_timeout = 0.05
    chosen.posting.enabled = False
    chosen.persistence.diffbase_storage = NoDiffs()
    chosen.peering.standalone = True
    chosen.scanning.disabled = True
    chosen.process.ultimate_exiting_timeout = 20
    for kind in CHILDREN:
        chosen.watching.label_selectors[kind.group, kind.version, kind.plural] = SELECTORS[kind]
    return chosen


class Login:
    """Gives kopf a session whose requests leave a sign of life, and whose token is as the file has it at each login."""

    def __init__(self, load: Callable[[], Any], watching: Watching) -> None:
        self._load, self._signs, self._clock = load, watching.signs, watching.clock
        self._lists = Lists(watching.cache, watching.queue, WATCHED)
        self._streams = Streams(watching.cache, watching.queue, WATCHED, self._saw)
        self._is_first = True

    async def __call__(self) -> kopf.AiohttpSession:
        # kopf asks again after a 401, and ends the process if it is told the same; a session is never the same.
        if not self._is_first:
            await asyncio.sleep(LOGIN_PAUSE)
        self._is_first = False
        who: Credentials = await self._load()
        headers = {"User-Agent": "hardened-operator"} | ({"Authorization": who.authorization} if who.authorization else {})
        limits: dict[str, int] = {}
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=_ssl(who)),
            headers=headers,
            proxy=who.proxy,
            trust_env=False,
            middlewares=[_by_metadata, fewer_objects(limits), *([_named(who.server_name)] if who.server_name else [])],
            trace_configs=[self._trace()],
            response_class=response_class(self._lists, self._streams, limits),
        )
        return kopf.AiohttpSession(aiohttp_session=session, server=who.server)

    def _saw(self, plural: str) -> None:
        self._signs.saw(plural, self._clock())

    def _trace(self) -> aiohttp.TraceConfig:
        def saw(path: str) -> None:
            self._saw(path.rpartition("/")[2])

        async def asked(_: aiohttp.ClientSession, __: SimpleNamespace, params: aiohttp.TraceRequestStartParams) -> None:
            saw(params.url.path)

        async def answered(_: aiohttp.ClientSession, __: SimpleNamespace, params: aiohttp.TraceRequestEndParams) -> None:
            if params.response.status == 200:
                saw(params.url.path)

        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(asked)
        trace.on_request_end.append(answered)
        return trace


async def _by_metadata(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Asks for no more than the metadata of what can be large. A server that cannot give it alone sends it all."""
    if request.url.path.rpartition("/")[2] in {kind.plural for kind in BY_METADATA}:
        wanted = PARTIAL if "watch" in request.url.query else f"{PARTIAL}List"
        request.headers["Accept"] = f"application/json;as={wanted};g=meta.k8s.io;v=v1,application/json"
    return await send(request)


def _named(server_name: str) -> aiohttp.ClientMiddlewareType:
    """The server's certificate is to be for this name, whatever the URL says: aiohttp takes it per request, and those are kopf's."""

    async def named(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        request.server_hostname = server_name
        return await send(request)

    return named


def _ssl(who: Credentials) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=who.ca_file)
    if who.cert_file:
        context.load_cert_chain(who.cert_file, who.key_file)
    if not who.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context

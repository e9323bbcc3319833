"""The real API server, over kubernetes.aio with raw dictionaries: its typed models are several times slower and refuse unknown values."""

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import nullcontext
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.client.exceptions import ApiException

from hardened.api import names
from hardened.errors import Refused, TryAgain
from hardened.shell import credentials, reading
from hardened.shell.api_server import UNREADABLE, ApiServer, Body, Listed, Propagation
from hardened.shell.credentials import Credentials
from hardened.shell.failures import failure, no_reply
from hardened.shell.kept import Kept
from hardened.shell.kinds import POD, Kind
from hardened.shell.reading import TooLarge
from hardened.shell.settings import BadSetting

logger = logging.getLogger(__name__)

#: Seconds for one call, its whole body included, and for its connection. The API server itself gives up on a write after 34 s.
TOTAL_TIMEOUT: Final = 15.0
CONNECT_TIMEOUT: Final = 5.0
#: client-go reads a projected token again after this long; the kubelet renews it long before the old one ends.
TOKEN_LIFE: Final = 60.0
#: The parameter keeps kubernetes.aio from encoding the body: it would write characters beyond U+FFFF as two escapes, which YAML refuses.
_APPLY: Final = "application/apply-patch+yaml; charset=utf-8"
_MERGE: Final = "application/merge-patch+json"
_JSON: Final = "application/json"
#: Inside a quoted YAML string these are line breaks or refused, where JSON allows them.
_NOT_YAML: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")

Count = Callable[[str, str, str], None]
"""Told about each call: verb (get, list, log, apply, try, status, scale, delete, create, update, patch), resource (plural), code (`0`: no
reply)."""
Reload = Callable[[], Awaitable[Credentials]]


def _count_nothing(verb: str, resource: str, code: str) -> None:
    pass


async def connect(environ: Mapping[str, str], count: Count = _count_nothing) -> "Client":
    """A client for the cluster that the environment names: see credentials.load. Makes no call yet. Raises BadSetting."""
    return Client(await credentials.load(environ), reload=lambda: credentials.load(environ), count=count)


class Client(ApiServer):
    """An ApiServer (see there for what each method promises). Makes each call once: when to try again is the caller's decision."""

    def __init__(self, who: Credentials, *, reload: Reload | None = None, count: Count = _count_nothing) -> None:
        self._who = who
        self._reload = reload
        self._count = count
        self._is_fresh = True
        self._read_at = asyncio.get_running_loop().time()
        self._large = asyncio.Lock()  # large pages are read one after another: as dictionaries each has many times its size
        self._api = ApiClient(_configuration(who))
        # aiohttp sends GET, PUT and DELETE a second time when the connection is closed without a reply. It has no public switch for that;
        # test_client holds this one.
        session = self._api.rest_client._create_pool_manager()
        session._retry_connection = False
        self._api.rest_client.pool_manager = session

    async def close(self) -> None:
        await self._api.close()

    # ---- ApiServer

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Body:
        return await self._call("get", kind, namespace, name)

    async def list(self, kind: Kind, namespace: str | None, label_selector: str = "", *, chunk: int = 100) -> Listed:
        try:
            return await self._whole_list(kind, namespace, label_selector, chunk)
        except TryAgain as error:
            if error.status != 410:
                raise
            return await self._whole_list(kind, namespace, label_selector, chunk)

    async def apply(self, kind: Kind, manifest: Body, *, force: bool) -> Body:
        meta = manifest["metadata"]
        query = {"fieldManager": names.MANAGER, "force": str(force).lower()}
        return await self._call("apply", kind, meta["namespace"], meta["name"], query=query, body=manifest)

    async def try_out(self, kind: Kind, manifest: Body) -> None:
        meta, query = manifest["metadata"], {"fieldManager": names.MANAGER, "force": "false", "dryRun": "All"}
        await self._call("try", kind, meta["namespace"], meta["name"], query=query, body=manifest)

    async def apply_status(self, kind: Kind, manifest: Body) -> Body:
        meta = manifest["metadata"]
        query = {"fieldManager": names.MANAGER, "force": "true"}
        return await self._call("status", kind, meta["namespace"], meta["name"], subresource="status", query=query, body=manifest)

    async def set_scale(self, kind: Kind, namespace: str, name: str, replicas: int, *, resource_version: str | None = None) -> None:
        patch: Body = {"spec": {"replicas": replicas}}
        if resource_version is not None:
            patch["metadata"] = {"resourceVersion": resource_version}
        await self._call("scale", kind, namespace, name, subresource="scale", query={"fieldManager": names.MANAGER}, body=patch)

    async def delete(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        *,
        uid: str,
        resource_version: str | None = None,
        propagation: Propagation = "Background",
    ) -> None:
        preconditions = {"uid": uid} if resource_version is None else {"uid": uid, "resourceVersion": resource_version}
        options: Body = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation, "preconditions": preconditions}
        await self._call("delete", kind, namespace, name, body=options)

    async def create(self, kind: Kind, manifest: Body) -> Body:
        query = {"fieldManager": names.MANAGER}
        return await self._call("create", kind, manifest["metadata"]["namespace"], None, query=query, body=manifest)

    async def update(self, kind: Kind, manifest: Body) -> Body:
        meta = manifest["metadata"]
        return await self._call("update", kind, meta["namespace"], meta["name"], query={"fieldManager": names.MANAGER}, body=manifest)

    async def merge_patch(self, kind: Kind, namespace: str, name: str, patch: Body) -> Body:
        return await self._call("patch", kind, namespace, name, query={"fieldManager": names.MANAGER}, body=patch)

    async def log(self, namespace: str, pod: str, container: str, *, is_previous: bool, lines: int, most: int) -> str:
        query = {"container": container, "previous": str(is_previous).lower(), "tailLines": str(lines), "limitBytes": str(most)}
        _, text = await self._exchange("log", POD, namespace, pod, subresource="log", query=query)
        return text[:most].decode(errors="replace")

    # ---- one call

    async def _whole_list(self, kind: Kind, namespace: str | None, label_selector: str, chunk: int) -> Listed:
        kept, version = Kept(kind, namespace), ""
        async for page in self._pages(kind, namespace, label_selector, chunk, reading.MOST_AT_ONCE):
            kept.take(page.items, page.size)
            version = page.version
            del page  # two of them are not to be there at once
        return Listed(kept.items, version)

    async def pages(self, kind: Kind, namespace: str | None, label_selector: str = "", *, chunk: int = 100) -> AsyncIterator[Listed]:
        async for page in self._pages(kind, namespace, label_selector, chunk, reading.MOST_BYTES):
            yield page

    async def _pages(self, kind: Kind, namespace: str | None, label_selector: str, chunk: int, most: int) -> AsyncIterator[Listed]:
        """most: bytes of a page, but for one of one object."""
        query = {"limit": str(chunk)}
        if label_selector:
            query["labelSelector"] = label_selector
        while True:
            sizes: list[int] = []
            try:
                async with self._large if int(query["limit"]) < chunk else nullcontext():
                    page = await self._call("list", kind, namespace, None, query=query, most=most, took=sizes.append)
            except TooLarge:
                # Large objects, of which somebody made many: they are to be read, but not all at once.
                query["limit"] = str(max(1, int(query["limit"]) // 10))
                continue
            items = page.get("items") or ()
            for item in items:
                (item.get("metadata") or {}).pop("managedFields", None)
            meta = page.get("metadata") or {}
            version = str(meta.get("resourceVersion", ""))
            if not version.isdecimal():
                raise TryAgain(f"list {kind.plural}: the reply is not a list", status=200)
            yield Listed([kind.named(item) for item in items], version, sizes[0])
            del page, items
            if not meta.get("continue"):
                return
            query["continue"] = meta["continue"]
            query["limit"] = str(min(chunk, 2 * int(query["limit"])))

    async def _call(
        self,
        verb: str,
        kind: Kind,
        namespace: str | None,
        name: str | None,
        *,
        subresource: str = "",
        query: Mapping[str, str] | None = None,
        body: Body | None = None,
        most: int = reading.MOST_BYTES,
        took: Callable[[int], object] = lambda _: None,
    ) -> Body:
        """most: bytes of a list of several objects; took: told those of the reply."""
        call = _named(verb, kind, namespace, name)
        status, text = await self._exchange(verb, kind, namespace, name, subresource=subresource, query=query, body=body, most=most)
        took(len(text))
        body_read = await _parsed(call, status, text)
        return body_read if verb == "list" else _whole(call, status, body_read)

    async def _exchange(
        self,
        verb: str,
        kind: Kind,
        namespace: str | None,
        name: str | None,
        *,
        subresource: str = "",
        query: Mapping[str, str] | None = None,
        body: Body | None = None,
        most: int = reading.MOST_BYTES,
    ) -> tuple[int, bytes]:
        """The status and the text of a reply that is no failure."""
        method, content_type = _VERBS[verb]
        call = _named(verb, kind, namespace, name)
        if "" in (namespace, name) or {".", ".."} & {namespace, name}:
            # An empty name would address the whole collection; dots are resolved away in a URL.
            raise Refused(f"{call}: not a name")
        url = kind.path(namespace, name, subresource) + (f"?{urlencode(query)}" if query else "")
        payload = _encoded(call, content_type, body)
        code = "0"
        try:
            try:
                is_bounded = verb == "list" and query and int(query["limit"]) > 1
                async with asyncio.timeout(TOTAL_TIMEOUT):
                    status, headers, text = await self._send(method, url, content_type, payload, most if is_bounded else None)
            except (aiohttp.ClientError, ApiException, OSError, ValueError) as error:  # TimeoutError is an OSError
                raise no_reply(call, error) from error
            except TooLarge:
                code = "200"
                raise
            code = str(status)
            if status == 401:
                self._is_fresh = False
            if not 200 <= status < 300:
                raise failure(call, status, headers, text)
            return status, text
        finally:
            self._count(verb, kind.plural, code)

    async def _send(
        self, method: str, url: str, content_type: str, body: Any, most: int | None = None
    ) -> tuple[int, Mapping[str, str], bytes]:
        await self._refresh()
        headers = {"Accept": _JSON, "Content-Type": content_type, "User-Agent": "hardened-operator"}
        if self._who.authorization:
            headers["Authorization"] = self._who.authorization
        timeout = aiohttp.ClientTimeout(total=TOTAL_TIMEOUT, sock_connect=CONNECT_TIMEOUT)
        reply = await self._api.call_api(method, self._who.server + url, headers, body, _request_timeout=timeout)
        try:
            if most is None or reply.status != 200:
                return reply.status, reply.headers, await reply.read()
            return reply.status, reply.headers, await reading.at_most(reply.response.content.iter_any(), most)
        finally:
            reply.response.release()

    async def _refresh(self) -> None:
        """Reads the token again after a 401, and each minute. The other credentials stay: a new certificate needs a new process."""
        now = asyncio.get_running_loop().time()
        if self._reload is None or (self._is_fresh and now - self._read_at < TOKEN_LIFE):
            return
        self._is_fresh, self._read_at = True, now
        try:
            self._who = await self._reload()
        except BadSetting as error:
            # In the middle of a rotation the file can be missing for a moment: go on as before, and look again at the next call.
            self._is_fresh = False
            logger.warning("credentials could not be read again: %s", error)


def _named(verb: str, kind: Kind, namespace: str | None, name: str | None) -> str:
    """A call, for people. Example: "get pods shop/api-1"."""
    return f"{verb} {kind.plural} {'' if namespace is None else namespace + '/'}{name or ''}".rstrip(" /")


_VERBS: Mapping[str, tuple[str, str]] = {
    "get": ("GET", _JSON),
    "list": ("GET", _JSON),
    "log": ("GET", _JSON),
    "apply": ("PATCH", _APPLY),
    "try": ("PATCH", _APPLY),
    "status": ("PATCH", _APPLY),
    "scale": ("PATCH", _MERGE),
    "delete": ("DELETE", _JSON),
    "create": ("POST", _JSON),
    "update": ("PUT", _JSON),
    "patch": ("PATCH", _MERGE),
}


def _configuration(who: Credentials) -> Any:
    configuration = Configuration(host=who.server)
    configuration.ssl_ca_cert = who.ca_file
    configuration.cert_file = who.cert_file
    configuration.key_file = who.key_file
    configuration.verify_ssl = who.verify
    configuration.tls_server_name = who.server_name
    configuration.proxy = who.proxy
    # A number here would make it repeat GET, PUT and DELETE on its own account: a PUT whose reply was lost is not to be repeated.
    configuration.retries = None
    configuration.client_go_retries = False
    configuration.client_session_kwargs = {"trust_env": False, "cookie_jar": aiohttp.DummyCookieJar()}
    return configuration


def _encoded(call: str, content_type: str, body: Body | None) -> Any:
    """The body for rest.request: text that is YAML and JSON at once for an apply; otherwise the dictionary, which it writes as JSON."""
    if content_type != _APPLY:
        return body
    try:
        text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return _NOT_YAML.sub(lambda match: f"\\u{ord(match[0]):04x}", text).encode()
    except (ValueError, TypeError) as error:
        raise Refused(f"{call}: the manifest cannot be written as JSON ({type(error).__name__})") from error


async def _parsed(call: str, status: int, text: bytes) -> Body:
    try:
        body = await reading.read(text)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        # Neither the text nor the parser's error goes on: both can quote the object.
        raise TryAgain(f"{call}: the reply is not a JSON object", status=status)
    return body


def _whole(call: str, status: int, body: Body) -> Body:
    """The object, less what is too deep of managedFields: whoever may write an object can write those, and nothing follows from them."""
    meta = body.get("metadata")
    if isinstance(meta, dict) and "managedFields" in meta:
        meta["managedFields"] = [entry for entry in meta["managedFields"] or () if reading.is_usable(entry)]
    if not reading.is_usable(body):
        raise Refused(f"{call}: the object cannot be read: it {reading.UNUSABLE}", status=status, reason=UNREADABLE)
    return body

"""The cluster as hardenctl sees it: raw objects in, raw objects out, one error tree."""

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from hardenctl.cluster import replies
from hardenctl.cluster.paths import FIELD_MANAGER, with_query
from hardenctl.connection.credentials import LoggedIn, source
from hardenctl.connection.header import impersonation
from hardenctl.connection.kubeconfig import ResolvedContext, target
from hardenctl.connection.private_folder import private_folder
from hardenctl.connection.transport import HttpCall, HttpReply, Transport
from hardenctl.output.duration import NEVER, Deadline
from hardened.core.model.manifest import Manifest
from hardened.errors import TryAgain, Vanished

#: The form of an object without what is in it.
_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
#: How often a call is sent again that the server asked to send later.
ATTEMPTS = 3
#: The least that a call is given, in seconds.
AT_LEAST = 1.0


class Cluster(Protocol):
    """What the verbs need of a cluster. Every method raises ApiFailure."""

    @property
    def context(self) -> str: ...

    @property
    def server(self) -> str: ...

    @property
    def namespace(self) -> str: ...

    def get(self, path: str, within: float | None = None) -> Manifest:
        """An object or a list. within: the seconds that there are for it, and for no second try; None for the usual bound, and some."""

    def is_there(self, path: str) -> bool:
        """Whether there is an object. No more of it than its metadata is asked for: what is in a Secret never gets here."""

    def apply(
        self, path: str, manifest: Mapping[str, Any], *, force: bool = False, dry_run: bool = False, manager: str = FIELD_MANAGER
    ) -> Manifest: ...

    def create(self, path: str, body: Mapping[str, Any]) -> Manifest: ...

    def merge(self, path: str, changes: Mapping[str, Any]) -> Manifest:
        """Changes the fields that are named, as a JSON merge patch does; None takes one away."""

    def delete(self, path: str, options: Mapping[str, Any]) -> Manifest:
        """Deletes an object. options: as the API's DeleteOptions."""

    def watch(self, path: str, timeout: float) -> Iterator[Manifest]:
        """The events of a watch, until the server ends it. timeout: seconds without any event before TryAgain."""

    def lines(self, path: str, timeout: float) -> Iterator[str]:
        """The lines of a text, such as a log, as they come. timeout: seconds without any line before TryAgain."""


class ApiCluster:
    """A cluster behind a transport.

    request_timeout: seconds, None for no bound; deadline: when no call is waited for any more; trace: is told of each call.
    """

    def __init__(
        self,
        target: ResolvedContext,
        transport: Transport,
        *,
        user: str = "",
        request_timeout: float | None = 30.0,
        deadline: Deadline = NEVER,
        trace: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._target, self._transport, self._most, self._trace = target, transport, request_timeout, trace
        self._deadline = deadline
        self._headers = {"Accept": "application/json", "User-Agent": FIELD_MANAGER}
        self._repeated = tuple(impersonation(target.user, user))

    @property
    def context(self) -> str:
        """The name of the kubeconfig's context."""
        return self._target.context

    @property
    def server(self) -> str:
        """The API server's URL, without a user and a password."""
        return self._target.shown_server

    @property
    def namespace(self) -> str:
        """The namespace that was named, else the context's own, else `default`."""
        return self._target.namespace

    def get(self, path: str, within: float | None = None) -> Manifest:
        """An object or a list."""
        if within is None:
            return self._call("GET", path)
        most = self._timeout
        span = within if most is None else min(within, most)
        return _decoded(self._send(self._made("GET", path, timeout=span)).body)

    def is_there(self, path: str) -> bool:
        """Whether there is an object, by its metadata alone."""
        try:
            self._call("GET", path, accept=_METADATA)
        except Vanished:
            return False
        return True

    def apply(
        self, path: str, manifest: Mapping[str, Any], *, force: bool = False, dry_run: bool = False, manager: str = FIELD_MANAGER
    ) -> Manifest:
        """Server-side apply as a field manager. Unknown fields are refused, not pruned."""
        query = with_query(
            path,
            fieldManager=manager,
            fieldValidation="Strict",
            force=force or None,
            dryRun="All" if dry_run else None,
        )
        return self._call("PATCH", query, manifest, "application/apply-patch+yaml")

    def create(self, path: str, body: Mapping[str, Any]) -> Manifest:
        """Makes an object; the reply is the object as it became."""
        return self._call("POST", path, body, "application/json")

    def merge(self, path: str, changes: Mapping[str, Any]) -> Manifest:
        """A JSON merge patch, as field manager `hardenctl`."""
        return self._call("PATCH", with_query(path, fieldManager=FIELD_MANAGER), changes, "application/merge-patch+json")

    def delete(self, path: str, options: Mapping[str, Any]) -> Manifest:
        """Deletes an object; the reply is the object as it was, or a Status."""
        return self._call("DELETE", path, options, "application/json")

    def watch(self, path: str, timeout: float) -> Iterator[Manifest]:
        """The events of a watch, until the server ends it."""
        reply = self._send(self._made("GET", path, timeout=timeout, is_stream=True))
        for line in reply.lines:
            if line.strip():
                yield _decoded(line)

    def lines(self, path: str, timeout: float) -> Iterator[str]:
        """The lines of a text, until the server ends it."""
        call = self._made("GET", path, timeout=timeout, is_stream=True)
        reply = self._send(replace(call, headers={**call.headers, "Accept": "*/*"}))
        for line in reply.lines:
            yield line.decode(errors="replace")

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None, kind: str = "", accept: str = "") -> Manifest:
        content = None if body is None else json.dumps(body).encode()
        for left in reversed(range(ATTEMPTS)):
            call = self._made(method, path, content, kind, timeout=self._timeout)
            call = replace(call, headers={**call.headers, "Accept": accept}) if accept else call
            try:
                return _decoded(self._send(call).body)
            except TryAgain as error:
                # Only what the server asked for: it sends Retry-After with a call that it has not begun to serve.
                if error.retry_after is None or left == 0 or self._deadline.within(error.retry_after) < error.retry_after:
                    raise
                time.sleep(error.retry_after)
        raise AssertionError("unreachable")

    @property
    def _timeout(self) -> float | None:
        """Seconds for the next call. After the deadline there are a few: what a verb shows at its end is read then."""
        if self._deadline.at is None:
            return self._most
        return max(AT_LEAST, self._deadline.within(math.inf if self._most is None else self._most))

    def _made(
        self, method: str, path: str, body: bytes | None = None, kind: str = "", *, timeout: float | None, is_stream: bool = False
    ) -> HttpCall:
        headers = self._headers | ({"Content-Type": kind} if kind else {})
        return HttpCall(method, path, body, headers, self._repeated, timeout=timeout, is_stream=is_stream)

    def _send(self, call: HttpCall) -> HttpReply:
        began = time.monotonic()
        reply = self._transport.send(call)
        self._trace(f"{call.method} {call.path} {reply.status} in {(time.monotonic() - began) * 1000:.0f} ms")
        if not 200 <= reply.status < 300:
            raise replies.failure(reply.status, reply.headers, reply.body)
        return reply


def _decoded(text: bytes) -> Manifest:
    try:
        found = json.loads(text)
    except RecursionError:
        raise TryAgain("an object in the reply is nested too deep to be read, most likely its metadata.managedFields") from None
    except ValueError:
        # Without its cause, which holds the whole reply.
        if replies.is_page(text):
            raise replies.not_the_server("a web page") from None
        raise TryAgain("the reply is not JSON: is this the URL of a Kubernetes API server?") from None
    if not isinstance(found, dict):
        raise TryAgain("the reply is not an object: is this the URL of a Kubernetes API server?")
    return found


def connect(
    *,
    kubeconfig: str = "",
    context: str = "",
    namespace: str = "",
    user: str = "",
    request_timeout: float | None = 30.0,
    deadline: Deadline = NEVER,
    trace: Callable[[str], None] = lambda _: None,
) -> Cluster:
    """The cluster that the flags and the kubeconfig name; nothing is sent yet. user: whom to act as; deadline: of all calls together.

    Raises CommandEnd where the kubeconfig cannot be used.
    """
    chosen = target(kubeconfig, context, namespace)
    folder = private_folder()
    transport = LoggedIn(_transport(chosen, folder), source(chosen, folder))
    return ApiCluster(chosen, transport, user=user, request_timeout=request_timeout, deadline=deadline, trace=trace)


def _transport(chosen: ResolvedContext, folder: Path) -> Transport:
    if chosen.needs_official_client:
        from hardenctl.connection.official_transport import OfficialTransport

        return OfficialTransport(chosen, folder)
    from hardenctl.connection.pykube_transport import PykubeTransport

    return PykubeTransport(chosen, folder)

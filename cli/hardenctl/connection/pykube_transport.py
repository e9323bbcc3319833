"""Calls through pykube-ng: the light client, for the common kubeconfig."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from urllib3 import HTTPHeaderDict

from hardenctl.connection.kubeconfig import ResolvedContext
from hardenctl.connection.light_pykube import pykube, requests
from hardenctl.connection.no_reply import no_reply
from hardenctl.connection.transport import HttpCall, HttpReply


class PykubeTransport:
    """folder: private; holds the certificates for as long as calls are made."""

    def __init__(self, target: ResolvedContext, folder: Path) -> None:
        self._server, self._shown_server = target.server, target.shown_server
        self._client = pykube.HTTPClient(pykube.KubeConfig(target.document(folder)))
        if target.cluster.get("insecure-skip-tls-verify"):
            warnings.filterwarnings("ignore", message="Unverified HTTPS request")

    def send(self, call: HttpCall) -> HttpReply:
        """One call."""
        try:
            reply = self._client.session.request(
                call.method,
                self._server + call.path,
                data=call.body,
                headers=dict(call.headers),
                # Without an authentication of its own, requests would send what ~/.netrc has for the host instead of the token.
                auth=_Repeating(call),
                cert=call.certificate,
                timeout=call.timeout,
                stream=call.is_stream,
                allow_redirects=False,
            )
            if call.is_stream and reply.ok:
                return HttpReply(reply.status_code, reply.headers, lines=self._lines(reply))
            return HttpReply(reply.status_code, reply.headers, reply.content)
        except Exception as error:
            raise no_reply(self._shown_server, error) from error

    def _lines(self, reply: Any) -> Iterator[bytes]:
        try:
            yield from reply.iter_lines(chunk_size=None)
        except requests.RequestException as error:
            raise no_reply(self._shown_server, error) from error
        finally:
            reply.close()


class _Repeating:
    """The last to touch a call: the headers of requests hold each name once, those that the connection takes need not."""

    def __init__(self, call: HttpCall) -> None:
        self._call = call

    def __call__(self, request: Any) -> Any:
        if self._call.repeated:
            request.headers = HTTPHeaderDict(request.headers)
            for name, value in self._call.repeated:
                request.headers.add(name, value)
        return request

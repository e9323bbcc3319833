"""Calls through the official client: for what pykube cannot do, at the price of a slow start."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import urllib3
from kubernetes import client, config

from hardenctl.connection.kubeconfig import ResolvedContext
from hardenctl.connection.no_reply import no_reply
from hardenctl.connection.transport import HttpCall, HttpReply
from hardenctl.output.outcome import CommandEnd


class OfficialTransport:
    """folder: private; holds the certificates for as long as calls are made."""

    def __init__(self, target: ResolvedContext, folder: Path) -> None:
        self._server, self._shown_server = target.server, target.shown_server
        self._configuration = client.Configuration()
        self._log_in(target, folder)
        self._certificate = (self._configuration.cert_file, self._configuration.key_file)
        self._pool = self._connections()

    def _log_in(self, target: ResolvedContext, folder: Path) -> None:
        # The client only logs that a provider failed, on the root logger, and goes on as nobody.
        logging.disable(logging.CRITICAL)
        try:
            config.load_kube_config_from_dict(
                target.document(folder),
                client_configuration=self._configuration,
                persist_config=False,
                temp_file_path=str(folder),
            )
        except CommandEnd:
            raise
        except Exception as error:
            text = f"the kubeconfig's context {target.context} gives no credentials: {_why(error)}"
            raise CommandEnd(text, hint="log in again") from error
        finally:
            logging.disable(logging.NOTSET)

    def _connections(self) -> Any:
        return client.ApiClient(self._configuration).rest_client.pool_manager

    def send(self, call: HttpCall) -> HttpReply:
        """One call."""
        try:
            if call.certificate and call.certificate != self._certificate:
                self._certificate = call.certificate
                self._configuration.cert_file, self._configuration.key_file = call.certificate
                self._pool = self._connections()
            reply = self._pool.request(
                call.method,
                self._server + call.path,
                body=call.body,
                headers=self._headers(call),
                timeout=call.timeout,
                preload_content=False,
                redirect=False,
                retries=False,
            )
            if call.is_stream and reply.status < 300:
                return HttpReply(reply.status, reply.headers, lines=self._lines(reply))
            body = reply.read()
            reply.release_conn()
            return HttpReply(reply.status, reply.headers, body)
        except Exception as error:
            raise no_reply(self._shown_server, error) from error

    def _headers(self, call: HttpCall) -> urllib3.HTTPHeaderDict:
        # An auth provider renews its token by itself.
        provided = {s["key"]: s["value"] for s in self._configuration.auth_settings().values() if s["value"]}
        found = urllib3.HTTPHeaderDict({**provided, **call.headers})
        for name, value in call.repeated:
            found.add(name, value)
        return found

    def _lines(self, reply: Any) -> Iterator[bytes]:
        rest = b""
        try:
            for chunk in reply.stream(amt=None, decode_content=True):
                *whole, rest = (rest + chunk).split(b"\n")
                yield from whole
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise no_reply(self._shown_server, error) from error
        finally:
            reply.close()


def _why(error: Exception) -> str:
    return str(error.strerror) if isinstance(error, OSError) and error.strerror else type(error).__name__

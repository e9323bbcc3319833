"""Calls through the official client: for what pykube cannot do, at the price of a slow start."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import urllib3
from kubernetes import client, config

from hardenctl import replies
from hardenctl.kubeconfig import Target
from hardenctl.outcome import Stop
from hardenctl.transport import Call, Reply


class OfficialTransport:
    """folder: private; holds the certificates for as long as calls are made."""

    def __init__(self, target: Target, folder: Path) -> None:
        self._server, self._shown_server = target.server, target.shown_server
        self._configuration = client.Configuration()
        self._log_in(target, folder)
        self._pool = client.ApiClient(self._configuration).rest_client.pool_manager

    def _log_in(self, target: Target, folder: Path) -> None:
        # The client only logs that a credential plugin failed, on the root logger, and goes on as nobody.
        logging.disable(logging.CRITICAL)
        try:
            config.load_kube_config_from_dict(
                target.document(folder),
                client_configuration=self._configuration,
                persist_config=False,
                temp_file_path=str(folder),
            )
        except (config.ConfigException, OSError, ValueError, LookupError) as error:
            raise Stop(f"the kubeconfig's context {target.context} gives no credentials: {error}", hint="log in anew") from error
        finally:
            logging.disable(logging.NOTSET)
        plugin = (target.user.get("exec") or {}).get("command")
        if plugin and not self._configuration.auth_settings() and not self._configuration.cert_file:
            raise Stop(f"the credential plugin {plugin} gave no credentials", hint="run it by hand, or log in anew")

    def send(self, call: Call) -> Reply:
        """One call."""
        credentials = {s["key"]: s["value"] for s in self._configuration.auth_settings().values() if s["value"]}
        try:
            reply = self._pool.request(
                call.method,
                self._server + call.path,
                body=call.body,
                headers={**credentials, **call.headers},
                timeout=call.timeout,
                preload_content=False,
                redirect=False,
                retries=False,
            )
            if call.is_stream and reply.status < 300:
                return Reply(reply.status, reply.headers, lines=self._lines(reply))
            body = reply.read()
            reply.release_conn()
            return Reply(reply.status, reply.headers, body)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise replies.no_reply(self._shown_server, error) from error

    def _lines(self, reply: Any) -> Iterator[bytes]:
        rest = b""
        try:
            for chunk in reply.stream(amt=None, decode_content=True):
                *whole, rest = (rest + chunk).split(b"\n")
                yield from whole
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise replies.no_reply(self._shown_server, error) from error
        finally:
            reply.close()

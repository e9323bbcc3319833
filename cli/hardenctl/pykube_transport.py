"""Calls through pykube-ng: the light client, for the common kubeconfig."""

import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hardenctl import replies
from hardenctl.kubeconfig import Target
from hardenctl.light_pykube import pykube, requests
from hardenctl.outcome import Stop
from hardenctl.transport import Call, Reply


class PykubeTransport:
    """folder: private; holds the certificates for as long as calls are made."""

    def __init__(self, target: Target, folder: Path) -> None:
        self._server, self._shown_server = target.server, target.shown_server
        self._plugin = str((target.user.get("exec") or {}).get("command", ""))
        self._client = pykube.HTTPClient(pykube.KubeConfig(target.document(folder)))
        # Without a session's own authentication, requests would send what ~/.netrc has for the host instead of the token.
        self._client.session.auth = _as_it_is
        if target.cluster.get("insecure-skip-tls-verify"):
            warnings.filterwarnings("ignore", message="Unverified HTTPS request")

    def send(self, call: Call) -> Reply:
        """One call."""
        try:
            reply = self._client.session.request(
                call.method,
                self._server + call.path,
                data=call.body,
                headers=dict(call.headers),
                timeout=call.timeout,
                stream=call.is_stream,
                allow_redirects=False,
            )
            if call.is_stream and reply.ok:
                return Reply(reply.status_code, reply.headers, lines=self._lines(reply))
            return Reply(reply.status_code, reply.headers, reply.content)
        except requests.RequestException as error:
            raise replies.no_reply(self._shown_server, error) from error
        except (subprocess.CalledProcessError, OSError, NotImplementedError, LookupError, ValueError, TypeError, AttributeError) as error:
            if not self._plugin and isinstance(error, TypeError | AttributeError):
                raise
            if not self._plugin:
                raise replies.no_reply(self._shown_server, error) from error
            text = f"the credential plugin {self._plugin} gave no credentials: {_why(error)}"
            raise Stop(text, hint="run it by hand, or log in anew") from error

    def _lines(self, reply: Any) -> Iterator[bytes]:
        try:
            yield from reply.iter_lines(chunk_size=None)
        except requests.RequestException as error:
            raise replies.no_reply(self._shown_server, error) from error
        finally:
            reply.close()


def _why(error: Exception) -> str:
    # The error's own words would be the whole command line, and that may hold a token.
    if isinstance(error, subprocess.CalledProcessError):
        return f"it ended with exit status {error.returncode}"
    if isinstance(error, OSError):
        return str(error.strerror)
    return str(error) if isinstance(error, NotImplementedError) else "what it printed is not a credential"


def _as_it_is(request: Any) -> Any:
    return request

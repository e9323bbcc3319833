"""Who calls: the credentials of a kubeconfig's user, read, kept and renewed as kubectl does. None of them is ever part of an error."""

import base64
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from hardenctl.connection.header import value
from hardenctl.connection.kubeconfig import ResolvedContext
from hardenctl.connection.transport import HttpCall, HttpReply, Transport
from hardenctl.output.outcome import CommandEnd, unanswered, usage

#: Seconds for which what a tokenFile holds is believed: whoever writes it replaces it before the old one expires.
REREAD = 60.0


@dataclass(frozen=True)
class CallCredentials:
    """What a call carries to say who calls."""

    authorization: str = ""
    """The header, "" for none."""
    certificate: tuple[str, str] | None = None
    """The paths of a client certificate and of its key."""


class Source(Protocol):
    """Where a login comes from."""

    def login(self) -> CallCredentials:
        """The one to use now. Raises CommandEnd where there is none."""

    def renew(self) -> None:
        """The server did not accept it: the next one is got anew."""


class LoggedIn:
    """A transport whose calls carry the login. One that the server does not accept any more is renewed once, and the call sent again."""

    def __init__(self, inner: Transport, source: Source) -> None:
        self._inner, self._source = inner, source
        # Several services are followed at once: they share one login, and one run of a plugin.
        self._lock = threading.Lock()

    def send(self, call: HttpCall) -> HttpReply:
        """One call."""
        with self._lock:
            login = self._source.login()
        reply = self._inner.send(_with(call, login))
        if reply.status != 401:
            return reply
        again = self._renewed(login)
        return reply if again == login else self._inner.send(_with(call, again))

    def _renewed(self, refused: CallCredentials) -> CallCredentials:
        with self._lock:
            now = self._source.login()
            if now != refused:
                return now  # another call has renewed it meanwhile
            self._source.renew()
            return self._source.login()


def _with(call: HttpCall, login: CallCredentials) -> HttpCall:
    headers = {**call.headers, **({"Authorization": login.authorization} if login.authorization else {})}
    return replace(call, headers=headers, certificate=login.certificate)


def source(target: ResolvedContext, folder: Path, now: Callable[[], float] = time.time) -> Source:
    """The credentials of a target's user: a tokenFile before a token, that before a password, that before a plugin. folder: private.

    now: seconds since the epoch. Raises CommandEnd (usage) for what cannot be sent.
    """
    user = target.user
    found = _without_files(target, folder, now)
    pair = str(user.get("client-certificate") or ""), str(user.get("client-key") or "")
    if not all(pair) or user.get("client-certificate-data") or user.get("client-key-data"):
        return found
    from hardenctl.connection.certificate_files import CertificateFiles

    return CertificateFiles(found, pair, folder, now)


def _without_files(target: ResolvedContext, folder: Path, now: Callable[[], float]) -> Source:
    user = target.user
    token = value(user.get("token") or "", "the kubeconfig's token")
    if user.get("tokenFile"):
        return TokenFile(Path(user["tokenFile"]), token, now)
    if token:
        return Fixed(CallCredentials(f"Bearer {token}"))
    if user.get("username") and user.get("password"):
        pair = base64.b64encode(f"{user['username']}:{user['password']}".encode(errors="surrogatepass")).decode()
        return Fixed(CallCredentials(f"Basic {pair}"))
    if user.get("exec"):
        return Plugin(target, folder, now)
    return Fixed(CallCredentials())


class Fixed:
    """A login that stays as it is."""

    def __init__(self, login: CallCredentials) -> None:
        self._login = login

    def login(self) -> CallCredentials:
        return self._login

    def renew(self) -> None:
        """There is no other."""


class TokenFile:
    """A token that somebody else writes into a file, now and then another one. otherwise: the token where the file never had one."""

    def __init__(self, path: Path, otherwise: str, now: Callable[[], float]) -> None:
        self._path, self._token, self._now = path, otherwise, now
        self._read_at: float | None = None

    def login(self) -> CallCredentials:
        if self._read_at is None or not 0 <= self._now() - self._read_at < REREAD:
            self._read()
        return CallCredentials(f"Bearer {self._token}")

    def renew(self) -> None:
        self._read_at = None

    def _read(self) -> None:
        try:
            found = value(self._path.read_bytes().decode(errors="surrogateescape"), f"the token in {self._path}")
        except OSError as error:
            found, why = "", str(error.strerror)
        else:
            why = "it is empty"
        if not found and not self._token:
            raise usage(f"there is no token in the kubeconfig's tokenFile {self._path}: {why}")
        self._token, self._read_at = found or self._token, self._now()


class Plugin:
    """A program that prints credentials: run once, and again when they have expired, or are not accepted any more."""

    def __init__(self, target: ResolvedContext, folder: Path, now: Callable[[], float]) -> None:
        self._target, self._folder, self._now = target, folder, now
        self._conf: Mapping[str, Any] = target.user["exec"]
        self._login: CallCredentials | None = None
        self._expires: float | None = None

    def login(self) -> CallCredentials:
        if self._login is None or (self._expires is not None and self._now() >= self._expires):
            self._login, self._expires = self._read(self._printed())
        return self._login

    def renew(self) -> None:
        self._login = None

    def _printed(self) -> bytes:
        mode = self._conf.get("interactiveMode") or "IfAvailable"
        is_interactive = mode != "Never" and sys.stdin is not None and sys.stdin.isatty()
        if mode == "Always" and not is_interactive:
            raise self._failed("it has to ask, and there is no terminal")
        given = {each.get("name") or "": each.get("value") or "" for each in self._conf.get("env") or ()}
        info = json.dumps(self._info(is_interactive=is_interactive))
        try:
            done = subprocess.run(
                [self._conf["command"], *(self._conf.get("args") or ())],
                env={**os.environ, **given, "KUBERNETES_EXEC_INFO": info},
                stdin=None if is_interactive else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                check=False,
            )
        except OSError as error:
            raise self._failed(str(error.strerror), is_missing=isinstance(error, FileNotFoundError)) from None
        except (ValueError, UnicodeError):
            raise self._failed("its command line or environment cannot be used") from None
        if done.returncode:
            raise self._failed(f"it ended with exit status {done.returncode}")
        return done.stdout

    def _info(self, *, is_interactive: bool) -> dict[str, Any]:
        spec: dict[str, Any] = {"interactive": is_interactive}
        if self._conf.get("provideClusterInfo"):
            spec["cluster"] = _described(self._target)
        return {"apiVersion": self._conf["apiVersion"], "kind": "ExecCredential", "spec": spec}

    def _read(self, printed: bytes) -> tuple[CallCredentials, float | None]:
        try:
            status = json.loads(printed)["status"]
            token, expires = status.get("token"), status.get("expirationTimestamp")
            until = datetime.fromisoformat(expires).timestamp() if expires else None
            pair = status.get("clientCertificateData"), status.get("clientKeyData")
            is_right = all(each is None or isinstance(each, str) for each in (token, *pair))
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
            is_right = False
        if not is_right:
            raise self._failed("what it printed is not a credential")
        if not token and not all(pair):
            raise self._failed("Did not find the expected token or certificates.")
        header = f"Bearer {value(token, f'the token of the credential plugin {self._name}')}" if token else ""
        return CallCredentials(header, (self._kept(pair[0]), self._kept(pair[1])) if all(pair) else None), until

    def _kept(self, text: str) -> str:
        handle, path = tempfile.mkstemp(dir=self._folder)
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode(errors="surrogatepass"))
        return path

    @property
    def _name(self) -> str:
        return str(self._conf["command"])

    def _failed(self, why: str, *, is_missing: bool = False) -> CommandEnd:
        # Not the plugin's own words, nor its command line: they may hold a token. What it writes to stderr has been shown as it came.
        hints = "" if is_missing else "run it by hand, or log in again", str(self._conf.get("installHint") or "").strip()
        text = f"the credential plugin {self._name} gave no credentials: {why}"
        return unanswered(text, "; ".join(filter(None, hints)) or "install it, or log in by other means")


def _described(target: ResolvedContext) -> dict[str, Any]:
    """The cluster, as a plugin is told of it."""
    cluster, fields = target.cluster, ("tls-server-name", "insecure-skip-tls-verify", "certificate-authority-data", "proxy-url")
    found = {"server": target.server, **{field: cluster[field] for field in fields if cluster.get(field)}}
    if cluster.get("certificate-authority") and "certificate-authority-data" not in found:
        try:
            content = Path(cluster["certificate-authority"]).read_bytes()
        except OSError as error:
            raise usage(f"cannot read the kubeconfig's certificate-authority: {error.strerror}") from error
        found["certificate-authority-data"] = base64.b64encode(content).decode()
    for extension in cluster.get("extensions") or ():
        if isinstance(extension, Mapping) and extension.get("name") == "client.authentication.k8s.io/exec":
            found["config"] = extension.get("extension")
    return found

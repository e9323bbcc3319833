"""A client certificate that somebody else renews in its files, as kubeadm and the agents of clouds do."""

import os
import ssl
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from hardenctl.connection.credentials import REREAD, CallCredentials, Source

_Pair = tuple[bytes, bytes]


class CertificateFiles:
    """The login of `inner`, with the certificate that the files hold now. folder: private; now: seconds since the epoch."""

    def __init__(self, inner: Source, paths: tuple[str, str], folder: Path, now: Callable[[], float]) -> None:
        self._inner, self._paths, self._folder, self._now = inner, paths, folder, now
        self._used, self._read = paths, self._content()
        self._read_at = now()

    def login(self) -> CallCredentials:
        if not 0 <= self._now() - self._read_at < REREAD:
            self._look()
        found = self._inner.login()
        return found if found.certificate else replace(found, certificate=self._used)

    def renew(self) -> None:
        self._look()
        self._inner.renew()

    def _look(self) -> None:
        # Connections are kept by the paths of their certificate: another one needs other paths, or an open connection goes on with the old.
        found, self._read_at = self._content(), self._now()
        if found is None or found == self._read:
            return
        pair = _kept(found[0], self._folder), _kept(found[1], self._folder)
        if _belong_together(pair):
            self._used, self._read = pair, found

    def _content(self) -> _Pair | None:
        try:
            certificate, key = (Path(path).read_bytes() for path in self._paths)
        except OSError:
            return None  # in the middle of being replaced: the old one is as good as it was
        return certificate, key


def _belong_together(pair: tuple[str, str]) -> bool:
    """Whoever replaces two files does so one after the other."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(*pair, password=lambda: b"")
    except (OSError, ValueError):
        return False
    return True


def _kept(content: bytes, folder: Path) -> str:
    handle, path = tempfile.mkstemp(dir=folder)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    return path

"""Locks of restic as a pod that is no more has left them: with its host name, and as old as is wished."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.poly1305 import Poly1305


def leave_lock(repository: Path, password: str, age: timedelta) -> str:
    """An exclusive lock in a repository in a folder. Its name."""
    document = {"time": (datetime.now(UTC) - age).isoformat(), "exclusive": True, "hostname": "a-pod", "username": "hardened", "pid": 7}
    text = _Key.of(repository, password).sealed(json.dumps(document).encode())
    name = hashlib.sha256(text).hexdigest()
    (repository / "locks" / name).write_bytes(text)
    return name


class _Key:
    """restic's own format: AES-256 in counter mode, and Poly1305-AES over what comes of it."""

    def __init__(self, encrypt: bytes, k: bytes, r: bytes) -> None:
        self._encrypt, self._k, self._r = encrypt, k, r

    @classmethod
    def of(cls, repository: Path, password: str) -> _Key:
        (file,) = (repository / "keys").iterdir()
        found = json.loads(file.read_text())
        cost = {"n": found["N"], "r": found["r"], "p": found["p"], "maxmem": 2**30}
        derived = hashlib.scrypt(password.encode(), salt=base64.b64decode(found["salt"]), dklen=64, **cost)
        sealed = base64.b64decode(found["data"])
        master = json.loads(cls(derived[:32], derived[32:48], derived[48:])._coded(sealed[:16], sealed[16:-16]))
        return cls(*(base64.b64decode(part) for part in (master["encrypt"], master["mac"]["k"], master["mac"]["r"])))

    def sealed(self, text: bytes) -> bytes:
        nonce = os.urandom(16)
        coded = self._coded(nonce, text)
        mask = Cipher(algorithms.AES(self._k), modes.ECB()).encryptor().update(nonce)
        return nonce + coded + Poly1305.generate_tag(self._r + mask, coded)

    def _coded(self, nonce: bytes, text: bytes) -> bytes:
        return Cipher(algorithms.AES(self._encrypt), modes.CTR(nonce)).encryptor().update(text)

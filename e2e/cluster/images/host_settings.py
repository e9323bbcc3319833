"""How this machine reaches what is outside of it, for the steps of a build."""

import configparser
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_AUTHORITIES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
_MOUNTED_AUTHORITIES = "/run/hardened-build/authorities.pem"
_PIP_FILES = ("/etc/pip.conf", "/etc/xdg/pip/pip.conf", "~/.pip/pip.conf", "~/.config/pip/pip.conf")
_PIP_KEYS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout")


@contextmanager
def host_settings() -> Iterator[Mapping[str, Path]]:
    """Read-only mounts, path in the build -> file here, with which its steps reach what this machine reaches.

    Package managers are told of the certificate authorities by path, because mounting over an image's own bundle would stop
    the image's own package of authorities from being installed.
    """
    with tempfile.TemporaryDirectory(prefix="hardened-build-") as scratch:
        volumes: dict[str, Path] = {}
        authorities = next((Path(path) for path in (os.environ.get("SSL_CERT_FILE"), *_AUTHORITIES) if path and Path(path).is_file()), None)
        if authorities:
            volumes[_MOUNTED_AUTHORITIES] = authorities
            apt = Path(scratch) / "apt.conf"
            apt.write_text(f'Acquire::https::CAInfo "{_MOUNTED_AUTHORITIES}";\n')
            volumes["/etc/apt/apt.conf.d/99hardened-build"] = apt
        settings = pip_settings(has_authorities=authorities is not None)
        if settings:
            pip = Path(scratch) / "pip.conf"
            pip.write_text("[global]\n" + "".join(f"{key} = {value}\n" for key, value in settings.items()))
            volumes["/etc/pip.conf"] = pip
        yield volumes


def pip_settings(*, has_authorities: bool, files: tuple[str, ...] = _PIP_FILES, env: Mapping[str, str] = os.environ) -> dict[str, str]:
    """How this machine's pip reaches packages, from its files and then its environment, later ones winning."""
    found: dict[str, str] = {}
    parser = configparser.RawConfigParser(strict=False)
    parser.read([Path(file).expanduser() for file in files])
    for key in _PIP_KEYS:
        value = env.get("PIP_" + key.upper().replace("-", "_")) or parser.get("global", key, fallback=None)
        if value:
            found[key] = " ".join(value.split())
    if has_authorities:
        found["cert"] = _MOUNTED_AUTHORITIES
    return found

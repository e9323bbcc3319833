"""Programs of the operating system that the local cluster calls: installed with apt-get where they are missing."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from .command import attempt, has, run
from .errors import ClusterError
from .lock import locked
from .paths import cache_root
from .progress import step

_BY_PROGRAM = {
    "runc": "runc",
    "ip": "iproute2",
    "nft": "nftables",
    "iptables": "iptables",
    "ipset": "ipset",
    "conntrack": "conntrack",
    "socat": "socat",
    "ethtool": "ethtool",
    "buildah": "buildah",
    "mmdebstrap": "mmdebstrap",
    "nsenter": "util-linux",
}
_BY_FILE = {Path("/usr/lib/cni/ptp"): "containernetworking-plugins"}
_POLICY = Path("/usr/sbin/policy-rc.d")


def missing() -> list[str]:
    """The Debian packages whose programs are not on this machine."""
    programs = [package for program, package in _BY_PROGRAM.items() if not has(program)]
    return programs + [package for path, package in _BY_FILE.items() if not path.exists()]


def ensure() -> None:
    """Installs what is missing. Raises ClusterError that names the packages where it can't."""
    if missing():
        with locked(cache_root() / "locks/packages", waiting_for="another process that installs packages"):
            _install(missing())


def ensure_files(by_file: Mapping[Path, str]) -> None:
    """Installs the package of each file that is not there, and starts none of their services. Raises ClusterError as `ensure` does.

    Example: {Path("/usr/bin/redis-cli"): "redis-tools"}.
    """
    if _packages_of(by_file):
        with locked(cache_root() / "locks/packages", waiting_for="another process that installs packages"), _services_at_rest():
            _install(_packages_of(by_file))


def _packages_of(by_file: Mapping[Path, str]) -> list[str]:
    return list(dict.fromkeys(package for path, package in by_file.items() if not path.exists()))


@contextmanager
def _services_at_rest() -> Iterator[None]:
    """Debian's own way to install a server without starting it, for as long as this lasts."""
    if _POLICY.exists() or not _POLICY.parent.is_dir():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()


def _install(wanted: Sequence[str]) -> None:
    if not wanted:
        return
    if not has("apt-get"):
        raise ClusterError(f"install these programs and try again (this machine has no apt-get to do it): {' '.join(wanted)}")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "--no-install-recommends", *wanted]
    with step(f"installing the Debian packages {' '.join(wanted)}"):
        if attempt(install, env=quiet).returncode:  # old package lists, most likely
            run(["apt-get", "update"], env=quiet)
            run(install, env=quiet)

"""Programs of the operating system that the local cluster calls: installed with apt-get where they are missing."""

from collections.abc import Sequence
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


def missing() -> list[str]:
    """The Debian packages whose programs are not on this machine."""
    programs = [package for program, package in _BY_PROGRAM.items() if not has(program)]
    return programs + [package for path, package in _BY_FILE.items() if not path.exists()]


def ensure() -> None:
    """Installs what is missing. Raises ClusterError that names the packages where it can't."""
    if missing():
        with locked(cache_root() / "locks/packages", waiting_for="another process that installs packages"):
            _install(missing())


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

"""Which 198.18.N.0/24 a new cluster gets. The range is reserved for benchmarks: no real host is in it."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

from ..command import run
from ..errors import ClusterError
from . import layout

LAST = 255
_OURS = re.compile(r"^198\.18\.(\d{1,3})\.")


def first_free(taken: Iterable[int]) -> int:
    """The smallest N in 0..255 that is not taken. Examples: {} -> 0; {0, 1, 3} -> 2. Raises ClusterError when all are."""
    used = set(taken)
    free = next((number for number in range(LAST + 1) if number not in used), None)
    if free is None:
        raise ClusterError("all 256 subnets of 198.18.0.0/16 are taken: take a cluster down first")
    return free


def third_octets(addresses: Iterable[str]) -> set[int]:
    """The N of those addresses that are in 198.18.N.0/24. Example: ["198.18.7.1", "10.0.0.1"] -> {7}."""
    return {int(match[1]) for address in addresses if (match := _OURS.match(address))}


def taken(clusters: Path) -> set[int]:
    """What the clusters below that folder have recorded, and what this machine's interfaces and routes use, whoever made them."""
    recorded = {cluster.subnet for folder in clusters.glob("*") if (cluster := layout.read(folder))}
    interfaces = json.loads(run(["ip", "-json", "-4", "address", "show"]))
    routes = json.loads(run(["ip", "-json", "-4", "route", "show"]))
    addresses = [address["local"] for interface in interfaces for address in interface.get("addr_info", [])]
    return recorded | third_octets([*addresses, *(route["dst"] for route in routes)])

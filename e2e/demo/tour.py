"""What the steps of the tour share, and leave for each other."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from e2e.cluster import Provider, tools
from e2e.cluster.command import Argument, run

NAMESPACE = "demo"
SERVICE = "web"


@dataclass
class Tour:
    """What one step leaves for the next.

    images: the operator's, and those of the service's versions; token: makes this tour's versions new ones;
    switches: how long each switch of traffic took.
    """

    cluster: Provider
    images: list[str] = field(default_factory=list)
    token: str = field(default_factory=lambda: f"{time.time():.0f}")
    switches: list[str] = field(default_factory=list)

    @property
    def access(self) -> list[Argument]:
        """The flag that kubectl, helm and hardenctl all take."""
        return ["--kubeconfig", self.cluster.kubeconfig]

    def kubectl(self, *arguments: Argument) -> str:
        """What kubectl prints."""
        return run([tools.kubectl(), *self.access, "--namespace", NAMESPACE, *arguments], timeout=60).rstrip()


TourStep = Callable[[Tour], str]
"""Does it, and says what came of it."""

"""What `get` and `status` print."""

from typing_extensions import TypedDict

from hardenctl.output.outcome import ResultWord
from hardenctl.output.shapes.common import AsInCluster


class Pods(TypedDict):
    """How many pods serve."""

    available: int
    wanted: int | None
    """Null while nobody has said how many."""


class Stack(TypedDict):
    """One colour as it runs."""

    color: str
    revision: str
    ready: int
    wanted: int
    others: int
    """Pods of the revision before it that are still there."""
    counted: bool
    """False until its controller has seen what it is to run."""


class Metric(TypedDict):
    """What pods use of what they should."""

    resource: str
    """cpu, memory, or prometheus[N]."""
    target: float
    current: float | None
    """Null where nobody knows."""


class Scaling(TypedDict):
    """How a service is scaled."""

    replicas: int | None
    minReplicas: int
    maxReplicas: int
    reason: str
    message: str
    quota: str
    """What quotas lack for the largest size, empty for nothing."""
    metrics: list[Metric]


class Summary(TypedDict):
    """A service in a list."""

    result: ResultWord
    namespace: str
    name: str
    phase: str
    message: str
    reason: str
    revision: str
    """That serves, as color and image; empty while none does."""
    color: str
    image: str
    wantedImage: str
    """That the spec asks for."""
    pods: Pods
    generation: int
    observedGeneration: int
    release: AsInCluster | None
    """As in status.release, as the fields below are in status."""
    pending: AsInCluster | None
    hold: AsInCluster | None
    stable: AsInCluster | None
    pin: AsInCluster | None
    proof: AsInCluster | None
    dependencies: list[AsInCluster]
    conditions: list[AsInCluster]
    next: str


class Status(Summary):
    """One service."""

    stacks: list[Stack]
    autoscale: Scaling | None
    """Null without spec.autoscale."""


class Services(TypedDict):
    """Services, the worst of them in `result`."""

    result: ResultWord
    services: list[Summary]


class Statuses(TypedDict):
    """Several services that were named."""

    result: ResultWord
    services: list[Status]

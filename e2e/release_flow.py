"""The releases that faults are injected into: a service as it is before, what somebody does, and what is to come of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from e2e.kube import Body, is_ready
from e2e.releases import TERMS, ready_reason, released, step_of
from e2e.rig import Act, Run, serve

#: Seconds for a flow to be over: what is kept, the longest single fault (a Retry-After of 30 s, a pause of 60 s), and a new leader.
FLOW_SECONDS = 240.0
#: Seconds without a write that count as quiet.
QUIET_SECONDS = 3.0


@dataclass(frozen=True)
class Flow:
    """One release. It is over when `is_over` is true of the service.

    prepare: makes the service as it is before; change: what somebody does then, with which the measured part begins; selected: the colours
    that traffic is led to, one after the other; told: the reasons of its Events, each of which comes once; keep: by Deployment, the seconds
    that it is kept up at least once traffic has left it, and none for what is not to be taken down at all; versions: that clients may be
    answered by; status_writes: how often a status is written in every run; settings: of its operators, beside those of all tests;
    is_outage: nobody is served in the course of it, as it has to be, and what clients see is not looked at; look: what else is compared at
    its end.
    """

    name: str
    prepare: Act
    change: Act
    is_over: Callable[[Body | None], bool]
    selected: tuple[str, ...]
    told: frozenset[str]
    keep: Mapping[str, float]
    versions: frozenset[str]
    status_writes: int
    settings: Mapping[str, str] = field(default_factory=dict)
    is_outage: bool = False
    look: Callable[[Run], Awaitable[Mapping[str, Any]]] | None = None

    def __str__(self) -> str:
        return self.name


#: The first version answers with it, and the second one does not. Asked for longer than proxies take to follow a switch.
ONLY_V1 = {"name": "smoke", "http": {"path": "/", "expectBody": "v1", "count": 5, "interval": "500ms"}}
#: Longer than all faults of one run: a release that is only held up is not to fail. LONG_KEEP: longer than a run.
DEADLINE, SHORT_KEEP, LONG_KEEP = "5m", "30s", "30m"


def terms(keep: str, **verify: Any) -> dict[str, Any]:
    """What a service says about its releases, in all its versions: what was rejected under other terms would be released again."""
    return {
        "release": {**TERMS["release"], "keepPrevious": keep, "progressDeadline": DEADLINE},
        "verify": {"afterCutover": {"window": "2s"}, **verify},
    }


def serves(spec: Mapping[str, Any]) -> Act:
    """The first version runs, and nothing is left to do."""

    async def step(run: Run) -> None:
        await serve(run, released(run.namespace, "v1", **spec), within=FLOW_SECONDS)
        await run.proxy.until_quiet(QUIET_SECONDS, within=FLOW_SECONDS)

    return step


def serves_with_previous(spec: Mapping[str, Any]) -> Act:
    """The second version runs, and the first one is kept beside it."""

    async def step(run: Run) -> None:
        await serves(spec)(run)
        await serve(run, released(run.namespace, "v2", **spec), within=FLOW_SECONDS)
        await run.proxy.until_quiet(QUIET_SECONDS, within=FLOW_SECONDS)

    return step


def releases(spec: Mapping[str, Any]) -> Act:
    """Somebody applies the second version."""

    async def step(run: Run) -> None:
        await run.kube.apply(released(run.namespace, "v2", **spec))

    return step


async def rolls_back(run: Run) -> None:
    """Somebody asks for the version before, in their own name: the chart's policy refuses any other."""
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    me = (await run.kube.call("POST", "apis/authentication.k8s.io/v1/selfsubjectreviews", review))["status"]["userInfo"]["username"]
    manifest = {
        "apiVersion": "hardened.dev/v1alpha1",
        "kind": "HardenedServiceAction",
        "metadata": {"name": "back", "namespace": run.namespace},
        "spec": {"service": "web", "action": "Rollback", "requestedBy": me, "reason": "p99 doubled"},
    }
    await run.kube.create(manifest)


def is_kept(live: Body | None) -> bool:
    """Promoted, with the previous stack still up."""
    return is_ready(live) and step_of(live) == "Keep"


def is_done(live: Body | None) -> bool:
    """Promoted, and nothing is left of the release."""
    return is_ready(live) and not step_of(live)


def is_done_as(reason: str) -> Callable[[Body | None], bool]:
    """The service is not ready for this reason, and nothing is left of the release."""
    return lambda live: ready_reason(reason)(live) and not step_of(live)


_SHORT, _LONG = terms(SHORT_KEEP), terms(LONG_KEEP)
_REFUSED = terms(SHORT_KEEP, beforeCutover=[ONLY_V1])
# The check takes some 3 s: were the window as short, whether the zero-loss probe is ended first would differ from run to run.
_ROLLED_BACK = terms(SHORT_KEEP, afterCutover={"window": "20s", "checks": [ONLY_V1]})
_PROMOTED = frozenset({"ReleaseStarted", "SwitchedOver", "Promoted"})
_BOTH = frozenset({"v1", "v2"})

#: To the moment at which it is promoted.
PROMOTED = Flow("promoted", serves(_LONG), releases(_LONG), is_kept, ("blue", "green"), _PROMOTED, {}, _BOTH, 4)
#: To the end of the previous stack.
REPLACED = Flow("replaced", serves(_SHORT), releases(_SHORT), is_done, ("blue", "green"), _PROMOTED, {"web-blue": 30}, _BOTH, 5)
REJECTED = Flow(
    "rejected",
    serves(_REFUSED),
    releases(_REFUSED),
    is_done_as("Rejected"),
    ("blue",),
    frozenset({"ReleaseStarted", "Rejected"}),
    {},
    frozenset({"v1"}),
    3,
)
ROLLED_BACK = Flow(
    "rolled back",
    serves(_ROLLED_BACK),
    releases(_ROLLED_BACK),
    is_done_as("RolledBack"),
    ("blue", "green", "blue"),
    frozenset({"ReleaseStarted", "SwitchedOver", "SwitchingBack", "RolledBack"}),
    {"web-green": 5},
    _BOTH,
    6,
)
ROLLED_BACK_BY_HAND = Flow(
    "rolled back by hand",
    serves_with_previous(_LONG),
    rolls_back,
    is_done_as("RolledBack"),
    ("green", "blue"),
    frozenset({"RollingBack", "Promoted", "RolledBack"}),
    {"web-green": 5},
    _BOTH,
    2,
)

"""What a revision depends on: other services by their Available condition, and addresses, which a verifier pod connects to.

Available, and not Ready: a service whose newest version was rejected still serves with the one before, and that is all that others need.

Both are asked for before the first pod of a release, and once more right before its cutover.
"""

from collections.abc import Mapping
from typing import Any

from hardened.api.parse import HardenedService
from hardened.api.steps import Step
from hardened.core.checks.asked import strangeness
from hardened.core.checks.pods import CheckPod
from hardened.core.checks.tasks import Purpose, pod_name, task_seconds
from hardened.core.checks.verdicts import NoData, Reported, Results, results_of
from hardened.core.desired.check_pod import verifier_pod
from hardened.core.model.kit import Kit
from hardened.core.model.manifest import Manifest
from hardened.core.model.state import ReleaseState
from hardened.core.observe.facts import Facts
from hardened.errors import FieldError

#: How long a verifier waits for the first connection before another one takes its place.
_WAIT_SECONDS = 60
_PURPOSES = {Step.PREFLIGHT: Purpose.DEPENDS, Step.SCALE_UP: Purpose.DEPENDS_STILL}


def named_services(body: Mapping[str, Any]) -> frozenset[str]:
    """The names of the services that a HardenedService depends on. What cannot be read names none."""
    spec = body.get("spec")
    found = spec.get("dependsOn") if isinstance(spec, Mapping) else None
    entries = found if isinstance(found, list) else []
    return frozenset(str(entry["service"]) for entry in entries if isinstance(entry, Mapping) and entry.get("service"))


def cycle_of(body: Mapping[str, Any], needs: Mapping[str, frozenset[str]]) -> tuple[str, ...]:
    """The shortest way from a HardenedService over what it depends on back to itself, by name, with itself at both ends; () for none.

    needs: see Observed. Each service is looked at once.
    """
    start = str(body["metadata"]["name"])
    ways: list[tuple[str, ...]] = [(start, name) for name in sorted(named_services(body))]
    seen = {start}
    while ways:
        longer: list[tuple[str, ...]] = []
        for way in ways:
            if way[-1] == start:
                return way
            if way[-1] not in seen:
                seen.add(way[-1])
                longer += [(*way, name) for name in sorted(needs.get(way[-1], ()))]
        ways = longer
    return ()


def in_circles(body: Mapping[str, Any], needs: Mapping[str, frozenset[str]]) -> list[FieldError]:
    """That the service is on a cycle: a release of each one on it would wait for one of the others."""
    way = cycle_of(body, needs)
    if not way:
        return []
    text = f"{' → '.join(way)} is a cycle: none of them could ever begin; remove one of these dependencies"
    return [FieldError("spec.dependsOn", text)]


def dependency_pods(facts: Facts, state: ReleaseState | None, kit: Kit) -> list[CheckPod]:
    """The verifier of the addresses, in the steps that ask for them."""
    addresses = _addresses(facts)
    if state is None or state.is_rollback or state.paused_at or state.step not in _PURPOSES or not addresses or not kit.image:
        return []
    checks = [_check(facts.svc, number, address) for number, address in enumerate(addresses)]
    task: Manifest = {"authority": facts.svc.name, "waitSeconds": _WAIT_SECONDS, "checks": checks}
    name = pod_name(facts.svc, state.target, state.started_at, _PURPOSES[state.step])
    pod = verifier_pod(facts.svc, name, task, kit=kit, seconds=task_seconds(task))
    return [CheckPod(pod, tuple(check["name"] for check in checks), _connected)]


def waits_for(facts: Facts, pods: list[CheckPod], kit: Kit) -> str:
    """What is not there yet, in words; "" once everything is. pods: see `dependency_pods`."""
    if facts.observed.is_granted:
        return ""
    found = [lacks(facts, name) for name in unavailable(facts)]
    addresses = _addresses(facts)
    if addresses and not kit.image:
        found.append("the operator's settings name no image for check pods, which connect to addresses: set verifier.image")
    elif addresses and not any(isinstance(_said(facts, pod), Reported) for pod in pods):
        found.append(f"no connection could be made so far to {'one of ' if addresses[1:] else ''}{', '.join(addresses)}")
    return "; ".join(found)


def lacks(facts: Facts, service: str) -> str:
    """What is missing of a service that is not Available, in words."""
    is_there = service in facts.observed.services
    return f"service {service} is not Available" if is_there else f"there is no HardenedService {service} in this namespace"


def unavailable(facts: Facts) -> list[str]:
    """The services that the revision depends on, and that no client could use."""
    if facts.observed.is_granted:
        return []
    return [name for name in _services(facts) if not is_available(facts.observed.services.get(name, {}))]


def _services(facts: Facts) -> list[str]:
    return [each.service for each in facts.svc.spec.depends_on or () if each.service]


def _addresses(facts: Facts) -> list[str]:
    return [each.tcp for each in facts.svc.spec.depends_on or () if each.tcp]


def is_available(live: Mapping[str, Any]) -> bool:
    """Whether clients of a HardenedService can be served."""
    conditions = (live.get("status") or {}).get("conditions") or ()
    return any(c.get("type") == "Available" and c.get("status") == "True" for c in conditions)


def _check(svc: HardenedService, number: int, address: str) -> Manifest:
    host, _, port = address.rpartition(":")
    where = {"host": f"{host}.{svc.namespace}.svc", "port": int(port)}
    return {"name": f"depends-{number}", "kind": "tcp", **where, "count": 1, "intervalSeconds": 1, "failureLimit": 0}


def _connected(svc: HardenedService, pod: Manifest) -> Results:
    """A report that everything can be connected to. Any other one is none: it is asked again."""
    found = results_of(svc, pod)
    is_all = isinstance(found, Reported) and all(result.has_passed for result in found.results)
    return found if is_all or not isinstance(found, Reported) else NoData("not all addresses accept a connection")


def _said(facts: Facts, pod: CheckPod) -> Results | None:
    live = facts.observed.children.get(pod.key)
    return pod.reads(facts.svc, live) if live and is_asked(facts, pod, live) else None


def is_asked(facts: Facts, pod: CheckPod, live: Manifest) -> bool:
    """Whether a live pod is the one that was asked for: the word of any other one counts for nothing."""
    return not strangeness(pod.manifest, live, facts.observed.made.get(pod.key))

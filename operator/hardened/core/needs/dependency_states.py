"""How each thing is that a service depends on: for people. What a release waits for is decided in dependencies.py.

A service is as its Available condition says, at each look. An address is as the last check pod found it: nothing connects to it between
releases, and what was found stays until one finds otherwise.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from hardened.api.network import Dependency
from hardened.core.checks.pods import CheckPod
from hardened.core.checks.verdicts import CheckResult, Reported, results_of
from hardened.core.model.manifest import Manifest, without_none
from hardened.core.needs.dependencies import is_asked, is_available, lacks
from hardened.core.observe.facts import Facts

State = Literal["Available", "Unavailable", "Missing", "Unknown"]
#: How long a verifier says that the slowest of its requests took.
_TOOK = re.compile(r"the slowest took (\d{1,6}) ms")
_LINE = 512


def dependency_states(facts: Facts, pods: Sequence[CheckPod], now: datetime) -> tuple[Manifest, ...]:
    """One entry for each of `dependsOn`, in its order, as status has it. `since` moves only with the state.

    pods: see `dependency_pods`.
    """
    before = {_name(entry): entry for entry in _entries(facts.before)}
    heard = _heard(facts, pods)
    return tuple(
        _entry(facts, each, before.get(each.service or each.tcp or "", {}), heard, now) for each in facts.svc.spec.depends_on or ()
    )


def is_news(facts: Facts, states: Sequence[Manifest]) -> bool:
    """Whether a check pod has found an address otherwise than status says: to be written first, since its word goes with the pod."""
    before = {_name(entry): entry.get("state") for entry in _entries(facts.before)}
    return any(entry["state"] != before.get(entry["tcp"]) for entry in states if "tcp" in entry and entry["state"] != "Unknown")


def _entry(facts: Facts, each: Dependency, before: Mapping[str, Any], heard: Mapping[str, CheckResult], now: datetime) -> Manifest:
    state, message = _of_service(facts, each.service) if each.service else _of_address(each.tcp or "", before, heard)
    is_as_before = before.get("state") == state and isinstance(before.get("since"), str)
    since = before["since"] if is_as_before else now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return without_none(service=each.service, tcp=each.tcp, state=state, message=message or None, since=since)


def _of_service(facts: Facts, name: str) -> tuple[State, str]:
    if name not in facts.observed.services:
        return "Missing", lacks(facts, name)
    return ("Available", "") if is_available(facts.observed.services[name]) else ("Unavailable", lacks(facts, name))


def _of_address(address: str, before: Mapping[str, Any], heard: Mapping[str, CheckResult]) -> tuple[State, str]:
    if address in heard:
        took = _TOOK.search(heard[address].message)
        connected = f"connected in {took[1]} ms" if took else ""
        return ("Available", connected) if heard[address].has_passed else ("Unavailable", f"nobody accepts connections at {address}")
    if before.get("state") == "Available":
        return "Available", str(before.get("message") or "")[:_LINE]
    if before.get("state") == "Unavailable":
        return "Unavailable", f"nobody accepts connections at {address}"
    return "Unknown", "nothing has connected yet"


def _heard(facts: Facts, pods: Sequence[CheckPod]) -> dict[str, CheckResult]:
    """Address -> what the check pods of this step say of it; the later pod has the last word."""
    found: dict[str, CheckResult] = {}
    addresses = [each.tcp for each in facts.svc.spec.depends_on or () if each.tcp]
    for pod in pods:
        live = facts.observed.children.get(pod.key)
        said = results_of(facts.svc, live) if live is not None and is_asked(facts, pod, live) else None
        if isinstance(said, Reported):
            results = (said.result(name) for name in pod.names)
            found |= {address: result for address, result in zip(addresses, results, strict=False) if result}
    return found


def _entries(status: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    found = status.get("dependencies")
    return [entry for entry in found if isinstance(entry, Mapping)] if isinstance(found, list) else []


def _name(entry: Mapping[str, Any]) -> str:
    return str(entry.get("service") or entry.get("tcp") or "")

"""Parts of a compose service, in the words of a pod."""

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from hardenctl.converting.notes import Notes, mapping, without_empty

_SPAN = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|m|h)")
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([bkmg]?)(?:i?b)?", re.IGNORECASE)
_CURL = re.compile(r"(?:curl|wget)\b.*?https?://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(?::(\d+))?(/[^\s'\"|;]*)?")


def words(given: Any) -> list[str] | None:
    """A command, as a list. A text is split as a shell does."""
    if isinstance(given, str):
        return shlex.split(given) or None
    return [str(each) for each in given] if isinstance(given, list) and given else None


def strings(given: Any) -> list[str]:
    """The entries of a list, as texts; of one text, that."""
    if isinstance(given, list):
        return [str(each) for each in given if not isinstance(each, Mapping)]
    return [str(given)] if given else []


def seconds(given: Any) -> int:
    """A time as compose writes it, in whole seconds, rounded up, at least 1. Examples: "1m30s" -> 90; "500ms" -> 1."""
    found = sum(float(count) * _UNITS[unit] for count, unit in _SPAN.findall(str(given)))
    return max(1, -int(-found // 1))


def amount_text(given: Any) -> str | None:
    """A size as compose writes it, as a quantity. Examples: "512m" -> "512Mi"; 1073741824 -> "1024Mi"; "1.5g" -> "1536Mi"."""
    found = _SIZE.fullmatch(str(given).strip())
    if not found:
        return None
    exponent = {"": 0, "b": 0, "k": 1, "m": 2, "g": 3}[found[2].lower()]
    mebibytes = float(found[1]) * 1024**exponent / 1024**2
    return f"{max(1, round(mebibytes))}Mi"


def environment(given: Any, notes: Notes, where: str) -> list[dict[str, str]]:
    """Variables of a map, or of a list of NAME=VALUE. One without a value comes from the shell that starts compose, and is left out."""
    found: dict[str, Any] = dict(given) if isinstance(given, Mapping) else {}
    for each in strings(given) if isinstance(given, list) else ():
        name, is_set, value = each.partition("=")
        found[name] = value if is_set else None
    for name, value in found.items():
        if value is None:
            notes.left_out(f"{where}.environment.{name}", "its value is that of whoever starts compose: say it, or read it from a Secret")
    return [{"name": name, "value": _text(value)} for name, value in found.items() if value is not None]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def resources(given: Mapping[str, Any], deploy: Mapping[str, Any], notes: Notes, where: str) -> dict[str, Any]:
    """requests and limits."""
    limits, wanted = (mapping(mapping(deploy.get("resources")).get(key)) for key in ("limits", "reservations"))
    found = {
        "requests": _amounts(wanted.get("cpus"), wanted.get("memory") or given.get("mem_reservation")),
        "limits": _amounts(limits.get("cpus") or given.get("cpus"), limits.get("memory") or given.get("mem_limit")),
    }
    if wanted.get("devices"):
        notes.left_out(f"{where}.deploy.resources.reservations.devices", "request a device in resources.limits")
    return without_empty(found)


def _amounts(cpus: Any, memory: Any) -> dict[str, Any]:
    try:
        cpu = f"{max(1, round(float(cpus) * 1000))}m" if cpus else None
    except ValueError:
        cpu = None
    return without_empty({"cpu": cpu, "memory": amount_text(memory) if memory else None})


def probes(given: Mapping[str, Any], ports: Sequence[Mapping[str, Any]], notes: Notes, where: str) -> dict[str, Any]:
    """A health check, as the readiness probe: it decides who gets requests, and restarts nobody."""
    test = given.get("test")
    if given.get("disable") or test in (None, "NONE", ["NONE"]):
        if ports:
            text = "a TCP connection to the main port, as there is no health check; a path that tells whether it can serve is better"
            notes.guessed("spec.probes.readiness", text)
        return {}
    command = _command(test)
    asked = _CURL.search(" ".join(command))
    numbers = [each["containerPort"] for each in ports]
    if asked and (not asked[1] or int(asked[1]) in numbers or not numbers):
        port = int(asked[1]) if asked[1] else None
        probe: dict[str, Any] = {"httpGet": without_empty({"path": asked[2] or "/", "port": port})}
        notes.changed(f"{where}.healthcheck", "the readiness probe asks over HTTP itself: it needs no curl in the image")
    else:
        probe = {"exec": {"command": command}}
        notes.changed(f"{where}.healthcheck", "it is the readiness probe, which restarts nobody; add probes.liveness if a restart helps")
    period, timeout = (seconds(given[key]) if given.get(key) else usual for key, usual in (("interval", 10), ("timeout", 5)))
    probe |= {"periodSeconds": max(period, timeout), "timeoutSeconds": timeout, "failureThreshold": int(given.get("retries") or 3)}
    found = {"readiness": probe}
    if given.get("start_period"):
        tries = -(-seconds(given["start_period"]) // probe["periodSeconds"]) + probe["failureThreshold"]
        found["startup"] = {**probe, "failureThreshold": tries}
    return found


def _command(test: Any) -> list[str]:
    if isinstance(test, str):
        return ["/bin/sh", "-c", test]
    found = [str(each) for each in test]
    if found[:1] == ["CMD-SHELL"]:
        return ["/bin/sh", "-c", " ".join(found[1:])]
    return found[1:] if found[:1] == ["CMD"] else found

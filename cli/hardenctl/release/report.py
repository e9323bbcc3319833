"""How a service is shown: as text, as data, and by its name alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hardenctl.cluster.paths import CRD_NAME
from hardenctl.output.console import Console, Mark
from hardenctl.output.formats import facts, printable
from hardenctl.output.outcome import ResultWord
from hardenctl.release import next_step
from hardenctl.release.hold import hold_of
from hardenctl.release.scaling import ScalingReading
from hardenctl.release.stacks import RunningStack
from hardenctl.release.state import proof_of
from hardenctl.release.tree import is_worth_showing, tree
from hardenctl.release.verdict import ServiceVerdict, is_seen, status, told
from hardened.api import names

_MARKS = {
    ResultWord.HEALTHY: Mark.GOOD,
    ResultWord.AVAILABLE: Mark.GOOD,
    ResultWord.PENDING: Mark.BUSY,
    ResultWord.PROGRESSING: Mark.BUSY,
    ResultWord.PAUSED: Mark.BUSY,
    ResultWord.SUSPENDED: Mark.WARNING,
    ResultWord.REJECTED: Mark.WARNING,
    ResultWord.ROLLED_BACK: Mark.WARNING,
    ResultWord.DEGRADED: Mark.WARNING,
}
#: Conditions where False is the good news, and what True is then.
_BAD_NEWS = {"Stalled": Mark.BAD, "Drifted": Mark.WARNING, "Progressing": Mark.BUSY, "Reconciling": Mark.BUSY}
#: Of these, those where False is no news at all.
_NEUTRAL = frozenset({"Progressing", "Reconciling"})
#: Conditions where False is worth a look, but nothing is broken.
_MILD = frozenset({"Hardened", "BackedUp"})
_MILD_REASONS = frozenset({"ScaledToZero", "RollingOut", "Suspended", "Paused"})


def mark_of(verdict: ServiceVerdict) -> Mark:
    """The sign of a verdict."""
    return _MARKS.get(verdict.result, Mark.BAD)


def mark_of_condition(condition: Mapping[str, Any]) -> Mark:
    """The sign of a condition: what is good news depends on its type."""
    kind, is_true = str(condition.get("type")), condition.get("status") == "True"
    if condition.get("status") not in ("True", "False"):
        return Mark.WARNING
    if kind in _BAD_NEWS:
        return _BAD_NEWS[kind] if is_true else Mark.QUIET if kind in _NEUTRAL else Mark.GOOD
    if is_true:
        return Mark.GOOD
    return Mark.WARNING if kind in _MILD or condition.get("reason") in _MILD_REASONS else Mark.BAD


def full_name(live: Mapping[str, Any]) -> str:
    """As `kubectl get -o name` prints it. Example: hardenedservice.hardened.dev/shop."""
    return f"{CRD_NAME.replace('hardenedservices', 'hardenedservice', 1)}/{live['metadata']['name']}"


def action_name(name: str) -> str:
    """As `kubectl get -o name` prints an action."""
    return f"{names.ACTION_SINGULAR}.{names.GROUP}/{name}"


def pods(live: Mapping[str, Any]) -> dict[str, int | None]:
    """wanted: None while nobody has said how many."""
    found = status(live)
    wanted = live.get("spec", {}).get("replicas", found.get("replicas"))
    return {"available": int(found.get("availableReplicas") or 0), "wanted": wanted}


def summary(live: Mapping[str, Any], verdict: ServiceVerdict, cluster_flags: str = "") -> dict[str, Any]:
    """What JSON and YAML output has of a service. Fields are only ever added to it."""
    found, meta = status(live), live["metadata"]
    serving = found.get("serving") or {}
    return {
        "result": str(verdict.result),
        "namespace": meta.get("namespace", ""),
        "name": meta["name"],
        "phase": found.get("phase", ""),
        "message": verdict.message,
        "reason": verdict.reason,
        "revision": serving.get("revision", ""),
        "color": serving.get("color", ""),
        "image": serving.get("image", ""),
        "wantedImage": (live.get("spec") or {}).get("image", ""),
        "pods": pods(live),
        "generation": meta.get("generation", 0),
        "observedGeneration": found.get("observedGeneration", -1),
        "release": found.get("release"),
        "pending": found.get("pending"),
        "hold": found.get("hold"),
        "stable": found.get("stable"),
        "pin": found.get("pin"),
        "proof": found.get("proof"),
        "dependencies": list(found.get("dependencies") or ()),
        "conditions": list(found.get("conditions") or ()),
        "next": next_step.after(verdict, live, cluster_flags),
    }


@dataclass(frozen=True)
class Around:
    """What is shown of a service beside its own object."""

    stacks: Sequence[RunningStack]
    scaling: ScalingReading | None
    """None without `autoscale`."""


def text(
    console: Console,
    live: Mapping[str, Any],
    verdict: ServiceVerdict,
    around: Around,
    now: datetime,
    *,
    is_wide: bool = False,
    has_tree: bool = True,
) -> str:
    """A service in a few lines: the verdict, what runs, the release as a tree, each condition. has_tree: False where a tree is shown."""
    meta, found = live["metadata"], status(live)
    serving = found.get("serving") or {}
    wanted_image = (live.get("spec") or {}).get("image", "")
    shown = pods(live)
    phase = found.get("phase") or "Pending"
    proof, hold, stacks, scaling = proof_of(live), hold_of(live), around.stacks, around.scaling
    note = "" if is_seen(live) else "  (the operator has not seen the last change yet)"
    lines = [
        f"{console.mark(mark_of(verdict))} {meta.get('namespace', '')}/{meta['name']}   {phase}{note}",
        "",
        facts(
            {
                "Revision": _with_color(serving),
                "Image": serving.get("image", ""),
                "Wanted image": wanted_image if serving.get("image") != wanted_image else "",
                "Pods": f"{shown['available']} of {'?' if shown['wanted'] is None else shown['wanted']} available",
                "Restore": hold.text(now) if hold else "",
                "Depends on": _dependencies(found, is_wide),
                "Autoscaling": str(scaling) if scaling else "",
                "Not scaled": scaling.problem if scaling else "",
                "Quota": scaling.quota if scaling else "",
                "Zero loss": f"revision {proof.revision}, {proof}" if proof and proof.revision == serving.get("revision") else "",
                "Generation": f"{meta.get('generation', 0)}, seen {found.get('observedGeneration', -1)}" if is_wide else "",
                "Created": meta.get("creationTimestamp", "") if is_wide else "",
            }
        ),
        "",
        *([*tree(console, live, stacks, now), ""] if has_tree and (is_wide or is_worth_showing(live, stacks)) else ()),
        *_conditions(console, live, is_wide),
        *(_history(found) if is_wide else ()),
    ]
    return "\n".join(lines).rstrip("\n")


def _dependencies(found: Mapping[str, Any], is_wide: bool) -> str:
    """Each by its name, with its state where that is not Available. Example: "postgres, redis (Unavailable)"."""
    entries = [e for e in found.get("dependencies") or () if isinstance(e, Mapping)]
    return ", ".join(_dependency(e, is_wide) for e in entries)


def _dependency(entry: Mapping[str, Any], is_wide: bool) -> str:
    name, state = str(entry.get("service") or entry.get("tcp") or ""), str(entry.get("state", ""))
    if is_wide:
        return f"{name} ({state} since {entry.get('since', '')})"
    return name if state == "Available" else f"{name} ({state})"


def _with_color(serving: Mapping[str, Any]) -> str:
    revision, color = serving.get("revision", ""), serving.get("color", "")
    return f"{revision} ({color})" if revision and color else str(revision)


def _conditions(console: Console, live: Mapping[str, Any], is_wide: bool) -> list[str]:
    conditions = [c for c in status(live).get("conditions") or () if isinstance(c, Mapping)]
    if not conditions:
        return ["no condition is set yet"]
    kinds = max(len(printable(str(c.get("type")))) for c in conditions)
    reasons = max(len(printable(str(c.get("reason", "")))) for c in conditions)
    lines, said = [], dict[str, str]()
    for c in conditions:
        kind, message = printable(str(c.get("type"))), told(live, str(c.get("message", "")))
        head = f"{kind.ljust(kinds)}   {printable(str(c.get('status'))).ljust(5)}   "
        if is_wide:
            head += printable(str(c.get("reason", ""))).ljust(reasons) + f"   {printable(str(c.get('lastTransitionTime', '')))}   "
        first = said.setdefault(message, kind)
        text = message if first == kind else f"as {first}"
        lines.append(console.hanging(f"{console.mark(mark_of_condition(c))} {head}", len(head) + 2, text))
    return lines


def _history(found: Mapping[str, Any]) -> list[str]:
    from hardenctl.output.formats import table

    rows = [
        (str(e.get("revision", "")), str(e.get("image", "")), str(e.get("createdAt", "")), "deleted" if e.get("missing") else "")
        for e in reversed(found.get("history") or ())
    ]
    return ["", table(("HISTORY", "IMAGE", "CREATED", ""), rows)] if rows else []

"""Releases in a world of their own, let go on to one of their steps, and what is led to and how large everything is by then."""

import json
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

from tests.core.worlds import NOW, WEB, World, decide, revision, settle
from tests.memory import fields

from hardened.core.model.manifest import ChildKey, Manifest

SPEC = {**WEB, "release": {"strategy": "BlueGreen", "keepPrevious": "1m"}}
SECOND = timedelta(seconds=1)
CHECKED = {
    **SPEC,
    "verify": {
        "beforeCutover": [{"name": "smoke", "http": {"path": "/health"}}],
        "afterCutover": {"window": "10s", "checks": [{"name": "live", "tcp": {}}]},
    },
}
GATED = {**CHECKED, "release": {**SPEC["release"], "promotion": "Manual", "autoPromoteAfter": "3s"}}


def lead(world: World, name: str = "shop") -> dict[str, str]:
    """What a Service selects, without the service's own label."""
    found = world.objects[ChildKey("Service", name)]["spec"]["selector"]
    return {key.partition("/")[2]: value for key, value in found.items() if not key.endswith("/service")}


def sizes(world: World) -> dict[str, int]:
    return {key.name: live["spec"]["replicas"] for key, live in world.objects.items() if key.kind == "Deployment"}


def target(cr: Manifest, color: str) -> dict[str, str]:
    """What a Service selects that leads to the spec's revision in this colour."""
    return {"color": color, "revision": revision(cr)}


def checks(cr: Manifest) -> dict[str, str]:
    return {check["name"]: check["result"] for check in (cr["status"].get("release") or {}).get("checks") or ()}


def pods(world: World) -> list[str]:
    """Of the checks and of the cutover's probe. The one of a removal goes on for a while."""
    return [key.name for key in world.objects if key.kind == "Pod" and "-removal-" not in key.name]


def passes(cr: Manifest, world: World, now: Any, seconds: int, *, every: int = 5) -> Any:
    """So much time, looked at every few seconds. The moment afterwards."""
    for _ in range(0, seconds, every):
        settle(cr, world, now)
        world.follow(now)
        now += every * SECOND
    return now


def released(cr: Manifest, world: World, now: Any = NOW, *, until: str = "") -> Any:
    """Lets pods and endpoints follow until the release is done, or in this step. The moment then.

    What many tests begin with, a new service in an empty world, is played once and copied.
    """
    if "status" in cr or type(world) is not World or world != World():
        return _released(cr, world, now, until)
    then, kept, its_world = _first_released(json.dumps(cr), now, until)
    cr.update(fields.copy(kept))
    vars(world).update({name: _copied(value) for name, value in vars(its_world).items()})
    return then


@cache
def _first_released(written: str, now: Any, until: str) -> tuple[Any, Manifest, World]:
    cr, world = json.loads(written), World()
    return _released(cr, world, now, until), cr, world


def _copied(value: Any) -> Any:
    return set(value) if isinstance(value, set) else fields.copy(value)


def _released(cr: Manifest, world: World, now: Any, until: str) -> Any:
    for _ in range(40):
        settle(cr, world, now)
        world.follow(now)
        step = (cr["status"].get("release") or {}).get("step", "")
        if step == until:
            return now
        now += SECOND if until else 10 * SECOND
    raise AssertionError(f"never there: {cr['status']}")


def released_until(cr: Manifest, world: World, now: Any, step: str) -> Any:
    """See `released`. Verifiers say nothing as long as the release is not to go beyond VerifyBefore."""
    world.mute = step in ("Preview", "VerifyBefore")
    try:
        return released(cr, world, now, until=step)
    finally:
        world.mute = False


def refused_service(cr: Manifest, world: World, now: Any) -> None:
    """Plans and writes, but for Services: something refuses them."""
    for _ in range(12):
        decided = decide(cr, world, now)
        kept = tuple(step for step in decided.apply if step.manifest["kind"] != "Service")
        if not decided.has_writes or (not kept and not decided.delete and not decided.end):
            cr["status"] = decided.status or cr["status"]
        world.write(replace(decided, apply=kept))

"""A release as a tree: revisions, and under each its colour, its step, its checks and why it was rejected."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from hardenctl.output.console import Console
from hardenctl.output.formats import printable
from hardenctl.release.stacks import RunningStack
from hardenctl.release.state import image_of, pin_of, release_of, serving_of, stable_of


def is_worth_showing(live: Mapping[str, Any], stacks: Sequence[RunningStack]) -> bool:
    """More is going on than one revision that serves."""
    return bool(release_of(live) or pin_of(live) or sum(stack.wanted > 0 for stack in stacks) > 1)


def tree(console: Console, live: Mapping[str, Any], stacks: Sequence[RunningStack], now: datetime) -> list[str]:
    """The lines of the tree, the newest revision first."""
    revisions = _revisions(live, stacks)
    lines = []
    for at, revision in enumerate(revisions):
        is_last = at == len(revisions) - 1
        lines.append(f"{console.branch(is_last)} {_head(live, revision)}")
        leaves = list(_leaves(live, revision, stacks, now))
        trunk = console.trunk(is_last)
        lines += [f"{trunk} {console.branch(leaf is leaves[-1])} {leaf}" for leaf in leaves]
    return [printable(line) for line in lines]


def _revisions(live: Mapping[str, Any], stacks: Sequence[RunningStack]) -> list[str]:
    release, pin = release_of(live), pin_of(live)
    named = [release.revision if release else "", pin.revision if pin else "", serving_of(live), stable_of(live)]
    running = [stack.revision for stack in stacks if stack.wanted > 0 or stack.ready > 0]
    return list(dict.fromkeys(filter(None, [*named, *running])))


def _head(live: Mapping[str, Any], revision: str) -> str:
    return "   ".join(filter(None, (revision, image_of(live, revision), ", ".join(roles(live, revision)))))


def roles(live: Mapping[str, Any], revision: str) -> list[str]:
    """What a revision is to the service right now. Example: ["serves", "stable"]."""
    release, pin = release_of(live), pin_of(live)
    is_released = release is not None and release.revision == revision and revision != stable_of(live)
    is_rollback = release is not None and release.is_rollback
    is_pinned = pin is not None and pin.revision == revision
    words = {
        "serves": revision == serving_of(live),
        "stable": revision == stable_of(live),
        "new": is_released and not is_rollback,
        "rollback target": is_released and is_rollback,
        "rolled back": is_pinned and pin is not None and pin.after_cutover,
        "rejected": is_pinned and pin is not None and not pin.after_cutover,
    }
    return [word for word, holds in words.items() if holds]


def _leaves(live: Mapping[str, Any], revision: str, stacks: Sequence[RunningStack], now: datetime) -> Iterable[str]:
    release, pin = release_of(live), pin_of(live)
    for stack in stacks:
        if stack.revision == revision and (stack.wanted > 0 or stack.ready > 0):
            yield f"{stack.color.ljust(5)}   {stack.ready} of {stack.wanted} pods ready"
    if release and release.revision == revision:
        timing = release.timing(now)
        yield f"step {release.step}" + (f": {timing}" if timing else "")
        yield from map(str, release.checks)
    if pin and pin.revision == revision:
        yield pin.cause or "the operator does not say why"

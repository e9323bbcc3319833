"""A release as a tree: revisions, and under each its colour with its pods, its step, its checks and why it was rejected."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hardenctl.output.console import Console
from hardenctl.output.formats import printable
from hardenctl.release.pods import PodReading
from hardenctl.release.stacks import RunningStack
from hardenctl.release.state import image_of, pending_of, pin_of, release_of, serving_of, stable_of


def is_worth_showing(live: Mapping[str, Any], stacks: Sequence[RunningStack]) -> bool:
    """More is going on than one revision that serves."""
    return bool(release_of(live) or pin_of(live) or pending_of(live) or sum(stack.wanted > 0 for stack in stacks) > 1)


@dataclass(frozen=True)
class LeftOver:
    """A colour that runs another revision by now, and has pods of this one that are still there."""

    color: str
    pods: int

    def __str__(self) -> str:
        return f"{self.pods} pod{'' if self.pods == 1 else 's'} on the way out"


#: A colour, or a line of text.
Leaf = RunningStack | LeftOver | str


def tree(
    console: Console, live: Mapping[str, Any], stacks: Sequence[RunningStack], now: datetime, pods: Sequence[PodReading] = ()
) -> list[str]:
    """The lines of the tree, the newest revision first. pods: those that are shown under their colours."""
    revisions = revisions_of(live, stacks, pods)
    lines = []
    for at, revision in enumerate(revisions):
        is_last = at == len(revisions) - 1
        lines.append(f"{console.branch(is_last)} {_head(live, revision)}")
        trunk = console.trunk(is_last)
        lines += [f"{trunk} {line}" for line in _twigs(console, _grown(live, revision, stacks, pods, now), revision, pods, now)]
    return [printable(line) for line in lines]


def revisions_of(live: Mapping[str, Any], stacks: Sequence[RunningStack], pods: Sequence[PodReading] = ()) -> list[str]:
    """The revisions that play a role, or have pods, the newest first."""
    return list(dict.fromkeys([*_revisions(live, stacks), *(pod.revision for pod in pods if pod.revision)]))


def colors_of(revision: str, stacks: Sequence[RunningStack], pods: Sequence[PodReading]) -> list[RunningStack | LeftOver]:
    """The colours with pods of a revision, or that are to have some."""
    found: list[RunningStack | LeftOver] = [s for s in stacks if s.revision == revision and (s.wanted > 0 or s.ready > 0)]
    left = [pod.color for pod in pods if pod.revision == revision and pod.color not in [s.color for s in found]]
    return [*found, *(LeftOver(color, left.count(color)) for color in dict.fromkeys(left))]


def pods_under(color: str, revision: str, pods: Iterable[PodReading]) -> list[PodReading]:
    """The pods of a revision in a colour."""
    return [pod for pod in pods if pod.revision == revision and pod.color == color]


def _grown(live: Mapping[str, Any], revision: str, stacks: Sequence[RunningStack], pods: Sequence[PodReading], now: datetime) -> list[Leaf]:
    return [*colors_of(revision, stacks, pods), *_leaves(live, revision, now)]


def _twigs(console: Console, leaves: Sequence[Leaf], revision: str, pods: Sequence[PodReading], now: datetime) -> Iterable[str]:
    for at, leaf in enumerate(leaves):
        is_last = at == len(leaves) - 1
        text = leaf if isinstance(leaf, str) else f"{leaf.color.ljust(5)}   {leaf}"
        yield f"{console.branch(is_last)} {text}"
        under = [] if isinstance(leaf, str) else pods_under(leaf.color, revision, pods)
        for pod in under:
            yield f"{console.trunk(is_last)} {console.branch(pod is under[-1])} {pod.text(now)}"


def _revisions(live: Mapping[str, Any], stacks: Sequence[RunningStack]) -> list[str]:
    release, pin, pending = release_of(live), pin_of(live), pending_of(live)
    named = [
        pending.revision if pending else "",
        release.revision if release else "",
        pin.revision if pin else "",
        serving_of(live),
        stable_of(live),
    ]
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
    pending = pending_of(live)
    words = {
        "wanted": pending is not None and pending.revision == revision,
        "serves": revision == serving_of(live),
        "stable": revision == stable_of(live),
        "new": is_released and not is_rollback,
        "rollback target": is_released and is_rollback,
        "rolled back": is_pinned and pin is not None and pin.after_cutover,
        "rejected": is_pinned and pin is not None and not pin.after_cutover,
    }
    return [word for word, holds in words.items() if holds]


def _leaves(live: Mapping[str, Any], revision: str, now: datetime) -> Iterable[str]:
    release, pin, pending = release_of(live), pin_of(live), pending_of(live)
    if release and release.revision == revision:
        timing = release.timing(now)
        yield f"step {release.step}" + (f": {timing}" if timing else "")
        yield from map(str, release.checks)
    if pending and pending.revision == revision:
        yield pending.text(now)
    if pin and pin.revision == revision:
        yield pin.cause or "the operator does not say why"

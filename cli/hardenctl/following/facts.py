"""What the live view draws of one service, and what it makes of the checks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hardenctl.following.passage import Passage
from hardenctl.output.console import Mark
from hardenctl.release.pods import PodReading
from hardenctl.release.stacks import RunningStack
from hardenctl.release.state import CheckReading, ReleaseReading
from hardenctl.release.steps import row_of
from hardenctl.release.verdict import ServiceVerdict
from hardened.api.steps import Step


@dataclass(frozen=True)
class Facts:
    """One service, as it was seen last."""

    live: Mapping[str, Any]
    """Its HardenedService."""
    verdict: ServiceVerdict
    """How it is."""
    passages: Sequence[Passage] = ()
    """The steps of its release so far, the present one among them."""
    stacks: Sequence[RunningStack] = ()
    """Its colours."""
    pods: Sequence[PodReading] = ()
    """Of the application."""
    notice: str = ""
    """What cannot be read at the moment, "" for nothing."""


@dataclass(frozen=True)
class CheckLine:
    """One check of a release, to be shown."""

    mark: Mark
    """How it is."""
    name: str
    """As the spec names it."""
    text: str
    """Its counts, or what it says."""


#: Kinds of check that send requests, and so have counts to show.
_COUNTED = frozenset({"http", "grpc", "tcp", "load", ""})


def check_lines(live: Mapping[str, Any], release: ReleaseReading) -> list[CheckLine]:
    """The checks that the spec names, in its order, as far as the release has come with each; then what the operator asks by itself."""
    told = {each.name: each for each in release.checks}
    wanted = list(_wanted(live, release))
    lines = [_line(told[name], kind) if name in told and told[name].result else _open(name, place, release) for name, kind, place in wanted]
    named = {name for name, _, _ in wanted}
    return [*lines, *(_line(each, "") for each in release.checks if each.name not in named)]


def _wanted(live: Mapping[str, Any], release: ReleaseReading) -> Iterator[tuple[str, str, str]]:
    """The name of each check, its kind, and whether it comes before or after the cutover. What is gone back to was checked before."""
    verify = _mapping((live.get("spec") or {}).get("verify"))
    before = () if release.is_rollback else verify.get("beforeCutover")
    for place, checks in (("before", before), ("after", _mapping(verify.get("afterCutover")).get("checks"))):
        for each in checks or ():
            if isinstance(each, Mapping) and each.get("name"):
                yield str(each["name"]), next((kind for kind in each if kind != "name"), ""), place


def _open(name: str, place: str, release: ReleaseReading) -> CheckLine:
    is_asked = release.step == {"before": Step.VERIFY_BEFORE, "after": Step.VERIFY_AFTER}[place]
    if is_asked and not release.is_paused:
        return CheckLine(Mark.BUSY, name, "is asked")
    is_over = row_of(release.step).is_going_back
    return CheckLine(Mark.QUIET, name, "was not asked to its end" if is_over else f"{place} the cutover")


def _line(check: CheckReading, kind: str) -> CheckLine:
    mark = {"Passed": Mark.GOOD, "Failed": Mark.BAD}.get(check.result, Mark.BUSY)
    counts = f"{check.requests} request{'' if check.requests == 1 else 's'}, {check.failed} failed" if kind in _COUNTED else ""
    if check.result == "Passed":
        # What follows is the command that shows the logs of a pod that has nothing more to tell.
        return CheckLine(mark, check.name, check.message.partition(": kubectl ")[0] or counts or "Passed")
    return CheckLine(mark, check.name, check.message or counts or check.result)


def _mapping(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}

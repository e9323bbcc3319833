"""What a frame looks like, of releases that were recorded on a real cluster, at the widths of terminals."""

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hardenctl_world import NEW, NEW_IMAGE, REVISION, kept, releasing, service
from rich.console import Console

from e2e.screens import SCREENS, SCREENS_BY_NAME, drawn, moment, moments
from hardenctl.following.facts import Facts
from hardenctl.following.frame import MOST_CHECKS, MOST_PODS, frame, from_its_end
from hardenctl.following.passage import grown
from hardenctl.output.console import Mark
from hardenctl.release.pods import PodReading
from hardenctl.release.stacks import RunningStack
from hardenctl.release.verdict import verdict_of

BAD = Mark.BAD.value[0]
NOW = datetime(2026, 1, 2, 3, 4, 25, tzinfo=UTC)


def shown(*facts: Facts, width: int = 80, now: datetime = NOW, **how: Any) -> list[str]:
    console = Console(record=True, width=width, file=io.StringIO(), force_terminal=True)
    console.print(frame(facts, width, now, **how))
    return [line.rstrip() for line in console.export_text().splitlines()]


def of(status: dict[str, Any], *pods: PodReading, stacks: tuple[RunningStack, ...] = (), **spec: Any) -> Facts:
    live = service(status=status, **{"image": NEW_IMAGE, **spec})
    return Facts(live, verdict_of(live), grown((), live, NOW), stacks, pods)


def pod(name: str, state: str = "Running", ready: int = 1) -> PodReading:
    return PodReading(f"api-green-6c9f5-{name}", NEW, "green", state, ready, 1, 0, "2026-01-02T03:04:05Z", "node-1")


@pytest.mark.parametrize("recording", ["good", "failing"])
@pytest.mark.parametrize("width", [40, 80, 120])
def test_at_no_moment_is_a_line_wider_than_the_terminal_or_a_pod_left_out(recording: str, width: int) -> None:
    count = 0
    for facts, now in moments(recording):
        lines = shown(facts, width=width, now=now)
        assert all(len(line) <= width for line in lines)
        assert all(any(each.short in line for line in lines) for each in facts.pods)
        count += 1
    assert count > 5


def test_a_good_release_from_its_beginning_to_its_end() -> None:
    facts, now = moment("good", "VerifyAfter")
    under_way = "\n".join(shown(facts, now=now))
    assert "… live-shop/web is progressing" in under_way
    assert "VerifyAfter: the new revision is watched under live traffic" in under_way
    assert "   serves, new" in under_way
    assert "│   ├── √ " in under_way
    assert "check smoke    5 of 5 requests passed" in under_way
    facts, now = moment("good", "")
    ended = "\n".join(shown(facts, now=now))
    assert "√ live-shop/web is healthy" in ended
    assert "check zero-loss" in ended
    assert all(step in ended for step in ("Preview ", "VerifyBefore ", "ScaleUp ", "Cutover ", "VerifyAfter ", "Keep "))


def test_a_release_that_fails_says_in_which_step_and_why() -> None:
    facts, now = moment("failing", "")
    ended = "\n".join(shown(facts, now=now))
    assert "‼ live-shop/web is rejected" in ended
    assert f"{BAD} Preview " in ended
    assert "  the new revision was rejected; change the spec, or run: hardenctl retry web" in ended
    unwrapped = " ".join(line.strip("│ ") for line in shown(facts, now=now))
    assert unwrapped.count("its log ends with: PORT: must be a number") == 1
    assert "CrashLooping: Preview made no progress for 1m (spec.release.progressDeadline): pod " in unwrapped
    crashed = ["\n".join(shown(each, now=at)) for each, at in moments("failing")]
    assert any(f"{BAD} " in each and "CrashLoopBackOff" in each for each in crashed)


def test_of_many_pods_those_are_shown_that_are_late() -> None:
    pods = [pod(f"good{at}") for at in range(30)] + [pod("late1", "CrashLoopBackOff", 0), pod("late2", "Pending", 0)]
    lines = shown(of(releasing("ScaleUp"), *pods, stacks=(RunningStack("green", NEW, 30, 32),)))
    found = [line for line in lines if "── √" in line or f"── {BAD}" in line or "── …" in line]
    assert [line.split()[3] for line in found if "Running" in line or "late" in line][:2] == ["late1", "late2"]
    assert f"and {32 - MOST_PODS + 1} more: {32 - MOST_PODS + 1} Running" in "\n".join(lines)


def test_of_many_checks_those_are_shown_that_have_failed_or_are_asked() -> None:
    told = [{"name": f"c{at}", "result": "Failed" if at == 19 else "Passed", "message": ""} for at in range(20)]
    spec = {"beforeCutover": [{"name": f"c{at}", "http": {}} for at in range(21)]}
    lines = shown(of(releasing("VerifyBefore", checks=told), verify=spec))
    assert sum("check c" in line for line in lines) == MOST_CHECKS - 1
    assert any(f"{BAD} check c19" in line for line in lines)
    assert any("… check c20" in line for line in lines)
    assert any(f"and {21 - MOST_CHECKS + 1} more passed" in line for line in lines)


def test_whoever_waits_for_a_person_says_so() -> None:
    assert any("Approval" in line and "awaits promotion" in line for line in shown(of(releasing("Approval"))))


def test_less_is_shown_where_there_is_no_room_for_all() -> None:
    facts = of(kept(), pod("aaaaa"), pod("bbbbb", "Pending", 0), stacks=(RunningStack("green", NEW, 1, 2),))
    whole, late, heads = (shown(facts, detail=detail) for detail in range(3))
    assert any("aaaaa" in line for line in whole)
    assert not any("aaaaa" in line for line in late)
    assert any("bbbbb" in line for line in late)
    assert len(heads) == 2


@pytest.mark.parametrize(
    ("room", "expected"), [(40, "registry.example/team/shop:1.4"), (12, "…am/shop:1.4"), (2, "…4"), (1, ""), (0, ""), (-3, "")]
)
def test_an_image_is_known_by_its_end(room: int, expected: str) -> None:
    assert from_its_end("registry.example/team/shop:1.4", room) == expected
    assert len(from_its_end("registry.example/team/shop:1.4", room, "...")) <= max(0, room)


def test_what_comes_from_elsewhere_drives_no_terminal() -> None:
    facts = of(releasing("Preview"), pod("aaaaa", "\x1b[2J\x9bevil\u202e"))
    live = {**facts.live, "spec": {"image": "web:\x1b[31m"}}
    console = Console(width=80, file=io.StringIO(), force_terminal=True, no_color=True)
    console.print(frame([replace(facts, live=live, notice="\x1b]0;title\x07")], 80, NOW + timedelta(seconds=1)))
    found = console.file.getvalue()  # type: ignore[attr-defined]
    assert "\\x1b[2J" in found
    assert not any(code in found for code in ("\x1b[2J", "\x9b", "\u202e", "\x1b]", "\x07", "\x1b[31m"))


def test_a_colour_that_is_to_have_no_pods_is_on_its_way_out() -> None:
    lines = shown(of(kept(), stacks=(RunningStack("green", NEW, 2, 2), RunningStack("blue", REVISION, 2, 0))))
    assert any("blue    2 pods on the way out" in line for line in lines)


@pytest.mark.parametrize("name", SCREENS_BY_NAME)
def test_the_pictures_of_the_documentation_are_of_this_view(name: str) -> None:
    assert (SCREENS / f"{name}.svg").read_text() == drawn(SCREENS_BY_NAME[name]), "run make screens"

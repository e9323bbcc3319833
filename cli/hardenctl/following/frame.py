"""One frame of the live view: what is known of services, a width and a moment in, something that rich can draw out. Nothing is read here.

… shop/api is progressing                                          1m12s
  VerifyAfter: revision b2a2bfdd8846 (web:2) is watched under live traffic
├── b2a2bfdd8846   web:2   serves, new
│   ├── green   2 of 2 pods ready
│   │   ├── √ x2v1q   Running   12s
│   │   └── √ k8w7p   Running   12s
│   ├── √ Preflight 0s, Preview 8s, VerifyBefore 3s, ScaleUp 4s, Cutover 1s
│   ├── … VerifyAfter 5s: the window ends in 5s
│   ├── √ check health   5 requests, 0 failed
│   └── … check orders   is asked
└── d965eadd0ed3   web:1   stable
    └── blue    2 of 2 pods ready
        └── √ aaaaa   Running   2m
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import Group, OverflowMethod, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from hardenctl.following.brief import brief
from hardenctl.following.facts import CheckLine, Facts, check_lines
from hardenctl.following.passage import Passage
from hardenctl.output.console import Mark
from hardenctl.output.duration import shown
from hardenctl.output.formats import printable
from hardenctl.release.hold import hold_of
from hardenctl.release.pods import PodReading
from hardenctl.release.report import mark_of
from hardenctl.release.stacks import RunningStack
from hardenctl.release.state import image_of, pending_of, pin_of, release_of
from hardenctl.release.steps import row_of
from hardenctl.release.tree import LeftOver, colors_of, pods_under, revisions_of, roles
from hardened.api.steps import Step

#: The terminal's own colours, which its owner has chosen to be legible, and no background.
_STYLES = {Mark.GOOD: "green", Mark.WARNING: "yellow", Mark.BAD: "red", Mark.BUSY: "cyan", Mark.QUIET: "dim"}
#: The colours of a service, as they are called.
_COLORS = {"blue": "blue", "green": "green"}
#: Roles that are worth a colour.
_ROLE_STYLES = {"serves": "green", "rejected": "red", "rolled back": "red"}
#: Pods of a colour, and checks, that are shown one by one.
MOST_PODS, MOST_CHECKS = 5, 8
#: How many levels of detail there are; from which on ready pods are left out, and from which on trees are.
DETAILS, _LATE_PODS, _HEADS = 3, 1, 2
#: Lines that a sentence may take.
_MOST_LINES = 4
#: The least columns that a sentence is given.
_LEAST = 20
#: What of the checks is shown first where not all are: what has failed, then what is asked.
_NEED = {Mark.BAD: 0, Mark.BUSY: 1}
_WORDS = {Mark.GOOD: "passed", Mark.BAD: "failed"}
#: States of a pod on its way to be ready.
_COMING = frozenset({"Running", "Pending", "ContainerCreating", "PodInitializing"})
#: A part of a line: what it says, with its style where it has one.
Part = str | tuple[str, str]


def frame(
    services: Sequence[Facts], width: int, now: datetime, *, is_plain: bool = False, detail: int = 0, footer: str = ""
) -> RenderableType:
    """All of them, one below the other.

    width: in columns; is_plain: signs in ASCII; detail: what is left out where there is no room for all: 0 nothing, 1 pods that are ready,
    2 all but a head and a sentence for each; footer: a line for below, "" for none.
    """
    drawing = _Drawing(width, now, is_plain, detail)
    parts: list[RenderableType] = [part for each in services for part in drawing.service(each)]
    return Group(*parts, *([Text(footer, style="dim", no_wrap=True, overflow="ellipsis")] if footer else ()))


class _Drawing:
    def __init__(self, width: int, now: datetime, is_plain: bool, detail: int) -> None:
        self._width, self._now, self._is_plain, self._detail = width, now, is_plain, detail
        # rich's own sign of what is cut is none in ASCII.
        self._overflow: OverflowMethod = "crop" if is_plain else "ellipsis"

    def service(self, facts: Facts) -> Iterator[RenderableType]:
        meta, verdict, hold = facts.live["metadata"], facts.verdict, hold_of(facts.live)
        line = Table.grid(expand=True)
        line.add_column(ratio=1, no_wrap=True, overflow=self._overflow)
        line.add_column(justify="right", no_wrap=True)
        head = _text(self._mark(mark_of(verdict)), " ", (f"{meta['namespace']}/{meta['name']}", "bold"), f" is {verdict.result}")
        line.add_row(head, _text((self._took(facts), "dim")))
        yield line
        for text, style in (
            (self._message(facts), ""),
            (hold.text(self._now) if hold else "", "yellow"),
            (facts.notice, "yellow"),
        ):
            if text:
                yield self._hanging(" ", text, style)
        if self._detail < _HEADS:
            yield self._tree(facts)

    def _message(self, facts: Facts) -> str:
        """Of the verdict; without what stands under the revision that was rejected."""
        pin, whole = pin_of(facts.live), " ".join(facts.verdict.message.split())
        is_shown_below = pin is not None and pin.cause and self._detail < _HEADS
        return brief(whole.replace(f": {pin.cause}", "", 1) if pin and is_shown_below else whole, facts.live)

    def _took(self, facts: Facts) -> str:
        passages = facts.passages
        return shown(max(0.0, ((passages[-1].ended or self._now) - passages[0].began).total_seconds())) if passages else ""

    def _tree(self, facts: Facts) -> Tree:
        root = Tree("", guide_style="dim", hide_root=True)
        for revision in revisions_of(facts.live, facts.stacks, facts.pods):
            branch = root.add(self._revision(facts, revision))
            for color in colors_of(revision, facts.stacks, facts.pods):
                twig = branch.add(self._row((color.color.ljust(5), _COLORS.get(color.color, "")), f"   {_said_of(color)}"))
                for pod in self._pods(pods_under(color.color, revision, facts.pods)):
                    twig.add(pod)
            for leaf in self._leaves(facts, revision):
                branch.add(leaf)
        return root

    def _revision(self, facts: Facts, revision: str) -> Text:
        words = roles(facts.live, revision)
        said = ", ".join(words)
        room = self._width - len(revision) - (len(said) + 3 if words else 0) - 7
        image = from_its_end(printable(image_of(facts.live, revision)), room, "..." if self._is_plain else "…")
        styled: list[Part] = [part for word in words for part in (", ", (word, _ROLE_STYLES.get(word, "")))][1:]
        return self._row((revision, "bold"), f"   {image}" if image else "", *(["   ", *styled] if styled else ()))

    def _pods(self, pods: Sequence[PodReading]) -> Iterator[Text]:
        # Those that are not as they should be first: of many that are, a few are as good as all.
        late_first = sorted((pod for pod in pods if self._detail < _LATE_PODS or not pod.is_ready), key=lambda pod: pod.is_ready)
        most = MOST_PODS if len(late_first) <= MOST_PODS else MOST_PODS - 1
        for pod in late_first[:most]:
            yield self._row(self._mark(_mark_of_pod(pod)), f" {pod.text(self._now)}")
        if rest := late_first[most:]:
            states = Counter(pod.state for pod in rest)
            yield self._row((f"and {len(rest)} more: {', '.join(f'{count} {state}' for state, count in states.items())}", "dim"))

    def _leaves(self, facts: Facts, revision: str) -> Iterator[RenderableType]:
        release, pin, pending = release_of(facts.live), pin_of(facts.live), pending_of(facts.live)
        if facts.passages and facts.passages[-1].release[0] == revision:
            yield from self._steps(facts)
        if release and release.revision == revision:
            yield from self._checks(check_lines(facts.live, release))
        if pending and pending.revision == revision:
            yield self._hanging(self._mark(Mark.BUSY), pending.text(self._now))
        if pin and pin.revision == revision:
            yield self._hanging(self._mark(Mark.BAD), pin.cause or "the operator does not say why", "red")

    def _steps(self, facts: Facts) -> Iterator[RenderableType]:
        over = [each for each in facts.passages if each.ended]
        passed = ", ".join(self._took_by(each) for each in over if not each.has_failed)
        if passed:
            yield self._hanging(self._mark(Mark.GOOD), passed)
        for each in over:
            if each.has_failed:
                yield self._row(self._mark(Mark.BAD), (f" {self._took_by(each)}", "red"))
        last, release = facts.passages[-1], release_of(facts.live)
        if not last.ended:
            timing = release.timing(self._now) if release else ""
            mark = Mark.GOOD if last.step == Step.KEEP else Mark.WARNING if row_of(last.step).is_going_back else Mark.BUSY
            yield self._row(self._mark(mark), (f" {self._took_by(last)}", "bold"), f": {timing}" if timing else "")

    def _took_by(self, passage: Passage) -> str:
        return f"{passage.step} {shown(passage.span(self._now))}"

    def _checks(self, checks: Sequence[CheckLine]) -> Iterator[RenderableType]:
        by_need = sorted(checks, key=lambda each: _NEED.get(each.mark, 2))
        chosen = by_need if len(checks) <= MOST_CHECKS else by_need[: MOST_CHECKS - 1]
        width = max((len(each.name) for each in chosen), default=0)
        for each in (each for each in checks if each in chosen):
            style = _STYLES[each.mark] if each.mark in (Mark.BAD, Mark.QUIET) else ""
            if each.mark is Mark.BAD:
                yield self._hanging(self._mark(each.mark), f"check {each.name}: {each.text}", style)
            else:
                yield self._row(self._mark(each.mark), f" check {each.name.ljust(width)}   ", (each.text, style))
        if len(chosen) < len(checks):
            left = Counter(_WORDS.get(each.mark, "to come") for each in checks if each not in chosen)
            yield self._row(("and " + ", ".join(f"{count} more {word}" for word, count in left.items()), "dim"))

    def _mark(self, mark: Mark) -> Part:
        sign, plain, _ = mark.value
        return plain if self._is_plain else sign, _STYLES[mark]

    def _row(self, *parts: Part) -> Text:
        """A line that is cut where the terminal ends."""
        found = _text(*parts)
        found.no_wrap, found.overflow = True, self._overflow
        return found

    def _hanging(self, head: Part, text: str, style: str = "") -> Table:
        """A sentence of any length: at most some lines, below each other behind the head."""
        said = _text((" ".join(text.split()), style))
        said.truncate(_MOST_LINES * max(_LEAST, self._width - 12), overflow=self._overflow)
        grid = Table.grid(padding=(0, 1, 0, 0))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        grid.add_row(_text(head), said)
        return grid


def from_its_end(image: str, room: int, cut: str = "…") -> str:
    """An image in so many columns: its tag tells it from the others. Example: ("registry.example/team/shop:1.4", 12) -> "…am/shop:1.4"."""
    if len(image) <= room:
        return image
    return cut + image[len(image) - room + len(cut) :] if room > len(cut) else ""


def _text(*parts: Part) -> Text:
    """What comes from elsewhere must not drive the terminal."""
    return Text.assemble(*(printable(part) if isinstance(part, str) else (printable(part[0]), part[1]) for part in parts))


def _said_of(color: RunningStack | LeftOver) -> RunningStack | LeftOver:
    """What is said of a colour. One that is to have no pods is on its way out."""
    if isinstance(color, RunningStack) and color.counted and color.wanted == 0:
        return LeftOver(color.color, color.ready + color.others)
    return color


def _mark_of_pod(pod: PodReading) -> Mark:
    if pod.is_ready:
        return Mark.GOOD
    if pod.state in ("Terminating", "Succeeded", "Completed"):
        return Mark.QUIET
    # Between two crashes it runs.
    return Mark.BUSY if pod.state in _COMING and not pod.restarts else Mark.BAD

"""A release told in lines: a line for each change, for files, pipelines and terminals that cannot redraw."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

from hardenctl.following.brief import brief, revisions_in
from hardenctl.output import moments
from hardenctl.output.console import Console
from hardenctl.output.duration import shown
from hardenctl.output.formats import printable
from hardenctl.output.outcome import ResultWord
from hardenctl.release import next_step
from hardenctl.release.state import ReleaseReading, image_of, release_of
from hardenctl.release.verdict import ServiceVerdict

#: The most characters of a line.
WIDTH = 120


class Lines:
    """Tells of several services, each line by its prefix. flags: those of the cluster, for commands that are told."""

    def __init__(self, console: Console, began: float, prefixes: Sequence[str], flags: str = "") -> None:
        self._console, self._began, self._flags = console, began, flags
        self._tellers = [_Teller(prefix) for prefix in prefixes]

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is KeyboardInterrupt and self._console.err.isatty():
            self._console.progress("")  # the terminal shows ^C: go on below it

    def tell(self, at: int, verdict: ServiceVerdict, live: Mapping[str, Any]) -> None:
        """What there is to say of this state of a service that was not said before. at: its place in the prefixes."""
        for line in self._tellers[at].lines(verdict, live, shown(time.monotonic() - self._began)):
            self._console.progress(line)
        if verdict.result is ResultWord.PAUSED:  # nothing goes on by itself
            for line in self._tellers[at].advice(f"to go on: {next_step.after(verdict, live, self._flags)}"):
                self._console.progress(line)

    def notice(self, at: int) -> Callable[[str], None]:
        """What is told when the cluster does not answer."""
        return self._console.progress


class _Teller:
    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        # A cause that comes in two wordings by turns (a pull that fails, a pull that is backed off) is told once in each.
        self._last, self._said = ("", "", ""), set[str]()
        self._known, self._checked = set[str](), ("", set[str]())

    def lines(self, verdict: ServiceVerdict, live: Mapping[str, Any], span: str) -> Iterator[str]:
        release = release_of(live)
        stage = (verdict.result, verdict.reason, release.step if release else "")
        if stage != self._last:
            self._last = stage
            self._said.clear()
        revision = release.revision if release else self._checked[0]
        if revision != self._checked[0]:
            self._checked = (revision, set())
        for line, timing, said in (*_verdict(verdict, release, self._said), *_checks(release, self._checked[1])):
            if line not in said:
                said.add(line)
                head, told = f"{span:>6}  {self._prefix}", brief(" ".join(line.split()), live, self._known.__contains__)
                self._learn(line, live)
                yield f"{head}{_short(printable(told), WIDTH - len(head) - len(timing))}{timing}"

    def advice(self, line: str) -> Iterator[str]:
        """Once for each time that it is needed anew. It is not shortened: it is there to be pasted."""
        if line not in self._said:
            self._said.add(line)
            yield f"{'':>6}  {self._prefix}{line}"

    def _learn(self, line: str, live: Mapping[str, Any]) -> None:
        revisions = revisions_in(line)
        images = [image_of(live, revision) for revision in revisions]
        self._known.update(revisions, (image for image in images if image in line))


#: What there is to tell, what changes too often to be told by itself, and what has been told of its kind.
_Happening = tuple[str, str, set[str]]


def _verdict(verdict: ServiceVerdict, release: ReleaseReading | None, said: set[str]) -> Iterator[_Happening]:
    timing = release.timing(moments.now()) if release and not verdict.is_final else ""
    head = f"{verdict.result}: {verdict.message}" if verdict.message else str(verdict.result)
    yield head, f" ({timing})" if timing else "", said


def _checks(release: ReleaseReading | None, said: set[str]) -> Iterator[_Happening]:
    """Once in a release, whatever its steps are."""
    for check in release.checks if release else ():
        yield str(check), "", said


def _short(text: str, room: int) -> str:
    # The whole message is in the last line, and in `status`.
    return text if len(text) <= room else text[: room - 1] + "…"

"""The live view: frames on a terminal, drawn again in place as things change and as time goes by.

Two threads work beside the one that follows the services: one reads their pods, one draws.
"""

import io
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import TracebackType
from typing import Any

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from hardenctl.cluster.session import Session
from hardenctl.following.facts import Facts
from hardenctl.following.frame import DETAILS, frame
from hardenctl.following.passage import grown
from hardenctl.output import moments
from hardenctl.output.outcome import CommandEnd
from hardenctl.release.pods import PodReading, live_pods_of, reading_of
from hardenctl.release.stacks import RunningStack, stacks_of
from hardenctl.release.verdict import ServiceVerdict, verdict_of
from hardened.core.model.manifest import Manifest
from hardened.errors import HardenedError

#: Seconds between two frames, and between two looks at the pods. What the operator writes is drawn at once.
FRAME_SECONDS, LOOK_SECONDS = 0.5, 1.0
#: How long the last frame waits for the pods of the last state, in seconds.
_LAST_LOOK = 2.0
FOOTER = "Ctrl-C ends the waiting, not the release"

#: The colours and the pods of a service.
Around = tuple[Sequence[RunningStack], Sequence[PodReading]]


def live_view(session: Session, first: Sequence[Manifest]) -> "LiveView":
    """A view of these services on the terminal that progress goes to."""
    console = session.console
    terminal = Console(file=console.err, force_terminal=True, no_color=console.no_color, highlight=False, emoji=False, markup=False)

    def look(live: Mapping[str, Any]) -> Around:
        return stacks_of(session, live), [reading_of(pod) for pod in live_pods_of(session, live)]

    facts = [Facts(live, verdict_of(live, moments.now())) for live in first]
    return LiveView(terminal, facts, look, is_plain=console.is_plain)


@dataclass
class LiveView:
    """What is on the terminal."""

    terminal: Console
    """Where it draws."""
    facts: list[Facts]
    """Of each service, what is known of it."""
    look: Callable[[Mapping[str, Any]], Around]
    """Reads the colours and the pods of a service. Raises HardenedError."""
    now: Callable[[], datetime] = moments.now
    """The clock."""
    is_plain: bool = False
    """Signs in ASCII."""
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _changed: threading.Event = field(default_factory=threading.Event, init=False)
    """There is something new to draw."""
    _moved: threading.Event = field(default_factory=threading.Event, init=False)
    """There is something new to look at."""
    _looked: threading.Event = field(default_factory=threading.Event, init=False)
    """The pods have been looked at since."""
    _over: threading.Event = field(default_factory=threading.Event, init=False)
    _drawing: threading.Lock = field(default_factory=threading.Lock, init=False)
    """Held while a frame is on its way to the terminal."""
    _canvas: "_Canvas | None" = field(default=None, init=False)
    """Where it draws; None where nothing of it is on the terminal."""
    _painter: threading.Thread | None = field(default=None, init=False)
    _handler: Any = field(default=None, init=False)
    """Who was told of Ctrl-Z before."""

    def __enter__(self) -> "LiveView":
        self._handler = signal.signal(signal.SIGTSTP, self._stop)
        self._painter = threading.Thread(target=self._paint_on, daemon=True)
        self._painter.start()
        threading.Thread(target=self._look_on, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self._looked.wait(_LAST_LOOK)
        self._over.set()
        self._changed.set()
        self._moved.set()
        if self._painter:
            self._painter.join()
        signal.signal(signal.SIGTSTP, self._handler)

    def _stop(self, *_: Any) -> None:
        """Stops as Ctrl-Z has it, with nothing left on the terminal. It returns when the shell takes the program up again."""
        with self._drawing:
            self._clear()
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTSTP)
            signal.signal(signal.SIGTSTP, self._stop)

    def tell(self, at: int, verdict: ServiceVerdict, live: Mapping[str, Any]) -> None:
        """A service is like this now. at: its place in the facts."""
        with self._lock:
            known = self.facts[at]
            self.facts[at] = replace(known, live=live, verdict=verdict, passages=grown(known.passages, live, self.now()), notice="")
            self._looked.clear()
        self._moved.set()
        self._changed.set()

    def notice(self, at: int) -> Callable[[str], None]:
        """What is told when the cluster does not answer: drawn until it does."""

        def note(text: str) -> None:
            self._note(at, notice=text.strip())

        return note

    def _note(self, at: int, **found: Any) -> None:
        with self._lock:
            self.facts[at] = replace(self.facts[at], **found)
        self._changed.set()

    def _look_on(self) -> None:
        while not self._over.is_set():
            self._moved.clear()
            for at, each in enumerate(self.facts):
                try:
                    stacks, pods = self.look(each.live)
                    self._note(at, stacks=stacks, pods=pods)
                except (HardenedError, CommandEnd) as error:
                    self._note(at, notice=f"its pods cannot be read: {error}")
            with self._lock:
                if not self._moved.is_set():
                    self._looked.set()
            self._moved.wait(LOOK_SECONDS)

    def _paint_on(self) -> None:
        try:
            while not self._over.is_set():
                self._changed.clear()
                with self._drawing:
                    if _is_in_front(self.terminal):
                        self._canvas = self._canvas or _Canvas(self.terminal)
                        self._canvas.draw(self._frame_that_fits())
                self._changed.wait(FRAME_SECONDS)
        finally:
            self._clear()
            self.terminal.print(self._frame(0, ""))

    def _clear(self) -> None:
        if self._canvas:
            self._canvas.close()
        self._canvas = None

    def _frame_that_fits(self) -> RenderableType:
        for detail in range(DETAILS):
            found = self._frame(detail, FOOTER)
            if len(self.terminal.render_lines(found, pad=False)) < self.terminal.height:
                break
        return found

    def _frame(self, detail: int, footer: str) -> RenderableType:
        with self._lock:
            facts = list(self.facts)
        return frame(facts, self.terminal.width, self.now(), is_plain=self.is_plain, detail=detail, footer=footer)


def _is_in_front(terminal: Console) -> bool:
    """Whether the shell has given the terminal to this program: nothing is drawn over what somebody types after `bg`."""
    try:
        return os.tcgetpgrp(terminal.file.fileno()) == os.getpgrp()
    except (OSError, io.UnsupportedOperation):  # it is no terminal of a shell
        return True


class _Canvas:
    """A part of the terminal that is drawn again in place. It leaves nothing behind."""

    def __init__(self, terminal: Console) -> None:
        self._terminal, self._live, self._width = terminal, self._begun(terminal), terminal.width

    @staticmethod
    def _begun(terminal: Console) -> Live:
        live = Live(Text(""), console=terminal, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False)
        live.start()
        # Whoever kills the program, or puts it aside, is to find it.
        terminal.show_cursor(True)
        return live

    def draw(self, frame: RenderableType) -> None:
        """In place of what was drawn before."""
        if self._terminal.width < self._width:
            # What was as wide as the terminal takes two lines of it by now, or not: terminals differ.
            self.close()
            self._terminal.clear()
            self._live = self._begun(self._terminal)
        self._width = self._terminal.width
        self._live.update(frame, refresh=True)

    def close(self) -> None:
        """Once it has, whatever is printed comes in its place."""
        self._live.update(Text(""))
        self._live.stop()

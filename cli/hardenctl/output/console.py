"""What is printed: data to stdout, progress to stderr, colour and marks only where they can be shown."""

import os
import re
import sys
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from io import StringIO
from shutil import get_terminal_size
from typing import Any, TextIO

from hardenctl.output.formats import as_json, as_yaml, printable
from hardened.api.text import escaped, is_plain


class Mark(Enum):
    """How something is, at a glance: the sign, its plain form, its colour."""

    GOOD = ("√", "ok", "32")
    WARNING = ("‼", "!!", "33")
    BAD = ("×", "x", "31")  # noqa: RUF001 - the sign, not a letter
    BUSY = ("…", "..", "36")
    QUIET = ("·", "-", "2")


#: What `colored` writes.
_COLORS = re.compile(r"(\x1b\[(?:0|2|31|32|33|36)m)")


@dataclass(frozen=True)
class Console:
    """Where output goes."""

    out: TextIO
    """For data."""
    err: TextIO
    """For progress, errors and advice."""
    output: str = ""
    """What -o says, "" for text."""
    is_quiet: bool = False
    """Print no progress and no hints."""
    is_verbose: bool = False
    """Also the calls to the API server."""
    no_color: bool = False
    """No colour, even on a terminal."""
    is_dumb: bool = False
    """The terminal can but add lines."""

    @classmethod
    def standard(cls, output: str = "", *, is_quiet: bool = False, is_verbose: bool = False, no_color: bool = False) -> "Console":
        """The process's own streams; what they cannot encode is replaced, never an error."""
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")
        is_dumb = os.environ.get("TERM", "dumb") in ("", "dumb", "unknown")
        no_color = no_color or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
        return cls(sys.stdout, sys.stderr, output, is_quiet, is_verbose, no_color, is_dumb)

    @property
    def can_redraw(self) -> bool:
        """Whether what was shown as progress can be shown again in its place, and somebody wants to see it."""
        return self.err.isatty() and not (self.is_dumb or self.is_quiet or self.is_verbose)

    @property
    def is_plain(self) -> bool:
        """Whether progress has to do with plain signs."""
        return not _has_signs(self.err)

    def print(self, text: str) -> None:
        """Data."""
        self._write(self.out, text)

    def progress(self, text: str) -> None:
        """What goes on meanwhile; nothing under --quiet."""
        if not self.is_quiet:
            self._tell(text)

    def advise(self, command: str) -> None:
        """The next command to type."""
        if command and not self.is_quiet:
            self._tell(self.colored(f"Next: {command}", "2", self.err))

    def trace(self, text: str) -> None:
        """Details, under --verbose only."""
        if self.is_verbose:
            self._tell(text)

    def complain(self, message: str, hint: str = "") -> None:
        """An error, one line per line of the message; shown under --quiet as well."""
        label = self.colored("error:", "31", self.err)
        for line in message.splitlines() or [""]:
            self._tell(f"{label} {printable(line)}")
        if hint:
            self._tell(f"{self.colored('hint:', '33', self.err)} {printable(hint)}")

    def warn(self, message: str) -> None:
        """Something worth knowing that does not stop the command."""
        self.progress(f"{self.colored('warning:', '33', self.err)} {printable(message)}")

    def note(self, message: str) -> None:
        """Something that was left alone, and that nobody need do anything about."""
        self.progress(f"{self.colored('note:', '36', self.err)} {printable(message)}")

    def data(self, value: Any) -> None:
        """One value as JSON or YAML, as -o asks."""
        self.print(as_yaml(value) if self.output == "yaml" else as_json(value))

    @property
    def can_ask(self) -> bool:
        """Whether a person is there to answer."""
        return stdin().isatty()

    def ask(self, lines: Iterable[str], question: str) -> str:
        """What a person types, "" for nothing: asked on stderr, under --quiet as well, since stdout is data."""
        for line in lines:
            self._tell(f"  {printable(line)}")
        self.err.write(printable(question))
        self.err.flush()
        return stdin().readline().strip()

    def mark(self, mark: Mark, stream: TextIO | None = None) -> str:
        """The sign, coloured on a terminal, plain where the encoding lacks it."""
        stream = stream or self.out
        sign, plain, color = mark.value
        return self.colored(sign if _has_signs(stream) else plain, color, stream)

    def branch(self, is_last: bool) -> str:
        """What a line of a tree begins with, two columns wide."""
        if not _has_signs(self.out):
            return "`-" if is_last else "|-"
        return "└─" if is_last else "├─"

    def trunk(self, is_last: bool) -> str:
        """What stands above the branches of a line of a tree, two columns wide. is_last: the line was the last of its own branch."""
        return "  " if is_last else "│ " if _has_signs(self.out) else "| "

    def colored(self, text: str, color: str, stream: TextIO) -> str:
        """Text in an ANSI colour, on a terminal only."""
        return f"\x1b[{color}m{text}\x1b[0m" if stream.isatty() and not self.no_color else text

    def hanging(self, head: str, width: int, text: str) -> str:
        """`head` (shown `width` wide) and then text, wrapped beside it on a terminal; one line anywhere else."""
        text = printable(" ".join(text.split()))
        room = get_terminal_size().columns - width - 1
        if not self.out.isatty() or room < 30:
            return f"{head}{text}"
        return head + f"\n{' ' * width}".join(textwrap.wrap(text, room, break_on_hyphens=False) or [""])

    def _tell(self, text: str) -> None:
        self._write(self.err, text)

    def _write(self, stream: TextIO, text: str) -> None:
        """The last gate: whatever a line is made of, only our own colours reach a terminal as they are."""
        if not is_plain(text):
            is_colored = stream.isatty() and not self.no_color
            parts = _COLORS.split(text) if is_colored else [text]
            text = "".join(part if at % 2 else escaped(part) for at, part in enumerate(parts))
        stream.write(text + "\n")
        stream.flush()


def stdin() -> TextIO:
    """Where answers come from: of a process that was started without one, nothing."""
    return sys.stdin or StringIO()


def _has_signs(stream: TextIO) -> bool:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return encoding.lower().replace("-", "") == "utf8"

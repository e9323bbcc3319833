"""The live view on a terminal: drawn in place, and left in order, however it ends."""

import contextlib
import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hardenctl_world import NEW, REVISION, healthy, kept, releasing, service
from rich.console import Console

from hardenctl.following.facts import Facts
from hardenctl.following.view import FOOTER, Around, LiveView
from hardenctl.release.stacks import RunningStack
from hardenctl.release.verdict import verdict_of
from hardened.errors import Refused

CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
ERASED = re.compile(r"\x1b\[2K")
HIDDEN, VISIBLE = "\x1b[?25l", "\x1b[?25h"


def facts(status: Mapping[str, Any]) -> Facts:
    live = service(status=dict(status))
    return Facts(live, verdict_of(live))


def view(look: Any, *states: Mapping[str, Any], height: int = 24) -> tuple[LiveView, io.StringIO]:
    out = io.StringIO()
    terminal = Console(file=out, force_terminal=True, width=80, height=height, color_system="standard", legacy_windows=False)
    return LiveView(terminal, [facts(each) for each in states], look), out


def left(shown: str) -> str:
    """What is on the terminal in the end: all that came after the last line that was erased."""
    return CONTROLS.sub("", ERASED.split(shown)[-1])


def two_of(color: str, revision: str) -> Around:
    return [RunningStack(color, revision, 2, 2)], []


def until_shown(out: io.StringIO, text: str) -> None:
    for _ in range(200):
        if text in CONTROLS.sub("", out.getvalue()):
            return
        time.sleep(0.05)
    raise AssertionError(f"{text} was not shown: {CONTROLS.sub('', out.getvalue())}")


def test_the_last_frame_has_the_pods_of_the_last_state_and_stays() -> None:
    shown, out = view(lambda live: two_of("green", NEW) if "stable" in live["status"] else ([], []), releasing("Preview"))
    with shown:
        until_shown(out, FOOTER)
        last = facts(kept())
        shown.tell(0, last.verdict, last.live)
    assert "√ shop/api is healthy" in left(out.getvalue())
    assert "green   2 of 2 pods ready" in left(out.getvalue())
    assert FOOTER not in left(out.getvalue())
    assert out.getvalue().endswith("\n")


def test_whoever_kills_it_finds_the_cursor() -> None:
    shown, out = view(lambda _: ([], []), releasing("Preview"))
    with shown:
        until_shown(out, FOOTER)
        assert out.getvalue().rindex(VISIBLE) > out.getvalue().rindex(HIDDEN)


def test_what_cannot_be_read_is_said_and_the_rest_is_shown() -> None:
    def look(_: Mapping[str, Any]) -> Around:
        raise Refused("pods is forbidden", status=403)

    shown, out = view(look, healthy())
    with shown:
        until_shown(out, "its pods cannot be read: pods is forbidden")
    assert "√ shop/api is healthy" in left(out.getvalue())


def test_a_cluster_that_is_away_is_told_until_it_answers() -> None:
    shown, out = view(lambda _: ([], []), releasing("Preview"))
    with shown:
        shown.notice(0)("        the cluster does not answer: connection refused; trying again")
        until_shown(out, "the cluster does not answer")
        last = facts(healthy())
        shown.tell(0, last.verdict, last.live)
    assert "does not answer" not in left(out.getvalue())


def test_many_services_leave_out_what_does_not_fit_until_the_end() -> None:
    shown, out = view(lambda _: two_of("blue", REVISION), *[healthy()] * 9)
    with shown:
        until_shown(out, FOOTER)
        frames = CONTROLS.sub("", out.getvalue())
        assert "2 of 2 pods ready\n" not in frames
    assert left(out.getvalue()).count("blue    2 of 2 pods ready") == 9


PROGRAM = """
import sys, time
import service_world as w, hardenctl_world as h
import hardenctl.cluster.api_cluster as c

class Quiet(h.FakeCluster):
    def watch(self, path, timeout):
        time.sleep(60)
        yield from ()

cluster = Quiet(h.service(status=h.releasing("VerifyBefore")))
cluster.objects |= {path: found for path, found in w.around(None, w.CRASHED).objects.items() if path not in cluster.objects}
c.connect = lambda **_: cluster
from hardenctl.app import main
sys.argv = ["hardenctl", "status", "api", "-w"]
main()
"""


@dataclass
class Seen:
    """What came out of a terminal, and how the program in it ended."""

    process: subprocess.Popen[bytes]
    master: int
    text: str = ""

    def until(self, wanted: str) -> None:
        """Raises AssertionError where the terminal closes before."""
        while wanted not in self.text:
            assert self._read(), f"{wanted} was not shown: {self.text}"

    def until_after(self, at: int, wanted: str) -> None:
        """The same of what came after so many characters."""
        while wanted not in self.text[at:]:
            assert self._read(), f"{wanted} was not shown: {self.text[at:]}"

    def to_its_end(self) -> int:
        """The exit code."""
        while self._read():
            pass
        return self.process.wait(30)

    def _read(self) -> bool:
        try:
            found = os.read(self.master, 65536)
        except OSError:  # nobody has it open any more
            return False
        self.text += found.decode()
        return bool(found)


@contextlib.contextmanager
def on_a_terminal(width: int = 80, argv: Sequence[str] = (sys.executable, "-c", PROGRAM), **environment: str) -> Iterator[Seen]:
    """hardenctl status api -w, as it is typed into a terminal, or another program."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    known = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "COLUMNS", "LINES", "FORCE_COLOR")}
    paths = os.pathsep.join([str(Path(__file__).parent.parent), *sys.path])
    process = subprocess.Popen(
        argv,
        stdin=slave, stdout=slave, stderr=slave,
        env={**known, "PYTHONPATH": paths, "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", **environment},
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    os.close(slave)
    try:
        yield Seen(process, master)
    finally:
        process.kill()
        process.wait()
        os.close(master)


def test_ctrl_c_leaves_the_last_frame_and_the_cursor_below_it() -> None:
    with on_a_terminal() as seen:
        seen.until("x2v1q")
        os.write(seen.master, b"\x03")
        assert seen.to_its_end() == 130
    lines = left(seen.text).splitlines()
    assert lines[0].startswith("… shop/api is progressing")
    assert any("x2v1q   CrashLoopBackOff" in line for line in lines)
    assert lines[-2:] == ["error: stopped waiting; the release continues", "Next: hardenctl status api -n shop -w"]
    assert all(len(line) <= 80 for line in lines)
    assert seen.text.rindex(VISIBLE) > seen.text.rindex(HIDDEN)


def test_put_aside_and_taken_up_again_it_leaves_what_the_shell_has_written() -> None:
    shell = ["bash", "--norc", "--noprofile", "-i"]
    with on_a_terminal(argv=shell, PS1="$ ", PROGRAM=PROGRAM, PYTHON=sys.executable, HISTFILE="") as seen:
        os.write(seen.master, b'"$PYTHON" -c "$PROGRAM"\n')
        seen.until(FOOTER)
        os.write(seen.master, b"\x1a")
        seen.until("Stopped")
        os.write(seen.master, b"bg; sleep 1.5; echo aside-$((6 * 7))\n")
        seen.until("aside-42")
        assert FOOTER not in seen.text[seen.text.index("Stopped") :]
        os.write(seen.master, b"fg\n")
        at = len(seen.text)
        seen.until_after(at, FOOTER)
    assert not re.search(r"\x1b\[(2K|\d*A)", seen.text[at : seen.text.index(FOOTER, at)])


def test_no_color_means_none() -> None:
    with on_a_terminal(NO_COLOR="1") as seen:
        seen.until(FOOTER)
    assert not re.search(r"\x1b\[[0-9;]*3[0-7][0-9;]*m", seen.text)


def test_a_dumb_terminal_gets_lines() -> None:
    with on_a_terminal(TERM="dumb") as seen:
        seen.until("is on its way in green")
    assert "\x1b" not in seen.text
    assert FOOTER not in seen.text


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_our_signs_gets_plain_ones(encoding: str) -> None:
    with on_a_terminal(PYTHONIOENCODING=encoding) as seen:
        seen.until(FOOTER)
    assert ".. shop/api is progressing" in CONTROLS.sub("", seen.text)
    assert "?" not in CONTROLS.sub("", seen.text)
    assert seen.text.isascii()

"""Programs of another container of the pod: called by files in a folder that both containers have, and that one runs `SERVE` on.

A call N is `N.call`, a script of sh; what it is told is `N.in`, what it says `N.out` and `N.err`, and its exit status `N.code`, which is
there once it has ended. Each of `N.call` and `N.code` is whole when it has its name.
"""

import os
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

#: Those of PostgreSQL that have to be of the version of the dump, or of the server. psql, of any version, talks to all servers.
PROGRAMS: Final = frozenset({"initdb", "postgres", "pg_dump", "pg_restore"})
#: Seconds between two looks, on either side.
_LOOK_AGAIN: Final = 0.1


@dataclass(frozen=True)
class Call:
    """One that was made. at: the path of its files, without what tells them apart."""

    at: Path

    @property
    def code(self) -> int | None:
        """Its exit status; None while it runs."""
        found = self.at.with_suffix(".code")
        return int(found.read_text()) if found.exists() else None

    @property
    def out(self) -> str:
        return self._said(".out")

    @property
    def err(self) -> str:
        return self._said(".err")

    def wait(self, look: Callable[[float], None], within: float | None = None) -> int | None:
        """Its exit status; None where it has not ended within seconds. look: waits for so many seconds."""
        until = None if within is None else time.monotonic() + within
        while (code := self.code) is None and (until is None or time.monotonic() < until):
            look(_LOOK_AGAIN)
        return code

    def _said(self, suffix: str) -> str:
        found = self.at.with_suffix(suffix)
        return found.read_text(errors="replace") if found.exists() else ""


class Elsewhere:
    """folder: that of the calls."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._numbers = folder, count(1)

    def call(self, argv: Sequence[str | Path], env: Mapping[str, str], stdin: str = "") -> Call:
        """Has a program begun, with these variables beside those of its container."""
        at = self._folder / f"{next(self._numbers)}"
        at.with_suffix(".in").write_text(stdin)
        told = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in env.items())
        script = at.with_suffix(".new")
        script.write_text(f"{told}exec {shlex.join(map(str, argv))}\n")
        os.replace(script, at.with_suffix(".call"))
        return Call(at)

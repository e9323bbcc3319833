"""`hardenctl __complete`: what the shells' scripts call at each Tab. It prints no error and exits 0 whatever happens."""

import contextlib
import io
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from hardenctl.cluster.session import Flags, Session
from hardenctl.completing.live_names import Names, live_names
from hardenctl.completing.words import proposals
from hardenctl.output.console import Console

#: How kubectl's plugins say that no files are to be proposed, and that they are. Source: cobra's ShellCompDirective.
_NO_FILES, _FILES = ":4", ":0"
_FLAGS = {
    "--namespace": "namespace",
    "-n": "namespace",
    "--context": "context",
    "--kubeconfig": "kubeconfig",
    "--as": "as_user",
}


def main(arguments: Sequence[str]) -> None:
    """arguments: --kubectl for the form that kubectl wants, then the words after the program's name, the last one up to the cursor."""
    is_kubectl = list(arguments[:1]) == ["--kubectl"]
    words = list(arguments[1:] if is_kubectl else arguments) or [""]
    found: Names = {}
    with contextlib.redirect_stderr(io.StringIO()), contextlib.suppress(Exception):
        found = proposals(words, _ask)
    is_files = ":files" in found
    lines = [f"{name}\t{' '.join(about.split())}".rstrip("\t") for name, about in found.items() if not (is_kubectl and is_files)]
    sys.stdout.write("".join(f"{line}\n" for line in [*lines, *([_FILES if is_files else _NO_FILES] if is_kubectl else [])]))


def _ask(given: Mapping[str, str], kind: str, service: str) -> Names:
    quiet = Console(io.StringIO(), io.StringIO(), is_quiet=True)
    typed: dict[str, Any] = {_FLAGS[name]: value for name, value in given.items() if name in _FLAGS}
    return live_names(Session(Flags(**typed), quiet), kind, service)

"""What this program is called by the person who runs it."""

import sys
from pathlib import PurePath

PLUGIN = "kubectl-hardened"


def called_as(argv0: str) -> str:
    """The words to type before a verb. Examples: "/usr/bin/kubectl-hardened" -> "kubectl hardened"; anything else -> "hardenctl"."""
    return "kubectl hardened" if PurePath(argv0).name.startswith(PLUGIN) else "hardenctl"


PROG = called_as(sys.argv[0] if sys.argv else "")

"""How every program here ends when something is wrong that a person can do something about."""

import sys
from collections.abc import Callable

from .errors import ClusterError
from .progress import say


def run_program(app: Callable[[], object]) -> None:
    """Runs a command line. A ClusterError is one line on standard error, and exit status 1."""
    try:
        app()
    except ClusterError as error:
        say(f"error: {error}")
        sys.exit(1)

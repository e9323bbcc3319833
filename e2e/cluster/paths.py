"""Where clusters keep their state and where what was built is kept, both outside the checkout."""

import os
from pathlib import Path


def state_root() -> Path:
    """The folder of all clusters' state: `$HARDENED_STATE`, or `~/.local/state/hardened`."""
    return _folder("HARDENED_STATE", ".local/state/hardened")


def cache_root() -> Path:
    """The folder of built programs and images: `$HARDENED_CACHE`, or `~/.cache/hardened`. Safe to delete at any time."""
    return _folder("HARDENED_CACHE", ".cache/hardened")


def _folder(variable: str, default: str) -> Path:
    named = os.environ.get(variable)
    return Path(named).expanduser().absolute() if named else Path.home() / default

"""Names for processes that run tests side by side."""

from __future__ import annotations

import os


def have_company() -> bool:
    """Whether other processes of this run have clusters on the same machine."""
    return int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) > 1


def own_name(name: str) -> str:
    """A name that no other process of this run uses. Example: "test" -> "test-gw1" in the second one; "test" where there is only one."""
    return "-".join(filter(None, (name, os.environ.get("PYTEST_XDIST_WORKER"))))

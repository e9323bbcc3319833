"""`python -m bookmarks ROLE`: api, worker, migrate, or undo, which takes back what `migrate` did for the same release."""

import asyncio
import os
import sys

from . import api, log, schema, worker
from .settings import Settings

_ROLES = {"api": api.run, "worker": worker.run, "migrate": schema.migrate, "undo": schema.undo}


def main() -> int:
    role = sys.argv[1] if len(sys.argv) == 2 else ""
    if role not in _ROLES:
        print(f"usage: python -m bookmarks {'|'.join(_ROLES)}", file=sys.stderr)
        return 2
    try:
        settings = Settings.from_environ(os.environ)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    log.start(role, os.environ.get("HOSTNAME", ""))
    return asyncio.run(_ROLES[role](settings))


if __name__ == "__main__":
    sys.exit(main())

"""`python -m hardened.shell`: the operator."""

import asyncio
import logging
import os
import sys

from hardened.shell.process import main
from hardened.shell.settings import BadSetting


async def run() -> None:
    """Ends the process itself: when `main` returns all has ended that has an order, and asyncio would still wait for kopf's last tasks."""
    code = await main(os.environ)
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    try:
        asyncio.run(run())
    except BadSetting as error:
        sys.exit(f"hardened: {error}")

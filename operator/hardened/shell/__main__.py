"""`python -m hardened.shell`: the operator."""

import asyncio
import os
import sys

from hardened.shell.process import main
from hardened.shell.settings import BadSetting

if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main(os.environ)))
    except BadSetting as error:
        sys.exit(f"hardened: {error}")

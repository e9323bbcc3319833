"""What a test runs inside the image of backup pods: databases are dumped, stored, brought back, and verified. Prints each report.

Everything is in the image: restic, PostgreSQL with its clients, Redis, Python, and the runner.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hardened.runner import postgres, redis_server
from hardened.runner.programs import Programs

SCRATCH = Path("/scratch")
REPOSITORY = {"RESTIC_REPOSITORY": str(SCRATCH / "repository"), "RESTIC_PASSWORD": "of-the-repository"}
PLACES = ("/", "/etc", "/opt/hardened", "/usr/local/bin", "/var/lib", "/run", "/root")


def verb(name: str, kind: str, source: str, env: dict[str, str], **more: Any) -> None:
    task = {"kind": kind, "source": source, "tag": f"shop/{source}/nightly", **more}
    report = SCRATCH / "report"
    own = {"HARDENED_TASK": json.dumps(task), "HARDENED_REPORT": str(report)}
    subprocess.run(["python3", "-m", "hardened.runner", name], env={**os.environ, **env, **own}, check=False)
    print(report.read_text(), flush=True)


def cycle(source: str, env: dict[str, str]) -> None:
    stored = {"host": "shop/db", "path": str(SCRATCH / "dump")}
    verb("dump", "backup", source, env, **stored)
    verb("backup", "backup", source, REPOSITORY, **stored, init=True, retention={"last": 1})
    verb("restore", "restore", source, {**REPOSITORY, **env}, host="shop/db", snapshot="latest", run="again")
    verb("verify", "verify", source, REPOSITORY)


def main() -> None:
    print(json.dumps({"user": os.getuid(), "writable": [place for place in PLACES if os.access(place, os.W_OK)]}), flush=True)
    programs = Programs(os.environ, SCRATCH / "live")
    with postgres.scratch_server(programs) as database:
        # With what is compiled just in time, where there is a compiler.
        database.ask("CREATE EXTENSION pgcrypto; SET jit_above_cost = 0; CREATE TABLE t AS SELECT * FROM generate_series(1, 1000)")
        cycle("postgres", {name: value for name, value in database.env.items() if value})
    empty = SCRATCH / "empty.rdb"
    empty.write_bytes(b"REDIS0009\xff" + bytes(8))
    with redis_server.scratch_server(programs, empty, "--port", "6399", "--bind", "127.0.0.1") as client:
        client.ask("SET", "a", "1")
        cycle("redis", {"REDIS_PORT": "6399"})


if __name__ == "__main__":
    sys.exit(main())

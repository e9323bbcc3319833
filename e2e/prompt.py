"""A prompt as somebody has it who uses the program: a shell with hardenctl and kubectl, for one cluster."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster import tools

#: Seconds that a line may take.
PASTED_S = 60.0


@dataclass(frozen=True)
class Said:
    """What a line has said: its exit code, stdout and stderr."""

    line: str
    code: int
    out: str
    err: str


class Prompt:
    """folder: a new one, for hardenctl as a command; settings: variables of the environment over those of this process."""

    def __init__(self, kubeconfig: Path, folder: Path, **settings: str) -> None:
        folder.mkdir()
        command = folder / "hardenctl"
        command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m hardenctl "$@"\n')
        command.chmod(0o755)
        path = os.pathsep.join([str(folder), str(Path(tools.kubectl()).parent), os.environ["PATH"]])
        own = {"PATH": path, "KUBECONFIG": str(kubeconfig), "PYTHONPATH": os.pathsep.join(sys.path), "EDITOR": "true"}
        self.environment = {**os.environ, **own, **settings}

    async def paste(self, line: str) -> Said:
        """Runs a line, whatever comes of it."""
        shell = await asyncio.create_subprocess_shell(
            line,
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(PASTED_S):
            out, err = await shell.communicate()
        assert shell.returncode is not None
        said = Said(line, shell.returncode, out.decode(), err.decode())
        print(f"$ {line}   -> {said.code}\n{said.out}{said.err}")
        return said

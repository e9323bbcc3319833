"""A Git repository that pods of a local cluster can read: git's own program behind HTTP, on a node. And whoever commits to it."""

from __future__ import annotations

import http.server
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from e2e.cluster.command import run
from e2e.cluster.local.cluster import LocalCluster

#: Of the server on a node, where nothing else listens.
PORT = 19418
#: In the folder of the server, and at the end of the address.
REPOSITORY = "deploy.git"
_AUTHOR = ("-c", "user.name=team", "-c", "user.email=team@git.example")


class GitServer:
    """Serves an empty repository for the block, its branch main. folder: a new one, for the repository and for a clone of it."""

    def __init__(self, local: LocalCluster, folder: Path) -> None:
        self._local, self._folder, self._clone = local, folder / "served", folder / "clone"
        self.url = f"http://{local.layout.node(0).address}:{PORT}/{REPOSITORY}"

    def __enter__(self) -> GitServer:
        self._folder.mkdir(parents=True)
        run(["git", "init", "--quiet", "--bare", "--initial-branch=main", self._folder / REPOSITORY])
        run(["git", "clone", "--quiet", self._folder / REPOSITORY, self._clone])
        argv = self._local.argv_in_node(0, [sys.executable, "-m", "e2e.git_server", str(PORT), self._folder])
        self._process = subprocess.Popen([str(word) for word in argv], cwd=Path(__file__).parent.parent)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    def commit(self, message: str, files: Mapping[str, str | None]) -> str:
        """Puts these files on main, None for one that goes, and returns the commit's hash."""
        for name, text in files.items():
            file = self._clone / name
            if text is None:
                file.unlink()
            else:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
        return self._pushed("commit", "--quiet", "--allow-empty", "-m", message)

    def revert(self) -> str:
        """Takes the last commit back, and returns the hash of the commit that does."""
        return self._pushed("revert", "--no-edit", "HEAD")

    def _pushed(self, *words: str) -> str:
        run(["git", "add", "--all"], cwd=self._clone)
        run(["git", *_AUTHOR, *words], cwd=self._clone)
        run(["git", "push", "--quiet", "origin", "HEAD:main"], cwd=self._clone)
        return run(["git", "rev-parse", "HEAD"], cwd=self._clone).strip()


def serve(port: int, folder: Path) -> None:
    """Answers until it is killed."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers["Content-Length"])))

        def _answer(self, body: bytes) -> None:
            path, _, query = self.path.partition("?")
            asked = {
                "GIT_PROJECT_ROOT": str(folder),
                "GIT_HTTP_EXPORT_ALL": "1",
                "REQUEST_METHOD": self.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            }
            said = subprocess.run(["git", "http-backend"], env={**os.environ, **asked}, input=body, stdout=subprocess.PIPE, check=True)
            head, _, rest = said.stdout.partition(b"\r\n\r\n")
            fields = dict(line.split(": ", 1) for line in head.decode().splitlines())
            self.send_response(int(fields.pop("Status", "200 OK").split()[0]))
            for name, value in {**fields, "Content-Length": str(len(rest))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(rest)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the class above
            """Nothing: nobody reads it."""

    http.server.ThreadingHTTPServer(("", port), Handler).serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[2]))

"""A small HTTP server that answers as told."""

import asyncio
import json
import ssl
from typing import Any


class Server:
    """Speaks HTTP/1.1 by hand, so that it can also speak it badly. Answers in turn; the last answer again and again."""

    def __init__(self, *answers: bytes, tls: ssl.SSLContext | None = None) -> None:
        self.answers = list(answers)
        self.tls = tls
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.url = ""

    async def __aenter__(self) -> "Server":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        self.url = f"{'https' if self.tls else 'http'}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                method, path, _ = line.decode().split()
                headers = {}
                while (header := (await reader.readline()).decode().strip()) != "":
                    name, _, value = header.partition(":")
                    headers[name.lower()] = value.strip()
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                self.requests.append((method, path, headers, body))
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if answer == b"hang":
                    await reader.read()
                    return
                writer.write(answer)
                await writer.drain()
                if b"\r\nConnection: close" in answer or b"\r\n\r\n" not in answer:
                    return
        finally:
            writer.close()


def reply(code: int, body: Any, *headers: str) -> bytes:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {code} X", "Content-Type: application/json", f"Content-Length: {len(text)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + text


def status(code: int, reason: str, message: str = "said") -> bytes:
    return reply(code, {"kind": "Status", "reason": reason, "message": message, "code": code})

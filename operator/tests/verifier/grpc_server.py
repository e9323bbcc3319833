"""A small gRPC server, by hand: answers every call with what it is told."""

import asyncio

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded

SERVING = b"\x00\x00\x00\x00\x02\x08\x01"
NOT_SERVING = b"\x00\x00\x00\x00\x02\x08\x02"
TRAILERS = [("grpc-status", "0")]


class GrpcServer:
    """status: of HTTP; trailers: None for an answer whose headers are all of it; reset: the stream is reset instead of ended."""

    def __init__(
        self, body: bytes = SERVING, *, status: str = "200", trailers: list[tuple[str, str]] | None = TRAILERS, reset: bool = False
    ) -> None:
        self.answer = (body, status, trailers, reset)
        self.requests: list[tuple[dict[bytes, bytes], bytes]] = []

    async def __aenter__(self) -> "GrpcServer":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        connection.initiate_connection()
        headers, body = {}, b""
        try:
            while data := await reader.read(65536):
                for event in connection.receive_data(data):
                    match event:
                        case RequestReceived():
                            headers = dict(event.headers)
                        case DataReceived():
                            body += event.data
                        case StreamEnded():
                            self.requests.append((headers, body))
                            self._reply(connection)
                writer.write(connection.data_to_send())
        finally:
            writer.close()

    def _reply(self, connection: H2Connection) -> None:
        body, status, trailers, reset = self.answer
        head = [(":status", status), ("content-type", "application/grpc")]
        if trailers is None:
            connection.send_headers(1, [*head, ("grpc-status", "5")], end_stream=True)
            return
        connection.send_headers(1, head)
        if reset:
            connection.reset_stream(1)
            return
        connection.send_data(1, body)
        connection.send_headers(1, trailers, end_stream=True)

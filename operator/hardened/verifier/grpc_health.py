"""The standard gRPC health service, `grpc.health.v1.Health/Check`, over HTTP/2 without TLS.

The two messages of this service are one field each, and written here by hand: a gRPC library would be the largest part of the image.
"""

from asyncio import StreamReader, StreamWriter

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, ResponseReceived, StreamEnded, StreamReset, TrailersReceived
from h2.exceptions import ProtocolError

from hardened.verifier.failures import BODY_LIMIT, CUT, NOT_UNDERSTOOD
from hardened.verifier.task import RequestTarget

NOT_SERVING = "not serving"
#: HealthCheckResponse{status: SERVING}, behind gRPC's prefix: not compressed, two bytes.
_SERVING = b"\x00\x00\x00\x00\x02\x08\x01"


async def check(target: RequestTarget, authority: str, reader: StreamReader, writer: StreamWriter) -> str:
    """As `Speak`. At most 64 KiB are read: an answer has a few hundred bytes."""
    connection = H2Connection(H2Configuration(client_side=True, header_encoding=None))
    connection.initiate_connection()
    connection.send_headers(1, _headers(authority))
    connection.send_data(1, _message(target.service), end_stream=True)
    headers: dict[bytes, bytes] = {}
    body, received, is_http2 = b"", 0, False
    try:
        while received < BODY_LIMIT:
            writer.write(connection.data_to_send())
            data = await reader.read(BODY_LIMIT)
            received += len(data)
            if not data:
                return CUT if is_http2 or not received else NOT_UNDERSTOOD
            for event in connection.receive_data(data):
                is_http2 = True
                match event:
                    case ResponseReceived() | TrailersReceived():
                        headers |= dict(event.headers or ())
                    case DataReceived():
                        body += event.data or b""
                    case StreamEnded():
                        return _judged(headers, body)
                    case StreamReset() | ConnectionTerminated():
                        return CUT
    except ProtocolError:
        pass
    return NOT_UNDERSTOOD


def _headers(authority: str) -> list[tuple[str, str]]:
    return [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/grpc.health.v1.Health/Check"),
        (":authority", authority),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("user-agent", "hardened-verifier"),
    ]


def _message(service: str) -> bytes:
    """HealthCheckRequest{service: …} behind gRPC's prefix. An empty field is not written."""
    name = service.encode()
    field = b"\x0a" + _varint(len(name)) + name if name else b""
    return b"\x00" + len(field).to_bytes(4, "big") + field


def _varint(number: int) -> bytes:
    """A length below 16,384 as protobuf writes it. Examples: 5 -> 05; 200 -> c8 01."""
    return bytes([number]) if number < 128 else bytes([number & 127 | 128, number >> 7])


def _judged(headers: dict[bytes, bytes], body: bytes) -> str:
    status, grpc_status = headers.get(b":status", b""), headers.get(b"grpc-status", b"")
    if status != b"200":
        return f"HTTP {int(status)}" if _is_code(status) else NOT_UNDERSTOOD
    if grpc_status != b"0":
        return f"gRPC status {int(grpc_status)}" if _is_code(grpc_status) else NOT_UNDERSTOOD
    return "" if body == _SERVING else NOT_SERVING


def _is_code(text: bytes) -> bool:
    return text.isdigit() and len(text) <= 3

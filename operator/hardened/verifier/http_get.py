"""GET over HTTP/1.1. No redirect is followed, no cookie kept, and the body is looked at and let go."""

from asyncio import StreamReader, StreamWriter

import h11

from hardened.verifier.failures import BODY_LIMIT, CUT, NO_TEXT, NOT_UNDERSTOOD
from hardened.verifier.task import RequestTarget


async def get(target: RequestTarget, authority: str, reader: StreamReader, writer: StreamWriter) -> str:
    """As `Speak`. The body is read to its end, or to 64 KiB: an answer that is cut before is none."""
    connection = h11.Connection(h11.CLIENT)
    headers = [("Host", authority), ("User-Agent", "hardened-verifier"), ("Accept", "*/*"), ("Connection", "close")]
    for part in (h11.Request(method="GET", target=target.path, headers=headers), h11.EndOfMessage()):
        writer.write(connection.send(part) or b"")
    has_ended, body = False, bytearray()
    try:
        while len(body) < BODY_LIMIT:
            match event := connection.next_event():
                case h11.NEED_DATA:
                    data = await reader.read(BODY_LIMIT)
                    has_ended = not data
                    connection.receive_data(data)
                case h11.Response(status_code=status) if not is_served(target, status):
                    return f"HTTP {status}"
                case h11.Data():
                    body += event.data
                case h11.EndOfMessage():
                    break
                case h11.ConnectionClosed():
                    return CUT
    except h11.RemoteProtocolError:
        return CUT if has_ended else NOT_UNDERSTOOD
    return NO_TEXT if target.expect_body and target.expect_body not in body[:BODY_LIMIT] else ""


def is_served(target: RequestTarget, status: int) -> bool:
    """Whether a status is one that is expected; see `RequestTarget.expect_status`."""
    if target.expect_status is None:
        return status < 500 and status != 429
    return status in target.expect_status

"""Packed bodies: what API Gateway unpacks before Lambda sees it, a server unpacks by itself."""

import zlib

from spillway.domain.errors import InvalidRequest, Rejected
from spillway.gateway.request.caller import Headers
from spillway.gateway.request.exchange import BODY_LIMIT_BYTES, Message, Receive

HEADER = "content-encoding"
CODINGS = ("gzip", "identity")
_GZIP_WINDOW_BITS = 16 + zlib.MAX_WBITS


class UnsupportedCoding(Rejected):
    """The body is packed in a way that nobody here can unpack."""

    status = 415
    code = "unsupported_content_encoding"


def unpacking(headers: Headers, receive: Receive) -> Receive:
    """Return what receives the body without its content coding: ``receive`` itself where it has none.

    What cannot be unpacked is refused when the body is read, after the key was looked at: it raises UnsupportedCoding,
    or InvalidRequest for a body that is not gzip to its end.
    """
    named = [value for name, value in headers if name == b"content-encoding"]
    if not named:
        return receive
    coding = b", ".join(named).decode("latin-1")
    match coding.strip().lower():
        case "identity":
            return receive
        case "gzip":
            return _Gunzip(receive)
        case _:
            return _refusing(coding)


def _refusing(coding: str) -> Receive:
    async def receive() -> Message:
        message = f"the header {HEADER} is '{coding[:64]}'; bodies may be {' or '.join(CODINGS)}"
        raise UnsupportedCoding(message, param=HEADER, allowed=CODINGS)

    return receive


class _Gunzip:
    """Unpacks part by part, none to more than a byte above the limit that its reader holds the whole body to."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._unpacker = zlib.decompressobj(_GZIP_WINDOW_BITS)

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] != "http.request":
            return message
        is_last = not message.get("more_body", False)
        return {**message, "body": self._unpacked(message.get("body", b""), is_last)}

    def _unpacked(self, part: bytes, is_last: bool) -> bytes:
        try:
            unpacked = self._unpacker.decompress(part, BODY_LIMIT_BYTES + 1)
        except zlib.error as err:
            raise _broken() from err
        is_too_large = bool(self._unpacker.unconsumed_tail)
        if self._unpacker.unused_data or (is_last and not self._unpacker.eof and not is_too_large):
            raise _broken()
        return unpacked


def _broken() -> InvalidRequest:
    return InvalidRequest(f"the header {HEADER} is 'gzip', and the body is not gzip to its end", param=HEADER)

"""What API Gateway makes of a request before anybody behind it sees it: counted and unpacked."""

import zlib
from collections.abc import Iterable

from tests.sandbox.runtime.request_authorizer import RefusedError

REQUEST_LIMIT_BYTES = 10 * 1024 * 1024
# Of the request line and all headers' values together.
HEAD_LIMIT_BYTES = 10_240

# API Gateway knows these content codings, whether or not the API's own answers are compressed.
_WINDOW_BITS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


def check_head(method: str, target: str, values: Iterable[str]) -> None:
    """Raise RefusedError for a request line and headers that are too long together."""
    if len(f"{method} {target} HTTP/1.1") + sum(map(len, values)) > HEAD_LIMIT_BYTES:
        raise RefusedError("HEADERS_TOO_LARGE")


def unpacked(body: bytes, encoding: str | None) -> bytes:
    """Return the body without its content coding; raise RefusedError for an unknown one, or what is not in it."""
    coding = (encoding or "identity").strip().lower()
    if coding == "identity":
        return body
    if coding not in _WINDOW_BITS:
        raise RefusedError("UNSUPPORTED_MEDIA_TYPE")
    unpacker = zlib.decompressobj(_WINDOW_BITS[coding])
    try:
        found = unpacker.decompress(body, REQUEST_LIMIT_BYTES + 1)
    except zlib.error as err:
        raise RefusedError("UNSUPPORTED_MEDIA_TYPE") from err
    if len(found) > REQUEST_LIMIT_BYTES:
        raise RefusedError("REQUEST_TOO_LARGE")
    if not unpacker.eof:
        raise RefusedError("UNSUPPORTED_MEDIA_TYPE")
    return found

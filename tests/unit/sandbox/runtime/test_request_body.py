"""A request is unpacked as API Gateway does, and refused where it would be."""

import gzip
import zlib

import pytest

from tests.sandbox.runtime.request_authorizer import RefusedError
from tests.sandbox.runtime.request_body import HEAD_LIMIT_BYTES, REQUEST_LIMIT_BYTES, check_head, unpacked

BODY = b'{"model": "chat"}'


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (None, BODY),
        ("identity", BODY),
        ("gzip", gzip.compress(BODY, mtime=0)),
        (" GZIP ", gzip.compress(BODY, mtime=0)),
        ("deflate", zlib.compress(BODY)),
    ],
)
def test_what_api_gateway_unpacks(encoding: str | None, body: bytes) -> None:
    assert unpacked(body, encoding) == BODY


@pytest.mark.parametrize(
    ("encoding", "body", "kind"),
    [
        ("br", BODY, "UNSUPPORTED_MEDIA_TYPE"),
        ("zstd", BODY, "UNSUPPORTED_MEDIA_TYPE"),
        ("gzip, gzip", gzip.compress(gzip.compress(BODY, mtime=0), mtime=0), "UNSUPPORTED_MEDIA_TYPE"),
        ("gzip", BODY, "UNSUPPORTED_MEDIA_TYPE"),
        ("gzip", gzip.compress(BODY, mtime=0)[:-9], "UNSUPPORTED_MEDIA_TYPE"),
        ("deflate", gzip.compress(BODY, mtime=0), "UNSUPPORTED_MEDIA_TYPE"),
        ("gzip", gzip.compress(bytes(REQUEST_LIMIT_BYTES + 1), mtime=0), "REQUEST_TOO_LARGE"),
    ],
)
def test_what_it_refuses(encoding: str, body: bytes, kind: str) -> None:
    with pytest.raises(RefusedError) as refused:
        unpacked(body, encoding)
    assert refused.value.kind == kind


def test_the_largest_body_may_come_packed() -> None:
    assert len(unpacked(gzip.compress(bytes(REQUEST_LIMIT_BYTES)), "gzip")) == REQUEST_LIMIT_BYTES


def test_request_line_and_headers_are_limited_together() -> None:
    line = len("GET /v1/models HTTP/1.1")
    check_head("GET", "/v1/models", ["x" * 5000, "y" * (HEAD_LIMIT_BYTES - line - 5000)])
    with pytest.raises(RefusedError) as refused:
        check_head("GET", "/v1/models", ["x" * 5001, "y" * (HEAD_LIMIT_BYTES - line - 5000)])
    assert refused.value.kind == "HEADERS_TOO_LARGE"

"""AWS Signature Version 4 for requests without a query, held against botocore's by the tests.

botocore's own signer is right too, but importing it costs the gateway's cold start more than all the rest of it.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from urllib.parse import quote, urlsplit

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True)
class Credentials:
    """An access key, with a session token when it is temporary."""

    access_key: str
    secret_key: str
    token: str | None = None


@dataclass(frozen=True)
class Signer:
    """Signs for one region."""

    region: str

    def headers(
        self,
        url: str,
        service: str,
        body: bytes,
        headers: Mapping[str, str],
        credentials: Credentials,
        now: datetime,
    ) -> dict[str, str]:
        """Return the headers of a POST to an already percent-encoded ``url``, signature included."""
        host, path = _address(url)
        stamp = _stamp(int(now.timestamp()))
        signed = {name.lower(): " ".join(value.split()) if " " in value else value for name, value in headers.items()}
        signed["host"] = host
        signed["x-amz-date"] = stamp
        if credentials.token:
            signed["x-amz-security-token"] = credentials.token
        ordered = sorted(signed)
        names = ";".join(ordered)
        lines = "\n".join([f"{name}:{signed[name]}" for name in ordered])
        request = f"POST\n{path}\n\n{lines}\n\n{names}\n{sha256(body).hexdigest()}"
        day = stamp[:8]
        scope, key = _scope(credentials.secret_key, day, self.region, service)
        to_sign = f"{_ALGORITHM}\n{stamp}\n{scope}\n{sha256(request.encode()).hexdigest()}"
        signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
        signed["authorization"] = (
            f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
        )
        return signed


@lru_cache(maxsize=1024)
def _address(url: str) -> tuple[str, str]:
    """Return a URL's host and path as the signature has them; few different ones are signed again and again."""
    parts = urlsplit(url)
    # Every service but S3 wants the encoded path encoded once more.
    return _host(parts.netloc, parts.scheme), quote(parts.path or "/", safe="/-_.~")


def _host(netloc: str, scheme: str) -> str:
    """Return the Host header as an HTTP client sends it: without the scheme's own port."""
    return netloc.removesuffix({"http": ":80", "https": ":443"}.get(scheme, " "))


@lru_cache(maxsize=4)
def _stamp(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y%m%dT%H%M%SZ}"


@lru_cache(maxsize=32)
def _scope(secret: str, day: str, region: str, service: str) -> tuple[str, bytes]:
    """Return what a day's signatures hold for, and their key."""
    parts = (day, region, service, "aws4_request")
    key = f"AWS4{secret}".encode()
    for part in parts:
        key = hmac.digest(key, part.encode(), "sha256")
    return "/".join(parts), key

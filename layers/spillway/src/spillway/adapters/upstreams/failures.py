"""What an upstream's refusal means: the client's mistake, or a reason to try the next target."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from spillway.domain.decision import Code
from spillway.gateway.errors import UpstreamRejected, UpstreamUnavailable

CLIENTS_MISTAKES = frozenset({400, 413, 422})
_SATURATED = frozenset({429, 503})


@dataclass(frozen=True)
class Refusal:
    """An upstream's error as it came; ``kind`` is AWS's name for it, where there is one."""

    status: int
    message: str
    param: str | None = None
    kind: str = ""
    retry_after_seconds: int | None = None
    fields: Mapping[str, Any] | None = None

    def unavailable(self, code: Code | None = None) -> UpstreamUnavailable:
        """Return the refusal as a reason to try the next target, ``code`` in place of what its status says.

        401, 403 and 404 count too: it is our access or our address that is wrong, never the client's.
        """
        by_status = Code.ENGINE_SATURATED if self.status in _SATURATED else Code.PRIMARY_FAILED
        detail = f"HTTP {self.status} {self.kind} {self.message}"[:500]
        return UpstreamUnavailable(code or by_status, detail, retry_after_seconds=self.retry_after_seconds)

    def error(self) -> UpstreamRejected | UpstreamUnavailable:
        """Return what the refusal means, by its status alone."""
        if self.status in CLIENTS_MISTAKES:
            return UpstreamRejected(self.status, self.message, param=self.param)
        return self.unavailable()


def refusal_of(status: int, headers: Mapping[str, str], body: bytes) -> Refusal:
    """Read an error answer in any of the shapes that engines and AWS use."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        parsed = None
    fields = parsed if isinstance(parsed, dict) else {}
    error = fields.get("error")
    inner = error if isinstance(error, dict) else fields
    message = inner.get("message") or inner.get("Message") or inner.get("detail") or error
    param = inner.get("param")
    return Refusal(
        status,
        message if isinstance(message, str) else f"the upstream answered with status {status}",
        param if isinstance(param, str) else None,
        headers.get("x-amzn-errortype", "").split(":", 1)[0],
        _seconds(headers.get("retry-after")),
        fields,
    )


def _seconds(value: str | None) -> int | None:
    return int(value) if value and value.isdigit() and len(value) < 6 else None

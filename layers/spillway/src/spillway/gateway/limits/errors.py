"""How a key's limits say no: in OpenAI's form, with what is needed to know when to come back."""

import math

from spillway.domain.access.limits import NANO_PER_USD, Window
from spillway.domain.errors import Rejected
from spillway.gateway.errors import Headers, come_back

RESERVED = "budget_reserved"
# OpenAI's clients repeat every 429 at once unless they are told not to.
_DO_NOT_REPEAT = (b"x-should-retry", b"false")


class LimitExceeded(Rejected):
    """A limit of the key is reached; ``kind`` is the error's type, ``headers`` go with the answer."""

    status = 429

    def __init__(self, message: str, *, kind: str, code: str, headers: Headers) -> None:
        super().__init__(message, code=code)
        self.kind = kind
        self.headers = headers


class PriceUnknown(Rejected):
    """A key with a budget asks for a model whose price nobody knows."""

    code = "price_unknown"


def rate_exceeded(counter: str, limit: int, used: int, need: int, seconds: float) -> LimitExceeded:
    """Return the answer to a request that the minute has no room for; ``counter`` is ``requests`` or ``tokens``."""
    said = f"Rate limit reached for this key on {counter} per minute: limit {limit}, used {used}, requested {need}."
    if need > limit:
        message = f"{said} A request of this size can never pass: ask for fewer tokens."
        return LimitExceeded(message, kind=counter, code="rate_limit_exceeded", headers=[_DO_NOT_REPEAT])
    wait = math.ceil(max(1.0, seconds))
    message = f"{said} Please try again in {wait}s."
    return LimitExceeded(message, kind=counter, code="rate_limit_exceeded", headers=come_back(wait))


def budget_exceeded(limit: int, spent: int, need: int, month: Window, seconds: float) -> LimitExceeded:
    """Return the answer to a request that the month's budget can't pay for, amounts in nano-dollars."""
    message = (
        f"This key's budget does not cover this request: ${_usd(spent)} of ${_usd(limit)} are spent and it may cost "
        f"${_usd(need)}. The budget resets at {month.end:%Y-%m-%dT%H:%M:%SZ}."
    )
    headers = [*come_back(seconds), _DO_NOT_REPEAT]
    return LimitExceeded(message, kind="insufficient_quota", code="budget_exceeded", headers=headers)


def budget_reserved(need: int) -> LimitExceeded:
    """Return the answer to a request for which there is money, but all of it reserved by requests in flight."""
    message = f"What is left of this key's budget is reserved by requests in flight; this one may cost ${_usd(need)}."
    return LimitExceeded(message, kind="insufficient_quota", code=RESERVED, headers=come_back(_SOON_SECONDS))


_SOON_SECONDS = 5


def duration(seconds: float) -> str:
    """Return a span as OpenAI's ``x-ratelimit-reset`` headers write it, such as ``1m0s`` or ``250ms``."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    minutes, rest = divmod(math.ceil(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def _usd(nano: int) -> str:
    return f"{nano / NANO_PER_USD:.6f}".rstrip("0").rstrip(".")

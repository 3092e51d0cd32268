"""Who is asking, where no authorizer has looked before: a key against the stored hashes."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from spillway.domain.access.keys import Key, id_of, opened_by, secret_in
from spillway.domain.errors import Unauthorized
from spillway.gateway.concurrency.cache import CachedByName, Monotonic
from spillway.gateway.errors import StoreUnavailable, Unavailable
from spillway.gateway.request.caller import Caller, Headers
from spillway.gateway.timeouts import STORE_RETRY_SECONDS

# As the API says it by itself (template.yaml): what exactly is wrong with a key is nobody's business.
REFUSAL = "Missing or unknown API key. Send the header 'Authorization: Bearer <key>'."


class KeyCheck:
    """A server's own door. What a key may do is remembered for ``cache_seconds``, and never longer.

    ``find`` returns the key by the id of its secret, or raises StoreUnavailable. The request context is a header that
    any client can send: here it means nothing.
    """

    def __init__(
        self,
        find: Callable[[str], Awaitable[Key | None]],
        now: Callable[[], datetime],
        monotonic: Monotonic,
        cache_seconds: float,
    ) -> None:
        self._keys: CachedByName[Key | None] = CachedByName(find, monotonic, cache_seconds, outlasts=False)
        self._now = now

    def context(self, headers: Headers) -> Mapping[str, Any]:
        """Return nothing: there is no API Gateway."""
        del headers
        return {}

    async def caller(self, headers: Headers, context: Mapping[str, Any]) -> Caller:
        """Return whose key it is; raises Unauthorized, or Unavailable while the keys can't be read."""
        del context
        try:
            secret = secret_in(_one(headers, b"authorization"), _one(headers, b"x-api-key"))
            key = opened_by(secret, await self._keys.get(id_of(secret)), self._now())
        except Unauthorized as err:
            raise Unauthorized(REFUSAL) from err
        except StoreUnavailable as err:
            message = "keys cannot be read right now; try again"
            raise Unavailable(message, code="keys_unavailable", retry_after_seconds=STORE_RETRY_SECONDS) from err
        return Caller(key.id, frozenset(key.scopes), frozenset(key.deployments), key.limits)


def _one(headers: Headers, wanted: bytes) -> str | None:
    """Return a header's value; a header that comes twice is none of them, and not missing."""
    found = [value for name, value in headers if name == wanted]
    if not found:
        return None
    return found[0].decode("latin-1") if len(found) == 1 else ""

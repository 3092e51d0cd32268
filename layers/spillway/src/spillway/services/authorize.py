"""Who may call what: a bearer secret against the stored hashes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from spillway.domain.access.keys import Key, id_of, opened_by, secret_in

if TYPE_CHECKING:
    # The ports know every domain type, pydantic's included: too much for the authorizer's cold start.
    from spillway.ports import Keys


@dataclass(frozen=True)
class Authorize:
    """Finds the key behind a request's headers."""

    keys: "Keys"
    now: Callable[[], datetime]

    def key(self, authorization: str | None, api_key: str | None = None) -> Key:
        """Return the key; Unauthorized for headers without one, an unknown secret, or an expired key."""
        secret = secret_in(authorization, api_key)
        return opened_by(secret, self.keys.find(id_of(secret)), self.now())

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
    """Finds the key behind an ``Authorization`` header."""

    keys: "Keys"
    now: Callable[[], datetime]

    def key(self, header: str | None) -> Key:
        """Return the key; Unauthorized for a header that is none, an unknown secret, or an expired key."""
        secret = secret_in(header)
        return opened_by(secret, self.keys.find(id_of(secret)), self.now())

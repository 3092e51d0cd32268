"""The first admin key: CloudFormation makes its secret, and only the hash comes into the keys table."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from spillway.domain.access.keys import Scope, id_of
from spillway.domain.errors import NotFound
from spillway.services.manage_keys import key_of

if TYPE_CHECKING:
    # The ports know every domain type, pydantic's included: too much for the authorizer's cold start.
    from spillway.ports import Keys

NAME = "bootstrap-admin"
_ID_PREFIX = "key_"


@dataclass(frozen=True)
class SeedAdminKey:
    """``read_secret`` reads the generated secret from Secrets Manager."""

    keys: "Keys"
    read_secret: Callable[[], str]
    now: Callable[[], datetime]

    def seed(self) -> str:
        """Store the key unless it is there, and return its id, which is the same for the same secret."""
        secret = self.read_secret()
        key_id = id_of(secret)
        if self.keys.get(key_id) is None:
            self.keys.put(key_of(secret, NAME, frozenset({Scope.ADMIN}), self.now()))
        return key_id

    def remove(self, key_id: str) -> None:
        """Delete a key that :meth:`seed` stored; one that is gone, or was never stored, is fine."""
        if not key_id.startswith(_ID_PREFIX):
            return
        try:
            self.keys.delete(key_id)
        except NotFound:
            return

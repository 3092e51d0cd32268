"""API keys: made, listed, changed, rotated, deleted. A secret is shown once, when it is made, and never stored."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from spillway.domain.access.keys import Key, OldSecret, Scope, digest_of, id_of
from spillway.domain.access.limits import NO_LIMITS, KeyLimits
from spillway.domain.errors import Conflict, InvalidRequest, NotFound

if TYPE_CHECKING:
    # The ports know every domain type, pydantic's included: too much for the authorizer's cold start.
    from spillway.ports import Keys

logger = logging.getLogger(__name__)

SECRET_PREFIX = "sk-spillway-"  # noqa: S105
_SHOWN_CHARACTERS = len(SECRET_PREFIX) + 4
_PAGE = 100
_MOST_OLD_SECRETS = 5


@dataclass(frozen=True)
class ManageKeys:
    """``new_token`` returns 43 URL-safe characters of chance."""

    keys: "Keys"
    new_token: Callable[[], str]
    now: Callable[[], datetime]

    def create(
        self,
        name: str,
        scopes: frozenset[Scope],
        deployments: tuple[str, ...],
        expires_at: datetime | None,
        limits: KeyLimits = NO_LIMITS,
    ) -> tuple[Key, str]:
        """Store a new key and return it with its secret; InvalidRequest for an expiry that has passed."""
        now = self.now()
        if expires_at is not None and expires_at <= now:
            raise InvalidRequest("expires_at lies in the past", param="expires_at")
        secret = SECRET_PREFIX + self.new_token()
        key = key_of(secret, name, scopes, now, deployments=deployments, expires_at=expires_at, limits=limits)
        self.keys.put(key)
        logger.info("key created", extra={"key_id": key.id, "scopes": sorted(scopes)})
        return key, secret

    def change(self, key_id: str, limits: Mapping[str, Any]) -> Key:
        """Set the limits that are named, None for none; NotFound for an unknown id, Superseded for a race lost."""
        key = self._known(key_id)
        changed = replace(key, limits=replace(key.limits, **limits), version=key.version + 1)
        self.keys.replace(changed)
        logger.info("key changed", extra={"key_id": key_id, "limits": changed.limits.to_context()})
        return changed

    def rotate(self, key_id: str, overlap: timedelta) -> tuple[Key, str]:
        """Give a key a new secret; those before it open the door for ``overlap`` yet, and no longer than they did.

        Everything else stays, what the key has used of its limits included.
        """
        key, now = self._known(key_id), self.now()
        secret = SECRET_PREFIX + self.new_token()
        over = now + overlap
        before = [OldSecret(key.digest, over), *(replace(old, until=min(old.until, over)) for old in key.old_secrets)]
        rotated = replace(
            key,
            digest=digest_of(secret),
            prefix=secret[:_SHOWN_CHARACTERS],
            old_secrets=tuple(old for old in before if old.until > now)[:_MOST_OLD_SECRETS],
            version=key.version + 1,
        )
        self.keys.replace(rotated)
        logger.info("key rotated", extra={"key_id": key_id, "overlap_seconds": overlap.total_seconds()})
        return rotated, secret

    def page(self, limit: int, cursor: str | None) -> tuple[Sequence[Key], str | None]:
        """Return one page of keys."""
        return self.keys.page(limit, cursor)

    def delete(self, key_id: str) -> None:
        """Delete a key; NotFound for an unknown id, Conflict for the last one that can administer."""
        key = self.keys.get(key_id)
        if key is not None and Scope.ADMIN in key.scopes and not self._another_admin(key):
            raise Conflict("this is the last valid key with the scope admin: make another one first")
        self.keys.delete(key_id)
        logger.info("key deleted", extra={"key_id": key_id})

    def _known(self, key_id: str) -> Key:
        if (key := self.keys.get(key_id)) is None:
            raise NotFound(f"no key has the id '{key_id}'", param="id")
        return key

    def _another_admin(self, key: Key) -> bool:
        now = self.now()
        return any(
            other.id != key.id and Scope.ADMIN in other.scopes and other.is_valid_at(now) for other in self._all()
        )

    def _all(self) -> Iterator[Key]:
        cursor = None
        while True:
            keys, cursor = self.keys.page(_PAGE, cursor)
            yield from keys
            if cursor is None:
                return


def key_of(
    secret: str,
    name: str,
    scopes: frozenset[Scope],
    now: datetime,
    *,
    deployments: tuple[str, ...] = (),
    expires_at: datetime | None = None,
    limits: KeyLimits = NO_LIMITS,
) -> Key:
    """Return what is stored of a secret."""
    return Key(
        id=id_of(secret),
        name=name,
        digest=digest_of(secret),
        prefix=secret[:_SHOWN_CHARACTERS] if secret.startswith(SECRET_PREFIX) else "",
        scopes=scopes,
        created_at=now,
        deployments=deployments,
        expires_at=expires_at,
        limits=limits,
    )

"""API keys: bearer secrets of which only a hash is ever stored."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from spillway.domain.access.limits import NO_LIMITS, KeyLimits
from spillway.domain.errors import Unauthorized

API_KEY_HEADER = "x-api-key"
_SCHEME = "bearer"
_LONGEST_SECRET = 256


class Scope(StrEnum):
    """What a key may do: ``admin`` everything, ``invoke`` only ``/v1``."""

    ADMIN = "admin"
    INVOKE = "invoke"


@dataclass(frozen=True)
class OldSecret:
    """A secret that a rotation replaced: its hash, and until when it still opens the door."""

    digest: str
    until: datetime


@dataclass(frozen=True)
class Key:
    """A stored key. ``id`` is derived from its first secret's hash and stays; ``prefix`` is shown in lists.

    ``digest`` and ``prefix`` are the newest secret's. ``deployments`` limits an invoke key to these names; empty means
    all. ``version`` counts the changes since the key was made.
    """

    id: str
    name: str
    digest: str
    prefix: str
    scopes: frozenset[Scope]
    created_at: datetime
    deployments: tuple[str, ...] = ()
    expires_at: datetime | None = None
    limits: KeyLimits = NO_LIMITS
    old_secrets: tuple[OldSecret, ...] = ()
    version: int = 0

    def matches(self, secret: str, now: datetime) -> bool:
        """Whether this is a secret of the key, the newest or one not yet over; compared in constant time."""
        digests = [self.digest, *(old.digest for old in self.old_secrets if now < old.until)]
        found = digest_of(secret)
        return any(hmac.compare_digest(digest, found) for digest in digests)

    @property
    def secret_ids(self) -> frozenset[str]:
        """The ids that the key's secrets are looked up by."""
        return frozenset(id_of_digest(digest) for digest in (self.digest, *(old.digest for old in self.old_secrets)))

    def is_valid_at(self, now: datetime) -> bool:
        """Whether the key has not expired."""
        return self.expires_at is None or now < self.expires_at


def digest_of(secret: str) -> str:
    """Return the SHA-256 of a secret; secrets carry over 200 bits of chance, so a slow hash would add nothing."""
    return hashlib.sha256(secret.encode()).hexdigest()


def id_of(secret: str) -> str:
    """Return the id under which a secret's key is stored, so that a look-up needs no scan and stores no secret."""
    return id_of_digest(digest_of(secret))


def id_of_digest(digest: str) -> str:
    """Return the id for a secret of which only the hash is known."""
    return f"key_{digest[:20]}"


def secret_in(authorization: str | None, api_key: str | None = None) -> str:
    """Return the secret in ``Authorization``, or without that header in ``x-api-key``; Unauthorized for neither.

    What ``Authorization`` says counts alone where it is there: by it API Gateway remembers who was let in.
    """
    if authorization is None:
        secret = (api_key or "").strip()
    else:
        scheme, _, secret = authorization.strip().partition(" ")
        secret = secret.strip() if scheme.lower() == _SCHEME else ""
    if not secret.isascii() or not 0 < len(secret) <= _LONGEST_SECRET:
        raise Unauthorized("no key")
    return secret


def opened_by(secret: str, key: Key | None, now: datetime) -> Key:
    """Return the key that was found by a secret's id; Unauthorized when there is none, or it is over."""
    if key is None or not key.matches(secret, now):
        raise Unauthorized("unknown key")
    if not key.is_valid_at(now):
        raise Unauthorized("expired key")
    return key

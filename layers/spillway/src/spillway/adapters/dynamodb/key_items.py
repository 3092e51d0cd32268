"""How keys lie in the ``keys`` table; apart from who reads them, with an SDK or without."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from spillway.domain.access.keys import Key, OldSecret, Scope
from spillway.domain.access.limits import limits_from


def pointer(secret_id: str, key_id: str) -> dict[str, Any]:
    """Return the item of a later secret, which leads to its key."""
    return {"id": {"S": secret_id}, "of": {"S": key_id}}


def points_to(item: Mapping[str, Any]) -> str | None:
    """Return the id of the key that an item leads to, None for a key's own item."""
    found: str | None = item["of"]["S"] if "of" in item else None
    return found


def item_of(key: Key) -> dict[str, Any]:
    """Return a key as it is stored."""
    item: dict[str, Any] = {
        "id": {"S": key.id},
        "name": {"S": key.name},
        "digest": {"S": key.digest},
        "prefix": {"S": key.prefix},
        "scopes": {"L": [{"S": scope} for scope in sorted(key.scopes)]},
        "deployments": {"L": [{"S": name} for name in key.deployments]},
        "created_at": {"S": key.created_at.isoformat()},
        "version": {"N": str(key.version)},
        "limits": {"M": {name: {"N": text} for name, text in key.limits.to_context().items()}},
        "old_secrets": {
            "L": [
                {"M": {"digest": {"S": old.digest}, "until": {"S": old.until.isoformat()}}} for old in key.old_secrets
            ]
        },
    }
    if key.expires_at is not None:
        item["expires_at"] = {"S": key.expires_at.isoformat()}
    return item


def key_of(item: Mapping[str, Any]) -> Key:
    """Read a stored key; one from before there were limits and rotation has none."""
    return Key(
        id=item["id"]["S"],
        name=item["name"]["S"],
        digest=item["digest"]["S"],
        prefix=item["prefix"]["S"],
        scopes=frozenset(Scope(scope["S"]) for scope in item["scopes"]["L"]),
        created_at=datetime.fromisoformat(item["created_at"]["S"]),
        deployments=tuple(name["S"] for name in item["deployments"]["L"]),
        expires_at=datetime.fromisoformat(item["expires_at"]["S"]) if "expires_at" in item else None,
        limits=limits_from({name: value["N"] for name, value in item.get("limits", {"M": {}})["M"].items()}),
        old_secrets=tuple(
            OldSecret(old["M"]["digest"]["S"], datetime.fromisoformat(old["M"]["until"]["S"]))
            for old in item.get("old_secrets", {"L": []})["L"]
        ),
        version=int(item["version"]["N"]) if "version" in item else 0,
    )

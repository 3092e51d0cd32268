"""Page cursors: DynamoDB's last evaluated key, opaque to clients and checked on its way back."""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from spillway.domain.errors import InvalidRequest

_MAX_LENGTH = 2048


def encode_cursor(last_key: Mapping[str, Any] | None) -> str | None:
    """Return the cursor of the next page, None after the last one. Every key attribute is a string."""
    if not last_key:
        return None
    plain = {name: value["S"] for name, value in last_key.items()}
    return base64.urlsafe_b64encode(json.dumps(plain, sort_keys=True).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, *attributes: str, **fixed: str) -> dict[str, dict[str, str]]:
    """Return the start key with exactly these attributes.

    ``fixed`` attributes must have the given value, so that no cursor leads into another partition.
    Raises InvalidRequest for a cursor that is none.
    """
    plain = _plain(cursor)
    expected = {*attributes, *fixed}
    if set(plain) != expected or any(not isinstance(value, str) or not value for value in plain.values()):
        raise _not_a_cursor()
    if any(plain[name] != value for name, value in fixed.items()):
        raise _not_a_cursor()
    return {name: {"S": value} for name, value in plain.items()}


def _plain(cursor: str) -> dict[str, Any]:
    if len(cursor) > _MAX_LENGTH:
        raise _not_a_cursor()
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        plain = json.loads(base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True))
    except (binascii.Error, UnicodeError, json.JSONDecodeError) as err:
        raise _not_a_cursor() from err
    if not isinstance(plain, dict):
        raise _not_a_cursor()
    return plain


def _not_a_cursor() -> InvalidRequest:
    return InvalidRequest(
        "cursor is not one that this API gave out: take it from next_cursor of the page before", param="cursor"
    )

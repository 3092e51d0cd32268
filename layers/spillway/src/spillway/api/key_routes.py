"""The routes under ``/keys``."""

from collections.abc import Callable
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response

from spillway.api.idempotency import answered_once
from spillway.api.json_responses import Cursor, Identifier, Limit, accepted, errors
from spillway.api.models import ChangedLimits, CreatedKey, KeyPage, KeyRecord, NewKey, Rotation
from spillway.api.views import key_record_of
from spillway.domain.access.keys import Key
from spillway.domain.access.limits import KeyLimits
from spillway.ports import Once
from spillway.services.manage_keys import ManageKeys

_TAGS = ["keys"]


def add_key_routes(api: APIGatewayRestResolver, manage: ManageKeys, once: Once, now: Callable[[], datetime]) -> None:
    """Register the routes; only the answer to a POST ever carries a secret."""

    def with_secret(
        operation: str, payload: dict[str, Any], make: Callable[[], tuple[Key, str]], status: HTTPStatus
    ) -> Response[CreatedKey]:
        secrets: list[str] = []

        def run() -> dict[str, Any]:
            key, secret = make()
            secrets.append(secret)
            return key_record_of(key).model_dump(mode="json")

        # What is kept for a repeat has no secret in it: only hashes are ever stored.
        record = answered_once(api, once, operation, payload, run)
        answer = {**record, "secret": secrets[0] if secrets else None}
        return accepted(f"/keys/{record['id']}", answer, status)

    @api.post("/keys", summary="Make a key", tags=_TAGS, responses=errors(201, 409))
    def create_key(new: NewKey) -> Response[CreatedKey]:
        def create() -> tuple[Key, str]:
            return manage.create(new.name, frozenset(new.scopes), new.deployments, _expiry(new, now()), _limits(new))

        return with_secret("POST /keys", new.model_dump(mode="json"), create, HTTPStatus.CREATED)

    @api.patch("/keys/<key_id>", summary="Change a key's limits", tags=_TAGS, responses=errors(200, 404, 409))
    def change_key(key_id: Identifier, limits: ChangedLimits) -> KeyRecord:
        return key_record_of(manage.change(key_id, limits.model_dump(exclude_unset=True)))

    @api.post("/keys/<key_id>/rotate", summary="Give a key a new secret", tags=_TAGS, responses=errors(200, 404, 409))
    def rotate_key(key_id: Identifier, rotation: Rotation) -> Response[CreatedKey]:
        def rotate() -> tuple[Key, str]:
            return manage.rotate(key_id, timedelta(seconds=rotation.overlap_seconds))

        return with_secret(f"POST /keys/{key_id}/rotate", rotation.model_dump(mode="json"), rotate, HTTPStatus.OK)

    @api.get("/keys", summary="List keys", tags=_TAGS, responses=errors(200))
    def list_keys(limit: Limit = 20, cursor: Cursor = None) -> KeyPage:
        found, next_cursor = manage.page(limit, cursor)
        return KeyPage(items=tuple(key_record_of(key) for key in found), next_cursor=next_cursor)

    @api.delete("/keys/<key_id>", summary="Delete a key", tags=_TAGS, responses=errors(204, 404, 409))
    def delete_key(key_id: Identifier) -> Response[None]:
        manage.delete(key_id)
        return Response(status_code=HTTPStatus.NO_CONTENT)


def _limits(new: NewKey) -> KeyLimits:
    return KeyLimits(new.requests_per_minute, new.tokens_per_minute, new.usd_per_month)


def _expiry(new: NewKey, now: datetime) -> datetime | None:
    if new.expires_in_seconds is not None:
        return now + timedelta(seconds=new.expires_in_seconds)
    return new.expires_at

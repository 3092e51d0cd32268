"""The ``Idempotency-Key`` header: the same key again gets the first answer again."""

from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver

from spillway.api.request_guard import authorizer_of
from spillway.domain.errors import InvalidRequest
from spillway.ports import Once

HEADER = "Idempotency-Key"
_LONGEST = 255


def answered_once(
    api: APIGatewayRestResolver,
    once: Once,
    operation: str,
    payload: Mapping[str, object],
    action: Callable[[], dict[str, Any]],
) -> dict[str, Any]:
    """Run ``action``, once for each of the caller's idempotency keys if the request carries one."""
    key = api.current_event.headers.get(HEADER)
    if key is None:
        return action()
    if not (0 < len(key) <= _LONGEST and key.isascii() and key.isprintable()):
        raise InvalidRequest(f"{HEADER} must be 1 to {_LONGEST} printable ASCII characters", param=HEADER)
    caller = authorizer_of(api.current_event.raw_event).get("key_id", "")
    return once.run(f"{caller}#{operation}#{key}", payload, action, api.lambda_context.get_remaining_time_in_millis())

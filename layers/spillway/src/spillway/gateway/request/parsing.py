"""The body of a request to a model: only what the gateway itself must know is checked, the rest passes through."""

import re
from typing import Any

import orjson

from spillway.domain.capabilities.demand import demand_of
from spillway.domain.errors import InvalidRequest, NotFound
from spillway.gateway.request.counts import read_counts
from spillway.gateway.request.media import inlined_bytes
from spillway.gateway.request.url_policy import check_addresses
from spillway.gateway.request.validation import check_shape
from spillway.gateway.upstream import Endpoint, UpstreamRequest

# As domain.spec has it; that module would bring pydantic into the gateway's start.
_NAME = re.compile(r"[a-z][a-z0-9-]{0,38}[a-z0-9]")
# orjson reads deeper than it writes: what could not be sent on is refused at the door.
_DEEPEST = 200


def parse_completion(raw: bytes, endpoint: Endpoint, request_id: str) -> UpstreamRequest:
    """Read and check the body; raises InvalidRequest with the field, NotFound for a name no deployment can have."""
    body = _object(raw)
    model = _string(body, "model")
    stream = _optional(body, "stream", bool, "a boolean") or False
    options = _optional(body, "stream_options", dict, "an object")
    if options and not stream:
        raise InvalidRequest("stream_options is only allowed with stream", param="stream_options")
    check_shape(endpoint, body)
    read_counts(body)
    check_addresses(body)
    check_name(model)
    wants_usage = bool(options and options.get("include_usage"))
    size = len(raw) - inlined_bytes(body)
    demand = demand_of(endpoint, body, size, stream=stream)
    return UpstreamRequest(model, endpoint, body, stream, wants_usage, request_id, size, demand=demand)


def check_name(model: str) -> None:
    """Raise NotFound for a name that no deployment can have, without asking any table."""
    if not _NAME.fullmatch(model):
        raise unknown_model(model)


def unknown_model(model: str) -> NotFound:
    """Return the answer to a model that does not exist."""
    return NotFound(f"the model '{model[:64]}' does not exist", param="model", code="model_not_found")


def _object(raw: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as err:
        raise InvalidRequest(f"the body is not valid JSON: {err}", code="invalid_json") from err
    if not isinstance(body, dict):
        raise InvalidRequest("the body must be a JSON object", code="invalid_json")
    if raw.count(b"[") + raw.count(b"{") > _DEEPEST:
        _check_depth(body)
    return body


def _check_depth(body: dict[str, Any]) -> None:
    try:
        orjson.dumps(body)
    except orjson.JSONEncodeError as err:
        raise InvalidRequest("the body is nested too deep", code="invalid_json") from err


def _string(body: dict[str, Any], field: str) -> str:
    value = body.get(field)
    if value is None:
        raise InvalidRequest(f"{field} is required", param=field, code="missing_required_parameter")
    if not isinstance(value, str):
        raise InvalidRequest(f"{field} must be a string", param=field, code="invalid_type")
    return value


def _optional(body: dict[str, Any], field: str, kind: type, wanted: str) -> Any:
    value = body.get(field)
    if value is not None and not isinstance(value, kind):
        raise InvalidRequest(f"{field} must be {wanted}", param=field, code="invalid_type")
    return value

"""Bodies that together name every field that a request may have, and what the API's document says of their values."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tests.builders import MODEL, SPILL_MODEL

CAPACITY = {
    "min": 1,
    "max": 4,
    "instance_types": ["g6e.xlarge"],
    "market": "on-demand",
    "warm_windows": [{"days": ["mon"], "from": "08:00", "to": "20:00", "time_zone": "UTC", "min": 2}],
    "tokens_per_minute_per_instance": 90_000.0,
    "larger": {"instance_type": "g6e.12xlarge", "tokens_per_minute_per_instance": 400_000.0, "max": 2},
}
THRESHOLDS = {
    "idle_after_seconds": 900,
    "cold_start_after_seconds": 2.0,
    "queue_depth_per_instance": 8.0,
    "default_max_tokens": 8192,
}
BUDGET = {"usd_per_month": 800.0, "alert_at": [0.5, 1.0]}
DEPLOYMENT = {
    "name": "support-llama",
    "model": {"id": MODEL, "weights": "s3://weights/llama/", "accept_eula": True, "allow_global": True},
    "path": "fleet",
    "capacity": CAPACITY,
    "engine": {
        "name": "vllm",
        "max_model_len": 8192,
        "media_domains": ["example.com"],
        "tool_call_parser": "hermes",
        "reasoning_parser": "qwen3",
        "chat_template": "https://example.com/template.jinja",
        "args": {"max-num-seqs": 64, "trust-remote-code": True},
    },
    "thresholds": THRESHOLDS,
    "spill": {"model_id": SPILL_MODEL, "api": "converse", "allow_global": True},
    "budget": BUDGET,
    "request_log": {"text": True},
}
_WITHOUT_SPILL = {key: value for key, value in DEPLOYMENT.items() if key != "spill"}
LIMITS = {"requests_per_minute": 60, "tokens_per_minute": 40_000, "usd_per_month": 12.5}
BENCHMARK = {
    "mix": [{"prompt_tokens": 1024, "completion_tokens": 256, "share": 1.0}],
    "concurrency": {"start": 4, "factor": 2.0, "max": 256},
    "seconds_per_step": 60.0,
    "latency": {"ttft_p95_ms": 2000.0, "inter_token_p95_ms": 50.0},
    "max_failure_share": 0.01,
    "min_gain": 0.05,
    "refinements": 2,
    "max_usd": 5.0,
    "max_seconds": 1800.0,
    "allow_unknown_price": False,
}
_CURVE = {"requests_per_hour": [1000.0] * 24, "prompt_tokens": 800.0, "completion_tokens": 200.0, "scale": 2.0}
PLAN = {
    "model": MODEL,
    "traffic": _CURVE,
    "instance_types": ["g6e.xlarge"],
    "tokens_per_second": {"g6e.xlarge": 1500.0},
    "target_utilisation": 0.8,
    "flex_share": 0.1,
    "batch_share": 0.1,
    "cached_share": 0.1,
    "cold_start_seconds": 420.0,
    "response_seconds": 10.0,
    "spot_usd_per_hour": {"g6e.xlarge": 0.5},
    "import_units": 2,
    "import_tokens_per_second": 500.0,
    "credits": [{"name": "activate", "usd": 100.0, "expires_on": "2027-11-24"}],
    "starts_on": "2026-12-01",
}
_PER_HOUR = {**PLAN, "traffic": {**_CURVE, "prompt_tokens": [800.0] * 24, "completion_tokens": [200.0] * 24}}


class Asked(NamedTuple):
    """A request: the operation's path in the document, the path that is called, and a body that is accepted."""

    method: str
    template: str
    path: str
    body: dict[str, Any]


# KEY stands for the id of a key that there is.
REQUESTS = (
    Asked("POST", "/deployments", "/deployments", DEPLOYMENT),
    Asked(
        "POST",
        "/deployments",
        "/deployments",
        {**_WITHOUT_SPILL, "thresholds": {**THRESHOLDS, "waiting_usd_per_request": 0.05}},
    ),
    Asked("POST", "/deployments/{name}/benchmarks", "/deployments/serving/benchmarks", BENCHMARK),
    Asked(
        "POST",
        "/deployments/{name}/benchmarks",
        "/deployments/serving/benchmarks",
        {"concurrency": {"levels": [2, 4]}},
    ),
    Asked("POST", "/keys", "/keys", {"name": "ci", **LIMITS, "scopes": ["invoke"], "expires_in_seconds": 3600}),
    Asked("POST", "/keys", "/keys", {"name": "ci", "deployments": ["a1"], "expires_at": "2027-01-01T00:00:00Z"}),
    Asked("PATCH", "/keys/{key_id}", "/keys/KEY", LIMITS),
    Asked("POST", "/keys/{key_id}/rotate", "/keys/KEY/rotate", {"overlap_seconds": 3600}),
    Asked("POST", "/plans", "/plans", PLAN),
    Asked("POST", "/plans", "/plans", _PER_HOUR),
    Asked(
        "PUT",
        "/prices/overrides",
        "/prices/overrides",
        {"overrides": [{"table": "ec2", "discount_percent": 40.0, "name": "g5.xlarge", "note": "Savings Plan"}]},
    ),
    Asked(
        "PUT",
        "/prices/overrides",
        "/prices/overrides",
        {"overrides": [{"table": "ec2", "name": "g5.xlarge", "usd": [1.0]}]},
    ),
    Asked(
        "PUT",
        "/credits",
        "/credits",
        {"grants": [{"name": "a", "usd": 10.0, "expires_on": "2027-11-24"}], "other_usd_per_day": 1.0},
    ),
)
# A merge patch is a free object to the document; what it may name is a deployment's.
PATCH = Asked(
    "PATCH",
    "/deployments/{name}",
    "/deployments/serving",
    {"capacity": CAPACITY, "thresholds": THRESHOLDS, "budget": BUDGET, "request_log": {"text": True}},
)


class Leaf(NamedTuple):
    """One value of a body: where it is (``*`` for any item), its types in JSON Schema, and its schema."""

    place: str
    types: frozenset[str]
    schema: Mapping[str, Any]


def leaves(document: Mapping[str, Any], schema: Mapping[str, Any], place: str = "") -> Iterator[Leaf]:
    """Go through every value that a schema describes."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    for choice in schema.get("anyOf", []):
        yield from leaves(document, choice, place)
    for name, part in schema.get("properties", {}).items():
        yield from leaves(document, part, f"{place}.{name}".strip("."))
    for part in (schema.get("items"), schema.get("additionalProperties")):
        if isinstance(part, Mapping):
            yield from leaves(document, part, f"{place}.*")
    if "type" in schema:
        yield Leaf(place, frozenset({schema["type"]}), schema)


def body_schema(document: Mapping[str, Any], method: str, template: str) -> Mapping[str, Any]:
    """Return the schema of an operation's body."""
    content = document["paths"][template][method.lower()]["requestBody"]["content"]
    schema: Mapping[str, Any] = content["application/json"]["schema"]
    return schema


def values(body: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Go through every place of a body that holds no further ones."""
    pairs = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else None
    if pairs is None:
        yield place, body
        return
    for name, part in pairs:
        yield from values(part, f"{place}/{name}".strip("/"))


def starred(place: str, document_places: frozenset[str]) -> str:
    """Return a body's place as the document has it."""
    parts = place.split("/")
    for number, part in enumerate(parts):
        # An index, or a key of a map, is any item to the document.
        known = ".".join([*parts[:number], part])
        if not any(each == known or each.startswith(f"{known}.") for each in document_places):
            parts[number] = "*"
    return ".".join(parts)


def with_value(body: dict[str, Any], place: str, value: Any) -> dict[str, Any]:
    """Return the body with another value at a place."""
    changed = copy.deepcopy(body)
    *way, last = place.split("/")
    at: Any = changed
    for part in way:
        at = at[int(part) if isinstance(at, list) else part]
    at[int(last) if isinstance(at, list) else last] = value
    return changed

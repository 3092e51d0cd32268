"""An OpenAI chat request as Converse wants it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from spillway.adapters.upstreams.bedrock.learned_limits import Lessons
from spillway.adapters.upstreams.converse.fields import dropped_fields
from spillway.adapters.upstreams.converse.legacy_functions import has_functions, with_tools
from spillway.adapters.upstreams.converse.tools import Tools, tools_of
from spillway.adapters.upstreams.converse.turns import system_of, turns_of
from spillway.domain.errors import InvalidRequest
from spillway.domain.paths.converse_families import EFFORTS, Lack

# What Converse takes at most; engines take up to 2, and a request must not fail only because it spilled.
_HIGHEST_TEMPERATURE = 1.0
_HIGHEST_ASKED = 2.0
_TIERS = {"default": "default", "flex": "flex", "priority": "priority", "fast": "priority"}
_LONGEST_NUMBER = 12


@dataclass(frozen=True)
class Terms:
    """What an answer is held to in here, because the model isn't.

    ``stop`` are the sequences that end it, ``most_calls`` is how many calls it may have (None: any number). With
    ``as_function`` its one call is a ``function_call``.
    """

    stop: tuple[str, ...] = ()
    most_calls: int | None = None
    must_call: bool = False
    as_function: bool = False


@dataclass(frozen=True)
class Asked:
    """A request to Converse, whether its answer may be streamed, and the fields that were left out."""

    body: dict[str, Any]
    may_stream: bool
    terms: Terms
    dropped: tuple[str, ...]


def converse_request(body: Mapping[str, Any], lessons: Lessons) -> Asked:
    """Return the request as the model takes it; raises InvalidRequest for what it, or Converse, has no form for."""
    lacks, dropped = lessons.lacks, dropped_fields(body)
    body = with_tools(body)
    if any("name" in message and message["role"] != "function" for message in body["messages"]):
        dropped.append("messages.name")
    turns, tools = turns_of(body["messages"], lacks), tools_of(body, lacks)
    stop = _stop(body.get("stop"))
    request: dict[str, Any] = {"messages": turns}
    optional = {
        "system": _system(body["messages"], turns, tools, lacks),
        "inferenceConfig": lessons.fitted(_inference_config(body, () if Lack.STOP in lacks else stop)),
        "toolConfig": tools.config,
        "outputConfig": _output_config(body.get("response_format"), lacks),
        "serviceTier": _tier(body.get("service_tier"), lacks, dropped),
        "additionalModelRequestFields": _effort(body.get("reasoning_effort"), lessons, dropped),
    }
    request |= {name: value for name, value in optional.items() if value}
    # A call that is only wished for may not come, which a stream would tell too late.
    may_stream = tools.config is None or (Lack.TOOLS_IN_STREAMS not in lacks and tools.wish is None)
    terms = Terms(stop if Lack.STOP in lacks else (), tools.most_calls, tools.must_call, has_functions(body))
    return Asked(request, may_stream, terms, (*dropped, *tools.dropped))


def _system(
    messages: list[dict[str, Any]], turns: list[dict[str, Any]], tools: Tools, lacks: frozenset[Lack]
) -> list[dict[str, Any]]:
    """Return Converse's system; where the model has none, its texts begin the first turn."""
    system = system_of(messages)
    if tools.wish:
        system.append({"text": tools.wish})
    if Lack.SYSTEM not in lacks:
        return system
    turns[0]["content"][:0] = system
    return []


def _inference_config(body: Mapping[str, Any], stop: tuple[str, ...]) -> dict[str, Any]:
    limit = "max_tokens" if body.get("max_completion_tokens") is None else "max_completion_tokens"
    temperature = _number(body, "temperature", _HIGHEST_ASKED)
    config = {
        "maxTokens": _count(body, limit),
        "temperature": None if temperature is None else min(temperature, _HIGHEST_TEMPERATURE),
        "topP": _number(body, "top_p", 1.0),
        "stopSequences": list(stop) or None,
    }
    return {name: value for name, value in config.items() if value is not None}


def _count(body: Mapping[str, Any], field: str) -> int | None:
    """Return a whole number of at least 1, which engines also read out of ``3.0`` and ``"3"``."""
    value = body.get(field)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _LONGEST_NUMBER:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise InvalidRequest(f"{field} must be a whole number of at least 1", param=field, code="invalid_type")
    return value


def _number(body: Mapping[str, Any], field: str, highest: float) -> float | None:
    value = body.get(field)
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= highest:
        raise InvalidRequest(f"{field} must be a number from 0 to {highest:g}", param=field, code="invalid_type")
    return float(value)


def _stop(stop: Any) -> tuple[str, ...]:
    """Return the sequences that end an answer; empty ones end nothing."""
    listed = [stop] if isinstance(stop, str) else stop or []
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise InvalidRequest("stop must be a string or a list of strings", param="stop", code="invalid_type")
    return tuple(each for each in dict.fromkeys(listed) if each)


def _output_config(wanted: Any, lacks: frozenset[Lack]) -> dict[str, Any] | None:
    if not isinstance(wanted, dict) or wanted.get("type") in (None, "text"):
        return None
    schema = wanted.get("json_schema")
    if wanted["type"] != "json_schema" or not isinstance(schema, dict) or "schema" not in schema:
        raise InvalidRequest(
            "this model has no such response format", param="response_format", allowed=["text", "json_schema"]
        )
    if Lack.SCHEMA in lacks:
        raise InvalidRequest(
            "the model that answers now takes no schema for its answer", param="response_format", allowed=["text"]
        )
    form = {
        "schema": orjson.dumps(schema["schema"]).decode(),
        "name": schema.get("name"),
        "description": schema.get("description"),
    }
    structure = {"jsonSchema": {name: value for name, value in form.items() if value}}
    return {"textFormat": {"type": "json_schema", "structure": structure}}


def _tier(wanted: Any, lacks: frozenset[Lack], dropped: list[str]) -> dict[str, Any] | None:
    if wanted in (None, "auto"):
        return None
    if not isinstance(wanted, str) or wanted not in _TIERS:
        raise InvalidRequest("no such service tier", param="service_tier", allowed=["auto", *_TIERS])
    if Lack.TIERS in lacks:
        dropped.append("service_tier")
        return None
    return {"type": _TIERS[wanted]}


def _effort(wanted: Any, lessons: Lessons, dropped: list[str]) -> dict[str, Any] | None:
    if wanted is None:
        return None
    if not isinstance(wanted, str) or wanted not in EFFORTS:
        raise InvalidRequest("no such effort", param="reasoning_effort", allowed=EFFORTS)
    effort = None if Lack.EFFORT in lessons.lacks else lessons.family.effort
    if effort is None or wanted not in effort.values:
        dropped.append("reasoning_effort")
        return None
    value = effort.values[wanted]
    return None if value is None else {effort.field: value}

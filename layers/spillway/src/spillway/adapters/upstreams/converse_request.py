"""An OpenAI chat request as Converse wants it."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from spillway.adapters.upstreams.converse_content import NOTHING, content_blocks, text_of
from spillway.domain.errors import InvalidRequest

_SYSTEM_ROLES = frozenset({"system", "developer"})
_ROLES = ("system", "developer", "user", "assistant", "tool")
# What Converse takes at most; engines take up to 2, and a request must not fail only because it spilled.
_HIGHEST_TEMPERATURE = 1.0


def converse_body(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the Converse request; raises InvalidRequest for what it has no form for.

    Sampling hints without a counterpart (seed, penalties, logit_bias) are left out: the answer stays a valid one.
    """
    if (body.get("n") or 1) != 1:
        raise InvalidRequest("this model answers with one choice only", param="n")
    system = [
        {"text": text}
        for message in body["messages"]
        if message["role"] in _SYSTEM_ROLES and (text := text_of(message.get("content"), "messages")).strip()
    ]
    turns = list(_turns(body["messages"]))
    if not turns:
        raise InvalidRequest("messages needs at least one message of a user", param="messages")
    if turns[0]["role"] == "assistant":
        # A bot's greeting, for OpenAI; Converse wants a user to begin.
        turns.insert(0, {"role": "user", "content": [{"text": NOTHING}]})
    request: dict[str, Any] = {"messages": turns}
    optional = {
        "system": system,
        "inferenceConfig": _inference_config(body),
        "toolConfig": _tool_config(body),
        "outputConfig": _output_config(body.get("response_format")),
    }
    return request | {name: value for name, value in optional.items() if value}


def _turns(messages: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield Converse's messages: neighbours of one role in one, because it wants the roles to alternate."""
    turn: dict[str, Any] | None = None
    for index, message in enumerate(messages):
        role = message["role"]
        if role not in _ROLES:
            raise InvalidRequest(f"unknown role '{role[:32]}'", param=f"messages.{index}.role", allowed=_ROLES)
        blocks = [] if role in _SYSTEM_ROLES else content_blocks(message, f"messages.{index}")
        if not blocks:
            continue
        side = "assistant" if role == "assistant" else "user"
        if turn is not None and turn["role"] == side:
            turn["content"] += blocks
            continue
        if turn is not None:
            yield turn
        turn = {"role": side, "content": blocks}
    if turn is not None:
        yield turn


def _inference_config(body: Mapping[str, Any]) -> dict[str, Any]:
    temperature = body.get("temperature")
    if isinstance(temperature, int | float):
        temperature = min(float(temperature), _HIGHEST_TEMPERATURE)
    stop = body.get("stop")
    config = {
        "maxTokens": body.get("max_completion_tokens") or body.get("max_tokens"),
        "temperature": temperature,
        "topP": body.get("top_p"),
        "stopSequences": [stop] if isinstance(stop, str) else stop,
    }
    return {name: value for name, value in config.items() if value is not None}


def _tool_config(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the tools that may be used; those that were used have to be among them, though the request has none."""
    choice, used = body.get("tool_choice"), _used_tools(body["messages"])
    tools = body.get("tools") or used
    if not tools or (choice == "none" and not used):
        return None
    if not isinstance(tools, list):
        raise InvalidRequest("tools must be a list", param="tools", code="invalid_type")
    config: dict[str, Any] = {"tools": [_tool(tool, f"tools.{index}") for index, tool in enumerate(tools)]}
    if chosen := _tool_choice(choice):
        config["toolChoice"] = chosen
    return config


def _used_tools(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the tools that a conversation's calls name, as a request would offer them."""
    calls = [call for message in messages if message["role"] == "assistant" for call in message.get("tool_calls") or []]
    return [{"function": {"name": name}} for name in dict.fromkeys(call["function"]["name"] for call in calls)]


def _tool(tool: Any, param: str) -> dict[str, Any]:
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise InvalidRequest("a tool must be a function with a name", param=param, code="invalid_type")
    spec = {
        "name": function["name"],
        "description": function.get("description"),
        "inputSchema": {"json": function.get("parameters") or {"type": "object", "properties": {}}},
    }
    return {"toolSpec": {name: value for name, value in spec.items() if value}}


def _tool_choice(choice: Any) -> dict[str, Any] | None:
    """Return Converse's form of a choice; None where it has none, which means "auto"."""
    if choice == "required":
        return {"any": {}}
    if isinstance(choice, dict) and isinstance(choice.get("function"), dict):
        return {"tool": {"name": choice["function"].get("name")}}
    return None


def _output_config(wanted: Any) -> dict[str, Any] | None:
    if not isinstance(wanted, dict) or wanted.get("type") in (None, "text"):
        return None
    schema = wanted.get("json_schema")
    if wanted["type"] != "json_schema" or not isinstance(schema, dict) or "schema" not in schema:
        raise InvalidRequest(
            "this model has no such response format", param="response_format", allowed=["text", "json_schema"]
        )
    form = {"schema": orjson.dumps(schema["schema"]).decode(), "name": schema.get("name")}
    structure = {"jsonSchema": {name: value for name, value in form.items() if value}}
    return {"textFormat": {"type": "json_schema", "structure": structure}}

"""A request for a response as a chat request."""

from collections.abc import Mapping
from typing import Any

from spillway.adapters.upstreams.fields import dropped_fields, not_taken
from spillway.adapters.upstreams.responses_fields import FIELDS, NESTED
from spillway.domain.errors import InvalidRequest

# What only responses know. The rest (temperature, top_p, stream, an engine's own fields) means the same in chat.
_OWN_FIELDS = frozenset(name for name, field in FIELDS.items() if field.fate != "passed")
_NOT_TAKEN = not_taken(FIELDS, NESTED)
_INCLUDE = "include."
_LOGPROBS = "message.output_text.logprobs"
_INCLUDED = tuple(sorted(name.removeprefix(_INCLUDE) for name in NESTED if name.startswith(_INCLUDE)))
_OF_TOOLS = ("name", "description", "parameters", "strict")
_CHOICES = ("auto", "none", "required")


def chat_fields(body: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the chat request but for its messages, and the names of what was left out.

    Raises InvalidRequest with the field that chat has no form for.
    """
    request = {name: value for name, value in body.items() if name not in _OWN_FIELDS}
    text, reasoning, included = _object(body, "text"), _object(body, "reasoning"), _included(body.get("include"))
    wants_logprobs = _LOGPROBS in included or bool(body.get("top_logprobs"))
    optional = {
        "max_tokens": body.get("max_output_tokens"),
        "tools": _tools(body.get("tools")),
        "tool_choice": _tool_choice(body.get("tool_choice")),
        "response_format": _response_format(text.get("format")),
        "verbosity": text.get("verbosity"),
        "reasoning_effort": reasoning.get("effort"),
        "logprobs": wants_logprobs or None,
    }
    request |= {name: value for name, value in optional.items() if value is not None}
    dropped = dropped_fields(body, _NOT_TAKEN)
    inside = (("reasoning.", reasoning), (_INCLUDE, included), ("stream_options.", _object(body, "stream_options")))
    for prefix, asked in (*inside, *(("tools.", tool) for tool in body.get("tools") or ())):
        dropped += dropped_fields(asked, _NOT_TAKEN, prefix)
    return request, dropped


def _included(include: Any) -> dict[str, bool]:
    """Return what is to be added to the response; raises InvalidRequest for what nobody can tell the meaning of."""
    if include is None:
        return {}
    if not isinstance(include, list) or not all(isinstance(each, str) and each in _INCLUDED for each in include):
        raise InvalidRequest("include is a list of these", param="include", allowed=_INCLUDED)
    return dict.fromkeys(include, True)


def _tools(tools: Any) -> list[dict[str, Any]] | None:
    if not tools:
        return None
    if not isinstance(tools, list):
        raise InvalidRequest("tools must be a list", param="tools", code="invalid_type")
    return [_tool(tool, f"tools.{index}") for index, tool in enumerate(tools)]


def _tool(tool: Any, param: str) -> dict[str, Any]:
    if not isinstance(tool, dict) or tool.get("type") != "function":
        raise InvalidRequest("only functions can be tools here", param=f"{param}.type", allowed=["function"])
    if not isinstance(tool.get("name"), str):
        raise InvalidRequest("a function needs a name", param=f"{param}.name", code="invalid_type")
    return {"type": "function", "function": {name: tool[name] for name in _OF_TOOLS if tool.get(name) is not None}}


def _tool_choice(choice: Any) -> Any:
    if choice is None or (isinstance(choice, str) and choice in _CHOICES):
        return choice
    if isinstance(choice, dict) and choice.get("type") == "function" and isinstance(choice.get("name"), str):
        return {"type": "function", "function": {"name": choice["name"]}}
    raise InvalidRequest("tool_choice is a word or names a function", param="tool_choice", allowed=_CHOICES)


def _response_format(wanted: Any) -> dict[str, Any] | None:
    if not isinstance(wanted, dict) or wanted.get("type") in (None, "text"):
        return None
    if wanted["type"] != "json_schema":
        return {"type": wanted["type"]}
    fields = ("name", "description", "schema", "strict")
    schema = {name: wanted[name] for name in fields if wanted.get(name) is not None}
    return {"type": "json_schema", "json_schema": schema}


def _object(body: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    value = body.get(field)
    if value is not None and not isinstance(value, dict):
        raise InvalidRequest(f"{field} must be an object", param=field, code="invalid_type")
    return value or {}

"""OpenAI's functions, which tools have replaced: a chat request that has them as one that has tools."""

from collections.abc import Mapping
from typing import Any

from spillway.domain.errors import InvalidRequest

_CHOICES = ("none", "auto")


def has_functions(body: Mapping[str, Any]) -> bool:
    """Whether a request offers functions, so that its answer has to have a ``function_call``."""
    return body.get("functions") is not None or body.get("function_call") is not None


def with_tools(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the request with tools, calls and results in place of functions; the same one where it has none."""
    messages = body["messages"]
    if any(message["role"] == "function" or message.get("function_call") for message in messages):
        body = {**body, "messages": _messages(messages)}
    if not has_functions(body):
        return body
    functions, tools = body.get("functions"), body.get("tools")
    if tools:
        raise InvalidRequest("a request has tools or functions, not both", param="functions")
    if functions is not None and not isinstance(functions, list):
        raise InvalidRequest("functions must be a list", param="functions", code="invalid_type")
    return {
        **body,
        "tools": [{"type": "function", "function": function} for function in functions or ()],
        "tool_choice": _choice(body.get("function_call")),
        # There is one call in an answer of this form.
        "parallel_tool_calls": False,
    }


def _choice(choice: Any) -> Any:
    match choice:
        case None | "none" | "auto":
            return choice
        case {"name": str(name)}:
            return {"type": "function", "function": {"name": name}}
        case _:
            raise InvalidRequest("function_call is a word or names a function", param="function_call", allowed=_CHOICES)


def _messages(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return messages whose calls have ids: a function's message answers the call before it."""
    made: list[dict[str, Any]] = []
    call_id = ""
    for index, message in enumerate(messages):
        if message["role"] == "function":
            made.append({"role": "tool", "tool_call_id": call_id, "content": message.get("content")})
        elif message["role"] == "assistant" and message.get("function_call"):
            call_id = f"call_{index}"
            call = {"id": call_id, "type": "function", "function": message["function_call"]}
            made.append({**message, "tool_calls": [call]})
        else:
            made.append(message)
    return made

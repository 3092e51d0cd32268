"""The tools of an OpenAI chat request as Converse's toolConfig."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spillway.adapters.upstreams.converse.content import tool_name
from spillway.adapters.upstreams.converse.turns import used_tools
from spillway.domain.errors import InvalidRequest
from spillway.domain.paths.converse_families import Lack

_CHOICES = ("auto", "none", "required")
_WISH = "Answer this by calling one or more of the tools that you have."
_WISH_FOR_ONE = "Answer this by calling the tool {name}."


@dataclass(frozen=True)
class Tools:
    """``config`` is Converse's toolConfig, None without tools.

    ``most_calls`` is how many calls the answer may have, None for any number. ``wish`` is what a model has to be told
    that can't be made to call a tool. ``dropped`` names what was left out.
    """

    config: dict[str, Any] | None = None
    most_calls: int | None = None
    must_call: bool = False
    wish: str | None = None
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Choice:
    """What tool_choice says: ``names`` are the tools that may be called, None for all."""

    kind: str
    names: frozenset[str] | None = None


_NONE = Tools()
_AUTO = _Choice("auto")


def tools_of(body: Mapping[str, Any], lacks: frozenset[Lack]) -> Tools:
    """Return the tools that may be used; those that were used have to be among them, though the request has none."""
    choice, offered = _choice(body.get("tool_choice")), _offered(body.get("tools"))
    used = used_tools(body["messages"])
    if not used and (choice.kind == "none" or (choice is _AUTO and not offered)):
        return _NONE
    specs, without_strict = _specs(offered, choice, lacks)
    if choice.kind == "required" and not specs:
        raise InvalidRequest("tool_choice needs tools to choose from", param="tool_choice")
    if not specs and not used:
        return _NONE
    if Lack.TOOLS in lacks:
        raise InvalidRequest("the model that answers now calls no tools", param="tools" if offered else "messages")
    forced = _forced(choice, lacks) if choice.kind == "required" else None
    config: dict[str, Any] = {"tools": specs or [_spec({"name": name}, "tools", lacks) for name in used]}
    if forced:
        config["toolChoice"] = forced
    return Tools(
        config,
        _most_calls(body, may_call=bool(specs) and choice.kind != "none"),
        must_call=choice.kind == "required",
        wish=_wish(choice) if choice.kind == "required" and not forced else None,
        dropped=("tools.strict",) if without_strict else (),
    )


def _offered(tools: Any) -> list[Any]:
    if tools is not None and not isinstance(tools, list):
        raise InvalidRequest("tools must be a list", param="tools", code="invalid_type")
    return tools or []


def _specs(offered: list[Any], choice: _Choice, lacks: frozenset[Lack]) -> tuple[list[dict[str, Any]], bool]:
    """Return the tools that a choice leaves, and whether one of them was to be held to its schema and can't be."""
    functions = [_function(tool, f"tools.{index}") for index, tool in enumerate(offered)]
    if choice.names is not None and (missing := choice.names - {function["name"] for function in functions}):
        raise InvalidRequest(f"tool_choice names '{min(missing)}', which is none of tools", param="tool_choice")
    specs, without_strict = [], False
    for index, function in enumerate(functions):
        if _names_one(choice, lacks) or choice.names is None or function["name"] in choice.names:
            specs.append(_spec(function, f"tools.{index}", lacks))
            without_strict |= bool(function.get("strict")) and Lack.STRICT in lacks
    return specs, without_strict


def _function(tool: Any, param: str) -> dict[str, Any]:
    kind = tool.get("type", "function") if isinstance(tool, dict) else None
    if kind != "function":
        raise InvalidRequest("only functions can be tools here", param=f"{param}.type", allowed=["function"])
    function = tool.get("function")
    if not isinstance(function, dict):
        raise InvalidRequest("a tool must be a function with a name", param=param, code="invalid_type")
    return {**function, "name": tool_name(function.get("name"), f"{param}.function.name")}


def _spec(function: Mapping[str, Any], param: str, lacks: frozenset[Lack]) -> dict[str, Any]:
    spec: dict[str, Any] = {"name": function["name"]}
    if isinstance(description := function.get("description"), str) and description:
        spec["description"] = description
    spec["inputSchema"] = {"json": _schema(function.get("parameters"), f"{param}.function.parameters")}
    if function.get("strict") and Lack.STRICT not in lacks:
        spec["strict"] = True
    return {"toolSpec": spec}


def _schema(parameters: Any, param: str) -> dict[str, Any]:
    """Return a schema that says at its root that it is an object's, as Converse wants it."""
    if parameters is None or parameters == {}:
        return {"type": "object", "properties": {}}
    if not isinstance(parameters, dict):
        raise InvalidRequest("a function's parameters are a JSON schema", param=param, code="invalid_type")
    kind = parameters.get("type")
    if kind == "object":
        return parameters
    if kind is None or (isinstance(kind, list) and "object" in kind):
        return {**parameters, "type": "object"}
    raise InvalidRequest("a function's parameters are an object", param=f"{param}.type", allowed=["object"])


def _choice(choice: Any) -> _Choice:
    match choice:
        case None | "auto":
            return _AUTO
        case "none" | "required":
            return _Choice(choice)
        case {"type": "function", "function": {"name": str(name)}}:
            return _Choice("required", frozenset({name}))
        case {"type": "allowed_tools", "allowed_tools": {"mode": "auto" | "required" as mode, "tools": list(tools)}}:
            return _Choice(mode, frozenset(_allowed(tool, index) for index, tool in enumerate(tools)))
        case _:
            raise InvalidRequest(
                "tool_choice is a word, names a function, or lists allowed ones", param="tool_choice", allowed=_CHOICES
            )


def _allowed(tool: Any, index: int) -> str:
    match tool:
        case {"type": "function", "function": {"name": str(name)}}:
            return name
        case _:
            param = f"tool_choice.allowed_tools.tools.{index}"
            raise InvalidRequest("an allowed tool names a function", param=param, code="invalid_type")


def _forced(choice: _Choice, lacks: frozenset[Lack]) -> dict[str, Any] | None:
    """Return what makes a model call a tool, None where it can't be made to.

    Where only the tools that may be called are offered, any of them will do.
    """
    if _names_one(choice, lacks) and choice.names:
        return {"tool": {"name": min(choice.names)}}
    return {"any": {}} if Lack.ANY_TOOL not in lacks else None


def _names_one(choice: _Choice, lacks: frozenset[Lack]) -> bool:
    """Whether one tool has to be called, of a model that can be told which."""
    is_one = choice.kind == "required" and choice.names is not None and len(choice.names) == 1
    return is_one and Lack.NAMED_TOOL not in lacks


def _wish(choice: _Choice) -> str:
    if choice.names is not None and len(choice.names) == 1:
        return _WISH_FOR_ONE.format(name=min(choice.names))
    return _WISH


def _most_calls(body: Mapping[str, Any], *, may_call: bool) -> int | None:
    if not may_call:
        return 0
    return 1 if body.get("parallel_tool_calls") is False else None

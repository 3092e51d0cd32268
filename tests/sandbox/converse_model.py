"""What the emulated models do with tools and schemas: which calls they make, and a value that a schema allows."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.sandbox.wording import Wording, message_text


@dataclass(frozen=True)
class ToolCall:
    """One call; ``arguments`` are a JSON object."""

    id: str
    name: str
    arguments: dict[str, Any]


class Thinking:
    """An answer that begins with thoughts between tags, as gpt-oss writes them on the OpenAI-compatible endpoint."""

    _LEAD = ("<reason", "ing>", "The user", " asks.", "</reaso", "ning>")

    def __init__(self, wording: Wording) -> None:
        self._wording = wording

    def text(self, start: int, stop: int, choice: int = 0) -> str:
        """Return the tokens from ``start`` up to ``stop``."""
        begun = len(self._LEAD)
        lead = "".join(self._LEAD[start:stop])
        return lead + (self._wording.text(max(start - begun, 0), stop - begun, choice) if stop > begun else "")


class Said:
    """An answer that is one piece, whatever the prompt was: one token long."""

    def __init__(self, text: str) -> None:
        self._text = text

    def text(self, start: int, stop: int, choice: int = 0) -> str:
        """Return all of it with its one token."""
        return self._text if start == 0 and stop else ""


def calls_for(body: Mapping[str, Any]) -> tuple[ToolCall, ...]:
    """Return the calls that a model answers a Converse body with.

    The tool that is named, the first where one is required, else every tool whose name the last turn's text holds.
    """
    config = body.get("toolConfig") or {}
    specs = {tool["toolSpec"]["name"]: tool["toolSpec"] for tool in config.get("tools", ()) if "toolSpec" in tool}
    text = message_text(body["messages"][-1])
    match config.get("toolChoice") or {}:
        case {"tool": {"name": str(name)}} if name in specs:
            chosen = [name]
        case {"any": _}:
            chosen = list(specs)[:1]
        case _:
            chosen = [name for name in specs if name in text]
    turn = len(body["messages"])
    return tuple(
        ToolCall(_id(f"{turn} {name}"), name, instance_of(specs[name]["inputSchema"]["json"])) for name in chosen
    )


def openai_calls_for(body: Mapping[str, Any]) -> tuple[ToolCall, ...]:
    """Return the calls that a model answers OpenAI's chat body with, by the same rules."""
    functions = [tool["function"] for tool in body.get("tools") or () if "function" in tool]
    specs = [{"name": one["name"], "inputSchema": {"json": one.get("parameters") or {}}} for one in functions]
    choice = body.get("tool_choice")
    if choice == "none":
        return ()
    named = {"tool": {"name": choice["function"]["name"]}} if isinstance(choice, Mapping) else None
    config = {
        "tools": [{"toolSpec": spec} for spec in specs],
        "toolChoice": named or ({"any": {}} if choice == "required" else {}),
    }
    calls = calls_for({"toolConfig": config, "messages": body["messages"]})
    return calls[:1] if body.get("parallel_tool_calls") is False else calls


def instance_of(schema: Mapping[str, Any]) -> Any:
    """Return a small value that a schema allows: of an object the members it requires."""
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for several in ("anyOf", "oneOf"):
        if schema.get(several):
            return instance_of(schema[several][0])
    kind = schema.get("type", "object")
    match kind[0] if isinstance(kind, list) else kind:
        case "object":
            members = schema.get("properties", {})
            return {name: instance_of(members.get(name, {})) for name in schema.get("required", ())}
        case "array":
            return [instance_of(schema.get("items", {})) for _ in range(schema.get("minItems", 0))]
        case "string":
            return "word"
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case _:
            return None


def _id(seed: str) -> str:
    return f"tooluse_{zlib.crc32(seed.encode()):022d}"

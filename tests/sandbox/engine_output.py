"""What an emulated model puts out for one request, token by token, and what its engine's parsers make of it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from tests.sandbox.converse_model import instance_of
from tests.sandbox.engine_command import Command
from tests.sandbox.engine_dialects import Dialect, dialect_of
from tests.sandbox.engine_wire import Call
from tests.sandbox.wording import CHARACTERS_PER_TOKEN, OneObject, Wording, wording_for

_THOUGHTS = 4
_OPENING, _CLOSING = "<think>\n", "\n</think>\n\n"


class Kind(Enum):
    """What a part of an answer is; a call's name comes before its arguments."""

    THOUGHT = auto()
    TEXT = auto()
    NAME = auto()
    ARGUMENTS = auto()


@dataclass(frozen=True)
class Part:
    """Some of an answer, as a client sees it; ``call`` numbers the calls of one answer."""

    kind: Kind
    text: str
    call: int = 0


@dataclass(frozen=True)
class Token:
    """One of the model's own, and what a client sees of it: nothing of what a parser takes out."""

    raw: str
    part: Part | None


@dataclass(frozen=True)
class Output:
    """``lead`` first, then the endless ``wording``, unless the lead ends the answer: calls, or what fills a schema."""

    lead: tuple[Token, ...]
    wording: Wording
    calls: int = 0
    ends: bool = False

    def length(self, completion_tokens: int) -> int:
        """Return where the answer stops by itself, when plain text is as long as that."""
        return len(self.lead) if self.ends else len(self.lead) + completion_tokens

    @property
    def reads_calls(self) -> bool:
        """Whether the engine's parser makes calls of the model's."""
        return any(token.part and token.part.kind is Kind.NAME for token in self.lead)

    def parts(self, start: int, stop: int, choice: int) -> Iterator[Part]:
        """Yield what a stream shows of the tokens from ``start`` up to ``stop``, neighbours of a kind as one."""
        held: Part | None = None
        for part in self._each(start, stop, choice):
            if held and (held.kind, held.call) == (part.kind, part.call):
                part = Part(held.kind, held.text + part.text, held.call)
            elif held:
                yield held
            held = part
        if held:
            yield held

    def whole(self, tokens: int, choice: int) -> list[Part]:
        """Return what is seen of an answer that is not streamed: a call that is cut off is text, as vLLM leaves it."""
        if not self.calls or tokens >= len(self.lead):
            return list(self.parts(0, tokens, choice))
        seen = [token for token in self.lead[:tokens] if token.part and token.part.kind is Kind.THOUGHT]
        said = [token for token in self.lead[:tokens] if token not in seen and token.raw not in (_OPENING, _CLOSING)]
        parts = [
            Part(Kind.THOUGHT, "".join(token.raw for token in seen)),
            Part(Kind.TEXT, "".join(t.raw for t in said)),
        ]
        return [part for part in parts if part.text]

    def _each(self, start: int, stop: int, choice: int) -> Iterator[Part]:
        for token in self.lead[start:stop]:
            if token.part:
                yield token.part
        begun = len(self.lead)
        if stop > begun:
            yield Part(Kind.TEXT, self.wording.text(max(start - begun, 0), stop - begun, choice))


def output_of(call: Call, command: Command) -> Output:
    """Return what the model of ``command`` puts out."""
    dialect, wording = dialect_of(command.model), wording_for(call.prompt)
    thoughts = _thoughts(call, dialect, command, wording) if dialect and call.chat else []
    if call.schema is not None or isinstance(wording, OneObject):
        # The engine's grammar holds any model to a schema; an object is also what a model was asked for in words.
        filled = wording.text(0, 1) if call.schema is None else json.dumps(instance_of(call.schema), ensure_ascii=False)
        return Output((*thoughts, *(Token(raw, Part(Kind.TEXT, raw)) for raw in _cut(filled))), wording, ends=True)
    if dialect is None or not call.chat:
        return Output((), wording)
    wanted = _wanted(call, dialect, command)
    called = [token for number, tool in enumerate(wanted) for token in _call(number, tool, call, dialect, command)]
    return Output((*thoughts, *called), wording, len(wanted), ends=bool(wanted))


def _thoughts(call: Call, dialect: Dialect, command: Command, wording: Wording) -> list[Token]:
    if not dialect.thoughts_by or not call.thinks:
        return []
    words = [wording.text(place, place + 1, 0) for place in range(_THOUGHTS)]
    if command.reasoning_parser in dialect.thoughts_by:
        inner = [Token(word, Part(Kind.THOUGHT, word)) for word in words]
        return [Token(_OPENING, None), *inner, Token(_CLOSING, None)]
    return [Token(text, Part(Kind.TEXT, text)) for text in (_OPENING, *words, _CLOSING)]


def _wanted(call: Call, dialect: Dialect, command: Command) -> Sequence[Mapping[str, Any]]:
    """Return the functions to call: the one that is named, else those that the user mentions, else the first.

    Left to itself a model calls what its own words can call, once for a user's turn, and answers a tool's result.
    """
    functions = [tool["function"] for tool in call.tools if isinstance(tool.get("function"), dict)]
    if isinstance(call.tool_choice, dict):
        name = call.tool_choice["function"]["name"]
        return [function for function in functions if function["name"] == name]
    if call.tool_choice == "none" or not functions:
        return []
    if call.tool_choice != "required" and (call.after_tools or not dialect.read_by):
        return []
    mentioned = [function for function in functions if function["name"] in call.asked] or functions[:1]
    return mentioned[:1] if dialect.single or not call.parallel else mentioned


def _call(number: int, function: Mapping[str, Any], call: Call, dialect: Dialect, command: Command) -> Iterator[Token]:
    """Yield one call's tokens. A choice that forces a call forces the parser's own form too, whatever the model."""
    name, arguments = function["name"], arguments_for(function.get("parameters") or {}, call.prompt)
    native = dialect.write(name, arguments)
    is_forced = isinstance(call.tool_choice, dict) or call.tool_choice == "required"
    if not is_forced and command.tool_call_parser not in dialect.read_by:
        yield from (Token(raw, Part(Kind.TEXT, raw)) for raw in _cut(native))
        return
    written = json.dumps(arguments, ensure_ascii=False)
    yield Token(native[: native.find(name) + len(name)], Part(Kind.NAME, name, number))
    yield from (Token(raw, Part(Kind.ARGUMENTS, raw, number)) for raw in _cut(written))


def _cut(text: str) -> list[str]:
    return [text[start : start + CHARACTERS_PER_TOKEN] for start in range(0, len(text), CHARACTERS_PER_TOKEN)]


def arguments_for(schema: Mapping[str, Any], prompt: str) -> dict[str, Any]:
    """Return arguments that a function's JSON schema allows, with the prompt's last word wherever a text goes."""
    word = (prompt.split() or ["nothing"])[-1]
    properties = schema.get("properties") or {}
    return {name: _value(each, word) for name, each in properties.items()}


def _value(schema: Any, word: str) -> Any:
    if not isinstance(schema, Mapping):
        return word
    if allowed := schema.get("enum"):
        return allowed[0]
    kind = schema.get("type", "string")
    match kind[0] if isinstance(kind, list) else kind:
        case "integer" | "number":
            return max(schema.get("minimum", 1), 1)
        case "boolean":
            return True
        case "array":
            return [_value(schema.get("items"), word)]
        case "object":
            return arguments_for(schema, word)
        case _:
            return word

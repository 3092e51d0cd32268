"""What a request demands of whoever answers it, found by one cheap look at its body."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spillway.domain.capabilities.card import JSON_TRIES, MOST_EMULATED_ANSWERS, Ability, Card
from spillway.domain.capabilities.grammars import GRAMMARS, first_outside

# More than any usual text or code has (English prose has some 4.5): a prompt surely has a token for every six bytes.
_BYTES_PER_TOKEN_AT_MOST = 6
_IMAGE_PARTS = frozenset({"image_url", "input_image", "image"})
_SYSTEM_ROLES = frozenset({"system", "developer"})
_FORMATS = {"json_object": Ability.JSON_OBJECT, "json_schema": Ability.JSON_SCHEMA}
_SEVERAL = frozenset({Ability.CHOICES, Ability.PROMPTS})
_NOTHING: frozenset[Ability] = frozenset()


@dataclass(frozen=True)
class Demand:
    """``choices`` are the answers to all prompts, ``least_tokens`` what prompt and answer may need at least.

    ``schema`` is what the answer is to be held to, None for nothing, and ``schema_at`` the field that has it.
    """

    abilities: frozenset[Ability] = _NOTHING
    choices: int = 1
    least_tokens: int = 0
    schema: Any = field(default=None, hash=False)
    schema_at: str = ""

    def lacking(self, card: Card) -> frozenset[Ability]:
        """Return what a target is known to lack of it, emulation included."""
        if not self.abilities:
            return _NOTHING
        lacking = self.abilities & card.cannot
        if self.choices > MOST_EMULATED_ANSWERS:
            lacking |= self.abilities & card.emulated & _SEVERAL
        if self.outside(card) is not None:
            lacking |= {Ability.JSON_SCHEMA}
        return lacking

    def outside(self, card: Card) -> str | None:
        """Return the field in the schema that a target's grammar holds no answer to, None where it holds one to all."""
        grammar = GRAMMARS.get(card.grammar or "")
        if self.schema is None or grammar is None:
            return None
        place = first_outside(self.schema, grammar)
        return None if place is None else f"{self.schema_at}.{place}"

    def repeats(self, card: Card) -> tuple[int, int]:
        """Return how often a target reads the prompt, and how often it writes each answer, where it is made up."""
        made_up = self.abilities & card.emulated
        tries = JSON_TRIES if Ability.JSON_OBJECT in made_up else 1
        return tries * (min(self.choices, MOST_EMULATED_ANSWERS) if Ability.CHOICES in made_up else 1), tries

    def is_too_long(self, card: Card) -> bool:
        """Whether it most likely does not fit into a target's context. An estimate: it decides who is asked first."""
        return card.context_length is not None and self.least_tokens > card.context_length


NO_DEMAND = Demand()


def demand_of(endpoint: str, body: Mapping[str, Any], size: int, *, stream: bool) -> Demand:
    """Return the demand of a body whose shape was checked; ``size`` is its bytes without inlined media."""
    wanted: set[Ability] = set()
    _look_at_tools(body, wanted, stream=stream)
    schema, schema_at = _look_at_format(endpoint, body, wanted)
    if (choices := _number(body.get("n")) or 1) > 1:
        wanted.add(Ability.CHOICES)
    if endpoint == "completions" and isinstance(prompts := body.get("prompt"), list) and isinstance(prompts[0], str):
        if len(prompts) > 1:
            wanted.add(Ability.PROMPTS)
        choices *= len(prompts)
    if _wants_logprobs(endpoint, body):
        wanted.add(Ability.LOGPROBS)
    _look_at_messages(body.get("input" if endpoint == "responses" else "messages"), wanted)
    if body.get("instructions") and endpoint == "responses":
        wanted.add(Ability.SYSTEM)
    least_tokens = size // _BYTES_PER_TOKEN_AT_MOST + _longest_answer(body)
    return Demand(frozenset(wanted), choices, least_tokens, schema, schema_at)


# The fields that may demand an ability, of whatever endpoint.
_PARAMS: Mapping[Ability, tuple[str, ...]] = {
    Ability.TOOLS: ("tools",),
    Ability.TOOL_CHOICE: ("tool_choice",),
    Ability.STREAMED_TOOLS: ("stream",),
    Ability.JSON_OBJECT: ("response_format", "text.format"),
    Ability.JSON_SCHEMA: ("response_format", "text.format"),
    Ability.CHOICES: ("n",),
    Ability.PROMPTS: ("prompt",),
    Ability.LOGPROBS: ("logprobs", "top_logprobs", "include.message.output_text.logprobs"),
    Ability.IMAGES: ("messages", "input"),
    Ability.SYSTEM: ("messages", "instructions", "input"),
}


def param_of(ability: Ability, body: Mapping[str, Any]) -> str:
    """Return the field of a request that demands an ability."""
    return next((name for name in _PARAMS.get(ability, ()) if name.partition(".")[0] in body), "model")


def _look_at_tools(body: Mapping[str, Any], wanted: set[Ability], *, stream: bool) -> None:
    if body.get("tools") and (choice := body.get("tool_choice")) != "none":
        wanted.add(Ability.TOOLS)
        if choice not in (None, "auto"):
            wanted.add(Ability.TOOL_CHOICE)
        if stream:
            wanted.add(Ability.STREAMED_TOOLS)


def _look_at_format(endpoint: str, body: Mapping[str, Any], wanted: set[Ability]) -> tuple[Any, str]:
    """Add what the answer's format demands; return the schema that it is to keep to, and the field that has it.

    Without ``strict`` a schema is a wish, as it is for OpenAI: whoever answers does what it can.
    """
    if endpoint == "responses":
        text = body.get("text")
        asked = named = text.get("format") if isinstance(text, dict) else None
        at = "text.format.schema"
    else:
        asked = body.get("response_format")
        named = asked.get("json_schema") if isinstance(asked, dict) else None
        at = "response_format.json_schema.schema"
    kind = asked.get("type") if isinstance(asked, dict) else None
    ability = _FORMATS.get(kind) if isinstance(kind, str) else None
    if ability is not None:
        wanted.add(ability)
    if ability is not Ability.JSON_SCHEMA or not isinstance(named, dict) or named.get("strict") is not True:
        return None, ""
    return named.get("schema"), at


def _wants_logprobs(endpoint: str, body: Mapping[str, Any]) -> bool:
    if endpoint == "responses":
        include = body.get("include")
        return bool(body.get("top_logprobs")) or (
            isinstance(include, list) and "message.output_text.logprobs" in include
        )
    wanted = body.get("logprobs")
    # A number in text completions, where zero log probabilities are some too.
    return wanted is True or (isinstance(wanted, int) and wanted is not False) or bool(body.get("top_logprobs"))


def _look_at_messages(messages: Any, wanted: set[Ability]) -> None:
    if not isinstance(messages, list):
        return
    for message in messages:
        if not isinstance(message, dict):
            continue
        role = message.get("role")
        if isinstance(role, str) and role in _SYSTEM_ROLES:
            wanted.add(Ability.SYSTEM)
        content = message.get("content")
        if isinstance(content, list) and any(_is_image(part) for part in content):
            wanted.add(Ability.IMAGES)


def _is_image(part: Any) -> bool:
    kind = part.get("type") if isinstance(part, dict) else None
    return isinstance(kind, str) and kind in _IMAGE_PARTS


def _longest_answer(body: Mapping[str, Any]) -> int:
    for name in ("max_completion_tokens", "max_tokens", "max_output_tokens"):
        if (asked := _number(body.get(name))) is not None:
            return asked
    return 0


def _number(value: Any) -> int | None:
    """Return a positive whole number, which engines also take as ``3.0``."""
    is_whole = (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, float) and value.is_integer()
    )
    return int(value) if is_whole and value > 0 else None

"""What one target can do, as far as it is known; plain data, because the gateway weighs every request against it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Literal, TypeAlias

from spillway.domain.task import Task

Answer: TypeAlias = Literal["yes", "emulated", "no", "unknown"]


class Ability(StrEnum):
    """Something that a request may demand and that some targets lack.

    ``TOOL_CHOICE`` is a call that must be made, of any tool or of a named one; ``CHOICES`` is ``n`` above 1,
    ``PROMPTS`` a text completion's list of them.
    """

    CHAT = "chat"
    COMPLETIONS = "completions"
    RESPONSES = "responses"
    EMBEDDINGS = "embeddings"
    RERANK = "rerank"
    TOOLS = "tools"
    TOOL_CHOICE = "tool_choice"
    STREAMED_TOOLS = "streamed_tools"
    PARALLEL_TOOLS = "parallel_tools"
    STRICT_TOOLS = "strict_tools"
    JSON_OBJECT = "json_object"
    JSON_SCHEMA = "json_schema"
    CHOICES = "several_choices"
    PROMPTS = "several_prompts"
    LOGPROBS = "logprobs"
    IMAGES = "images"
    REASONING = "reasoning"
    SYSTEM = "system_prompts"


# What the gateway makes up where a target lacks it, and the ability that it needs for that: several requests, an
# instruction with a check of the answer (for calls Converse's translation has it, which alone meets models that take
# tools but no choice of them), a whole answer that is played back as a stream.
_MADE_UP_BY = {
    Ability.CHOICES: Ability.CHAT,
    Ability.PROMPTS: Ability.CHAT,
    Ability.JSON_OBJECT: Ability.SYSTEM,
    Ability.STREAMED_TOOLS: Ability.TOOLS,
    Ability.TOOL_CHOICE: Ability.TOOLS,
}
# Each is a request of its own, which is billed with its prompt; and how often an object is asked for in words.
MOST_EMULATED_ANSWERS = 8
JSON_TRIES = 2


@dataclass(frozen=True)
class Card:
    """An ability that is in none of the three sets is unknown, which is never "no": it is tried, and learnt.

    ``emulated`` is what the gateway makes up. ``context_length`` (prompt and answer) and ``most_output_tokens`` are in
    tokens, None where they are unknown. ``grammar`` names what holds answers to a JSON schema
    (:mod:`spillway.domain.capabilities.grammars`), None where that is unknown.
    """

    can: frozenset[Ability] = frozenset()
    emulated: frozenset[Ability] = frozenset()
    cannot: frozenset[Ability] = frozenset()
    context_length: int | None = None
    most_output_tokens: int | None = None
    grammar: str | None = None

    def without(self, *lacking: Ability) -> "Card":
        """Return the card of a target that lacks these abilities, of which the gateway makes up what it can."""
        cannot = self.cannot | (frozenset(lacking) - _MADE_UP_BY.keys())
        wanted = self.emulated | (_MADE_UP_BY.keys() & lacking)
        emulated = frozenset(ability for ability in wanted if _MADE_UP_BY.get(ability) not in cannot)
        return replace(self, can=self.can - set(lacking), emulated=emulated, cannot=cannot | (wanted - emulated))

    def answer(self, ability: Ability) -> Answer:
        """Return what is known of one ability."""
        if ability in self.can:
            return "yes"
        if ability in self.emulated:
            return "emulated"
        return "no" if ability in self.cannot else "unknown"


UNKNOWN = Card()
# The ability that every model of a task has.
ABILITY_OF: Mapping[Task, Ability] = {
    Task.CHAT: Ability.CHAT,
    Task.EMBED: Ability.EMBEDDINGS,
    Task.RERANK: Ability.RERANK,
}


def card_of_task(task: Task, context_length: int | None = None) -> Card:
    """Return the card of a model that has its task's endpoint, and nothing that others' requests may ask for."""
    ability = ABILITY_OF[task]
    return Card(frozenset({ability}), cannot=frozenset(Ability) - {ability}, context_length=context_length)


def not_shared(primary: Card, spill: Card) -> tuple[str, ...]:
    """Return what a client can count on only while one of two targets answers: one has it and the other does not.

    What is unknown of the one that may have it counts too; limits count where both are known.
    """
    names = [ability.value for ability in Ability if (ability in primary.cannot) != (ability in spill.cannot)]
    if _differ(primary.context_length, spill.context_length):
        names.append("context_length")
    if _differ(primary.most_output_tokens, spill.most_output_tokens):
        names.append("most_output_tokens")
    if Ability.JSON_SCHEMA not in primary.cannot | spill.cannot and _differ(primary.grammar, spill.grammar):
        names.append("grammar")
    return tuple(names)


def card_to_json(card: Card) -> dict[str, Any]:
    """Return a card as a JSON object, without what it does not know."""
    fields = {
        "can": sorted(card.can),
        "emulated": sorted(card.emulated),
        "cannot": sorted(card.cannot),
        "context_length": card.context_length,
        "most_output_tokens": card.most_output_tokens,
        "grammar": card.grammar,
    }
    return {name: value for name, value in fields.items() if value}


def card_from_json(data: Mapping[str, Any] | None) -> Card:
    """Read back what :func:`card_to_json` wrote, of which an ability of a newer version is left out."""
    if not data:
        return UNKNOWN
    return Card(
        _abilities(data.get("can", ())),
        _abilities(data.get("emulated", ())),
        _abilities(data.get("cannot", ())),
        data.get("context_length"),
        data.get("most_output_tokens"),
        data.get("grammar"),
    )


def card_view(card: Card) -> dict[str, Any]:
    """Return a card as users see it: an answer for every ability, by name, and the limits."""
    return {
        "abilities": {ability.value: card.answer(ability) for ability in sorted(Ability)},
        "context_length": card.context_length,
        "most_output_tokens": card.most_output_tokens,
        "grammar": card.grammar,
    }


def capabilities_view(primary: Card | None, spill: Card | None) -> dict[str, Any]:
    """Return both targets' cards as users see them, and what the two do not share."""
    return {
        "primary": card_view(primary) if primary else None,
        "spill": card_view(spill) if spill else None,
        "not_shared": list(not_shared(primary, spill)) if primary and spill else [],
    }


_NAMES = frozenset(Ability)


def _abilities(names: Any) -> frozenset[Ability]:
    return frozenset(Ability(name) for name in names if name in _NAMES)


def _differ(one: int | str | None, other: int | str | None) -> bool:
    return one is not None and other is not None and one != other

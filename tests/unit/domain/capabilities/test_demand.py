"""What bodies demand, field by field, and what a card lacks of it."""

from typing import Any

import pytest

from spillway.domain.capabilities.card import UNKNOWN, Ability, Card
from spillway.domain.capabilities.demand import Demand, demand_of, param_of

TOOL = {"type": "function", "function": {"name": "look"}}
NAMED = {"type": "function", "function": {"name": "look"}}
IMAGE = {"role": "user", "content": [{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": "x"}}]}
CHAT: dict[str, tuple[dict[str, Any], set[Ability]]] = {
    "nothing special": ({"temperature": 1, "stop": ["x"], "seed": 1, "tools": [], "n": 1, "logprobs": False}, set()),
    "tools": ({"tools": [TOOL]}, {Ability.TOOLS}),
    "tools, auto": ({"tools": [TOOL], "tool_choice": "auto"}, {Ability.TOOLS}),
    "tools, none": ({"tools": [TOOL], "tool_choice": "none"}, set()),
    "tools, required": ({"tools": [TOOL], "tool_choice": "required"}, {Ability.TOOLS, Ability.TOOL_CHOICE}),
    "tools, named": ({"tools": [TOOL], "tool_choice": NAMED}, {Ability.TOOLS, Ability.TOOL_CHOICE}),
    "tools in a stream": ({"tools": [TOOL], "stream": True}, {Ability.TOOLS, Ability.STREAMED_TOOLS}),
    "text": ({"response_format": {"type": "text"}}, set()),
    "JSON": ({"response_format": {"type": "json_object"}}, {Ability.JSON_OBJECT}),
    "a schema": ({"response_format": {"type": "json_schema", "json_schema": {}}}, {Ability.JSON_SCHEMA}),
    "an odd format": ({"response_format": {"type": {}}}, set()),
    "two choices": ({"n": 2}, {Ability.CHOICES}),
    "two choices as engines take them": ({"n": 2.0}, {Ability.CHOICES}),
    "odd choices": ({"n": "2"}, set()),
    "probabilities": ({"logprobs": True}, {Ability.LOGPROBS}),
    "top probabilities": ({"top_logprobs": 2}, {Ability.LOGPROBS}),
    "an image": ({"messages": [IMAGE]}, {Ability.IMAGES}),
    "a system prompt": ({"messages": [{"role": "system", "content": "x"}]}, {Ability.SYSTEM}),
    "a developer's": ({"messages": [{"role": "developer", "content": "x"}]}, {Ability.SYSTEM}),
}


@pytest.mark.parametrize("case", CHAT)
def test_what_a_chat_demands(case: str) -> None:
    changes, wanted = CHAT[case]
    body = {"messages": [{"role": "user", "content": "hi"}], **changes}
    found = demand_of("chat/completions", body, 100, stream=bool(body.get("stream")))
    assert found.abilities == wanted


@pytest.mark.parametrize(
    ("changes", "wanted", "choices"),
    [
        ({"prompt": "a"}, set(), 1),
        ({"prompt": ["a"]}, set(), 1),
        ({"prompt": ["a", "b"], "n": 3}, {Ability.PROMPTS, Ability.CHOICES}, 6),
        ({"prompt": [1, 2]}, set(), 1),
        ({"prompt": "a", "logprobs": 0}, {Ability.LOGPROBS}, 1),
    ],
)
def test_what_a_text_completion_demands(changes: dict[str, Any], wanted: set[Ability], choices: int) -> None:
    found = demand_of("completions", changes, 100, stream=False)
    assert found.abilities == wanted
    assert found.choices == choices


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"input": "hi"}, set()),
        ({"input": "hi", "instructions": "be kind"}, {Ability.SYSTEM}),
        ({"input": "hi", "text": {"format": {"type": "json_object"}}}, {Ability.JSON_OBJECT}),
        ({"input": "hi", "text": {"format": {"type": "json_schema"}}}, {Ability.JSON_SCHEMA}),
        ({"input": "hi", "tools": [TOOL], "tool_choice": "required"}, {Ability.TOOLS, Ability.TOOL_CHOICE}),
        ({"input": "hi", "include": ["message.output_text.logprobs"]}, {Ability.LOGPROBS}),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]}, {Ability.IMAGES}),
        ({"input": ["odd", {"type": "function_call_output"}]}, set()),
    ],
)
def test_what_a_response_demands(changes: dict[str, Any], wanted: set[Ability]) -> None:
    assert demand_of("responses", changes, 100, stream=False).abilities == wanted


def test_a_card_lacks_what_it_cannot_and_nothing_that_is_unknown_or_made_up() -> None:
    demand = Demand(frozenset({Ability.TOOLS, Ability.CHOICES, Ability.LOGPROBS}), choices=8)
    assert demand.lacking(UNKNOWN) == set()
    card = Card(frozenset({Ability.LOGPROBS})).without(Ability.TOOLS, Ability.CHOICES)
    assert demand.lacking(card) == {Ability.TOOLS}


@pytest.mark.parametrize("ability", [Ability.CHOICES, Ability.PROMPTS])
@pytest.mark.parametrize(("choices", "is_lacking"), [(8, False), (9, True)])
def test_answers_are_made_up_to_a_number(ability: Ability, choices: int, is_lacking: bool) -> None:
    demand = Demand(frozenset({ability}), choices)
    assert (demand.lacking(UNKNOWN.without(ability)) == {ability}) is is_lacking
    assert demand.lacking(Card(frozenset({ability}))) == set()


@pytest.mark.parametrize(
    ("size", "max_tokens", "is_too_long"),
    [(6 * 1000, 24, False), (6 * 1001, 24, True), (6, 1024.0, True), (6, -1, False)],
)
def test_what_surely_has_more_tokens_than_the_context_is_too_long(
    size: int, max_tokens: float, is_too_long: bool
) -> None:
    demand = demand_of("chat/completions", {"messages": [], "max_tokens": max_tokens}, size, stream=False)
    assert demand.is_too_long(Card(context_length=1024)) is is_too_long
    assert not demand.is_too_long(UNKNOWN)


@pytest.mark.parametrize(
    ("ability", "fields", "param"),
    [
        (Ability.TOOL_CHOICE, "tools tool_choice", "tool_choice"),
        (Ability.JSON_OBJECT, "messages response_format", "response_format"),
        (Ability.JSON_SCHEMA, "input text", "text.format"),
        (Ability.IMAGES, "input", "input"),
        (Ability.SYSTEM, "input instructions", "instructions"),
        (Ability.PROMPTS, "prompt", "prompt"),
        (Ability.LOGPROBS, "input include", "include.message.output_text.logprobs"),
        (Ability.LOGPROBS, "input top_logprobs", "top_logprobs"),
        (Ability.EMBEDDINGS, "input", "model"),
    ],
)
def test_an_ability_has_the_field_that_demands_it(ability: Ability, fields: str, param: str) -> None:
    assert param_of(ability, dict.fromkeys(fields.split(), "x")) == param


@pytest.mark.parametrize(
    ("lacking", "repeats"),
    [
        ([], (1, 1)),
        ([Ability.CHOICES], (3, 1)),
        ([Ability.JSON_OBJECT], (2, 2)),
        ([Ability.CHOICES, Ability.JSON_OBJECT], (6, 2)),
    ],
)
def test_what_is_made_up_reads_the_prompt_and_writes_the_answer_more_than_once(
    lacking: list[Ability], repeats: tuple[int, int]
) -> None:
    demand = Demand(frozenset({Ability.CHOICES, Ability.JSON_OBJECT}), choices=3)
    assert demand.repeats(UNKNOWN.without(*lacking)) == repeats

"""What a card says of a target, what two do not share, and how it is stored."""

import pytest

from spillway.domain.capabilities.card import (
    UNKNOWN,
    Ability,
    Card,
    capabilities_view,
    card_from_json,
    card_to_json,
    not_shared,
)


def can(*abilities: Ability) -> Card:
    return Card(frozenset(abilities))


@pytest.mark.parametrize("ability", Ability)
def test_what_is_not_known_is_unknown_and_never_no(ability: Ability) -> None:
    assert UNKNOWN.answer(ability) == "unknown"
    assert can(ability).answer(ability) == "yes"


@pytest.mark.parametrize(
    ("lacking", "answers"),
    [
        ([Ability.TOOLS], {Ability.TOOLS: "no", Ability.STREAMED_TOOLS: "unknown"}),
        ([Ability.CHOICES], {Ability.CHOICES: "emulated"}),
        ([Ability.PROMPTS], {Ability.PROMPTS: "emulated"}),
        ([Ability.JSON_OBJECT], {Ability.JSON_OBJECT: "emulated"}),
        ([Ability.STREAMED_TOOLS], {Ability.STREAMED_TOOLS: "emulated"}),
        ([Ability.TOOL_CHOICE], {Ability.TOOL_CHOICE: "emulated"}),
        # Nothing is made up by what is lacking itself.
        ([Ability.STREAMED_TOOLS, Ability.TOOLS], {Ability.TOOLS: "no", Ability.STREAMED_TOOLS: "no"}),
        ([Ability.TOOL_CHOICE, Ability.TOOLS], {Ability.TOOLS: "no", Ability.TOOL_CHOICE: "no"}),
        ([Ability.JSON_OBJECT, Ability.SYSTEM], {Ability.SYSTEM: "no", Ability.JSON_OBJECT: "no"}),
    ],
)
def test_what_a_target_lacks_is_made_up_where_that_can_be(lacking: list[Ability], answers: dict[Ability, str]) -> None:
    card = can(*lacking).without(*lacking)
    assert {ability: card.answer(ability) for ability in answers} == answers


def test_what_was_made_up_ends_with_what_it_was_made_up_by() -> None:
    card = UNKNOWN.without(Ability.STREAMED_TOOLS).without(Ability.TOOLS)
    assert card.answer(Ability.STREAMED_TOOLS) == "no"


def test_two_targets_do_not_share_what_one_of_them_lacks() -> None:
    primary = Card(frozenset({Ability.LOGPROBS, Ability.JSON_OBJECT}), context_length=8192).without(Ability.TOOLS)
    spill = Card(frozenset({Ability.TOOLS}), context_length=128_000, most_output_tokens=4096).without(
        Ability.LOGPROBS, Ability.JSON_OBJECT, Ability.IMAGES
    )
    # JSON is made up, images are unknown of the primary, and the longest answer of one alone is no difference.
    assert not_shared(primary, spill) == ("tools", "logprobs", "images", "context_length")
    assert not_shared(spill, spill) == ()


def test_two_targets_hold_answers_to_different_schemas() -> None:
    one, other = Card(grammar="xgrammar"), Card(grammar="bedrock")
    assert not_shared(one, other) == ("grammar",)
    assert not_shared(one, one) == not_shared(one, UNKNOWN) == ()
    assert not_shared(one, other.without(Ability.JSON_SCHEMA)) == ("json_schema",)


def test_a_card_is_read_as_it_was_stored() -> None:
    card = Card(frozenset({Ability.CHAT}), context_length=8192, grammar="xgrammar")
    card = card.without(Ability.TOOLS, Ability.CHOICES)
    assert card_from_json(card_to_json(card)) == card
    assert card_to_json(card) == {
        "can": ["chat"],
        "emulated": ["several_choices"],
        "cannot": ["tools"],
        "context_length": 8192,
        "grammar": "xgrammar",
    }


@pytest.mark.parametrize("data", [None, {}])
def test_what_older_versions_stored_is_unknown(data: dict[str, object] | None) -> None:
    assert card_from_json(data) == UNKNOWN


def test_an_ability_of_a_newer_version_is_left_out() -> None:
    assert card_from_json({"can": ["tools", "telepathy"]}) == can(Ability.TOOLS)


def test_users_see_both_cards_and_what_they_do_not_share() -> None:
    seen = capabilities_view(can(Ability.TOOLS), UNKNOWN.without(Ability.TOOLS))
    assert seen["not_shared"] == ["tools"]
    assert (seen["primary"]["abilities"]["tools"], seen["spill"]["abilities"]["tools"]) == ("yes", "no")
    assert seen["primary"]["abilities"].keys() == {ability.value for ability in Ability}
    assert capabilities_view(UNKNOWN, None)["spill"] is None

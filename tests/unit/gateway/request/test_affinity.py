import re
from typing import Any

import pytest

from spillway.gateway.request.affinity import affinity_of
from spillway.gateway.upstream import Endpoint, UpstreamRequest

SYSTEM = {"role": "system", "content": "You answer for the shop."}
FIRST = {"role": "user", "content": "Where is my parcel?"}
LATER = [{"role": "assistant", "content": "On its way."}, {"role": "user", "content": "Since when?"}]


def affinity(endpoint: Endpoint = "chat/completions", **body: Any) -> str | None:
    return affinity_of(UpstreamRequest("support-llama", endpoint, body, False, False, "r-1", 100))


def test_it_is_short_and_tells_nothing_of_the_text() -> None:
    assert re.fullmatch(r"[0-9a-f]{16}", affinity(messages=[SYSTEM, FIRST], user="jane@example.com") or "")


def test_the_next_turn_of_a_conversation_has_the_same() -> None:
    assert affinity(messages=[SYSTEM, FIRST]) == affinity(messages=[SYSTEM, FIRST, *LATER])


@pytest.mark.parametrize("other", [[SYSTEM, LATER[1]], [FIRST], [{**SYSTEM, "content": "Be brief."}, FIRST]])
def test_another_opening_has_another(other: list[Any]) -> None:
    assert affinity(messages=[SYSTEM, FIRST]) != affinity(messages=other)


@pytest.mark.parametrize("endpoint", ["chat/completions", "completions", "responses"])
@pytest.mark.parametrize("field", ["prompt_cache_key", "user", "safety_identifier"])
def test_what_the_client_names_outranks_the_prompt(endpoint: Endpoint, field: str) -> None:
    field_of = {"chat/completions": "messages", "completions": "prompt", "responses": "input"}[endpoint]
    one, two = [{field_of: text, field: "a"} for text in ([FIRST], [SYSTEM])]
    assert affinity(endpoint, **one) == affinity(endpoint, **two)
    assert affinity(endpoint, **one) != affinity(endpoint, **{**one, field: "b"})


def test_a_cache_key_outranks_the_user() -> None:
    keyed = affinity(messages=[FIRST], prompt_cache_key="k", user="a")
    assert keyed == affinity(messages=[FIRST], prompt_cache_key="k", user="b")
    assert keyed != affinity(messages=[FIRST], user="k"), "a key and a user of one spelling are two things"


@pytest.mark.parametrize("named", [None, "", 7, ["k"], {"k": 1}])
def test_a_name_that_is_none_is_passed_over(named: Any) -> None:
    assert affinity(messages=[FIRST], prompt_cache_key=named) == affinity(messages=[FIRST])


def test_parts_and_images_count() -> None:
    def asked(text: str, url: str) -> str | None:
        parts = [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": url}}]
        return affinity(messages=[{"role": "user", "content": parts}])

    assert len({asked("what?", "https://a"), asked("what?", "https://b"), asked("who?", "https://a")}) == 3


def test_a_response_is_told_by_instructions_and_first_item() -> None:
    item = {"role": "user", "content": [{"type": "input_text", "text": "hello"}]}
    longer = [item, {"role": "assistant", "content": "hi"}]
    assert affinity("responses", instructions="x", input=[item]) == affinity(
        "responses", instructions="x", input=longer
    )
    assert affinity("responses", instructions="x", input=[item]) != affinity("responses", input=[item])


@pytest.mark.parametrize(
    ("one", "two"),
    [("a", "b"), (["a", "c"], ["b", "c"]), ([1, 2], [1, 3]), ([[1, 2]], [[1, 3]])],
)
def test_every_form_of_a_prompt_is_told_apart(one: Any, two: Any) -> None:
    assert affinity("completions", prompt=one) != affinity("completions", prompt=two)


def test_text_that_goes_on_behind_a_long_beginning_stays() -> None:
    assert affinity("completions", prompt="a" * 3000) == affinity("completions", prompt="a" * 3000 + "b")


@pytest.mark.parametrize(
    "body", [{"prompt": [None]}, {"messages": [{"role": 3, "content": 4}]}, {"messages": [None]}, {}]
)
def test_a_body_that_only_an_engine_would_refuse_has_none(body: dict[str, Any]) -> None:
    assert affinity(**body) is None


def test_embeddings_have_no_prefix_to_find_again() -> None:
    assert affinity("embeddings", input="hello", user="jane") is None

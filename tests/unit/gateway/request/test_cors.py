"""What browsers are told: on every answer that the gateway gives, and on none unless somebody says so."""

from collections.abc import Sequence
from typing import Any

import openai
import pytest

from spillway.gateway.request.cors import Cors
from tests.unit.gateway.doubles import BODY, Answer, World, a_world, call, chunk, completion, sse, streaming

PAGE, OTHER = "https://chat.example.com", "https://other.example.com"
LISTED = Cors({PAGE, "http://localhost:3000"})
ALLOW, EXPOSE, VARY = "access-control-allow-origin", "access-control-expose-headers", "vary"


def cors_of(headers: Sequence[tuple[bytes, bytes]] | dict[str, str]) -> dict[str, str]:
    """Return what a browser looks at."""
    pairs = (
        headers.items() if isinstance(headers, dict) else [(name.decode(), value.decode()) for name, value in headers]
    )
    return {name: value for name, value in pairs if name.startswith("access-control-") or name == VARY}


def from_page(origin: str) -> list[tuple[bytes, bytes]]:
    return [(b"origin", origin.encode())]


async def answers(world: World, origin: str) -> dict[str, Answer]:
    """Return an answer of each kind."""
    sent: Any = from_page(origin)
    return {
        "whole": await call(world, headers=sent),
        "list": await call(world, method="GET", path="/v1/models", headers=sent),
        "stream": await call(world, streaming(), headers=sent),
        "no key": await call(world, context={}, headers=sent),
        "no such model": await call(world, {**BODY, "model": "nobody"}, headers=sent),
        "no JSON": await call(world, b"{", headers=sent),
        "no such path": await call(world, path="/v1/nothing", headers=sent),
    }


def a_gateway(cors: Cors) -> World:
    said = [completion(), sse(chunk("hello"), "[DONE]")]
    return a_world(cors=cors, fleet=said)


@pytest.mark.parametrize(
    ("cors", "origin", "expected"),
    [
        (LISTED, PAGE, {ALLOW: PAGE, EXPOSE: "*", VARY: "Origin"}),
        (LISTED, OTHER, {VARY: "Origin"}),
        (LISTED, PAGE.upper(), {VARY: "Origin"}),
        (LISTED, "*", {VARY: "Origin"}),
        (Cors({"*"}), OTHER, {ALLOW: "*", EXPOSE: "*"}),
        (Cors(frozenset()), PAGE, {}),
    ],
)
async def test_every_answer_says_which_page_may_read_it(cors: Cors, origin: str, expected: dict[str, str]) -> None:
    for kind, answer in (await answers(a_gateway(cors), origin)).items():
        assert cors_of(answer.headers) == expected, kind


async def test_the_kinds_of_answers_are_what_they_are_called() -> None:
    found = {kind: answer.status for kind, answer in (await answers(a_gateway(LISTED), PAGE)).items()}
    assert found == {
        "whole": 200,
        "list": 200,
        "stream": 200,
        "no key": 401,
        "no such model": 404,
        "no JSON": 400,
        "no such path": 404,
    }


async def test_an_answer_to_no_page_is_kept_from_pages_by_caches() -> None:
    assert cors_of(LISTED.answer([])) == {VARY: "Origin"}


async def test_a_preflight_allows_what_openais_clients_send() -> None:
    """As the Fetch standard reads it: a wildcard is every header but Authorization."""
    client = openai.AsyncOpenAI(api_key="k", base_url="http://localhost/v1")
    request = client._build_request(
        openai._models.FinalRequestOptions.construct(method="post", url="/chat/completions", json_data={})
    )
    await client.close()
    headers = cors_of(LISTED.preflight(from_page(PAGE)))
    allowed = headers["access-control-allow-headers"].split(", ")
    assert {"authorization", "x-stainless-lang", "content-type"} <= request.headers.keys()
    for name in (*request.headers, "x-api-key", "x-spillway-target"):
        assert name in allowed or ("*" in allowed and name != "authorization"), name
    assert headers["access-control-allow-methods"] == "GET, POST"
    assert headers[ALLOW] == PAGE
    assert 0 < int(headers["access-control-max-age"]) <= 7200


async def test_a_preflight_of_another_page_allows_it_nothing() -> None:
    assert ALLOW not in cors_of(LISTED.preflight(from_page(OTHER)))
    assert Cors(frozenset()).preflight(from_page(PAGE)) == ()

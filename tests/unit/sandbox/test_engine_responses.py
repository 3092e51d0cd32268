"""The emulated engine's responses have the recorded one's fields; its embeddings exist where a model has them."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.sandbox.engine import Engine, EngineConfig
from tests.unit.sandbox.conftest import shape

RECORDED = json.loads(Path(__file__).with_name("recorded_vllm.json").read_text())["answers"]["response"]
ASKED: dict[str, Any] = {"model": "tiny-llama", "input": "hi there", "max_output_tokens": 4}


@pytest.fixture
async def url() -> AsyncIterator[str]:
    engine = Engine(EngineConfig(("tiny-llama",), tokens_per_second=10_000))
    yield await engine.start()
    await engine.kill()


async def test_a_response_has_the_recorded_fields_in_their_order(http: aiohttp.ClientSession, url: str) -> None:
    async with http.post(f"{url}/v1/responses", json=ASKED) as answer:
        body = await answer.json()
    assert shape(body) == shape(RECORDED)
    assert (body["status"], body["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})


async def test_a_streamed_response_ends_with_the_whole_one(http: aiohttp.ClientSession, url: str) -> None:
    async with http.post(f"{url}/v1/responses", json=ASKED | {"stream": True}) as answer:
        raw = (await answer.read()).decode()
    events = [json.loads(event.split("\ndata: ")[1]) for event in raw.strip().split("\n\n")]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert shape(events[-1]["response"]) == shape(RECORDED)
    deltas = "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
    assert deltas == events[-1]["response"]["output"][0]["content"][0]["text"]


async def test_an_earlier_response_is_not_known(http: aiohttp.ClientSession, url: str) -> None:
    async with http.post(f"{url}/v1/responses", json=ASKED | {"previous_response_id": "resp_1"}) as answer:
        assert answer.status == 404


async def test_a_chat_model_has_no_embeddings(http: aiohttp.ClientSession, url: str) -> None:
    async with http.post(f"{url}/v1/embeddings", json={"model": "tiny-llama", "input": "x"}) as answer:
        assert (answer.status, await answer.json()) == (404, {"detail": "Not Found"})


@pytest.mark.parametrize(
    ("given", "count"),
    [("x", 1), (["a", "b"], 2), ([1, 2], 1), ([[1], [2, 3]], 2)],
    ids=["text", "texts", "ids", "lists"],
)
async def test_an_embedding_model_has(http: aiohttp.ClientSession, given: Any, count: int) -> None:
    engine = Engine(EngineConfig(("e",), task="embed"))
    url = await engine.start()
    try:
        async with http.post(f"{url}/v1/embeddings", json={"input": given}) as answer:
            body = await answer.json()
        async with http.post(f"{url}/v1/embeddings", json={"model": "f", "input": given}) as refused:
            assert refused.status == 404
    finally:
        await engine.kill()
    assert [len(item["embedding"]) for item in body["data"]] == [8] * count

"""The sandbox's Bedrock takes of each embedding model's bodies what the user guide has, and nothing else."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from tests.sandbox.bedrock import BedrockRuntime, Pace, default_catalog
from tests.unit.gateway.doubles import FakeClock

TITAN_1, TITAN = "amazon.titan-embed-text-v1", "amazon.titan-embed-text-v2:0"
COHERE_3, COHERE_4 = "cohere.embed-english-v3", "cohere.embed-v4:0"
DOCUMENT = {"texts": ["one"], "input_type": "search_document"}


@pytest.fixture
async def bedrock() -> AsyncIterator[TestClient[Any, Any]]:
    app = web.Application()
    app.add_routes(BedrockRuntime(default_catalog(), FakeClock().now, pace=Pace(0.0, 5000.0)).routes())
    async with TestClient(TestServer(app)) as client:
        yield client


async def invoke(client: TestClient[Any, Any], model: str, body: Any, operation: str = "invoke") -> Any:
    """Return status, body and headers of the answer."""
    async with client.post(f"/model/{model}/{operation}", json=body) as answer:
        return answer.status, await answer.json(), answer.headers


@pytest.mark.parametrize(
    ("model", "body", "said"),
    [
        (TITAN, {}, "required key [inputText] not found"),
        (TITAN, {"inputText": ["one"]}, "expected type: String"),
        (TITAN, {"inputText": ""}, "expected minLength: 1"),
        (TITAN, {"inputText": "one", "dimensions": 300}, "300 is not a valid enum value"),
        (TITAN_1, {"inputText": "one", "dimensions": 1536}, "extraneous key [dimensions] is not permitted"),
        (TITAN, DOCUMENT, "extraneous key [texts] is not permitted"),
        (TITAN, {"inputText": "word " * 9000}, "Too many input tokens. Max input tokens: 8192"),
        (COHERE_3, {"texts": ["one"]}, "required key [input_type] not found"),
        (COHERE_3, {"inputText": "one"}, "#: extraneous key [inputText] is not permitted"),
        (COHERE_3, {**DOCUMENT, "output_dimension": 1024}, "extraneous key [output_dimension] is not permitted"),
        (COHERE_3, {**DOCUMENT, "input_type": "query"}, "query is not a valid enum value"),
        (COHERE_3, {**DOCUMENT, "truncate": "LEFT"}, "LEFT is not a valid enum value"),
        (COHERE_4, {**DOCUMENT, "truncate": "START"}, "START is not a valid enum value"),
        (COHERE_3, {**DOCUMENT, "texts": ["one"] * 97}, "expected maximum item count: 96, found: 97"),
        (COHERE_3, {**DOCUMENT, "texts": [1]}, "expected type: String"),
        (COHERE_3, {**DOCUMENT, "texts": ["x" * 2049]}, "expected maxLength: 2048, actual: 2049"),
        (COHERE_4, {**DOCUMENT, "embedding_types": ["float", "hex"]}, "hex is not a valid enum value"),
    ],
)
async def test_what_breaks_a_form_is_refused(bedrock: TestClient[Any, Any], model: str, body: Any, said: str) -> None:
    status, answer, headers = await invoke(bedrock, model, body)
    assert (status, headers["x-amzn-errortype"]) == (400, "ValidationException")
    assert said in answer["message"]


async def test_titan_counts_in_its_body_and_cohere_in_the_header_alone(bedrock: TestClient[Any, Any]) -> None:
    _, titan, titans = await invoke(bedrock, TITAN, {"inputText": "one"})
    _, cohere, coheres = await invoke(bedrock, COHERE_4, DOCUMENT | {"embedding_types": ["float"]})
    assert str(titan["inputTextTokenCount"]) == titans["x-amzn-bedrock-input-token-count"]
    assert (titan["embeddingsByType"]["float"], len(titan["embedding"])) == (titan["embedding"], 1024)
    assert cohere.keys() == {"id", "texts", "response_type", "embeddings"}
    assert int(coheres["x-amzn-bedrock-input-token-count"]) > 0
    _, bare, _ = await invoke(bedrock, COHERE_4, DOCUMENT)
    assert bare["embeddings"] == cohere["embeddings"]["float"]


@pytest.mark.parametrize("operation", ["converse", "converse-stream", "invoke-with-response-stream"])
async def test_vectors_come_by_invoke_model_alone(bedrock: TestClient[Any, Any], operation: str) -> None:
    body = {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}
    status, answer, _ = await invoke(bedrock, TITAN, body, operation)
    assert (status, "support" in answer["message"]) == (400, True)
    chat = {"model": TITAN, "messages": [{"role": "user", "content": "hi"}]}
    async with bedrock.post("/openai/v1/chat/completions", json=chat) as refused:
        assert refused.status == 400


async def test_a_model_that_chats_takes_no_embedding_body(bedrock: TestClient[Any, Any]) -> None:
    assert (await invoke(bedrock, "qwen.qwen3-32b-v1:0", {"inputText": "one"}))[0] == 400

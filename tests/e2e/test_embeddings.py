"""Models that embed and that rank, from their deployment to their answers, on each path that has them."""

from typing import Any

import pytest

from tests.builders import spec_body
from tests.e2e.operator import Operator, ask_at_once
from tests.sandbox.sandbox import Sandbox

TIME_FACTOR = 240
TITAN = "amazon.titan-embed-text-v2:0"
COHERE = "cohere.embed-v4:0"
MODELS: dict[str, dict[str, Any]] = {
    "by-titan": {"path": "bedrock", "model": {"id": TITAN}},
    "by-cohere": {"path": "bedrock", "model": {"id": COHERE}, "spill": {"model_id": f"us.{COHERE}"}},
    "by-bge": {"path": "fleet", "model": {"id": "BAAI/bge-m3"}},
    "by-qwen": {"path": "fleet", "model": {"id": "Qwen/Qwen3-Embedding-0.6B"}},
    "by-rank": {"path": "fleet", "model": {"id": "BAAI/bge-reranker-v2-m3"}},
}
EMBED = {"input": ["one", "two"]}
RANK = {"query": "red car", "documents": ["a blue house", "a red car"]}


@pytest.fixture(scope="module", autouse=True)
def asked_for(sandbox: Sandbox) -> None:
    empty: dict[str, Any] = {"capacity": None, "spill": None}
    ask_at_once(sandbox, *(spec_body(name=name, **{**empty, **wish}) for name, wish in MODELS.items()))


@pytest.mark.parametrize("name", ["by-titan", "by-cohere", "by-qwen"])
async def test_a_deployment_that_embeds(operator: Operator, name: str) -> None:
    deployment = await operator.ready(name)
    assert deployment["spec"]["model"]["task"] == "embed"
    answer = await operator.call("POST", "/v1/embeddings", {"model": name, **EMBED})
    assert (answer.status, len(answer.body["data"]), answer.body["model"]) == (200, 2, name)
    assert answer.body["usage"]["prompt_tokens"] > 0
    assert answer.headers["x-spillway-target"] == MODELS[name]["path"]

    refused = await operator.chat(name)
    assert (refused.status, refused.error["param"], refused.error["allowed"]) == (400, "model", ["/v1/embeddings"])
    model = (await operator.call("GET", f"/v1/models/{name}")).body["spillway"]
    assert model["capabilities"] == deployment["capabilities"]
    assert model["capabilities"]["primary"]["abilities"]["chat"] == "no"


async def test_nothing_embeds_for_a_fleet_that_sleeps(operator: Operator) -> None:
    await operator.ready("by-bge")
    before = await operator.call("POST", "/v1/embeddings", {"model": "by-bge", **EMBED})
    assert (await operator.call("POST", "/deployments/by-bge/sleep")).status == 409
    changed = await operator.call("PATCH", "/deployments/by-bge", {"spill": {"model_id": TITAN}})
    assert (changed.status, changed.error["param"]) == (400, "spill.model_id")
    waits = {"thresholds": {"waiting_usd_per_request": 0.01}}
    assert (await operator.call("PATCH", "/deployments/by-bge", waits)).status == 202
    assert (await operator.call("POST", "/deployments/by-bge/sleep")).status == 202
    await operator.until("by-bge", "asleep")
    assert (await operator.call("POST", "/deployments/by-bge/wake")).status == 202
    await operator.until("by-bge", "serving")
    after = await operator.call("POST", "/v1/embeddings", {"model": "by-bge", **EMBED})
    assert after.body["data"] == before.body["data"]


async def test_a_fleet_that_ranks(operator: Operator) -> None:
    assert (await operator.ready("by-rank"))["spec"]["model"]["task"] == "rerank"
    answer = await operator.call("POST", "/v1/rerank", {"model": "by-rank", **RANK})
    assert (answer.status, [result["index"] for result in answer.body["results"]]) == (200, [1, 0])
    refused = await operator.call("POST", "/v1/embeddings", {"model": "by-rank", **EMBED})
    assert (refused.status, refused.error["allowed"]) == (400, ["/v1/rerank"])

"""What a model is for is found from the model, and nothing answers for another's vectors."""

from typing import Any

import pytest

from spillway.domain.paths.bedrock_models import CalledModel
from tests.builders import SPILL_MODEL, spec_body
from tests.unit.api.conftest import World

TITAN = "amazon.titan-embed-text-v2:0"
COHERE = "cohere.embed-v4:0"
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcdefghijkl"
BGE = "BAAI/bge-m3"
RERANKER = "Qwen/Qwen3-Reranker-0.6B"
HUB_BGE = "huggingface-sentencesimilarity-bge-m3"


def body(model_id: str, path: str = "fleet", **changes: Any) -> dict[str, Any]:
    model = {"id": model_id, **changes.pop("model", {})}
    return spec_body(model=model, path=path, **{"capacity": None, "spill": None, **changes})


@pytest.mark.parametrize(
    ("model_id", "path", "task"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", "fleet", "chat"),
        (BGE, "fleet", "embed"),
        ("BAAI/bge-reranker-v2-m3", "fleet", "rerank"),
        (TITAN, "bedrock", "embed"),
        (f"us.{COHERE}", "bedrock", "embed"),
        (SPILL_MODEL, "bedrock", "chat"),
        (HUB_BGE, "jumpstart", "embed"),
        ("huggingface-textembedding-acme-1b", "jumpstart", "embed"),
        ("meta-textgeneration-acme-1b", "jumpstart", "chat"),
    ],
)
def test_the_task_is_the_models(world: World, model_id: str, path: str, task: str) -> None:
    answer = world.call("POST", "/deployments", body(model_id, path))
    assert (answer.status, answer.json["spec"]["model"]["task"]) == (202, task)


@pytest.mark.parametrize("task", ["chat", "embed", "rerank"])
def test_of_a_model_that_nobody_knows_the_user_says_it(world: World, task: str) -> None:
    capacity = {"instance_types": ["g6e.xlarge"]}
    answer = world.call("POST", "/deployments", body("acme/unheard-of-7b", model={"task": task}, capacity=capacity))
    assert (answer.status, answer.json["spec"]["model"]["task"]) == (202, task)


@pytest.mark.parametrize(
    ("model_id", "path", "task", "allowed"),
    [
        (BGE, "fleet", "chat", ["embed"]),
        ("Qwen/Qwen3-8B", "fleet", "embed", ["chat"]),
        (TITAN, "bedrock", "chat", ["embed"]),
        (HUB_BGE, "jumpstart", "rerank", ["embed"]),
        ("acme.unheard-of-v1:0", "bedrock", "embed", ["chat"]),
        ("cohere.rerank-v3-5:0", "bedrock", None, ["chat", "embed"]),
    ],
)
def test_a_contradiction_is_refused(
    world: World, model_id: str, path: str, task: str | None, allowed: list[str]
) -> None:
    refused = world.call("POST", "/deployments", body(model_id, path, model={"task": task}))
    assert (refused.status, refused.error["param"], refused.error["allowed"]) == (400, "model.task", allowed)
    assert world.call("GET", "/deployments").json["items"] == []


def test_bedrock_imports_no_embedding_models(world: World) -> None:
    weights = {"weights": "s3://bucket/weights/", "task": "embed"}
    refused = world.call("POST", "/deployments", body("acme/unheard-of-7b", "import", model=weights))
    assert (refused.status, refused.error["param"], refused.error["allowed"]) == (400, "model.task", ["chat"])


def test_an_application_profile_is_for_what_its_model_is_for(world: World) -> None:
    world.catalog.called[PROFILE] = CalledModel(PROFILE, TITAN, ("us-east-1",))
    refused = world.call("POST", "/deployments", body(PROFILE, "bedrock"))
    assert (refused.status, refused.error["param"], refused.error["allowed"]) == (400, "model.task", ["embed"])
    taken = world.call("POST", "/deployments", body(PROFILE, "bedrock", model={"task": "embed"}))
    assert taken.status == 202
    assert taken.json["capabilities"]["primary"]["abilities"]["embeddings"] == "yes"


def test_the_capabilities_of_an_embed_deployment_are_embeddings_alone(world: World) -> None:
    made = world.call("POST", "/deployments", body(BGE))
    primary = made.json["capabilities"]["primary"]
    assert {name for name, answer in primary["abilities"].items() if answer != "no"} == {"embeddings"}
    assert (primary["context_length"], made.json["notes"]) == (8192, [])
    assert world.call("GET", "/deployments/support-llama").json["capabilities"] == made.json["capabilities"]


def test_only_the_same_model_may_answer_for_vectors(world: World) -> None:
    same = world.call("POST", "/deployments", body(COHERE, "bedrock", spill={"model_id": f"us.{COHERE}"}))
    assert same.status == 202
    assert same.json["capabilities"]["not_shared"] == []
    for other in (TITAN, SPILL_MODEL, "cohere.embed-english-v3"):
        changed = world.call("PATCH", "/deployments/support-llama", {"spill": {"model_id": other}})
        assert (changed.status, changed.error["param"], changed.error["allowed"]) == (400, "spill.model_id", [COHERE])
        rehearsed = world.call("PATCH", "/deployments/support-llama?dry_run=true", {"spill": {"model_id": other}})
        assert (rehearsed.status, rehearsed.error["param"]) == (400, "spill.model_id")
    assert world.call("GET", "/deployments/support-llama").json["spec"]["spill"]["model_id"] == f"us.{COHERE}"


@pytest.mark.parametrize(("model_id", "spill"), [(BGE, TITAN), (BGE, SPILL_MODEL), ("Qwen/Qwen3-8B", TITAN)])
def test_a_fleets_spill_target_is_no_embedding_model(world: World, model_id: str, spill: str) -> None:
    refused = world.call("POST", "/deployments", body(model_id, spill={"model_id": spill}))
    assert (refused.status, refused.error["param"]) == (400, "spill.model_id")
    assert world.call("GET", "/deployments").json["items"] == []


def test_an_application_profile_of_the_same_model_may_answer_too(world: World) -> None:
    world.catalog.called[PROFILE] = CalledModel(PROFILE, TITAN, ("us-east-1",))
    assert world.call("POST", "/deployments", body(TITAN, "bedrock", spill={"model_id": PROFILE})).status == 202
    world.catalog.called[PROFILE] = CalledModel(PROFILE, COHERE, ("us-east-1",))
    changed = world.call("PATCH", "/deployments/support-llama", {"spill": {"model_id": PROFILE, "allow_global": True}})
    assert (changed.status, changed.error["param"]) == (400, "spill.model_id")


def test_an_engines_context_is_not_longer_than_its_models(world: World) -> None:
    short = world.call("POST", "/deployments", body("BAAI/bge-large-en-v1.5"))
    assert short.json["spec"]["engine"]["max_model_len"] == 512
    asked = body("BAAI/bge-large-en-v1.5", engine={"max_model_len": 1024}, name="other")
    refused = world.call("POST", "/deployments", asked)
    assert (refused.status, refused.error["param"]) == (400, "engine.max_model_len")


@pytest.mark.parametrize("field", ["tool_call_parser", "reasoning_parser"])
def test_a_model_that_writes_nothing_has_nothing_to_parse(world: World, field: str) -> None:
    value = {"tool_call_parser": "hermes", "reasoning_parser": "qwen3"}[field]
    refused = world.call("POST", "/deployments", body(BGE, engine={field: value}))
    assert (refused.status, refused.error["param"]) == (400, f"engine.{field}")


def test_a_reranker_that_was_published_to_chat_needs_its_template(world: World) -> None:
    refused = world.call("POST", "/deployments", body(RERANKER))
    assert (refused.status, refused.error["param"]) == (400, "engine.chat_template")
    engine = {"chat_template": "https://example.com/qwen3_reranker.jinja"}
    made = world.call("POST", "/deployments", body(RERANKER, engine=engine))
    overrides = made.json["spec"]["engine"]["args"]["hf-overrides"]
    assert overrides["architectures"] == ["Qwen3ForSequenceClassification"]


def test_a_benchmark_measures_chat_alone(world: World) -> None:
    world.call("POST", "/deployments", body(BGE))
    refused = world.call("POST", "/deployments/support-llama/benchmarks", {})
    assert (refused.status, refused.error["code"]) == (400, "not_measurable")

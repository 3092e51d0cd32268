"""The emulated Bedrock's token quotas: taken at a request's beginning, settled at its end, refused in AWS's words."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import openai
import pytest
from botocore.exceptions import ClientError

from tests.sandbox.bedrock import BedrockRuntime, Catalog, Pace, default_catalog
from tests.unit.sandbox.conftest import Connect, Serve

LARGE = "mistral.mistral-large-3-675b-instruct"
GPT_OSS = "openai.gpt-oss-20b-1:0"
# "hello there" has 11 characters: 3 tokens, and 4 for the message.
HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": [{"text": "hello there"}]}]}
PROMPT, ANSWER = 7, 128


class Clock:
    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 24, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def catalog() -> Catalog:
    return default_catalog()


@pytest.fixture
def runtime(clock: Clock, catalog: Catalog) -> BedrockRuntime:
    return BedrockRuntime(catalog, clock, pace=Pace(0.0, 1e6))


@pytest.fixture
async def client(runtime: BedrockRuntime, serve: Serve, connect: Connect) -> Any:
    return connect("bedrock-runtime", await serve(runtime.routes()))


async def refusal_of(client: Any, **asked: Any) -> str | None:
    try:
        await asyncio.to_thread(client.converse, modelId=LARGE, **HELLO, **asked)
    except ClientError as err:
        return f"{err.response['Error']['Code']}: {err.response['Error']['Message']}"
    return None


async def test_a_request_without_a_limit_takes_the_models_longest_answer(client: Any, runtime: BedrockRuntime) -> None:
    runtime.quotas.per_minute[LARGE] = PROMPT + 32_000 - 1
    throttled = "ThrottlingException: Too many tokens, please wait before trying again."
    assert await refusal_of(client) == throttled
    assert await refusal_of(client, inferenceConfig={"maxTokens": 31_999}) is None


async def test_what_an_answer_did_not_use_comes_back_and_the_rest_with_the_minute(
    client: Any, runtime: BedrockRuntime, clock: Clock
) -> None:
    runtime.quotas.per_minute[LARGE] = 2 * (PROMPT + ANSWER) + PROMPT + 200
    small = {"inferenceConfig": {"maxTokens": 200}}
    assert [await refusal_of(client, **small) is None for _ in range(4)] == [True, True, True, False]
    clock.moment += timedelta(minutes=1)
    assert await refusal_of(client, **small) is None


async def test_a_day_has_a_quota_and_words_of_its_own(client: Any, runtime: BedrockRuntime, clock: Clock) -> None:
    runtime.quotas.per_day[LARGE] = PROMPT + 200
    small = {"inferenceConfig": {"maxTokens": 200}}
    assert await refusal_of(client, **small) is None
    clock.moment += timedelta(hours=11)
    daily = "ThrottlingException: Too many tokens per day, please wait before trying again."
    assert await refusal_of(client, **small) == daily
    clock.moment += timedelta(hours=1)
    assert await refusal_of(client, **small) is None


async def test_output_counts_at_the_models_burn_down_rate(
    client: Any, runtime: BedrockRuntime, catalog: Catalog
) -> None:
    catalog.models[LARGE].output_burndown = 5
    runtime.quotas.per_minute[LARGE] = PROMPT + 5 * ANSWER + PROMPT + 199
    small = {"inferenceConfig": {"maxTokens": 200}}
    assert [await refusal_of(client, **small) is None for _ in range(2)] == [True, False]


async def test_a_limit_above_the_models_own_is_refused(client: Any) -> None:
    refused = await refusal_of(client, inferenceConfig={"maxTokens": 32_001})
    assert refused == (
        "ValidationException: The maximum tokens you requested exceeds the model limit of 32000. Try again with a "
        "maximum tokens value that is lower than 32000."
    )


async def test_gpt_oss_knows_a_chats_limit_by_its_newer_name_only(runtime: BedrockRuntime, serve: Serve) -> None:
    url = await serve(runtime.routes())
    async with openai.AsyncOpenAI(base_url=f"{url}/openai/v1", api_key="x", max_retries=0) as sdk:
        chat: Any = {"model": GPT_OSS, "messages": [{"role": "user", "content": "hello there"}]}
        with pytest.raises(openai.BadRequestError, match="use 'max_completion_tokens' instead"):
            await sdk.chat.completions.create(**chat, max_tokens=9)
        answer = await sdk.chat.completions.create(**chat, max_completion_tokens=9)
    assert answer.choices[0].finish_reason == "length"

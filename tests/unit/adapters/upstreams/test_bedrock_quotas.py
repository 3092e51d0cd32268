"""Bedrock's token quotas: what requests take of them while they are in flight, and what follows once one is used up."""

import asyncio
import json
from typing import Any

import pytest

from spillway.adapters.upstreams.bedrock.answer_limits import ANSWERS_THAT_SHOW, FIRST_WITH_THOUGHTS, FLOOR
from spillway.domain.paths.targets import BedrockApi, BedrockTarget, Target
from spillway.gateway.errors import UpstreamRejected, UpstreamUnavailable
from spillway.gateway.failover.target_health import LASTING_SECONDS
from tests.sandbox.bedrock import Pace
from tests.unit.adapters.upstreams.test_on_bedrock import IMPORTED, on
from tests.unit.gateway.doubles import call, completion, streaming
from tests.unit.gateway.servers import Played, a_request, read, upstreams_to

LARGE = "mistral.mistral-large-3-675b-instruct"
THINKER = BedrockTarget("openai.gpt-oss-20b-1:0", "openai")
FAST = Pace(0.0, 1e7)
DAILY = "Too many tokens per day, please wait before trying again."
DENIED = (
    "User: arn:aws:sts::123456789012:assumed-role/serve is not authorized to perform: bedrock:InvokeModel on resource: "
    "arn:aws:bedrock:us-east-2::foundation-model/m with an explicit deny in a service control policy"
)
UNLIMITED: dict[str, Any] = {"messages": [{"role": "user", "content": "hello there"}]}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("api", ["converse", "openai"])
async def test_twenty_requests_without_limits_fit_a_quota_of_three_longest_answers(
    api: BedrockApi, stream: bool
) -> None:
    async with on(BedrockTarget(LARGE, api)) as (world, runtime):
        runtime.quotas.per_minute[LARGE] = 100_000
        answers = await asyncio.gather(*(call(world, streaming(stream=stream, **UNLIMITED)) for _ in range(20)))
    assert [answer.status for answer in answers] == [200] * 20
    assert runtime.use[LARGE].errors == 0


async def test_a_clients_own_limit_is_what_bedrock_takes_off() -> None:
    async with on(BedrockTarget(LARGE, "converse")) as (world, runtime):
        runtime.quotas.per_minute[LARGE] = 100_000
        large = {"max_tokens": 32_000, **UNLIMITED}
        answers = await asyncio.gather(*(call(world, streaming(**large)) for _ in range(20)))
    assert sorted(answer.status for answer in answers) == [200] * 3 + [503] * 17


async def test_an_answer_that_ends_at_our_limit_says_so_and_the_next_one_may_be_longer() -> None:
    async with on(BedrockTarget(LARGE, "converse")) as (world, runtime):
        runtime.pace, runtime.completion_tokens = FAST, FLOOR + 1_000
        cut, whole = [await call(world, streaming(stream=False, **UNLIMITED)) for _ in range(2)]
    reasons = [answer.json["choices"][0]["finish_reason"] for answer in (cut, whole)]
    assert reasons == ["length", "stop"]
    assert [line["completion_tokens"] for line in world.lines] == [FLOOR, FLOOR + 1_000]
    assert [line["detail"] for line in world.lines] == [f"ended at Spillway's limit of {FLOOR} tokens", None]


async def test_no_answer_may_be_longer_than_the_model_allows() -> None:
    async with on(BedrockTarget("us.meta.llama3-1-8b-instruct-v1:0", "converse")) as (world, runtime):
        runtime.pace, runtime.completion_tokens = FAST, 5_000
        for _ in range(2):
            answer = await call(world, streaming(stream=False, **UNLIMITED))
            assert (answer.status, answer.json["usage"]["completion_tokens"]) == (200, 4_096)
    assert runtime.use["us.meta.llama3-1-8b-instruct-v1:0"].errors == 0


async def test_a_model_that_thinks_may_think_until_its_answers_have_shown_how_much() -> None:
    async with on(THINKER) as (world, runtime):
        runtime.pace, runtime.completion_tokens = FAST, FIRST_WITH_THOUGHTS - 1
        long = await call(world, streaming(stream=False, **UNLIMITED))
    assert long.json["choices"][0]["finish_reason"] == "stop"
    async with on(THINKER) as (world, runtime):
        runtime.quotas.per_minute[THINKER.model_id] = 100_000
        for _ in range(ANSWERS_THAT_SHOW):
            await call(world, streaming(**UNLIMITED))
        answers = await asyncio.gather(*(call(world, streaming(**UNLIMITED)) for _ in range(20)))
    assert [answer.status for answer in answers] == [200] * 20


@pytest.mark.parametrize("stream", [False, True])
async def test_a_deployments_own_limit_comes_before_what_was_learnt(stream: bool) -> None:
    async with on(BedrockTarget(LARGE, "converse"), default_max_tokens=30) as (world, _):
        await call(world, streaming(stream=stream, **UNLIMITED))
        await call(world, streaming(stream=stream, max_tokens=40, **UNLIMITED))
    assert [line["completion_tokens"] for line in world.lines] == [30, 40]


async def test_a_text_completion_is_as_short_as_openai_makes_it() -> None:
    async with on(IMPORTED) as (world, _):
        answer = await call(world, {"model": "support-llama", "prompt": "hello there"}, path="/v1/completions")
    assert answer.json["usage"]["completion_tokens"] == 16


@pytest.mark.parametrize("target", [THINKER, IMPORTED], ids=["openai", "imported"])
async def test_a_limit_above_the_models_own_is_cut_to_it_and_asked_for_no_more(target: Target) -> None:
    message = "The maximum tokens you requested exceeds the model limit of 2048. Try again with a lower value."
    refused = Played([json.dumps({"error": {"message": message, "code": 400}}).encode()], status=400)
    async with upstreams_to(refused, Played([completion()])) as (upstreams, fake):
        for asked in (4_096, 3_000, 100):
            await read(upstreams, target, a_request(max_tokens=asked))
    sent = [seen.body.get("max_completion_tokens") or seen.body.get("max_tokens") for seen in fake.seen]
    assert sent == [4_096, 2_048, 2_048, 100]


@pytest.mark.parametrize(
    ("message", "answered"),
    [
        ("'max_tokens' is too large: 4096. This model's maximum context length is 8192 tokens", True),
        ("top_p must be below 1", False),
    ],
)
async def test_what_is_refused_for_a_limit_that_no_client_set_is_asked_without_it(message: str, answered: bool) -> None:
    refused = Played([json.dumps({"error": {"message": message, "code": 400}}).encode()], status=400)
    async with upstreams_to(refused, Played([completion()])) as (upstreams, fake):
        if answered:
            await read(upstreams, IMPORTED, a_request())
        else:
            with pytest.raises(UpstreamRejected, match="top_p"):
                await read(upstreams, IMPORTED, a_request())
    assert ["max_tokens" in seen.body for seen in fake.seen] == [True, False][: 2 if answered else 1]


async def test_a_limit_of_ours_leaves_the_prompt_half_of_a_context_that_was_told() -> None:
    told = b'{"error": {"message": "This model\'s maximum context length is 8192 tokens. However, ...", "code": 400}}'
    async with upstreams_to(Played([told], status=400), Played([completion()])) as (upstreams, fake):
        for _ in range(2):
            await read(upstreams, IMPORTED, a_request())
    assert [seen.body.get("max_tokens") for seen in fake.seen] == [FIRST_WITH_THOUGHTS, None, 4_096]


LASTING = {
    "a day's quota": (429, "ThrottlingException", DAILY, "quota_used_up"),
    "an explicit deny": (403, "AccessDeniedException", DENIED, "access_denied"),
}


@pytest.mark.parametrize("case", LASTING)
@pytest.mark.parametrize("api", ["converse", "openai"])
async def test_what_lasts_goes_to_the_next_target_at_once_and_is_not_asked_again_for_a_minute(
    api: BedrockApi, case: str
) -> None:
    status, kind, message, code = LASTING[case]
    refused = Played([json.dumps({"message": message}).encode()], status=status, headers={"x-amzn-errortype": kind})
    async with upstreams_to(refused) as (upstreams, _):
        with pytest.raises(UpstreamUnavailable) as failed:
            await read(upstreams, BedrockTarget(LARGE, api), a_request())
    assert failed.value.code == code


async def test_a_days_quota_in_the_sandbox() -> None:
    async with on(BedrockTarget(LARGE, "converse"), spill=THINKER) as (world, runtime):
        runtime.quotas.per_day[LARGE] = 100
        first, second = [await call(world, streaming(**UNLIMITED)) for _ in range(2)]
        asked = runtime.use[LARGE].errors
        world.clock.moment += LASTING_SECONDS + 1
        await call(world, streaming(**UNLIMITED))
    for answer in (first, second):
        assert (answer.status, answer.headers["x-spillway-reason"]) == (200, "quota_used_up")
    assert (asked, runtime.use[LARGE].errors) == (1, 2)


async def test_a_target_alone_that_lasts_in_trouble_is_a_503_without_another_call() -> None:
    async with on(BedrockTarget(LARGE, "converse")) as (world, runtime):
        runtime.quotas.per_day[LARGE] = 100
        answers = [await call(world, streaming(**UNLIMITED)) for _ in range(2)]
    assert [(answer.status, answer.error["code"]) for answer in answers] == [(503, "quota_used_up")] * 2
    assert all(0 < int(answer.headers["retry-after"]) <= LASTING_SECONDS for answer in answers)
    assert runtime.use[LARGE].errors == 1

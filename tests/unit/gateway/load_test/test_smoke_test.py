"""The smoke test tells a target that answers from one that does not."""

from typing import Any

import pytest

from functions.smoke_test.app import handler
from spillway.domain.decision import Code
from spillway.domain.errors import AccessPending, SmokeTestFailed
from spillway.domain.paths.targets import FleetTarget, target_to_json
from spillway.gateway.errors import UpstreamRejected, UpstreamUnavailable
from spillway.gateway.load_test.smoke_test import smoke_test
from tests.unit.gateway.doubles import GOOD_STREAM, FakeClock, FakeUpstreams, chunk, sse

TARGET = FleetTarget("support-llama")


async def smoke(script: Any) -> float:
    upstreams = FakeUpstreams({"fleet": script})
    try:
        return await smoke_test(upstreams, TARGET, "support-llama", "r", FakeClock().monotonic)
    finally:
        assert upstreams.requests[0][1].body["max_tokens"] == 8


async def test_a_target_that_answers() -> None:
    assert await smoke(GOOD_STREAM) == 0.0


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (UpstreamUnavailable(Code.PRIMARY_FAILED, "HTTP 403 AccessDenied"), "AccessDenied"),
        (UpstreamRejected(400, "no chat template"), "no chat template"),
        ([sse({"error": {"message": "dead", "code": 500}})], "dead"),
        ([sse(chunk("a"))], "no end mark"),
        ([sse(chunk("a")), UpstreamUnavailable(Code.PRIMARY_FAILED, "broke off")], "broke off"),
        ([sse(chunk("a")), sse({"error": {"message": "died", "code": 500}})], "died"),
    ],
)
async def test_one_that_does_not_says_what_came_back(script: Any, said: str) -> None:
    with pytest.raises(SmokeTestFailed, match=said):
        await smoke(script)


async def test_a_subscription_that_is_being_made_is_waited_for_longer() -> None:
    said = (
        "HTTP 403 AccessDeniedException Model access is denied. Your AWS Marketplace subscription for this model "
        "cannot be completed at this time. If you recently fixed this issue, try again after 2 minutes."
    )
    with pytest.raises(AccessPending, match="try again after 2 minutes"):
        await smoke(UpstreamUnavailable(Code.PRIMARY_FAILED, said))


def test_the_handler_reaches_the_target_of_its_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("FLEETS_URL", "http://127.0.0.1:1/fleets")
    with pytest.raises(SmokeTestFailed, match="support-llama"):
        handler({"deployment": "support-llama", "target": target_to_json(TARGET)}, None)

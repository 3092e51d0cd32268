"""A real completion against one target, to prove that it answers before traffic is sent there."""

import asyncio
from collections.abc import Callable

from spillway.domain.errors import AccessPending, Rejected, SmokeTestFailed
from spillway.domain.paths.targets import Target
from spillway.domain.routing.route import Choice
from spillway.gateway.errors import UpstreamUnavailable
from spillway.gateway.failover.first_byte_gate import AttemptTimeouts, FirstByteGate, NothingAnswered, Opened
from spillway.gateway.failover.target_health import TargetHealth
from spillway.gateway.streaming.rewriting import StreamRewriter
from spillway.gateway.timeouts import SMOKE_TEST_SECONDS
from spillway.gateway.upstream import UpstreamRequest, Upstreams

_PROMPT = "Say hello."
_MAX_TOKENS = 8
# What Bedrock names in its refusal until an account is subscribed to a model, and as long as it can't be.
_SUBSCRIPTION = "AWS Marketplace subscription"
_LIMITS = AttemptTimeouts(SMOKE_TEST_SECONDS, SMOKE_TEST_SECONDS)


async def smoke_test(
    upstreams: Upstreams, target: Target, deployment: str, request_id: str, monotonic: Callable[[], float]
) -> float:
    """Return the seconds to the first token.

    Raises SmokeTestFailed with what came back instead of an answer, AccessPending where that is a subscription which
    is being made.
    """
    body = {
        "model": deployment,
        "messages": [{"role": "user", "content": _PROMPT}],
        "max_tokens": _MAX_TOKENS,
        "stream": True,
    }
    request = UpstreamRequest(deployment, "chat/completions", body, True, False, request_id, 0)
    begun = monotonic()
    try:
        async with asyncio.timeout(SMOKE_TEST_SECONDS):
            gate = FirstByteGate(upstreams, TargetHealth(monotonic, lambda: 0.5))
            opened = await gate.open([Choice(target, "primary", "smoke_test")], request, _LIMITS, [])
            first_token = monotonic()
            await _read_to_the_end(opened, request)
    except (NothingAnswered, Rejected, UpstreamUnavailable) as err:
        failure = AccessPending if _SUBSCRIPTION in str(err) else SmokeTestFailed
        raise failure(f"'{deployment}' gave no completion: {err}") from err
    except TimeoutError as err:
        raise SmokeTestFailed(f"'{deployment}' gave no completion within {SMOKE_TEST_SECONDS:g} seconds") from err
    return first_token - begun


async def _read_to_the_end(opened: Opened, request: UpstreamRequest) -> None:
    rewriter = StreamRewriter(request, opened.first)
    try:
        rewriter.rewrite(opened.block)
        async for block in opened.stream.blocks:
            rewriter.rewrite(block)
    finally:
        await opened.stream.close()
    if not rewriter.complete:
        raise SmokeTestFailed(f"the stream ended before its end: {rewriter.error or 'no end mark'}")

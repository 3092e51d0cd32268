"""An event loop whose time passes only when everybody waits, and an engine on it: seconds of load in no time."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

from spillway.domain.decision import Code
from spillway.domain.paths.targets import Target
from spillway.gateway.errors import UpstreamUnavailable
from spillway.gateway.upstream import UpstreamRequest, UpstreamStream
from tests.sandbox.engine_scheduler import Job, Limits, OverloadedError, Scheduler
from tests.sandbox.wording import count_chat_tokens
from tests.waiting import run_ahead

T = TypeVar("T")


def run_virtually(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run to the end on a clock that starts at zero."""
    loop = asyncio.new_event_loop()
    run_ahead(loop)
    try:
        return loop.run_until_complete(coroutine)
    finally:
        loop.close()


class SimulatedUpstreams:
    """The sandbox's engine without HTTP: a shared token rate, a batch of limited width, a queue."""

    def __init__(self, *, max_in_flight: int | None = None, max_running: int = 64, rate: float = 400.0) -> None:
        loop = asyncio.get_running_loop()
        self.scheduler = Scheduler(Limits(rate, 100_000.0, max_running, max_in_flight, 10_000_000), loop.time)
        self.work = asyncio.create_task(self.scheduler.run())
        self.in_flight = 0
        self.prompts: list[str] = []

    async def open(self, target: Target, request: UpstreamRequest, connect_seconds: float) -> UpstreamStream:
        messages = request.body["messages"]
        self.prompts.append(messages[0]["content"])
        # Left to itself, the model would say little.
        length = request.body["max_tokens"] if request.body.get("ignore_eos") else 1
        job = Job(count_chat_tokens(messages), length, "length")
        try:
            self.scheduler.submit(job)
        except OverloadedError as err:
            raise UpstreamUnavailable(Code.ENGINE_SATURATED, str(err)) from err
        self.in_flight += 1

        async def close() -> None:
            self.in_flight -= 1
            self.scheduler.abort(job)

        return UpstreamStream(_pieces(job), close)

    async def close(self) -> None:
        self.work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.work


async def _pieces(job: Job) -> AsyncIterator[bytes]:
    sent = 0
    while sent < job.max_tokens:
        sent = await job.reach(sent + 1)
        yield _event({"choices": [{"index": 0, "delta": {"content": "word"}, "finish_reason": None}]})
    usage = {"prompt_tokens": job.prompt_tokens, "completion_tokens": sent}
    yield _event({"choices": [], "usage": usage, "system_fingerprint": "vllm-0.32.0-675585e5"}) + b"data: [DONE]\n\n"


def _event(body: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(body, separators=(",", ":")).encode() + b"\n\n"

"""One load worker: so many streams at once, directly on a deployment's primary target, counted over one span of time.

It takes the gateway's own upstreams, and nothing of its routing: a benchmark's requests are never spilled, wake
nothing, and are in no usage counter.
"""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

from spillway.domain.benchmarks.counts import LengthTally, Tally
from spillway.domain.benchmarks.worker_orders import Length, WorkerOrder
from spillway.domain.engines.registry import EXACT_LENGTH
from spillway.gateway.errors import UpstreamRejected, UpstreamUnavailable
from spillway.gateway.failover.first_event import first_of
from spillway.gateway.load_test.answer import Reading
from spillway.gateway.load_test.prompts import Prompts
from spillway.gateway.streaming.rewriting import StreamRewriter
from spillway.gateway.timeouts import CONNECT_SECONDS
from spillway.gateway.upstream import UpstreamRequest, Upstreams, UpstreamStream

# How often the stop button is looked at, and how long a stream rests after a failure: refused requests cost little.
_LOOK_SECONDS = 1.0
_REST_SECONDS = 0.25


class Worker:
    """``moment`` is the machine's clock in seconds since the epoch; ``is_wanted`` asks whether to go on."""

    def __init__(
        self,
        upstreams: Upstreams,
        order: WorkerOrder,
        random: Random,
        moment: Callable[[], float],
        is_wanted: Callable[[], Awaitable[bool]],
    ) -> None:
        self._upstreams = upstreams
        self._order = order
        self._random = random
        self._moment = moment
        self._is_wanted = is_wanted
        self._prompts = Prompts(random, order.words_per_token)
        self._waiting: dict[int, float] = {}
        self._sent = 0
        self._tally = Tally([LengthTally() for _ in order.lengths])

    async def run(self) -> Tally:
        """Drive the load until the end of the span, or until nobody wants it any more; leaves no request behind."""
        order, tally = self._order, self._tally
        tally.late_seconds = max(0.0, self._moment() - order.measure_from)
        streams = [asyncio.create_task(self._stream(number)) for number in range(order.streams)]
        button = asyncio.create_task(self._until_unwanted())
        try:
            done, _ = await asyncio.wait(
                {button, *streams},
                timeout=max(0.0, order.measure_until - self._moment()),
                return_when=asyncio.FIRST_COMPLETED,
            )
            tally.stopped = button in done
            self._close(min(self._moment(), order.measure_until))
        finally:
            for task in (button, *streams):
                task.cancel()
            ended = await asyncio.gather(button, *streams, return_exceptions=True)
        for outcome in ended:
            if isinstance(outcome, Exception):
                raise outcome
        return tally

    def _close(self, end: float) -> None:
        """Count what still waits; its first token would have come later than this."""
        tally = self._tally
        tally.seconds = max(0.0, end - self._order.measure_from)
        if tally.seconds:
            for begun in self._waiting.values():
                tally.requests += 1
                tally.first_token_seconds.add(end - begun)

    async def _until_unwanted(self) -> None:
        while await self._is_wanted():
            await asyncio.sleep(_LOOK_SECONDS)

    async def _stream(self, number: int) -> None:
        order = self._order
        begin = order.measure_from - order.ramp_seconds * (1 - number / order.streams)
        await asyncio.sleep(max(0.0, begin - self._moment()))
        kinds = range(len(order.lengths))
        weights = [length.share for length in order.lengths]
        while True:
            (kind,) = self._random.choices(kinds, weights)
            if not await self._request(number, order.lengths[kind], self._tally.lengths[kind]):
                await asyncio.sleep(_REST_SECONDS)

    async def _request(self, number: int, length: Length, counts: LengthTally) -> bool:
        """Make one request and count it; False when it failed."""
        prompt = self._prompts.text(length.prompt_tokens)
        request = self._request_of(prompt, length)
        begun = self._waiting[number] = self._moment()
        try:
            stream = await self._upstreams.open(self._order.target, request, CONNECT_SECONDS)
            block, first = await first_of(stream, request)
        except UpstreamUnavailable as err:
            return self._failed(err.code, err.detail, is_new=True)
        except UpstreamRejected as err:
            return self._failed(f"rejected_{err.status}", err.message, is_new=True)
        finally:
            del self._waiting[number]
        reading = Reading(self._moment, StreamRewriter(request, first), prompt)
        if self._counts():
            reading.began_within = True
            self._tally.requests += 1
            self._tally.first_token_seconds.add(reading.last - begun)
        try:
            return await self._read(stream, block, reading, counts)
        finally:
            self._settle(reading, counts)

    async def _read(self, stream: UpstreamStream, block: bytes, reading: Reading, counts: LengthTally) -> bool:
        """Follow an answer to its end."""
        try:
            reading.pieces_within += self._counts() * reading.take(block)
            async for more in stream.blocks:
                before = reading.last
                pieces = reading.take(more)
                if pieces and self._counts():
                    reading.pieces_within += pieces
                    self._tally.piece_seconds.add((reading.last - before) / pieces, pieces)
        except UpstreamUnavailable as err:
            return self._failed("broke_off", err.detail)
        finally:
            await stream.close()
        rewriter = reading.rewriter
        if not rewriter.complete:
            return self._failed("broke_off", f"the stream ended before its end: {rewriter.error or 'no end mark'}")
        self._ended(reading, counts)
        return True

    def _ended(self, reading: Reading, counts: LengthTally) -> None:
        usage, tally = reading.rewriter.usage, self._tally
        tally.engine = max(tally.engine, reading.engine)
        if usage is None or not usage.completion:
            return
        self._prompts.counted(reading.prompt, usage.prompt)
        tally.prompt_words, tally.words_tokens = self._prompts.words, self._prompts.tokens
        if not self._counts():
            return
        counts.ended += 1
        counts.ended_prompt_tokens += usage.prompt
        counts.ended_completion_tokens += usage.completion
        counts.ended_pieces += reading.pieces
        if (seconds := reading.last - reading.begun) > 0:
            tally.stream_tokens_per_second.add(usage.completion / seconds)

    def _settle(self, reading: Reading, counts: LengthTally) -> None:
        """Count what came of a request within the span, by the engine's own numbers if it got to say them."""
        usage = reading.rewriter.usage
        counts.prefills += reading.began_within
        if usage is None or not usage.completion:
            counts.open_prefills += reading.began_within
            counts.open_pieces += reading.pieces_within
            return
        counts.prompt_tokens += reading.began_within * usage.prompt
        counts.completion_millitokens += round(1000 * usage.completion * reading.pieces_within / reading.pieces)

    def _failed(self, code: str, detail: str, *, is_new: bool = False) -> bool:
        if self._counts():
            self._tally.requests += is_new
            self._tally.fail(code, detail)
        return False

    def _counts(self) -> bool:
        return self._order.measure_from <= self._moment() < self._order.measure_until

    def _request_of(self, prompt: str, length: Length) -> UpstreamRequest:
        order = self._order
        self._sent += 1
        body = {
            "model": order.deployment,
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": length.completion_tokens,
            **EXACT_LENGTH,
            "stream": True,
        }
        request_id = f"benchmark-{order.benchmark}-{order.seed}-{self._sent}"
        return UpstreamRequest(order.deployment, "chat/completions", body, True, False, request_id, len(prompt))

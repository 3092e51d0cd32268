"""The emulated Bedrock: the runtime's four calls and its OpenAI-compatible endpoint; the control plane beside it."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from aiohttp import web

from tests.sandbox.aws_errors import AwsError, answering_errors
from tests.sandbox.bedrock_catalog import Catalog, FoundationModel, default_catalog
from tests.sandbox.bedrock_control import BedrockControl
from tests.sandbox.bedrock_copies import ModelCopies
from tests.sandbox.bedrock_embeddings import EmbeddingsWire
from tests.sandbox.bedrock_faults import CONNECTION_RESET, Ending, Fault, Pace, Use
from tests.sandbox.bedrock_quota import TokenQuotas
from tests.sandbox.bedrock_responses import ResponsesWire, read_response
from tests.sandbox.bedrock_wire import (
    Asked,
    ConverseWire,
    InvokeTextWire,
    InvokeWire,
    OpenAiWire,
    WholeWire,
    Wire,
    openai_error,
    read_converse,
    read_converse_stream,
    read_json,
    read_openai,
    read_prompt,
)

__all__ = [
    "CONNECTION_RESET",
    "BedrockControl",
    "BedrockRuntime",
    "Catalog",
    "Ending",
    "Fault",
    "Pace",
    "default_catalog",
]

_SHORTEST_EVENT_SECONDS = 0.02
_Reader = Callable[[str, dict[str, Any], int, int], Asked]


class BedrockRuntime:
    """Answers for every model of the catalog.

    ``settle`` is called before a model is looked up, so that an import that has just ended is found. ``subscribed``
    raises for a model without an agreement, and may begin one.
    An imported model's copy loads for ``copy_seconds`` of the time that ``now`` tells.
    ``quotas`` are of tokens, by a foundation model's own id.
    ``faults`` holds each model id's failures to come, the first first, ``endings`` how its next answers by Converse end
    if not as usual; ``use`` what was answered, by model id.
    """

    def __init__(
        self,
        catalog: Catalog,
        now: Callable[[], datetime],
        *,
        pace: Pace | None = None,
        completion_tokens: int = 128,
        settle: Callable[[], None] = lambda: None,
        subscribed: Callable[[FoundationModel, Mapping[str, str]], None] = lambda _model, _headers: None,
        copy_seconds: float = 0.0,
    ) -> None:
        self.pace = pace or Pace()
        self.completion_tokens = completion_tokens
        self.faults: defaultdict[str, list[Fault]] = defaultdict(list)
        self.endings: defaultdict[str, list[Ending]] = defaultdict(list)
        self.use: defaultdict[str, Use] = defaultdict(Use)
        self._catalog = catalog
        self._now = now
        self._settle = settle
        self._subscribed = subscribed
        self.quotas = TokenQuotas(now)
        self._copies = ModelCopies(now, copy_seconds)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes, to be mounted in one application; one that cancels handlers when clients go away."""
        return [
            web.post("/model/{id}/converse", answering_errors(self._converse)),
            web.post("/model/{id}/converse-stream", answering_errors(self._converse_stream)),
            web.post("/model/{id}/invoke", answering_errors(self._invoke)),
            web.post("/model/{id}/invoke-with-response-stream", answering_errors(self._invoke_stream)),
            web.post("/openai/v1/chat/completions", self._chat),
            web.post("/openai/v1/responses", self._respond),
        ]

    def fail_next(self, model_id: str, code: str, times: int = 1, after_tokens: int | None = None) -> None:
        """Make the next requests for a model id fail."""
        self.faults[model_id] += [Fault(code, after_tokens=after_tokens)] * times

    def _ended(self, asked: Asked) -> Asked:
        if not self.endings[asked.model_id]:
            return asked
        ending = self.endings[asked.model_id].pop(0)
        return replace(asked, ending=ending.stop_reason, broken=ending.broken)

    async def _converse(self, request: web.Request) -> web.StreamResponse:
        self._check_converses(request)
        asked = self._ended(self._read(request, read_converse, await request.read()))
        return await self._answer(request, ConverseWire(), asked)

    async def _converse_stream(self, request: web.Request) -> web.StreamResponse:
        self._check_converses(request)
        asked = self._ended(self._read(request, read_converse_stream, await request.read()))
        return await self._stream(request, ConverseWire(), asked)

    async def _invoke(self, request: web.Request) -> web.StreamResponse:
        raw, model = await request.read(), self._embedding_model(request)
        if model is not None:
            vectors = EmbeddingsWire(model.id, read_json(raw))
            return await self._answer(request, vectors, self._read(request, vectors.read, raw))
        asked, wire = self._read_invoked(request, raw)
        return await self._answer(request, wire, asked)

    async def _invoke_stream(self, request: web.Request) -> web.StreamResponse:
        if self._embedding_model(request) is not None:
            raise AwsError(400, "ValidationException", "The model is unsupported for streaming.")
        asked, wire = self._read_invoked(request, await request.read())
        return await self._stream(request, wire, asked)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        return await self._openai(request, OpenAiWire(), read_openai)

    async def _respond(self, request: web.Request) -> web.StreamResponse:
        return await self._openai(request, ResponsesWire(), read_response)

    async def _openai(self, request: web.Request, wire: Wire, read: _Reader) -> web.StreamResponse:
        try:
            body = read_json(await request.read())
            model_id = str(body.get("model"))
            self._check_access(model_id, request.headers)
            self._check_endpoint(model_id, request.path.removeprefix("/openai/v1/"))
            _check_limit_name(model_id, request.path, body)
            asked = read(model_id, body, self._created(), self.completion_tokens)
            answer = self._stream if body.get("stream") else self._answer
            return await answer(request, wire, asked)
        except AwsError as error:
            response = web.json_response(openai_error(error), status=error.status)
            response.headers["x-amzn-errortype"] = error.code
            return response

    def _read(self, request: web.Request, read: _Reader, raw: bytes) -> Asked:
        model_id = request.match_info["id"]
        self._check_access(model_id, request.headers)
        return read(model_id, read_json(raw), self._created(), self.completion_tokens)

    def _read_invoked(self, request: web.Request, raw: bytes) -> tuple[Asked, Wire]:
        if "prompt" in read_json(raw):
            return self._read(request, read_prompt, raw), InvokeTextWire()
        return self._read(request, read_openai, raw), InvokeWire()

    def _created(self) -> int:
        return int(self._now().timestamp())

    def _check_access(self, model_id: str, headers: Mapping[str, str]) -> None:
        self._settle()
        model = self._catalog.foundation(model_id)
        if model and model.region_available:
            if not model.authorized:
                message = "You don't have access to the model with the specified model ID."
                raise AwsError(403, "AccessDeniedException", message)
            if model_id.rsplit("/", 1)[-1] == model.id and "ON_DEMAND" not in model.inference_types:
                message = (
                    f"Invocation of model ID {model.id} with on-demand throughput isn't supported. Retry your request "
                    "with the ID or ARN of an inference profile that contains this model."
                )
                raise AwsError(400, "ValidationException", message)
            self._subscribed(model, headers)
            return
        imported = self._catalog.find_imported(model_id)
        if imported:
            self._copies.ask(imported.arn)
        elif ":imported-model/" in model_id:
            raise AwsError(404, "ResourceNotFoundException", f"Could not find the model {model_id}.")
        else:
            raise AwsError(400, "ValidationException", "The provided model identifier is invalid.")

    def _check_converses(self, request: web.Request) -> None:
        if self._embedding_model(request) is not None:
            message = "This action doesn't support the model that you provided. Try again with a supported text or chat"
            raise AwsError(400, "ValidationException", f"{message} model.")

    def _embedding_model(self, request: web.Request) -> FoundationModel | None:
        model = self._catalog.foundation(request.match_info["id"])
        return model if model is not None and model.embeds else None

    def _check_endpoint(self, model_id: str, endpoint: str) -> None:
        """Raise for a model that an API of OpenAI's does not serve; how Bedrock words that was not seen."""
        model = self._catalog.foundation(model_id)
        if model is not None and endpoint not in model.endpoints:
            raise AwsError(400, "ValidationException", f"The model {model_id} is not supported on this endpoint.")

    def _start(self, asked: Asked, *, streaming: bool) -> Fault | None:
        """Count a request and return the failure it is to meet. A failure in a stream waits for a stream."""
        use = self.use[asked.model_id]
        use.requests += 1
        faults = self.faults[asked.model_id]
        due = next((fault for fault in faults if streaming or fault.after_tokens is None), None)
        if due:
            faults.remove(due)
            use.errors += 1
        return due

    @contextmanager
    def _within_quota(self, asked: Asked) -> Iterator[None]:
        """Hold the tokens that a request may use; an imported model has no quota of them."""
        model = self._catalog.foundation(asked.model_id)
        if model is None:
            yield
            return
        most = model.most_output_tokens
        if asked.limit is not None and asked.limit > most:
            message = f"The maximum tokens you requested exceeds the model limit of {most}. Try again with a maximum "
            raise AwsError(400, "ValidationException", f"{message}tokens value that is lower than {most}.")
        taken = asked.prompt_tokens + (most if asked.limit is None else asked.limit)
        try:
            self.quotas.take(model.id, taken)
        except AwsError:
            self.use[asked.model_id].errors += 1
            raise
        try:
            yield
        finally:
            # Of a request that ended early the whole answer counts: what AWS takes of it was not seen.
            self.quotas.settle(model.id, taken, asked.prompt_tokens + asked.tokens * model.output_burndown)

    async def _answer(self, request: web.Request, wire: WholeWire, asked: Asked) -> web.StreamResponse:
        with self._within_quota(asked):
            return await self._answer_whole(request, wire, asked)

    async def _stream(self, request: web.Request, wire: Wire, asked: Asked) -> web.StreamResponse:
        with self._within_quota(asked):
            return await self._answer_in_pieces(request, wire, asked)

    async def _answer_whole(self, request: web.Request, wire: WholeWire, asked: Asked) -> web.StreamResponse:
        fault = self._start(asked, streaming=False)
        if fault:
            return _fail(request, fault)
        started = time.monotonic()
        await asyncio.sleep(self.pace.first_token_seconds + asked.tokens / self.pace.tokens_per_second)
        self._count(asked, asked.prompt_tokens, asked.tokens)
        headers = {
            "X-Amzn-Bedrock-Input-Token-Count": str(asked.prompt_tokens),
            "X-Amzn-Bedrock-Output-Token-Count": str(asked.tokens),
        }
        return web.json_response(wire.whole(asked, _milliseconds_since(started)), headers=headers)

    async def _answer_in_pieces(self, request: web.Request, wire: Wire, asked: Asked) -> web.StreamResponse:
        fault = self._start(asked, streaming=True)
        if fault and fault.after_tokens is None:
            return _fail(request, fault)
        started = time.monotonic()
        await asyncio.sleep(self.pace.first_token_seconds)
        headers = {"Content-Type": wire.content_type, "X-Amzn-Bedrock-Content-Type": "application/json"}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        self._count(asked, asked.prompt_tokens, 0)
        await response.write(wire.opening(asked))
        last = asked.tokens if fault is None else min(asked.tokens, fault.after_tokens or 0)
        async for start, stop in self._paced(last):
            await response.write(wire.piece(asked, start, stop))
            self._count(asked, 0, stop - start)
        if fault and fault.code == CONNECTION_RESET:
            _reset(request)
            return response
        ending = wire.failure(fault.error()) if fault else wire.closing(asked, _milliseconds_since(started))
        await response.write(ending)
        await response.write_eof()
        return response

    async def _paced(self, tokens: int) -> AsyncIterator[tuple[int, int]]:
        """Yield the pieces of an answer at the model's pace, several tokens at a time when that is fast."""
        together = max(1, round(self.pace.tokens_per_second * _SHORTEST_EVENT_SECONDS))
        for start in range(0, tokens, together):
            stop = min(tokens, start + together)
            yield start, stop
            if stop < tokens:
                await asyncio.sleep((stop - start) / self.pace.tokens_per_second)

    def _count(self, asked: Asked, prompt_tokens: int, completion_tokens: int) -> None:
        use = self.use[asked.model_id]
        use.prompt_tokens += prompt_tokens
        use.completion_tokens += completion_tokens


def _check_limit_name(model_id: str, path: str, body: Mapping[str, Any]) -> None:
    """Raise for a chat's older limit on gpt-oss, in words that a report of 2025 quotes."""
    if path.endswith("/chat/completions") and ".gpt-oss" in model_id and body.get("max_tokens") is not None:
        message = "The 'max_tokens' parameter is not supported, use 'max_completion_tokens' instead"
        raise AwsError(400, "ValidationException", message)


def _fail(request: web.Request, fault: Fault) -> web.StreamResponse:
    if fault.code == CONNECTION_RESET:
        _reset(request)
        return web.Response()
    raise fault.error()


def _reset(request: web.Request) -> None:
    if request.transport:
        request.transport.abort()


def _milliseconds_since(started: float) -> int:
    return int((time.monotonic() - started) * 1000)

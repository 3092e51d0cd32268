"""The HTTP surface of an emulated engine: routes, authentication, answers and refusals."""

import hashlib
import itertools
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from tests.sandbox.engine_answers import DONE, Answer, compact, event
from tests.sandbox.engine_config import EngineConfig
from tests.sandbox.engine_dialects import sees
from tests.sandbox.engine_embeddings import embed, rank
from tests.sandbox.engine_metrics import exposition
from tests.sandbox.engine_output import Output, output_of
from tests.sandbox.engine_responses import ResponseAnswer, ResponseCall, read_response
from tests.sandbox.engine_scheduler import Job, LostError, OverloadedError, Scheduler
from tests.sandbox.engine_wire import (
    ApiError,
    Call,
    check_images,
    check_room,
    check_tools,
    read_chat,
    read_completion,
    read_invocation,
)

VERSION = "0.32.0"
_MAX_BODY_BYTES = 64 * 1024 * 1024
_EVENT_STREAM = {"Content-Type": "text/event-stream; charset=utf-8"}
_Reader = Callable[[str, bytes], Call]
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class EngineApi:
    """Answers vLLM's endpoints out of one scheduler. ``now`` returns the epoch seconds shown to clients."""

    def __init__(self, config: EngineConfig, scheduler: Scheduler, now: Callable[[], float] = time.time) -> None:
        self.draining = False
        self._config = config
        self._scheduler = scheduler
        self._now = now
        self._started_at = int(now())
        self._numbers = itertools.count(1)

    def app(self) -> web.Application:
        """Return the application with all routes."""
        app = web.Application(middlewares=[self._answer_errors, self._authenticate], client_max_size=_MAX_BODY_BYTES)
        app.add_routes(
            [
                web.get("/health", self._ok),
                web.route("*", "/ping", self._ok),
                web.get("/version", self._version),
                web.get("/load", self._load),
                web.get("/metrics", self._metrics),
                web.get("/v1/models", self._models),
                *self._of_task(),
            ]
        )
        return app

    def _of_task(self) -> list[web.RouteDef]:
        """Return the endpoints that the model's task leaves: the others are not there (404)."""
        match self._config.task:
            case "generate":
                return [
                    web.post("/v1/chat/completions", self._completer(read_chat)),
                    web.post("/v1/completions", self._completer(read_completion)),
                    web.post("/v1/responses", self._completer(read_response)),
                    web.post("/invocations", self._completer(read_invocation)),
                ]
            case "embed":
                return [web.post(path, self._pooled(embed)) for path in ("/v1/embeddings", "/invocations")]
            case "score":
                return [web.post(path, self._pooled(rank)) for path in ("/v1/rerank", "/invocations")]

    @web.middleware
    async def _answer_errors(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except ApiError as error:
            return _json(error.body, error.status)
        except web.HTTPError as error:
            return _json({"detail": error.reason}, error.status)

    @web.middleware
    async def _authenticate(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        key = self._config.api_key
        guarded = key is not None and request.path.startswith("/v1")
        if guarded and request.headers.get("Authorization") != f"Bearer {key}":
            return _json({"error": "Unauthorized"}, 401)
        return await handler(request)

    async def _ok(self, _request: web.Request) -> web.Response:
        return web.Response()

    async def _version(self, _request: web.Request) -> web.Response:
        return _json({"version": VERSION})

    async def _load(self, _request: web.Request) -> web.Response:
        return _json({"server_load": self._scheduler.choices_running + self._scheduler.choices_waiting})

    async def _metrics(self, _request: web.Request) -> web.Response:
        scheduler = self._scheduler
        text = exposition(
            self._config.model_names[0],
            scheduler.totals,
            scheduler.choices_running,
            scheduler.choices_waiting,
            scheduler.kv_cache_use,
        )
        headers = {"Content-Type": "text/plain; version=1.0.0; charset=utf-8"}
        return web.Response(body=text.encode(), headers=headers)

    async def _models(self, _request: web.Request) -> web.Response:
        cards = [_model_card(name, self._config, self._started_at) for name in self._config.model_names]
        return _json({"object": "list", "data": cards})

    def _completer(self, read: _Reader) -> _Handler:
        async def complete(request: web.Request) -> web.StreamResponse:
            content_type = request.content_type if "Content-Type" in request.headers else ""
            call = read(content_type, await request.read())
            self._check_model(call)
            check_images(call, sees=sees(self._config.model))
            check_tools(call, self._config.tool_call_parser)
            check_room(call, self._config.max_model_len)
            if self.draining:
                raise _internal_error("cannot schedule new futures after shutdown")
            return await self._run(request, call)

        return complete

    def _pooled(self, answer: Callable[[str, bytes, EngineConfig, int, int], dict[str, Any]]) -> _Handler:
        async def pool(request: web.Request) -> web.StreamResponse:
            if self.draining:
                raise _internal_error("cannot schedule new futures after shutdown")
            content_type = request.content_type if "Content-Type" in request.headers else ""
            number, created = next(self._numbers), int(self._now())
            return _json(answer(content_type, await request.read(), self._config, number, created))

        return pool

    def _check_model(self, call: Call) -> None:
        names = self._config.model_names
        if call.model is not None and call.model not in names:
            message = f"The model `{call.model}` does not exist. Valid aliases: {', '.join(names)}."
            raise ApiError(404, message, kind="NotFoundError", param="model")

    async def _run(self, request: web.Request, call: Call) -> web.StreamResponse:
        answer = self._answer(request, call)
        job = self._job(answer)
        try:
            self._scheduler.submit(job)
        except OverloadedError as error:
            return await _refuse(request, call, str(error))
        try:
            if call.stream:
                return await _stream(request, answer, job)
            return _json(answer.whole(await job.reach(job.max_tokens)))
        except LostError as error:
            raise _internal_error("The engine core is dead.") from error
        finally:
            self._scheduler.abort(job)

    def _answer(self, request: web.Request, call: Call) -> Answer:
        number = f"{request.url.port}-{next(self._numbers)}"
        request_id = request.headers.get("X-Request-Id") or hashlib.sha256(number.encode()).hexdigest()[:16]
        is_response = isinstance(call, ResponseCall)
        prefix = "resp_" if is_response else "chatcmpl-" if call.chat else "cmpl-"
        output = output_of(call, self._config.command)
        return (ResponseAnswer if is_response else Answer)(
            call=call,
            id=f"{prefix}{request_id}",
            created=int(self._now()),
            model=call.model or self._config.model_names[0],
            finish_reason=self._finish_reason(call, output),
            output=output,
        )

    def _finish_reason(self, call: Call, output: Output) -> str:
        length = output.length(self._config.completion_tokens)
        # A text that is exactly as long as it may be was cut; calls and JSON end by themselves.
        most = length - 1 if output.ends else length
        if call.ignore_eos or (call.max_tokens is not None and call.max_tokens <= most):
            return "length"
        is_called = output.reads_calls and not isinstance(call.tool_choice, dict)
        return "tool_calls" if is_called else "stop"

    def _job(self, answer: Answer) -> Job:
        call = answer.call
        room = self._config.max_model_len - call.prompt_tokens
        wanted = call.max_tokens or room
        length = wanted if call.ignore_eos else min(wanted, answer.output.length(self._config.completion_tokens))
        # To its metrics an answer that ends by a call has stopped.
        reason = "length" if answer.finish_reason == "length" else "stop"
        return Job(call.prompt_tokens, min(length, room), reason, call.choices)


def _model_card(name: str, config: EngineConfig, created: int) -> dict[str, Any]:
    permission = {
        "id": f"modelperm-{hashlib.sha256(name.encode()).hexdigest()[:16]}",
        "object": "model_permission",
        "created": created,
        "allow_create_engine": False,
        "allow_sampling": True,
        "allow_logprobs": True,
        "allow_search_indices": False,
        "allow_view": True,
        "allow_fine_tuning": False,
        "organization": "*",
        "group": None,
        "is_blocking": False,
    }
    return {
        "id": name,
        "object": "model",
        "created": created,
        "owned_by": "vllm",
        "root": f"/models/{config.model_names[0]}",
        "parent": None,
        "max_model_len": config.max_model_len,
        "permission": [permission],
    }


async def _refuse(request: web.Request, call: Call, message: str) -> web.StreamResponse:
    """Answer overload as vLLM does: a stream has its status already, and hears of it in its first event."""
    error = ApiError(503, message, kind="ServiceUnavailableError")
    if not call.stream:
        raise error
    response = web.StreamResponse(headers=_EVENT_STREAM)
    await response.prepare(request)
    await response.write(event(error.body) + DONE)
    await response.write_eof()
    return response


async def _stream(request: web.Request, answer: Answer, job: Job) -> web.StreamResponse:
    response = web.StreamResponse(headers=_EVENT_STREAM)
    await response.prepare(request)
    sent = 0
    try:
        while sent < job.max_tokens:
            produced = await job.reach(sent + 1)
            opening = b"" if sent else answer.opening()
            await response.write(opening + answer.piece(sent, produced, last=job.finished))
            sent = produced
        await response.write(answer.closing(sent))
    except LostError:
        await response.write(event(_internal_error("The engine core is dead.").body) + DONE)
    await response.write_eof()
    return response


def _internal_error(message: str) -> ApiError:
    return ApiError(500, message, kind="InternalServerError")


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(status=status, body=compact(body), content_type="application/json")

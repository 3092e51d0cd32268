"""The ASGI application: raw, because a framework would cost more than all the rest of a request."""

import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import orjson

from spillway.domain.errors import NotFound, Rejected, Unauthorized
from spillway.domain.routing.route import Route
from spillway.gateway.completions import Completions
from spillway.gateway.concurrency.cache import Cached, RouteCache
from spillway.gateway.concurrency.deadlines import Deadlines
from spillway.gateway.errors import (
    BodyTooSlow,
    ClientGone,
    StoreUnavailable,
    Unavailable,
    come_back,
    error_body,
    error_event,
)
from spillway.gateway.limits.errors import LimitExceeded
from spillway.gateway.limits.limiter import Limiter
from spillway.gateway.metering.log import Log
from spillway.gateway.models import model_list, model_of
from spillway.gateway.request.caller import BEHIND_API_GATEWAY, Authenticator, Caller
from spillway.gateway.request.cors import CORS_OFF, Cors
from spillway.gateway.request.exchange import JSON, Exchange, Receive, Scope, Send
from spillway.gateway.request.parsing import check_name, parse_completion, unknown_model
from spillway.gateway.request.routing_headers import routing_headers_of
from spillway.gateway.timeouts import STORE_RETRY_SECONDS
from spillway.gateway.upstream import Endpoint
from spillway.http_errors import MethodNotAllowed, TooLarge

_COMPLETIONS: dict[str, Endpoint] = {
    "/v1/chat/completions": "chat/completions",
    "/v1/completions": "completions",
    "/v1/embeddings": "embeddings",
    "/v1/rerank": "rerank",
    "/v1/responses": "responses",
}


@dataclass(frozen=True)
class Gateway:
    """Answers everything under ``/v1/``, and ``/healthz``. ``close`` releases the connections."""

    routes: RouteCache
    all_routes: Cached[Sequence[Route]]
    completions: Completions
    limiter: Limiter
    new_id: Callable[[], str]
    log: Log
    close: Callable[[], Awaitable[None]]
    authenticator: Authenticator = BEHIND_API_GATEWAY
    cors: Cors = CORS_OFF
    deadlines: Deadlines = field(default_factory=Deadlines)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request; the one place that catches everything."""
        context = self.authenticator.context(scope["headers"])
        carried = self.cors.answer(scope["headers"])
        exchange = Exchange(receive, send, _request_id(context) or self.new_id(), carried)
        try:
            await self._dispatch(scope, context, exchange)
            await exchange.finish()
        except ClientGone:
            return
        except (Rejected, Unavailable) as err:
            await _refuse(exchange, err)
        except StoreUnavailable:
            message = "the routes cannot be read right now; try again"
            await _refuse(
                exchange,
                Unavailable(message, code="routes_unavailable", retry_after_seconds=STORE_RETRY_SECONDS),
            )
        except Exception:  # noqa: BLE001 - the edge: a client must get an answer even to our own mistakes
            self.log({"message": "error", "request_id": exchange.request_id, "trace": traceback.format_exc()})
            await _apologise(exchange)

    async def _dispatch(self, scope: Scope, context: Any, exchange: Exchange) -> None:
        method, path = scope["method"], _own_path(scope["path"])
        if path == "/healthz":
            _allow(method, "GET", path)
            await _answer(exchange, {"status": "ok"})
        elif path in _COMPLETIONS:
            _allow(method, "POST", path)
            await self._complete(_COMPLETIONS[path], scope, await self._invoker(scope, context), exchange)
        elif path == "/v1/models":
            _allow(method, "GET", path)
            caller = await self._invoker(scope, context)
            await _answer(exchange, model_list(await self.all_routes.get(), caller))
        elif path.startswith("/v1/models/"):
            _allow(method, "GET", path)
            name = path.removeprefix("/v1/models/")
            await _answer(exchange, model_of(await self._route(name, await self._invoker(scope, context))))
        else:
            raise NotFound(f"unknown request URL: {method[:32]} {path[:200]}", code="unknown_url")

    async def _complete(self, endpoint: Endpoint, scope: Scope, caller: Caller, exchange: Exchange) -> None:
        asked = routing_headers_of(scope["headers"])
        raw = await exchange.read_body(scope["headers"], self.deadlines)
        request = parse_completion(raw, endpoint, exchange.request_id)
        route = await self._route(request.deployment, caller)
        begun = self.completions.monotonic()
        admission = await self.limiter.admit(caller.key_id, caller.limits, request, route, asked)
        exchange.headers = [*exchange.headers, *admission.headers]
        settle = partial(self.limiter.settle, admission) if admission.state else None
        request = admission.request
        if route.default_max_tokens is not None:
            request = replace(request, default_max_tokens=route.default_max_tokens)
        await self.completions.serve(exchange, request, route, caller.key_id, admission.asked, settle, begun)

    async def _invoker(self, scope: Scope, context: Any) -> Caller:
        caller = await self.authenticator.caller(scope["headers"], context)
        caller.may_invoke()
        return caller

    async def _route(self, name: str, caller: Caller) -> Route:
        caller.may_use(name)
        check_name(name)
        route = await self.routes.get(name)
        if route is None:
            raise unknown_model(name)
        return route


class LazyApp:
    """Builds the gateway when the server starts, inside its event loop; nothing happens at import."""

    def __init__(self, build: Callable[[], Awaitable[Gateway]]) -> None:
        self._build = build
        self._gateway: Gateway | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Speak ASGI."""
        if scope["type"] == "http":
            await (await self._built())(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    async def _built(self) -> Gateway:
        if self._gateway is None:
            self._gateway = await self._build()
        return self._gateway

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        gateway = await self._built()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await gateway.close()
        await send({"type": "lifespan.shutdown.complete"})


def _own_path(path: str) -> str:
    """Return the path from ``/v1/`` on: whether the stage comes before it depends on who passes the request on."""
    start = path.find("/v1/")
    if start >= 0:
        return path[start:]
    return "/healthz" if path.endswith("/healthz") else path


def _request_id(context: Any) -> str | None:
    found = context.get("requestId")
    return found if isinstance(found, str) and found.isprintable() and len(found) <= 128 else None


def _allow(method: str, allowed: str, path: str) -> None:
    if method != allowed:
        raise MethodNotAllowed(f"{path[:200]} does not accept {method[:32]}", allowed=[allowed])


async def _answer(exchange: Exchange, body: Any) -> None:
    await exchange.start(200, [JSON])
    await exchange.write(orjson.dumps(body))


async def _refuse(exchange: Exchange, err: Rejected | Unavailable) -> None:
    headers = [JSON]
    if isinstance(err, Unauthorized):
        headers.append((b"www-authenticate", b"Bearer"))
    if isinstance(err, LimitExceeded):
        headers += err.headers
    if isinstance(err, BodyTooSlow | TooLarge):
        # The rest of the body is not read: without this, a server would go on taking it for as long as it comes.
        headers.append((b"connection", b"close"))
    if isinstance(err, MethodNotAllowed) and err.allowed:
        headers.append((b"allow", ", ".join(err.allowed).encode()))
    if isinstance(err, Unavailable):
        headers.append((b"x-spillway-reason", err.code.encode()))
        if err.retry_after_seconds:
            headers += come_back(err.retry_after_seconds)
    await exchange.start(err.status, headers)
    await exchange.write(error_body(err))
    await exchange.finish()


async def _apologise(exchange: Exchange) -> None:
    message = f"the gateway failed to answer this request ({exchange.request_id})"
    if exchange.started:
        await exchange.write(error_event(message, "internal_error"))
    else:
        await exchange.start(500, [JSON])
        await exchange.write(
            orjson.dumps({"error": {"message": message, "type": "api_error", "param": None, "code": "internal_error"}})
        )
    await exchange.finish()

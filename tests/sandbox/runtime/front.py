"""The public API over HTTP: what API Gateway does with a request, for the routes that the template defines."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from tests.sandbox.runtime.api_routes import Api, Route
from tests.sandbox.runtime.gateway_responses import render
from tests.sandbox.runtime.lambda_runtime import LambdaRuntime
from tests.sandbox.runtime.proxy_event import (
    Incoming,
    MalformedAnswerError,
    is_binary,
    proxy_event,
    read_answer,
    request_context,
)
from tests.sandbox.runtime.request_authorizer import RefusedError, RequestAuthorizer
from tests.sandbox.runtime.request_body import REQUEST_LIMIT_BYTES, check_head, unpacked
from tests.sandbox.runtime.streaming import GatewayProxy

INVOKE_LIMIT_BYTES = 6 * 1024 * 1024


class Front:
    """An aiohttp handler for one REST API at ``/<stage>/…``."""

    def __init__(
        self,
        api: Api,
        functions: LambdaRuntime,
        gateways: Mapping[str, GatewayProxy],
        region: str,
        account: str,
        now: Callable[[], float],
    ) -> None:
        self._api = api
        self._functions = functions
        self._gateways = gateways
        self._arn = f"arn:aws:execute-api:{region}:{account}:{api.api_id}/{api.stage}"
        self._account = account
        self._authorizer = RequestAuthorizer(functions.run_async, now)

    def app(self) -> web.Application:
        """Return the application."""
        app = web.Application(client_max_size=REQUEST_LIMIT_BYTES + 1)
        # A dot is no line feed, which a path may have as %0A.
        app.router.add_route("*", r"/{path:[\s\S]*}", self.handle)
        return app

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one request."""
        stage, _, rest = request.raw_path.partition("?")[0].lstrip("/").partition("/")
        if stage != self._api.stage:
            return web.json_response({"message": "Forbidden"}, status=403, headers={"x-amzn-ErrorType": "Forbidden"})
        remote = request.remote or ""
        incoming = Incoming(
            method=request.method,
            path=f"/{rest}",
            query=request.query_string,
            headers=[
                *request.headers.items(),
                ("X-Forwarded-For", request.remote or ""),
                ("X-Forwarded-Proto", "http"),
            ],
            body=b"",
            source_ip=remote,
            host=request.host,
        )
        try:
            return await self._serve(request, incoming)
        except RefusedError as refused:
            return self._own_answer(refused.kind, incoming)

    async def _serve(self, request: web.Request, incoming: Incoming) -> web.StreamResponse:
        check_head(request.method, request.raw_path, request.headers.values())
        found = self._api.match(incoming.method, incoming.path)
        if found is None:
            raise RefusedError("MISSING_AUTHENTICATION_TOKEN")
        route, parameters = found
        try:
            packed = await request.read()
        except web.HTTPRequestEntityTooLarge as err:
            raise RefusedError("REQUEST_TOO_LARGE") from err
        body = unpacked(packed, request.headers.get("Content-Encoding"))
        if not is_binary(self._api, incoming):
            body = body.decode("utf-8", "replace").encode()
        headers = [pair for pair in incoming.headers if pair[0].lower() != "content-encoding"]
        incoming = replace(incoming, headers=headers, body=body)
        authorizer = await self._authorize(route, parameters, incoming)
        context = request_context(incoming, self._api, route, self._account, authorizer)
        if len(body) > INVOKE_LIMIT_BYTES:
            raise RefusedError("REQUEST_TOO_LARGE")
        if route.streams:
            return await self._stream(request, route, incoming, context)
        return await self._invoke(route, proxy_event(incoming, self._api, route, parameters, context))

    async def _authorize(
        self, route: Route, parameters: Mapping[str, str], incoming: Incoming
    ) -> dict[str, Any] | None:
        if route.authorizer is None:
            return None
        authorizer = self._api.authorizers.get(route.authorizer)
        if authorizer is None:
            raise RefusedError("MISSING_AUTHENTICATION_TOKEN")
        context = request_context(incoming, self._api, route, self._account, None)
        event = proxy_event(incoming, self._api, route, parameters, context)
        method_arn = f"{self._arn}/{incoming.method}{incoming.path}"
        return await self._authorizer.authorize(authorizer, self._api, method_arn, incoming, event)

    async def _invoke(self, route: Route, event: Mapping[str, Any]) -> web.Response:
        payload = json.dumps(event).encode()
        try:
            async with asyncio.timeout(route.timeout_seconds):
                invocation = await self._functions.run_async(route.function, payload)
        except TimeoutError as err:
            raise RefusedError("INTEGRATION_TIMEOUT") from err
        if invocation.function_error:
            raise RefusedError("LAMBDA_FAILED")
        try:
            status, headers, body = read_answer(invocation.payload)
        except MalformedAnswerError as err:
            raise RefusedError("LAMBDA_FAILED") from err
        if "Content-Type" not in headers:
            headers["Content-Type"] = "application/json"
        headers["x-amzn-RequestId"] = event["requestContext"]["requestId"]
        headers.popall("Content-Length", None)
        return web.Response(status=status, headers=headers, body=body)

    async def _stream(
        self, request: web.Request, route: Route, incoming: Incoming, context: Mapping[str, Any]
    ) -> web.StreamResponse:
        proxy = self._gateways[self._functions.spec(route.function).name]
        try:
            async with asyncio.timeout(route.timeout_seconds):
                return await proxy.forward(request, incoming, context)
        except TimeoutError as err:
            raise RefusedError("INTEGRATION_TIMEOUT") from err

    def _own_answer(self, kind: str, incoming: Incoming) -> web.Response:
        known = {
            "apiId": self._api.api_id,
            "httpMethod": incoming.method,
            "path": f"/{self._api.stage}{incoming.path}",
            "requestId": incoming.request_id,
            "stage": self._api.stage,
        }
        rendered = render(kind, self._api.gateway_responses, known)
        headers = rendered.headers | {"x-amzn-RequestId": incoming.request_id}
        return web.Response(status=rendered.status, headers=headers, body=rendered.body.encode())

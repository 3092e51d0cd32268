"""The one endpoint that all AWS calls go to: checks who asks, and leads each to whatever emulates it."""

import json
from collections.abc import Awaitable, Callable, Sequence

import aiohttp
from aiohttp import web

from tests.sandbox.runtime.fleet_door import FleetDoor
from tests.sandbox.runtime.permissions import Permissions, UnknownKeyError
from tests.sandbox.runtime.raw_calls import identify, problem_of
from tests.sandbox.runtime.signatures import Scope, read_scope, signature_is_right
from tests.sandbox.runtime.streaming import HOP_BY_HOP, relay, without
from tests.sandbox.runtime.worker_hooks import RECORDED_HEADER

BODY_LIMIT_BYTES = 64 * 1024 * 1024
OWN_PATHS = "/_sandbox/"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class AwsEdge:
    """An aiohttp application in front of moto and of what stands beside it."""

    def __init__(
        self,
        moto_url: str,
        permissions: Permissions,
        session: aiohttp.ClientSession,
        emulated: Sequence[web.RouteDef],
        own: Sequence[web.RouteDef],
        door: FleetDoor,
    ) -> None:
        self._moto_url = moto_url
        self._permissions = permissions
        self._session = session
        self._door = door
        self._emulated = emulated
        self._own = own

    def app(self) -> web.Application:
        """Return the application: own paths, the emulated data planes, moto for the rest."""
        app = web.Application(client_max_size=BODY_LIMIT_BYTES, middlewares=[self._check])
        app.add_routes([*self._own, *self._emulated])
        app.router.add_route("*", "/{path:.*}", self._rest)
        return app

    @web.middleware
    async def _check(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith(OWN_PATHS):
            refused = await self._refusal(request)
            if refused is not None:
                return refused
        return await handler(request)

    async def _refusal(self, request: web.Request) -> web.Response | None:
        scope = read_scope(request.headers)
        if scope is None:
            return _error(403, "MissingAuthenticationTokenException", "The request is not signed.")
        try:
            self._permissions.role_of(scope.access_key_id)
        except UnknownKeyError:
            message = "The security token included in the request is invalid: no role of the stack has this access key."
            return _error(403, "UnrecognizedClientException", message)
        if RECORDED_HEADER in request.headers:
            return None
        body = await request.read()
        url = f"http://{request.host}{request.raw_path}"
        if not signature_is_right(scope, request.method, url, request.headers, body):
            return _error(403, "InvalidSignatureException", "The request signature does not match.")
        return self._denied(request, scope, body)

    def _denied(self, request: web.Request, scope: Scope, body: bytes) -> web.Response | None:
        path = request.raw_path.partition("?")[0]
        if is_fleets := scope.service == "execute-api":
            call = self._door.call(request.method, path)
        else:
            call = identify(scope.service, request.method, path, request.headers, body)
        message = self._permissions.refusal_of_key(scope.access_key_id, call.service, call.operation, call.params)
        if message:
            return _error(403, "AccessDeniedException", message)
        problem = None if is_fleets else problem_of(call)
        return _error(400, "ValidationException", problem) if problem else None

    async def _rest(self, request: web.Request) -> web.StreamResponse:
        scope = read_scope(request.headers)
        if scope is not None and scope.service == "execute-api":
            return await self._door.handle(request)
        headers = without(HOP_BY_HOP, request.headers.items())
        return await relay(
            request, self._session, f"{self._moto_url}{request.raw_path}", headers, await request.read(), {}
        )


def _error(status: int, code: str, message: str) -> web.Response:
    body = json.dumps({"__type": code, "message": message}).encode()
    headers = {"x-amzn-ErrorType": code, "Content-Type": "application/x-amz-json-1.1"}
    return web.Response(status=status, headers=headers, body=body)

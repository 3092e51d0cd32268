"""Lambda's own API as far as a function calls another: Invoke, in its three types."""

from aiohttp import web

from tests.sandbox.aws_errors import AwsError, answering_errors
from tests.sandbox.runtime.lambda_runtime import LambdaRuntime, UnknownFunctionError

_LIMIT_BYTES = 6 * 1024 * 1024  # of a synchronous invocation's payload; an asynchronous one's is smaller still


def routes(functions: LambdaRuntime) -> list[web.RouteDef]:
    """Return the routes; who may invoke what, the endpoint in front of them has checked."""

    async def invoke(request: web.Request) -> web.StreamResponse:
        name, payload = request.match_info["function"], await request.read()
        kind = request.headers.get("X-Amz-Invocation-Type", "RequestResponse")
        if len(payload) > _LIMIT_BYTES:
            raise AwsError(413, "RequestTooLargeException", f"{len(payload)} byte payload is too large")
        try:
            functions.spec(name)
        except UnknownFunctionError as unknown:
            raise AwsError(404, "ResourceNotFoundException", str(unknown)) from unknown
        match kind:
            case "RequestResponse":
                answer = await functions.run_async(name, payload)
                errors = {"X-Amz-Function-Error": answer.function_error} if answer.function_error else {}
                headers = {"X-Amz-Executed-Version": "$LATEST", **errors}
                return web.Response(body=answer.payload, headers=headers, content_type="application/json")
            case "Event":
                functions.invoke_event(name, payload)
                return web.Response(status=202)
            case "DryRun":
                return web.Response(status=204)
            case _:
                raise AwsError(400, "InvalidParameterValueException", f"{kind} is no type of invocation")

    return [web.post("/2015-03-31/functions/{function}/invocations", answering_errors(invoke, "Message"))]

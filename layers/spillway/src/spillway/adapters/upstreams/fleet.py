"""A fleet's engines, behind our own API's private door to the internal load balancer."""

from dataclasses import dataclass

from spillway.adapters.aws.http import AwsHttp
from spillway.adapters.upstreams.failures import Refusal
from spillway.adapters.upstreams.http_channel import Call, Whole, open_channel
from spillway.domain.decision import Code
from spillway.domain.paths.targets import FleetTarget
from spillway.gateway.errors import UpstreamRejected, UpstreamUnavailable
from spillway.gateway.request.affinity import affinity_of
from spillway.gateway.streaming.sse import whole_events
from spillway.gateway.upstream import UpstreamRequest, UpstreamStream

# The proxies of a fleet of several instances choose the engine by it (haproxy.cfg of the fleet's driver); a lone engine
# has no proxy and passes it over.
AFFINITY_HEADER = "x-spillway-affinity"


@dataclass(frozen=True)
class FleetUpstream:
    """Speaks to an engine as it is: our request is OpenAI's, and the engine serves under the deployment's name."""

    aws: AwsHttp
    fleets_url: str | None

    async def open(self, target: FleetTarget, request: UpstreamRequest, connect_seconds: float) -> UpstreamStream:
        """As Upstreams.open."""
        if self.fleets_url is None:
            raise UpstreamUnavailable(Code.PRIMARY_FAILED, "this stack has no fleets")
        call = Call(
            url=f"{self.fleets_url}/{target.deployment}/v1/{request.endpoint}",
            signed_as="execute-api",
            body=request.upstream_body(model=target.deployment),
            headers=_headers(request),
            connect_seconds=connect_seconds,
        )

        def judge(refusal: Refusal) -> UpstreamRejected | UpstreamUnavailable:
            return _judge(refusal, request)

        return await open_channel(self.aws, call, whole_events if request.stream else Whole, judge)


def _headers(request: UpstreamRequest) -> dict[str, str]:
    headers = {"x-request-id": request.request_id}
    if affinity := affinity_of(request):
        headers[AFFINITY_HEADER] = affinity
    return headers


def _judge(refusal: Refusal, request: UpstreamRequest) -> UpstreamRejected | UpstreamUnavailable:
    """Tell an endpoint that this engine's kind of model does not have from a model or a fleet that is not there.

    Only the engine's own server says it with a ``detail`` instead of an error.
    """
    if refusal.status == 404 and "detail" in (refusal.fields or {}):
        message = f"the model '{request.deployment}' has no {request.endpoint}"
        return UpstreamRejected(400, message, param="model", code="unsupported_endpoint")
    return refusal.error()

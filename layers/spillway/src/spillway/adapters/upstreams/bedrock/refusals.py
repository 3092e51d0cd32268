"""What Bedrock's refusals mean, on each of its APIs: the client's mistake, a moment's trouble, or a lasting one."""

from spillway.adapters.upstreams.event_stream import Event, failure
from spillway.adapters.upstreams.failures import Refusal
from spillway.domain.decision import Code
from spillway.gateway.errors import UpstreamRejected, UpstreamUnavailable

# Bedrock says "validation" also for what the operator got wrong: a model id that is none, or one without on-demand use.
_OPERATORS_MISTAKES = ("model identifier", "on-demand throughput", "inference profile", "model id")
# "Too many tokens per day, please wait before trying again.", with the status and name of a moment's throttling.
_DAILY_QUOTA = "tokens per day"
# "… is not authorized to perform: bedrock:InvokeModel on resource: … with an explicit deny in a service control policy"
_EXPLICIT_DENY = "explicit deny"


def judge(refusal: Refusal) -> UpstreamRejected | UpstreamUnavailable:
    """Return what Bedrock's refusal means: a quota (400 too) and the operator's mistakes are not the client's."""
    said = refusal.message.lower()
    if lasting := _lasting(said):
        return refusal.unavailable(lasting)
    if refusal.kind == "ServiceQuotaExceededException" or any(words in said for words in _OPERATORS_MISTAKES):
        return refusal.unavailable()
    return refusal.error()


def judge_event(event: Event) -> UpstreamRejected | UpstreamUnavailable:
    """Return what an error inside a stream means; Bedrock may find only now that the request itself is wrong."""
    said = str(event.fields().get("message") or "")
    if event.name == "validationException":
        return UpstreamRejected(400, said or "the model rejected the request")
    return failure(event, _lasting(said.lower()))


def _lasting(said: str) -> Code | None:
    """Return the code of a trouble that no second try within a minute ends; None for any other."""
    if _DAILY_QUOTA in said:
        return Code.QUOTA_USED_UP
    return Code.ACCESS_DENIED if _EXPLICIT_DENY in said else None

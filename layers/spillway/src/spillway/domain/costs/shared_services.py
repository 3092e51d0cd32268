"""The share of what is common: what Spillway's own services cost at list prices, an estimate beside the exact parts.

The request path is shared by request and by the time that Lambda was occupied, as metered. The check and the load
balancer are shared hour by hour: the check equally among the deployments that there were, the load balancer equally
among their fleets.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from spillway.domain.costs.ledger import Amounts, Part, shared
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.status import Status
from spillway.domain.observations.usage import HourOfTraffic, Hours, Traffic
from spillway.domain.pricing.price_book import LOAD_BALANCER, PriceBook, Source

# Nothing of the check's own reads and writes is metered, nor what workflows and key limits do.
NOT_COUNTED = (
    "the check's calls of DynamoDB",
    "workflows, alerts, metrics, storage and the reads and writes of keys' limits",
)
_MB_MS_PER_GB_SECOND = 1024 * 1000
_LOG_GB_PER_REQUEST = 1e-6
_OUT_GB_PER_REQUEST = 4e-6
# The hour's counters and the minute's.
_WRITES_PER_REQUEST = 2.0
# An eventually consistent read is half a unit; routes are cached, so not even every request makes one.
_READS_PER_REQUEST = 0.5
_PER_REQUEST = {
    "api_gateway_request": 1.0,
    "lambda_request": 1.0,
    "dynamodb_write": _WRITES_PER_REQUEST,
    "dynamodb_read": _READS_PER_REQUEST,
    "cloudwatch_logs_gb": _LOG_GB_PER_REQUEST,
    "data_out_gb": _OUT_GB_PER_REQUEST,
}
_COMPUTE = "lambda_gb_second_arm64"


def request_usd(prices: PriceBook, requests: float, gb_seconds: float) -> float | None:
    """Return USD for requests through the gateway on Lambda; None where a unit price is unknown."""
    return _usd(prices, {**{name: units * requests for name, units in _PER_REQUEST.items()}, _COMPUTE: gb_seconds})


def shared_parts(
    deployments: Sequence[Deployment], hours: Mapping[str, Hours], checks: Hours, prices: PriceBook
) -> tuple[list[Part], set[str]]:
    """Return the parts, of ``shared_micro_usd`` alone, of the deployments in ``hours``, and what is not in them.

    ``deployments`` are all that share, ``hours`` the use of those that are wanted, by name, ``checks`` the checks' own.
    """
    parts = [
        part for name, used in hours.items() for entry in used.traffic for part in _request_parts(name, entry, prices)
    ]
    unknown = {*NOT_COUNTED, *(name for part in parts for name in part.unknown)}
    for check in checks.traffic:
        there = [one for one in deployments if _was_there(one, check.hour)]
        fleets = [one for one in there if one.spec.profile.runs_engine]
        check_usd = _usd(prices, {"lambda_request": check.traffic.requests, _COMPUTE: _gb_seconds(check.traffic)})
        balancer_usd = _usd(prices, {LOAD_BALANCER: 1.0})
        parts += _equally(there, check.hour, check_usd, prices)
        parts += _equally(fleets, check.hour, balancer_usd, prices)
        if check_usd is None:
            unknown.add("the check's time on Lambda, which has no price here")
        if fleets and balancer_usd is None:
            unknown.add("the load balancer, whose hour has no price here")
    return [replace(part, unknown=()) for part in parts if part.deployment in hours], unknown


def _request_parts(deployment: str, entry: HourOfTraffic, prices: PriceBook) -> Iterator[Part]:
    used = entry.traffic
    usd = request_usd(prices, used.requests, _gb_seconds(used)) if used.lambda_mb_ms else None
    unknown = () if usd is not None else ("requests whose time on Lambda was not metered or has no price here",)
    amounts = Amounts(shared_micro_usd=round((usd or 0.0) * 1e6))
    yield Part(deployment, entry.hour, entry.path, entry.key, amounts, unknown, _sources(prices))


def _equally(sharers: Sequence[Deployment], hour: datetime, usd: float | None, prices: PriceBook) -> Iterator[Part]:
    shares = shared(round((usd or 0.0) * 1e6), [1] * len(sharers)) if sharers else []
    for one, share in zip(sharers, shares, strict=True):
        amounts = Amounts(shared_micro_usd=share)
        yield Part(one.name, hour, one.spec.path.value, "", amounts, (), _sources(prices))


def _was_there(deployment: Deployment, hour: datetime) -> bool:
    is_over = deployment.status is Status.RETIRED and deployment.updated_at < hour
    return not is_over and deployment.created_at < hour + timedelta(hours=1)


def _usd(prices: PriceBook, units: Mapping[str, float]) -> float | None:
    if not units.keys() <= prices.platform.keys():
        return None
    return sum(prices.platform[name].usd * count for name, count in units.items())


def _gb_seconds(used: Traffic) -> float:
    return used.lambda_mb_ms / _MB_MS_PER_GB_SECOND


def _sources(prices: PriceBook) -> tuple[Source, ...]:
    names = (*_PER_REQUEST, _COMPUTE, LOAD_BALANCER)
    return tuple(dict.fromkeys(prices.platform[name].source for name in names if name in prices.platform))

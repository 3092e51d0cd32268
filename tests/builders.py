"""Domain objects with defaults, so that a test names only what it is about."""

from datetime import UTC, datetime, timedelta
from typing import Any

from spillway.domain.access.keys import Key, Scope, digest_of, id_of
from spillway.domain.alerts.alert import Alert, AlertState, Severity, Topic
from spillway.domain.decision import Action, Code, Decision, Reason
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.spec import DeploymentSpec
from spillway.domain.deployments.status import Status
from spillway.domain.observations.capacity import Capacity, Instance
from spillway.domain.observations.traffic import Minute
from spillway.domain.observations.usage import InstanceTime
from spillway.domain.paths.targets import BedrockTarget, FleetTarget
from spillway.domain.pricing.price_book import HourlyPrice, PriceBook, Source, TokenPrice
from spillway.domain.routing.route import Route, RouteState

NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
MODEL = "meta-llama/Llama-3.1-8B-Instruct"
SPILL_MODEL = "meta.llama3-1-8b-instruct-v1:0"
# What it is called by in us-east-1.
SPILL_PROFILE = f"us.{SPILL_MODEL}"


def spec_body(**changes: Any) -> dict[str, Any]:
    """A body of ``POST /deployments`` for a fleet with a spill target; a change to None drops the field."""
    body: dict[str, Any] = {
        "name": "support-llama",
        "model": {"id": MODEL, "accept_eula": True},
        "path": "fleet",
        "capacity": {"min": 0, "max": 4, "instance_types": ["g6e.xlarge", "g5.2xlarge"]},
        "spill": {"model_id": SPILL_MODEL},
    }
    return {key: value for key, value in {**body, **changes}.items() if value is not None}


def a_spec(**changes: Any) -> DeploymentSpec:
    return DeploymentSpec.model_validate(spec_body(**changes))


def a_deployment(name: str = "support-llama", *, spec: DeploymentSpec | None = None, **changes: Any) -> Deployment:
    """A serving fleet of one instance, unless changed."""
    values: dict[str, Any] = {
        "spec": spec or a_spec(name=name),
        "status": Status.SERVING,
        "status_reason": "The fleet answers.",
        "created_at": NOW,
        "updated_at": NOW,
        "desired": 1,
        "target": FleetTarget(name),
        **changes,
    }
    return Deployment(**values)


def a_route(name: str = "support-llama", **changes: Any) -> Route:
    values: dict[str, Any] = {
        "name": name,
        "state": RouteState.READY,
        "primary": FleetTarget(name),
        "spill": BedrockTarget(SPILL_MODEL, "converse"),
        "code": Code.READY,
        "reason": "The primary is ready.",
        "wakes": True,
        "created": int(NOW.timestamp()),
        **changes,
    }
    return Route(**values)


def a_reason(**changes: Any) -> Reason:
    values: dict[str, Any] = {
        "code": Code.IDLE,
        "sentence": "No request for 900 s; the threshold is 900 s.",
        "observed": 900.0,
        "threshold": 900.0,
        "unit": "seconds",
        **changes,
    }
    return Reason(**values)


def a_decision(**changes: Any) -> Decision:
    values: dict[str, Any] = {
        "action": Action.SLEEP,
        "desired": 0,
        "reason": a_reason(),
        "usd_per_hour": -1.861,
        **changes,
    }
    return Decision(**values)


def an_alert(**changes: Any) -> Alert:
    values: dict[str, Any] = {
        "id": "support-llama/sleep/7",
        "topic": Topic.SCALE,
        "state": AlertState.EVENT,
        "severity": Severity.INFO,
        "deployment": "support-llama",
        "at": NOW,
        "what": "The fleet went to sleep.",
        "why": a_reason(),
        "advice": "Nothing: the next request wakes it.",
        "usd_per_hour": -1.861,
        **changes,
    }
    return Alert(**values)


def a_key(secret: str = "sk-spillway-test", **changes: Any) -> Key:
    values: dict[str, Any] = {
        "id": id_of(secret),
        "name": "a test",
        "digest": digest_of(secret),
        "prefix": secret[:16],
        "scopes": frozenset({Scope.INVOKE}),
        "created_at": NOW,
        **changes,
    }
    return Key(**values)


def an_instance_time(deployment: str = "support-llama", **changes: Any) -> InstanceTime:
    """A minute of the hour of ``NOW`` that cost 31,017 micro-dollars."""
    values: dict[str, Any] = {
        "deployment": deployment,
        "hour": NOW.replace(minute=0),
        "path": "fleet",
        "instance_type": "g6e.xlarge",
        "instance": "i-0",
        "seconds": 60,
        "warm_up_seconds": 0,
        "usd_per_hour": 1.861,
        **changes,
    }
    return InstanceTime(**values)


def an_instance(number: int = 0, **changes: Any) -> Instance:
    """An instance that has run since yesterday and answers."""
    values: dict[str, Any] = {
        "id": f"i-{number}",
        "instance_type": "g6e.xlarge",
        "launched_at": NOW - timedelta(days=1),
        "answers": True,
        **changes,
    }
    return Instance(**values)


def a_capacity(ready: int = 1, starting: int = 0, **changes: Any) -> Capacity:
    """Instances of the deployment's first type."""
    values = {"desired": ready + starting, "instance_type": "g6e.xlarge", **changes}
    running = (
        an_instance(n, instance_type=values["instance_type"], answers=n < ready) for n in range(ready + starting)
    )
    return Capacity(**{"ready": ready, "starting": starting, "instances": tuple(running), **values})


def minutes_of(requests: int, at: datetime, **tokens: int) -> tuple[Minute, ...]:
    """One minute with traffic, as ``Load`` takes it."""
    return (Minute(at, requests=requests, **tokens),)


def a_price_book(**changes: Any) -> PriceBook:
    """Prices that are easy to count with: $3.60 an hour, $1 and $2 per million tokens."""
    source = Source("a test", "2026-11-24")
    values: dict[str, Any] = {
        "region": "us-east-1",
        "ec2": {"g6e.xlarge": HourlyPrice(3.6, source)},
        "sagemaker": {"ml.g6e.xlarge": HourlyPrice(7.2, source)},
        "bedrock": {SPILL_MODEL: TokenPrice(1.0, 2.0, source)},
        **changes,
    }
    return PriceBook(**values)

"""A decision: what to do, and the numbers it was taken on."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Action(StrEnum):
    """What the check can do about a deployment."""

    HOLD = "hold"
    WAKE = "wake"
    SLEEP = "sleep"
    SCALE = "scale"


class Code(StrEnum):
    """Machine-readable reasons, of decisions, routes and alerts alike."""

    REQUESTED = "requested"
    STARTING = "starting"
    READY = "ready"
    STEADY = "steady"
    IDLE = "idle"
    ASLEEP = "asleep"
    ASKED = "asked"
    TRAFFIC_RETURNED = "traffic_returned"
    WARM_WINDOW = "warm_window"
    QUEUE_DEPTH = "queue_depth"
    KV_CACHE_FULL = "kv_cache_full"
    UNDERUSED = "underused"
    TRAFFIC_PAYS = "traffic_pays"
    TRAFFIC_FELL = "traffic_fell"
    LARGER_PAYS = "larger_pays"
    OUT_OF_BOUNDS = "out_of_bounds"
    CAPACITY_LOST = "capacity_lost"
    NO_CAPACITY = "no_capacity"
    SPOT_NOTICE = "spot_notice"
    PRIMARY_FAILED = "primary_failed"
    SPILL_FAILED = "spill_failed"
    QUOTA_USED_UP = "quota_used_up"
    ACCESS_DENIED = "access_denied"
    PRIMARY_CANNOT = "primary_cannot"
    FIRST_BYTE_TIMEOUT = "first_byte_timeout"
    ENGINE_SATURATED = "engine_saturated"
    BUDGET = "budget"
    BUDGET_FORECAST = "budget_forecast"
    BUDGET_UNPRICED = "budget_unpriced"
    IDLE_BURN = "idle_burn"
    DEARER_THAN_BEDROCK = "dearer_than_bedrock"
    FLEET_PAYS = "fleet_pays"
    BEDROCK_PAYS = "bedrock_pays"
    COST_ANOMALY = "cost_anomaly"
    CREDITS_LOW = "credits_low"
    LEFT_BEHIND = "left_behind"
    NOBODY_TOLD = "nobody_told"
    PRICE_CHANGED = "price_changed"
    PRICES_REFUSED = "prices_refused"
    DEPLOY_FAILED = "deploy_failed"
    SCALE_FAILED = "scale_failed"
    DRAINING = "draining"
    RETIRED = "retired"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Reason:
    """A code, a sentence for people, and the observed number beside its threshold."""

    code: Code
    sentence: str
    observed: float | None = None
    threshold: float | None = None
    unit: str | None = None


@dataclass(frozen=True)
class Decision:
    """``desired`` is the number of instances wanted after the action; ``usd_per_hour`` what the action adds
    (positive) or saves (negative), None when a price is unknown."""

    action: Action
    desired: int
    reason: Reason
    usd_per_hour: float | None = None


def decision_to_json(decision: Decision) -> dict[str, Any]:
    """Return a decision as a JSON object."""
    return {
        "action": decision.action,
        "desired": decision.desired,
        "usd_per_hour": decision.usd_per_hour,
        "reason": reason_to_json(decision.reason),
    }


def decision_from_json(data: dict[str, Any]) -> Decision:
    """Read back what :func:`decision_to_json` wrote."""
    reason = reason_from_json(data["reason"])
    return Decision(Action(data["action"]), data["desired"], reason, data["usd_per_hour"])


def reason_to_json(reason: Reason) -> dict[str, Any]:
    """Return a reason as a JSON object."""
    return dict(vars(reason))


def reason_from_json(data: Mapping[str, Any]) -> Reason:
    """Read back what :func:`reason_to_json` wrote; raises ``ValueError`` for a code that is none."""
    return Reason(**{**data, "code": Code(data["code"])})

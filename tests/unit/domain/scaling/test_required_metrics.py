"""Which metrics are worth their price for a decision."""

from typing import Any

import pytest

from spillway.domain.deployments.status import Status
from spillway.domain.observations.signals import Signal
from spillway.domain.scaling.required_metrics import signals_of
from tests.builders import a_deployment, a_spec

BUDGET = {"usd_per_month": 100}
SIZED = {"min": 0, "max": 4, "instance_types": ["g6e.xlarge"], "tokens_per_minute_per_instance": 1000}
WAITING = {"waiting_usd_per_request": 0.1}


@pytest.mark.parametrize(
    ("spec", "status", "signals"),
    [
        ({}, Status.SERVING, {Signal.REQUESTS, Signal.ENGINES}),
        ({"budget": BUDGET}, Status.SERVING, {Signal.REQUESTS, Signal.ENGINES, Signal.BEDROCK_TOKENS}),
        ({}, Status.ASLEEP, {Signal.REQUESTS}),
        ({"budget": BUDGET}, Status.ASLEEP, {Signal.REQUESTS, Signal.BEDROCK_TOKENS}),
        ({"path": "jumpstart"}, Status.SERVING, {Signal.REQUESTS}),
        ({"path": "bedrock"}, Status.SERVING, set()),
        ({"path": "bedrock", "budget": BUDGET}, Status.SERVING, {Signal.BEDROCK_TOKENS}),
    ],
)
def test_a_deployment_is_asked_only_for_what_can_matter(
    spec: dict[str, Any], status: Status, signals: set[Signal]
) -> None:
    assert signals_of(a_deployment(spec=a_spec(**spec), status=status)) == signals


@pytest.mark.parametrize(
    ("spec", "signals"),
    [
        ({}, {Signal.BEDROCK_TOKENS}),
        # Without a spill target there are no tokens on Bedrock, but requests that nobody answered.
        ({"spill": None, "thresholds": WAITING}, {Signal.PRIMARY_REQUESTS}),
    ],
)
def test_what_is_weighed_in_dollars_is_asked_for_what_its_price_is_of(
    spec: dict[str, Any], signals: set[Signal]
) -> None:
    deployment = a_deployment(spec=a_spec(capacity=SIZED, **spec), status=Status.ASLEEP, cold_start_seconds=300.0)
    assert signals_of(deployment) == {Signal.REQUESTS, Signal.PRIMARY_TOKENS} | signals

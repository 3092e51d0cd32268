"""What of a deployment is worth reading for a decision."""

from typing import Any

import pytest

from spillway.domain.deployments.status import Status
from spillway.domain.observations.signals import Signal
from spillway.domain.scaling.required_metrics import signals_of
from tests.builders import a_deployment, a_spec

BUDGET = {"usd_per_month": 100}


@pytest.mark.parametrize(
    ("spec", "status", "signals"),
    [
        ({}, Status.SERVING, {Signal.TRAFFIC, Signal.ENGINES}),
        ({"budget": BUDGET}, Status.SERVING, {Signal.TRAFFIC, Signal.ENGINES}),
        ({}, Status.ASLEEP, {Signal.TRAFFIC}),
        ({"path": "jumpstart"}, Status.SERVING, {Signal.TRAFFIC}),
        ({"path": "bedrock"}, Status.SERVING, {Signal.TRAFFIC}),
    ],
)
def test_a_deployment_is_asked_only_for_what_can_matter(
    spec: dict[str, Any], status: Status, signals: set[Signal]
) -> None:
    assert signals_of(a_deployment(spec=a_spec(**spec), status=status)) == signals

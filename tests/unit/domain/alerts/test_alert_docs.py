"""The examples in docs/alerts.md are what the code really renders."""

import json
from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import pytest

from spillway.domain.alerts.alert import Alert, alert_to_json, subject_of, text_of
from spillway.domain.alerts.evaluate import evaluate
from spillway.domain.alerts.kinds import AlertKind
from spillway.domain.decision import Reason
from spillway.domain.deployments.status import Status
from spillway.domain.observations.traffic import Load
from spillway.domain.pricing.price_book import price_book
from spillway.domain.scaling.check_state import Memory, Snapshot
from spillway.domain.scaling.policy import decide
from spillway.services.events.deployment_steps import Announce
from spillway.services.notify import Notify
from tests.builders import NOW, a_capacity, a_deployment, a_spec
from tests.fakes import FakeAlerts, FakeDecisions, FakeEvents

PAGE = (Path(__file__).parents[4] / "docs" / "alerts.md").read_text()
REGION = "us-east-1"
EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:spillway-scale:support-llama-sleep-7"


def asleep() -> Alert:
    """The alert of a fleet that the check found idle, as the scale workflow announces it."""
    fleet = a_deployment(updated_at=NOW - timedelta(hours=8))
    memory = Memory(last_request_at=NOW - timedelta(seconds=918))
    decision = decide(Snapshot(fleet, a_capacity(1), Load(), memory, None), NOW)
    alerts = FakeAlerts()
    service = Notify(FakeDecisions(), FakeEvents(), alerts, price_book, REGION, lambda: NOW)
    said = {"step": "notify", "news": AlertKind.ASLEEP, "reason": vars(decision.reason), "change": -1}
    step = Announce.model_validate({**said, "deployment": fleet.name, "execution": EXECUTION})
    service.run(a_deployment(status=Status.ASLEEP, desired=0), step)
    return alerts.sent[0]


def budget() -> Alert:
    """The alert of a month that has used four fifths of its budget."""
    deployment = a_deployment(spec=a_spec(budget={"usd_per_month": 800}))
    memory = Memory(month="2026-11", usd_this_month=641.37, open_alerts=frozenset({"budget:2026-11:0.5"}))
    return evaluate(deployment, a_capacity(1), memory, NOW)[0][0]


@pytest.mark.parametrize("alert", [asleep(), budget()], ids=["asleep", "budget"])
def test_the_examples_are_what_the_code_renders(alert: Alert) -> None:
    assert f"```json\n{json.dumps(alert_to_json(alert), indent=2)}\n```" in PAGE
    assert f"```text\nSubject: {subject_of(alert)}\n\n{text_of(alert)}\n```" in PAGE


def test_every_field_is_documented() -> None:
    names = [field.name for field in fields(Alert) if field.name != "why"]
    reasons = [f"why.{field.name}" for field in fields(Reason)]
    missing = [name for name in ["schema", *names, *reasons] if f"| `{name}` |" not in PAGE]
    assert missing == []

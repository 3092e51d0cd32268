"""What is told about a workflow's outcome: the alert, the decision and the event."""

from typing import Any

import pytest

from spillway.domain.alerts.alert import Severity, Topic
from spillway.domain.alerts.kinds import AlertKind
from spillway.domain.decision import Action, Code, reason_to_json
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.errors import Retryable
from spillway.services.events.deployment_steps import Announce
from spillway.services.notify import _ACTIONS, _CODES, Notify
from tests.builders import NOW, a_deployment, a_price_book, a_reason, a_spec
from tests.fakes import FakeAlerts, FakeDecisions, FakeEvents

EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:scale:support-llama-sleep-4"


class World:
    def __init__(self, **prices: Any) -> None:
        self.decisions, self.events, self.alerts = FakeDecisions(), FakeEvents(), FakeAlerts()
        self.service = Notify(
            self.decisions, self.events, self.alerts, lambda: a_price_book(**prices), "us-east-1", lambda: NOW
        )

    def announce(self, news: AlertKind, deployment: Deployment | None = None, **more: Any) -> None:
        deployment = deployment or a_deployment()
        step = {"step": "notify", "deployment": deployment.name, "execution": EXECUTION, "news": news, **more}
        self.service.run(deployment, Announce.model_validate(step))


def test_one_outcome_is_an_alert_a_decision_and_an_event_that_agree() -> None:
    world = World()
    reason = a_reason()
    world.announce(AlertKind.ASLEEP, a_deployment(desired=0), change=-2, reason=reason_to_json(reason))
    (alert,) = world.alerts.sent
    ((at, decision),) = world.decisions.items["support-llama"]
    ((kind, name, detail),) = world.events.published
    # Two instances at $3.60 an hour.
    assert (alert.usd_per_hour, decision.usd_per_hour, detail["usd_per_hour"]) == (-7.2, -7.2, -7.2)
    assert (alert.why, decision.reason, at) == (reason, reason, NOW)
    assert (decision.action, decision.desired) == (Action.SLEEP, 0)
    assert (kind, name, detail["action"]) == ("DecisionTaken", "support-llama", "sleep")


@pytest.mark.parametrize(
    ("news", "action", "code", "severity"),
    [
        (AlertKind.DEPLOYED, Action.SCALE, Code.READY, Severity.INFO),
        (AlertKind.DEPLOY_FAILED, Action.HOLD, Code.DEPLOY_FAILED, Severity.CRITICAL),
        (AlertKind.SCALE_FAILED, Action.HOLD, Code.SCALE_FAILED, Severity.WARNING),
        (AlertKind.RETIRED, Action.HOLD, Code.RETIRED, Severity.INFO),
        (AlertKind.RETIRE_FAILED, Action.HOLD, Code.RETIRED, Severity.CRITICAL),
    ],
)
def test_without_a_reason_of_its_own_the_deployments_sentence_is_given(
    news: AlertKind, action: Action, code: Code, severity: Severity
) -> None:
    world = World()
    world.announce(news, a_deployment(status_reason="CapacityUnavailable: none left."))
    (alert,) = world.alerts.sent
    ((_, decision),) = world.decisions.items["support-llama"]
    assert (decision.action, decision.reason.code, alert.severity) == (action, code, severity)
    assert alert.why.sentence == "CapacityUnavailable: none left."


@pytest.mark.parametrize("news", [*_CODES, *_ACTIONS])
def test_whatever_a_workflow_announces_goes_to_the_one_topic_that_its_function_may_publish_on(news: AlertKind) -> None:
    world = World()
    world.announce(news)
    (alert,) = world.alerts.sent
    assert alert.topic is Topic.SCALE


@pytest.mark.parametrize(
    ("news", "changes", "more", "usd_per_hour"),
    [
        (AlertKind.DEPLOYED, {"desired": 2}, {}, 7.2),
        (AlertKind.DEPLOYED, {"spec": a_spec(path="jumpstart")}, {}, 7.2),
        (AlertKind.GROWN, {"desired": 3}, {"change": 2}, 7.2),
        (AlertKind.SHRUNK, {"desired": 1}, {"change": -1}, -3.6),
        (AlertKind.RETIRED, {"desired": 0}, {"change": -2}, -7.2),
        (AlertKind.SCALE_FAILED, {}, {}, 0.0),
        # Bedrock bills by the token only.
        (AlertKind.DEPLOYED, {"spec": a_spec(path="bedrock")}, {}, 0.0),
        # What has no price is unknown, whatever it is.
        (
            AlertKind.GROWN,
            {"spec": a_spec(capacity={"market": "spot", "instance_types": ["g6e.xlarge"]})},
            {"change": 1},
            None,
        ),
        (AlertKind.GROWN, {"spec": a_spec(capacity={"instance_types": ["g5.48xlarge"]})}, {"change": 1}, None),
    ],
)
def test_an_alert_says_what_it_costs_or_saves(
    news: AlertKind, changes: dict[str, Any], more: dict[str, Any], usd_per_hour: float | None
) -> None:
    world = World()
    world.announce(news, a_deployment(**changes), **more)
    assert world.alerts.sent[0].usd_per_hour == usd_per_hour


def test_a_repeat_is_the_same_alert() -> None:
    world = World()
    world.announce(AlertKind.ASLEEP)
    world.announce(AlertKind.ASLEEP)
    first, second = world.alerts.sent
    assert first.id == second.id == "support-llama/asleep/support-llama-sleep-4/event"


def test_people_are_told_last_so_that_no_repeat_tells_them_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()

    def fail(*_: object) -> None:
        raise Retryable("throttled")

    for port, method in ((world.decisions, "add"), (world.events, "publish")):
        with monkeypatch.context() as patch:
            patch.setattr(port, method, fail)
            with pytest.raises(Retryable):
                world.announce(AlertKind.ASLEEP)
    assert world.alerts.sent == []

"""The sweep: what belongs to nothing is told of once when it is found, with its price, and once when it is gone."""

from collections.abc import Sequence, Set
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from spillway.domain.alerts.alert import Alert, AlertState, Severity, Topic
from spillway.domain.decision import Code
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.status import Status
from spillway.domain.review.leftovers import Kind, Resource
from spillway.services.sweep import Sweep
from tests.builders import NOW, a_deployment, a_price_book, a_spec
from tests.fakes import FakeAlerts, FakeDeployments, FakeReviews

HOUR = timedelta(hours=1)
OLD = NOW - timedelta(days=1)
FLEET = a_deployment(created_at=OLD, updated_at=OLD)
RETIRED = replace(FLEET, status=Status.RETIRED)
ENDPOINT = a_deployment("support-llama", spec=a_spec(path="jumpstart"), created_at=OLD, updated_at=OLD)


class FakeTagged:
    """``resources`` are there; endpoints of known names are left out, as the port allows."""

    def __init__(self, *resources: Resource) -> None:
        self.resources = list(resources)

    def find(self, known_endpoints: Set[str]) -> Sequence[Resource]:
        return [one for one in self.resources if one.kind is not Kind.ENDPOINT or one.id not in known_endpoints]


def a_group(*types: str, since: datetime = OLD) -> Resource:
    return Resource(Kind.GROUP, "spillway-support-llama", "support-llama", since, types)


def an_endpoint(*types: str, name: str = "support-llama") -> Resource:
    return Resource(Kind.ENDPOINT, f"spillway-{name}", name, OLD, types)


class World:
    def __init__(self, *resources: Resource, deployments: Sequence[Deployment] = ()) -> None:
        self.now = NOW
        self.tagged, self.alerts, self.reviews = FakeTagged(*resources), FakeAlerts(), FakeReviews()
        self.deployments = FakeDeployments(*deployments)
        self.service = Sweep(
            stack="spillway",
            deployments=self.deployments,
            tagged=self.tagged,
            reviews=self.reviews,
            alerts=self.alerts,
            prices=a_price_book,
            region="us-east-1",
            now=lambda: self.now,
        )

    def sweep(self) -> list[Alert]:
        self.alerts.sent.clear()
        self.service.run()
        return list(self.alerts.sent)


def test_a_group_of_a_retired_deployment_is_told_of_with_its_price_and_the_way_out() -> None:
    world = World(a_group("g6e.xlarge", "g6e.xlarge"), deployments=[RETIRED])
    (alert,) = world.sweep()
    assert (alert.state, alert.severity, alert.topic) == (AlertState.OPEN, Severity.WARNING, Topic.COST)
    assert (alert.why.code, alert.why.observed, alert.why.threshold) == (Code.LEFT_BEHIND, 2, 0)
    assert alert.usd_per_hour == pytest.approx(7.2)
    assert alert.why.sentence.startswith(
        "The deployment support-llama is retired. spillway-support-llama has been there"
    )
    assert "--force-delete --auto-scaling-group-name spillway-support-llama --region us-east-1" in alert.advice
    assert world.sweep() == []
    world.tagged.resources.clear()
    (gone,) = world.sweep()
    assert (gone.state, gone.id.split("/")[1]) == (AlertState.CLOSED, "spillway-support-llama")
    assert world.sweep() == []


@pytest.mark.parametrize(
    ("resource", "owner", "why"),
    [
        (a_group("g6e.xlarge"), FLEET, None),
        (a_group("g6e.xlarge"), replace(FLEET, status=Status.ASLEEP), None),
        (a_group("g6e.xlarge"), replace(FLEET, status=Status.RETIRING), None),
        (a_group("g6e.xlarge"), None, "No deployment is named support-llama."),
        (a_group(), RETIRED, "The deployment support-llama is retired."),
        (a_group("g6e.xlarge"), replace(FLEET, status=Status.FAILED), "The deployment support-llama is failed."),
        # Its release is at work, or has ended a moment ago.
        (
            a_group("g6e.xlarge"),
            replace(FLEET, status=Status.FAILED, workflow="an execution", updated_at=NOW - HOUR),
            None,
        ),
        (a_group("g6e.xlarge"), replace(RETIRED, updated_at=NOW - timedelta(minutes=14)), None),
        (a_group("g6e.xlarge", since=NOW - timedelta(minutes=14)), None, None),
        # The name was used again for another path.
        (a_group("g6e.xlarge"), ENDPOINT, "The deployment support-llama runs on another path now: jumpstart."),
        (an_endpoint("ml.g6e.xlarge"), FLEET, "The deployment support-llama runs on another path now: fleet."),
        (an_endpoint("ml.g6e.xlarge"), ENDPOINT, None),
        (an_endpoint("ml.g6e.xlarge"), replace(ENDPOINT, status=Status.RETIRED), "is retired."),
    ],
)
def test_what_belongs_to_nothing(resource: Resource, owner: Deployment | None, why: str | None) -> None:
    alerts = World(resource, deployments=[owner] if owner else []).sweep()
    assert [why in alert.why.sentence for alert in alerts if why] == ([True] if why else [])
    assert bool(alerts) is (why is not None)


def test_what_bears_the_name_of_an_unreadable_record_is_its() -> None:
    world = World(a_group("g6e.xlarge"), deployments=[RETIRED])
    world.deployments.unreadable.add("support-llama")
    assert world.sweep() == []


def test_an_unknown_price_is_unknown_and_nothing_running_costs_nothing() -> None:
    dear, idle, endpoint = a_group("g6e.xlarge", "x9.huge"), a_group(), an_endpoint("ml.g6e.xlarge", name="other")
    assert [World(one).sweep()[0].usd_per_hour for one in (dear, idle, endpoint)] == [None, 0, 7.2]

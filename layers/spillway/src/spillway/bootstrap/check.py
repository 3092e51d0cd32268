"""The composition root: the only place that knows which adapter stands behind which port.

One builder a function, called once on its first use, making only the clients that this function needs.
"""

from dataclasses import dataclass

from spillway import clock
from spillway.adapters.aws.clients import client
from spillway.adapters.aws.event_bus import EventBus
from spillway.adapters.aws.sns_alerts import SnsAlerts
from spillway.adapters.aws.workflows import StepFunctions
from spillway.adapters.dynamodb.checks_table import ChecksTable
from spillway.adapters.dynamodb.decisions_table import DecisionsTable
from spillway.adapters.dynamodb.deployments_table import DeploymentsTable
from spillway.adapters.dynamodb.prices_table import PricesTable
from spillway.adapters.dynamodb.routes_table import RoutesTable
from spillway.adapters.dynamodb.usage_table import UsageTable
from spillway.adapters.observe.capacity_reader import AwsCapacityReader
from spillway.adapters.observe.instance_groups import AutoScalingInstanceGroups
from spillway.adapters.observe.load_metrics import LoadMetrics
from spillway.domain.alerts.alert import Topic
from spillway.domain.pricing.price_book import price_book
from spillway.ports import Deployments
from spillway.services.check import Check
from spillway.services.handle_event import HandleEvent
from spillway.services.manage_prices import CurrentPrices
from spillway.services.notify import Notify
from spillway.services.workflow_steps import WorkflowSteps
from spillway.settings import Settings


@dataclass(frozen=True)
class WorkflowServices:
    """What the workflows' own step function uses."""

    deployments: Deployments
    advance: WorkflowSteps
    announce: Notify


def workflow_services(settings: Settings) -> WorkflowServices:
    """Build the services of ``advance_deployment``."""
    dynamodb = client("dynamodb")
    deployments = DeploymentsTable(dynamodb, settings.deployments_table)
    events = EventBus(client("events"), settings.event_bus)
    return WorkflowServices(
        deployments=deployments,
        advance=WorkflowSteps(
            deployments=deployments,
            routes=RoutesTable(dynamodb, settings.routes_table),
            events=events,
            workflows=StepFunctions(client("stepfunctions"), {}),
            now=clock.utc_now,
        ),
        announce=Notify(
            decisions=DecisionsTable(dynamodb, settings.decisions_table),
            events=events,
            alerts=_alerts(settings),
            prices=_prices(settings),
            region=settings.region,
            now=clock.utc_now,
        ),
    )


def check_service(settings: Settings) -> Check:
    """Build the service of ``check_utilization``."""
    dynamodb = client("dynamodb")
    return Check(
        deployments=DeploymentsTable(dynamodb, settings.deployments_table),
        routes=RoutesTable(dynamodb, settings.routes_table),
        decisions=DecisionsTable(dynamodb, settings.decisions_table),
        memories=ChecksTable(dynamodb, settings.checks_table),
        instance_times=UsageTable(dynamodb, settings.usage_table),
        loads=LoadMetrics(client("cloudwatch")),
        capacities=capacity_reader(settings),
        workflows=StepFunctions(client("stepfunctions"), {"scale": settings.scale_workflow_arn}),
        alerts=_alerts(settings),
        events=EventBus(client("events"), settings.event_bus),
        prices=_prices(settings),
        region=settings.region,
        now=clock.utc_now,
        megabytes=settings.lambda_megabytes,
    )


def event_service(settings: Settings) -> HandleEvent:
    """Build the service of ``react_to_event``."""
    dynamodb = client("dynamodb")
    return HandleEvent(
        stack=settings.stack,
        deployments=DeploymentsTable(dynamodb, settings.deployments_table),
        routes=RoutesTable(dynamodb, settings.routes_table),
        decisions=DecisionsTable(dynamodb, settings.decisions_table),
        groups=AutoScalingInstanceGroups(client("autoscaling")),
        workflows=StepFunctions(client("stepfunctions"), settings.workflow_arns),
        alerts=SnsAlerts(client("sns"), {Topic.SCALE: settings.scale_topic_arn}),
        events=EventBus(client("events"), settings.event_bus),
        now=clock.utc_now,
    )


def capacity_reader(settings: Settings) -> AwsCapacityReader:
    """Build the reader of what runs."""
    return AwsCapacityReader(settings.stack, client("autoscaling"), client("sagemaker"), client("ec2"))


def _prices(settings: Settings) -> CurrentPrices:
    return CurrentPrices(price_book(), PricesTable(client("dynamodb"), settings.prices_table), clock.utc_now)


def _alerts(settings: Settings) -> SnsAlerts:
    return SnsAlerts(client("sns"), {Topic.SCALE: settings.scale_topic_arn, Topic.COST: settings.cost_topic_arn})

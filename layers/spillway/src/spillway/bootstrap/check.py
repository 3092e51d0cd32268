"""The composition root of the check."""

from datetime import timedelta

from spillway import clock
from spillway.adapters.aws.clients import client
from spillway.adapters.aws.event_bus import EventBus
from spillway.adapters.aws.sns_alerts import SnsAlerts
from spillway.adapters.aws.workflows import StepFunctions
from spillway.adapters.dynamodb.checks_table import ChecksTable
from spillway.adapters.dynamodb.decisions_table import DecisionsTable
from spillway.adapters.dynamodb.deployments_table import DeploymentsTable
from spillway.adapters.dynamodb.loads_table import LoadsTable
from spillway.adapters.dynamodb.routes_table import RoutesTable
from spillway.adapters.dynamodb.usage_table import UsageTable
from spillway.adapters.observe.capacity_reader import AwsCapacityReader
from spillway.adapters.observe.engine_metrics import EngineMetrics
from spillway.adapters.observe.loads import Loads
from spillway.bootstrap.common import current_prices
from spillway.domain.alerts.alert import Topic
from spillway.services.check import Check
from spillway.settings import Settings

# A look a minute would pay for reading the whole price book ten times as often as anybody changes a price.
_PRICES_FRESH = timedelta(minutes=10)


def check_service(settings: Settings) -> Check:
    """Build the service of ``check_utilization``."""
    dynamodb = client("dynamodb")
    return Check(
        deployments=DeploymentsTable(dynamodb, settings.deployments_table),
        routes=RoutesTable(dynamodb, settings.routes_table),
        decisions=DecisionsTable(dynamodb, settings.decisions_table),
        memories=ChecksTable(dynamodb, settings.checks_table),
        instance_times=UsageTable(dynamodb, settings.usage_table),
        loads=Loads(LoadsTable(dynamodb, settings.loads_table), EngineMetrics(client("cloudwatch"))),
        capacities=capacity_reader(settings),
        workflows=StepFunctions(client("stepfunctions"), {"scale": settings.scale_workflow_arn}),
        alerts=SnsAlerts(client("sns"), {Topic.SCALE: settings.scale_topic_arn, Topic.COST: settings.cost_topic_arn}),
        events=EventBus(client("events"), settings.event_bus),
        prices=current_prices(settings, _PRICES_FRESH),
        region=settings.region,
        now=clock.utc_now,
        megabytes=settings.lambda_megabytes,
    )


def capacity_reader(settings: Settings) -> AwsCapacityReader:
    """Build the reader of what runs."""
    return AwsCapacityReader(settings.stack, client("autoscaling"), client("sagemaker"), client("ec2"))

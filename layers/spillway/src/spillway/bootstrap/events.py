"""The composition root of what AWS and the gateway tell."""

from spillway import clock
from spillway.adapters.aws.clients import client
from spillway.adapters.aws.event_bus import EventBus
from spillway.adapters.aws.sns_alerts import SnsAlerts
from spillway.adapters.aws.workflows import StepFunctions
from spillway.adapters.dynamodb.decisions_table import DecisionsTable
from spillway.adapters.dynamodb.deployments_table import DeploymentsTable
from spillway.adapters.dynamodb.routes_table import RoutesTable
from spillway.adapters.observe.instance_groups import AutoScalingInstanceGroups
from spillway.domain.alerts.alert import Topic
from spillway.services.handle_event import HandleEvent
from spillway.settings import Settings


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

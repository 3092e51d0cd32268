"""The composition root of the deploy, scale and retire workflows' own steps."""

from dataclasses import dataclass

from spillway import clock
from spillway.adapters.aws.clients import client
from spillway.adapters.aws.event_bus import EventBus
from spillway.adapters.aws.sns_alerts import SnsAlerts
from spillway.adapters.aws.workflows import StepFunctions
from spillway.adapters.dynamodb.decisions_table import DecisionsTable
from spillway.adapters.dynamodb.deployments_table import DeploymentsTable
from spillway.adapters.dynamodb.routes_table import RoutesTable
from spillway.bootstrap.common import current_prices
from spillway.domain.alerts.alert import Topic
from spillway.ports import Deployments
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
            alerts=SnsAlerts(client("sns"), {Topic.SCALE: settings.scale_topic_arn}),
            prices=current_prices(settings),
            region=settings.region,
            now=clock.utc_now,
        ),
    )

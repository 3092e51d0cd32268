"""The composition root of what guards the stack against its own deletion under running deployments."""

from dataclasses import dataclass

from spillway.adapters.aws.clients import client
from spillway.adapters.aws.custom_resource import Respond, respond
from spillway.adapters.aws.errors import gone_is_fine
from spillway.adapters.aws.stacks import stack_status
from spillway.adapters.dynamodb.deployments_table import DeploymentsTable
from spillway.domain.deployments.deployment import Inventory
from spillway.services.guard_stack import GuardStack
from spillway.settings import Settings


@dataclass(frozen=True)
class GuardServices:
    """What the custom resources use."""

    guard: GuardStack
    respond: Respond


def guard_services(settings: Settings) -> GuardServices:
    """Build the services of ``guard_stack``."""
    table = DeploymentsTable(client("dynamodb"), settings.deployments_table)

    def inventory() -> Inventory:
        with gone_is_fine():
            return table.all()
        return Inventory(())

    guard = GuardStack(settings.stack, settings.region, inventory, stack_status(client("cloudformation")))
    return GuardServices(guard, respond)

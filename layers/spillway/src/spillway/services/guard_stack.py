"""What must not happen to the stack while deployments run; CloudFormation asks before it does it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from spillway.domain.deployments.deployment import Deployment, Inventory
from spillway.domain.deployments.resource_names import stack_name_problem
from spillway.domain.deployments.status import Status
from spillway.services.events.stack_guard import GuardRequest

# CloudFormation takes 4,096 bytes of an answer.
_NAMED = 5
_ANOTHER_NETWORK = (
    "A load balancer stays in its VPC, and a subnet in its zone: VpcId and the zones of subnets change in two updates. "
    "Set EnableFleets=false first, then EnableFleets=true with the new network."
)


@dataclass(frozen=True)
class GuardStack:
    """``inventory`` reads every deployment, none where the table is gone; ``status_of`` a stack's status by its id.

    The request alone does not tell an update from its own roll-back, nor a stack's end from the removal of a guard
    that an update brought and that is rolled back: only the stack's status does.
    """

    stack: str
    region: str
    inventory: Callable[[], Inventory]
    status_of: Callable[[str], str]

    def refusal(self, request: GuardRequest) -> str | None:
        """Return why CloudFormation must not go on, and what to do; None where it may."""
        match request.guard, request.kind:
            case "Custom::ChangeGuard", "Create" | "Update":
                return self._change(request)
            case "Custom::DeletionGuard", "Delete":
                return self._deletion(request)
            case _:
                return None

    def _change(self, request: GuardRequest) -> str | None:
        match self.status_of(request.stack_id):
            case "CREATE_IN_PROGRESS":
                return stack_name_problem(self.stack)
            case "UPDATE_IN_PROGRESS":
                return self._update(request)
            case _:
                # A roll-back is always allowed.
                return None

    def _update(self, request: GuardRequest) -> str | None:
        if request.is_first and self._is_unused():
            # A first deploy that failed and was kept is tried again as an update.
            return stack_name_problem(self.stack)
        if request.guards_running and request.moves_fleets and (running := self._running_fleets()):
            return running
        return _ANOTHER_NETWORK if request.moves_network else None

    def _is_unused(self) -> bool:
        """Whether there never was a deployment: an older stack that lives with a bad name may run on Bedrock alone."""
        found = self.inventory()
        return not found.deployments and not found.unreadable

    def _running_fleets(self) -> str | None:
        found = self.inventory()
        running = [one for one in _not_retired(found) if one.spec.profile.runs_engine]
        if not running and not found.unreadable:
            return None
        return (
            f"{_list_of(running, found.unreadable)} Fleets cannot be switched off or moved under them. "
            "Retire each with DELETE /deployments/<name>, wait until it is retired, and update the stack again. "
            "To do it all the same, leaving to you what still runs, give GuardRunning=false with the update."
        )

    def _deletion(self, request: GuardRequest) -> str | None:
        if not request.guards_running or self.status_of(request.stack_id) != "DELETE_IN_PROGRESS":
            return None
        found = self.inventory()
        running = _not_retired(found)
        if not running and not found.unreadable:
            return None
        return (
            f"{_list_of(running, found.unreadable)} The stack is still whole and goes on serving. Retire each with "
            "DELETE /deployments/<name>, wait until it is retired, and delete the stack again. To delete it all the "
            "same, leaving to you what still runs and bills: aws cloudformation delete-stack "
            f"--region {self.region} --stack-name {self.stack} --retain-resources {request.logical_id}"
        )


def _not_retired(found: Inventory) -> list[Deployment]:
    return [one for one in found.deployments if one.status is not Status.RETIRED]


def _list_of(running: Sequence[Deployment], unreadable: Sequence[str]) -> str:
    described = [f"{one.name} ({one.spec.path}, {one.status})" for one in running]
    described += [f"{name} (its record cannot be read)" for name in unreadable]
    rest = len(described) - _NAMED
    more = f" and {rest} more" if rest > 0 else ""
    return f"Not retired: {', '.join(described[:_NAMED])}{more}."

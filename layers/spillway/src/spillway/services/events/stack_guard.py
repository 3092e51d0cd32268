"""What CloudFormation asks of ``guard_stack``, as far as it tells what is about to happen to the stack."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from spillway.services.events.reading import read

# Properties that say how the function is called, and whether it guards at all.
_OWN = frozenset({"ServiceToken", "ServiceTimeout", "GuardRunning"})
_FLEETS = "EnableFleets"


class GuardRequest(BaseModel):
    """A request about one of the two custom resources; ``before`` are an Update's properties until now."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    guard: Literal["Custom::ChangeGuard", "Custom::DeletionGuard"] = Field(alias="ResourceType")
    kind: Literal["Create", "Update", "Delete"] = Field(alias="RequestType")
    logical_id: str = Field(alias="LogicalResourceId")
    stack_id: str = Field(alias="StackId")
    properties: Mapping[str, Any] = Field(alias="ResourceProperties")
    before: Mapping[str, Any] | None = Field(None, alias="OldResourceProperties")

    @property
    def guards_running(self) -> bool:
        """Whether the stack's parameter ``GuardRunning`` says so."""
        return self.properties.get("GuardRunning") != "false"

    @property
    def is_first(self) -> bool:
        """Whether the guard is made only now."""
        return self.kind == "Create"

    @property
    def moves_network(self) -> bool:
        """Whether fleets stay switched on over another VPC, or over subnets in other zones, which AWS cannot change.

        A third zone beside the same two is fine.
        """
        if self.before is None or not self.before.get(_FLEETS) == self.properties.get(_FLEETS) == "true":
            return False
        return self.before.get("VpcId") != self.properties.get("VpcId") or (
            not self.properties.get("VpcId") and _zones(self.before) != _zones(self.properties)
        )

    @property
    def moves_fleets(self) -> bool:
        """Whether fleets that may run lose their place: they are switched off, or their network is another one.

        The update that brings the guard makes the subnets anew that stand in the stack's own VPC.
        """
        if self.before is None:
            return self.properties.get(_FLEETS) != "true" or not self.properties.get("VpcId")
        return self.before.get(_FLEETS) == "true" and _place(self.before) != _place(self.properties)


def read_guard_request(event: Mapping[str, Any]) -> GuardRequest:
    """Return what CloudFormation asks; InvalidRequest for an event that is no such request."""
    return read(event, TypeAdapter(GuardRequest))


def _zones(properties: Mapping[str, Any]) -> list[str]:
    return str(properties.get("Zones") or "").split(",")[:2]


def _place(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in properties.items() if name not in _OWN}

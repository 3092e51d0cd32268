"""What EventBridge brings to ``react_to_event``: the gateway's notices, and AWS's as far as they are needed."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AliasPath, BaseModel, ConfigDict, Field, Json, TypeAdapter

from spillway.services.events.reading import read

_KIND = Field(alias="detail-type")


class _Notice(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str | None = None


class WakeRequested(_Notice):
    """The gateway has a request for a fleet that is asleep."""

    kind: Literal["WakeRequested"] = _KIND
    deployment: str = Field(validation_alias=AliasPath("detail", "deployment"))


class EndpointStateChanged(_Notice):
    """A SageMaker endpoint has another status, written in capitals here."""

    kind: Literal["SageMaker Endpoint State Change"] = _KIND
    endpoint: str = Field(validation_alias=AliasPath("detail", "EndpointName"))
    status: str = Field(validation_alias=AliasPath("detail", "EndpointStatus"))


class LaunchFailed(_Notice):
    """Auto Scaling could not start an instance."""

    kind: Literal["EC2 Instance Launch Unsuccessful"] = _KIND
    group: str = Field(validation_alias=AliasPath("detail", "AutoScalingGroupName"))
    message: str = Field("An instance could not be launched.", validation_alias=AliasPath("detail", "StatusMessage"))


class Launched(_Notice):
    """Auto Scaling has started an instance."""

    kind: Literal["EC2 Instance Launch Successful"] = _KIND
    group: str = Field(validation_alias=AliasPath("detail", "AutoScalingGroupName"))
    instance: str | None = Field(None, validation_alias=AliasPath("detail", "EC2InstanceId"))


class SpotInterruption(_Notice):
    """EC2 takes a spot instance back in two minutes."""

    kind: Literal["EC2 Spot Instance Interruption Warning"] = _KIND
    instance: str = Field(validation_alias=AliasPath("detail", "instance-id"))


class WorkflowInput(BaseModel):
    """What an execution of ours was started with, as far as it tells what is to be cleaned up."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    deployment: str = ""
    benchmark: str | None = None
    replaces: str | None = None
    clean_ups: int = 0


class ExecutionEnded(_Notice):
    """An execution ended otherwise than by its own success; ``error`` and ``cause`` only where it failed by itself."""

    kind: Literal["Step Functions Execution Status Change"] = _KIND
    execution: str = Field(validation_alias=AliasPath("detail", "executionArn"))
    state_machine: str = Field(validation_alias=AliasPath("detail", "stateMachineArn"))
    name: str = Field(validation_alias=AliasPath("detail", "name"))
    status: str = Field(validation_alias=AliasPath("detail", "status"))
    given: Json[WorkflowInput] = Field(validation_alias=AliasPath("detail", "input"))
    error: str | None = Field(None, validation_alias=AliasPath("detail", "error"))
    cause: str | None = Field(None, validation_alias=AliasPath("detail", "cause"))


Notice: TypeAlias = WakeRequested | EndpointStateChanged | LaunchFailed | Launched | SpotInterruption | ExecutionEnded

_KINDS: TypeAdapter[Notice] = TypeAdapter(Annotated[Notice, Field(discriminator="kind")])


def read_notice(event: Mapping[str, Any]) -> Notice:
    """Return what an EventBridge event tells; InvalidRequest for one that nothing handles, or that lacks a field."""
    return read(event, _KINDS)

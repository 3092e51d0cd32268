"""Starts of Step Functions executions; the name of an execution makes a repeated start harmless."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from spillway.adapters.aws.errors import translated

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


class StepFunctions:
    """Implements the ``Workflows`` port; ``machines`` maps a workflow's name (``deploy``…) to its ARN."""

    def __init__(self, client: "SFNClient", machines: Mapping[str, str]) -> None:
        self._client = client
        self._machines = machines

    def start(self, workflow: str, execution: str, payload: Mapping[str, object]) -> str:
        """Start an execution, or return the ARN of the one that already has its name."""
        machine = self._machines[workflow]
        with translated():
            try:
                answer = self._client.start_execution(
                    stateMachineArn=machine, name=execution, input=json.dumps(payload)
                )
            except self._client.exceptions.ExecutionAlreadyExists:
                return f"{machine.replace(':stateMachine:', ':execution:')}:{execution}"
        return answer["executionArn"]

    def stop(self, execution_arn: str, cause: str) -> None:
        """Abort an execution; one that has ended, or is no longer known, is left as it is."""
        with translated():
            try:
                self._client.stop_execution(executionArn=execution_arn, cause=cause)
            except self._client.exceptions.ExecutionDoesNotExist:
                return

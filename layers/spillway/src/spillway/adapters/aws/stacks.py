"""CloudFormation, asked what it is doing to a stack."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from spillway.adapters.aws.errors import translated

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient


def stack_status(client: "CloudFormationClient") -> Callable[[str], str]:
    """Return a function that reads a stack's present status by the stack's id."""

    def read(stack_id: str) -> str:
        with translated():
            return client.describe_stacks(StackName=stack_id)["Stacks"][0]["StackStatus"]

    return read

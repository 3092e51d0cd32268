"""Permissions that let no call of the suite through, and why a role has them all the same."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from tests.calls.record import Use


@dataclass(frozen=True)
class Reason:
    """Role, action and resource as patterns with stars, and the sentence that holds for all of them."""

    role: str
    action: str
    resource: str
    why: str

    def covers(self, grant: Use) -> bool:
        """Whether it speaks of a permission."""
        return all(map(fnmatchcase, grant, (self.role, self.action, self.resource)))


REASONS = (
    # Roles, and parts of them, that AWS itself acts by: nobody here makes its calls.
    Reason("ImportRole", "*", "*", "Bedrock takes it on to read the weights, which the sandbox's import does not"),
    Reason("EndpointRole", "*", "*", "SageMaker takes it on for weights, images and logs; the sandbox's needs none"),
    Reason("FleetInstanceRole", "*", "*", "instances take it on, and the sandbox runs no user data"),
    Reason("*WorkflowRole", "logs:*", "*", "Step Functions sets up the delivery of its logs"),
    Reason("BenchmarkWorkflowRole", "states:*", "*", "Step Functions runs and watches a distributed map by it"),
    Reason("*Role", "sqs:SendMessage", "DeadLetterQueue", "Lambda and Scheduler send what failed for good"),
    Reason("DriveFleetFunctionRole", "iam:CreateServiceLinkedRole", "*", "an account's first group or spot request"),
    Reason("DriveFleetFunctionRole", "ec2:RunInstances", "*spot-instances-request/*", "EC2's guide asks it for spot"),
    Reason("DriveFleetFunctionRole", "ec2:RunInstances", "*snapshot/*", "an image's volumes are made of snapshots"),
    # What is off in the sandbox.
    Reason("ControlApiFunctionRole", "ce:GetCostAndUsage", "*", "only with CompareWithBill; the sandbox has no bill"),
    Reason(
        "ServeOpenaiFunctionRole", "dynamodb:GetItem", "KeysTable", "only with GatewayServer, a server of the user's"
    ),
    Reason("SmokeTestFunctionRole", "aws-marketplace:*", "*", "Bedrock asks it for itself, on a stack that allows it"),
    Reason("SeedAdminKeyFunctionRole", "dynamodb:DeleteItem", "*", "the stack's deletion, which is not played"),
    # What users may name, and the sandbox's catalog does not have.
    Reason("*Role", "bedrock:*", "*application-inference-profile/*", "a profile of the user's own, named by its ARN"),
    Reason("SmokeTestFunctionRole", "bedrock:InvokeModel", "*", "a model that gives no stream"),
    # What an account may lack.
    Reason("Drive*FunctionRole", "servicequotas:*AWSDefault*", "*", "an account without a quota of its own has AWS's"),
    # Moments that a run of the suite may miss.
    Reason("ServeOpenaiFunctionRole", "bedrock:*Stream", "*imported-model/*", "a copy may be cold when it is asked"),
    Reason("AdvanceDeploymentFunctionRole", "states:StopExecution", "*", "a retirement stops whatever is under way"),
    # Ways that only a failure takes.
    Reason("ControlApiFunctionRole", "dynamodb:DeleteItem", "BenchmarksTable", "its workflow could not be started"),
    Reason("ControlApiFunctionRole", "dynamodb:DeleteItem", "RoutesTable", "its workflow could not be started"),
    Reason("ControlApiFunctionRole", "dynamodb:GetItem", "IdempotencyTable", "a refused write brought no item back"),
    Reason("RefreshPricesFunctionRole", "sns:Publish", "CostTopic", "prices that moved far, or could not be read"),
    Reason("SweepLeftoversFunctionRole", "sns:Publish", "ScaleTopic", "that nobody hears the others is told over it"),
    # One workflow knows every path's driver, also of those that have nothing to scale.
    Reason("ScaleWorkflowRole", "lambda:InvokeFunction", "DriveBedrockFunction", "a path without instances"),
    Reason("ScaleWorkflowRole", "lambda:InvokeFunction", "DriveImportFunction", "a path without instances"),
)

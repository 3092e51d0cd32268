"""The policy for whoever deploys covers what CloudFormation does to make, change and delete the stack."""

import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from tests.sandbox.iam.static_stack import StaticStack
from tests.template.transform import REGION, REPOSITORY

POLICY = json.loads((REPOSITORY / "docs" / "deployer-policy.json").read_text(encoding="utf-8"))

# What the schemas name for options that this template does not use.
UNUSED = {
    "amplify": "web ACLs go before API Gateway alone",
    "apprunner": "web ACLs go before API Gateway alone",
    "appsync": "web ACLs go before API Gateway alone",
    "bedrock-agentcore": "web ACLs go before API Gateway alone",
    "codedeploy": "the alias moves at once",
    "cognito-idp": "no listener and no web ACL knows users",
    "elasticfilesystem": "no function mounts a file system",
    "firehose": "no log group sends on",
    "kinesis": "no table streams",
    "kms": "no key of the customer's; AWS's own need no permission of who deploys",
    "s3files": "no function mounts a file system",
    "vpc-lattice": "the endpoints are gateways",
    "vpce": "the endpoints are of one region",
}
# Of IAM's, the schemas name what groups and users would need, and to delete roles that services made.
NOT_OURS = ("Group", "User", "ServiceLinked")
# Not what SAM packages: a table's import, a log group's export.
NOT_FROM_THE_BUCKET = {"s3:GetObjectMetadata", "s3:REST.PUT.OBJECT"}


def needed(stack: StaticStack) -> Iterator[str]:
    for kind in {each["Type"] for each in stack.template["Resources"].values()}:
        handlers = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind).schema.get("handlers") or {}
        for handler in handlers.values():
            yield from handler.get("permissions", [])


def is_ours(action: str) -> bool:
    service, _, name = action.partition(":")
    other = service == "iam" and any(word in name for word in NOT_OURS)
    return service not in UNUSED and not other and action not in NOT_FROM_THE_BUCKET


def allowed(action: str) -> bool:
    return any(
        fnmatchcase(action, pattern) for statement in POLICY["Statement"] for pattern in _list(statement["Action"])
    )


def _list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else value


def test_it_allows_all_that_cloudformation_does(fleet_stack: StaticStack) -> None:
    actions = {action for action in needed(fleet_stack) if is_ours(action)}
    assert {"iam:PassRole", "dynamodb:CreateTable", "elasticloadbalancing:CreateListener"} <= actions
    assert sorted(action for action in actions if not allowed(action)) == []


def test_it_allows_no_service_that_nothing_needs(fleet_stack: StaticStack) -> None:
    services = {action.partition(":")[0] for action in needed(fleet_stack)} - UNUSED.keys() | {"cloudformation", "iam"}
    granted = {action.partition(":")[0] for each in POLICY["Statement"] for action in _list(each["Action"])}
    assert granted == services


def test_the_reasons_are_for_what_the_schemas_name(fleet_stack: StaticStack) -> None:
    assert {action.partition(":")[0] for action in needed(fleet_stack)} >= UNUSED.keys()


def test_it_fits_a_managed_policy() -> None:
    """IAM counts a managed policy's characters without white space."""
    assert len("".join(json.dumps(POLICY).split())) <= 6144

"""The control API as its function builds it from the environment, on moto: from the first key to retirement."""

import json
from collections.abc import Iterator
from typing import Any, cast

import boto3
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.authorize_request import app as authorizer
from functions.control_api import app
from functions.seed_admin_key import app as seed
from spillway.adapters.aws.bedrock_catalog import RegionalCatalog
from tests.builders import spec_body
from tests.contract.test_workflows import WAITS
from tests.unit.api.conftest import Context

TABLES = {
    "DEPLOYMENTS_TABLE": ("name", None),
    "ROUTES_TABLE": ("name", None),
    "DECISIONS_TABLE": ("deployment", "at"),
    "USAGE_TABLE": ("deployment", "bucket"),
    "KEYS_TABLE": ("id", None),
    "IDEMPOTENCY_TABLE": ("id", None),
    "PRICES_TABLE": ("id", None),
    "REVIEWS_TABLE": ("id", None),
    "BENCHMARKS_TABLE": ("deployment", "id"),
}


@pytest.fixture
def stack(aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    dynamodb = boto3.client("dynamodb")
    for variable, (partition, sort) in TABLES.items():
        keys = [name for name in (partition, sort) if name]
        monkeypatch.setenv(variable, variable.lower())
        dynamodb.create_table(
            TableName=variable.lower(),
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
            KeySchema=[
                {"AttributeName": name, "KeyType": "RANGE" if number else "HASH"} for number, name in enumerate(keys)
            ],
        )
    machines = boto3.client("stepfunctions")
    for workflow in ("deploy", "scale", "retire", "benchmark"):
        arn = machines.create_state_machine(
            name=workflow, definition=json.dumps(WAITS), roleArn="arn:aws:iam::123456789012:role/workflow"
        )["stateMachineArn"]
        monkeypatch.setenv(f"{workflow.upper()}_WORKFLOW_ARN", arn)
    for topic in ("SCALE", "COST", "OPERATIONS"):
        monkeypatch.setenv(f"{topic}_TOPIC_ARN", f"arn:aws:sns:us-east-1:123456789012:{topic}")
    for path in ("bedrock", "import", "jumpstart", "fleet"):
        arn = f"arn:aws:lambda:us-east-1:123456789012:function:drive-{path}"
        monkeypatch.setenv(f"DRIVE_{path.upper()}_FUNCTION_ARN", arn)
    # moto has no catalog of Bedrock's; tests/unit/adapters/aws/test_bedrock_catalog.py asks one.
    monkeypatch.setattr(RegionalCatalog, "find", lambda _self, models: {model.id: None for model in models})
    secret = boto3.client("secretsmanager").create_secret(Name="admin", SecretString="a" * 64)["ARN"]
    monkeypatch.setenv("ADMIN_SECRET_ARN", secret)
    yield
    for container in (app.container, app.api, authorizer.container, seed.container):
        container.cache_clear()


def call(method: str, path: str, body: Any = None, key: str | None = None, secret: str = "a" * 64) -> dict[str, Any]:
    """Ask the authorizer first, as API Gateway does."""
    headers = {"Authorization": f"Bearer {secret}", **({"Idempotency-Key": key} if key else {})}
    context = cast(LambdaContext, Context())
    method_arn = f"arn:aws:execute-api:us-east-1:123456789012:abc/live/{method}{path}"
    allowed = authorizer.handler({"methodArn": method_arn, "resource": path, "headers": headers}, context)
    event = {
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "requestContext": {"stage": "live", "path": f"/live{path}", "authorizer": allowed["context"]},
        "body": json.dumps(body) if body is not None else None,
        "isBase64Encoded": False,
    }
    return app.handler(event, context)


def test_a_deployment_from_ask_to_retirement(stack: None) -> None:
    seed.container().admin_key.seed()
    asked = call("POST", "/deployments", spec_body(), key="again-1")
    assert asked["statusCode"] == 202
    assert call("POST", "/deployments", spec_body(), key="again-1")["body"] == asked["body"]
    assert call("POST", "/deployments", spec_body())["statusCode"] == 409
    assert call("POST", "/deployments", spec_body(name="other"), key="again-1")["statusCode"] == 409

    shown = json.loads(call("GET", "/deployments/support-llama")["body"])
    assert (shown["status"], shown["route"]["state"], shown["cost"]["usd"]) == ("requested", "warming", 0.0)
    changed = call("PATCH", "/deployments/support-llama", {"capacity": {"max": 2}})
    assert json.loads(changed["body"])["spec"]["capacity"]["max"] == 2
    assert [item["name"] for item in json.loads(call("GET", "/deployments")["body"])["items"]] == ["support-llama"]
    retired = call("DELETE", "/deployments/support-llama")
    assert retired["statusCode"] == 202

    executions = boto3.client("stepfunctions").describe_execution(executionArn=json.loads(retired["body"])["workflow"])
    assert json.loads(executions["input"]) == {"deployment": "support-llama", "path": "fleet"}


def test_a_key_made_here_opens_v1_alone(stack: None) -> None:
    seed.container().admin_key.seed()
    made = json.loads(call("POST", "/keys", {"name": "ci"}, key="again-2")["body"])
    assert call("GET", "/deployments", secret=made["secret"])["statusCode"] == 403
    stored = boto3.client("dynamodb").scan(TableName="idempotency_table")["Items"]
    assert made["secret"] not in str(stored)
    assert call("DELETE", f"/keys/{made['id']}")["statusCode"] == 204
    with pytest.raises(Exception, match="Unauthorized"):
        call("GET", "/deployments", secret=made["secret"])

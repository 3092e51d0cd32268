"""What each AWS call asks of IAM: boto3's operation and parameters → actions, resources and context keys.

Every operation that the product uses is listed, from the service authorization reference; one that isn't raises
UnknownOperation, so that it must be taught before a test can pass.
"""

from collections.abc import Callable, Mapping
from typing import Any

from tests.sandbox.iam import actions_compute, actions_dynamodb, actions_inference
from tests.sandbox.iam.request import Place, Request, UnknownOperation

Params = Mapping[str, Any]
_Rule = Callable[[Params, Place], list[Request]]


def requests_of(service: str, operation: str, params: Params, place: Place) -> list[Request]:
    """Return all that IAM must allow before AWS does the call; ``service`` and ``operation`` as boto3 names them."""
    if service == "dynamodb":
        return actions_dynamodb.requests_of(operation, params, place)
    rule = _RULES.get((service, operation))
    if rule is None:
        raise UnknownOperation(f"tests/sandbox/iam does not know what {service} {operation} asks of IAM")
    return rule(params, place)


def _anywhere(action: str) -> _Rule:
    return lambda _params, _place: [Request(action)]


def _on(action: str, parameter: str, service: str = "", prefix: str = "") -> _Rule:
    """Return a rule for an action on the one resource that a parameter names, by ARN or name."""
    return lambda params, place: [Request(action, place.or_arn(service, prefix, params[parameter]))]


def _put_events(params: Params, place: Place) -> list[Request]:
    return [
        Request(
            "events:PutEvents",
            place.or_arn("events", "event-bus/", entry.get("EventBusName", "default")),
            {"events:source": entry["Source"], "events:detail-type": entry["DetailType"]},
        )
        for entry in params["Entries"]
    ]


def _put_metric_data(params: Params, _place: Place) -> list[Request]:
    return [Request("cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": params["Namespace"]})]


def _get_parameter(params: Params, place: Place) -> list[Request]:
    name = params["Name"]
    owner = "" if name.startswith("/aws/service/") else None  # AWS's public parameters belong to no account
    return [Request("ssm:GetParameter", place.arn("ssm", f"parameter/{name.lstrip('/')}", account=owner))]


def _invoke_api(params: Params, place: Place) -> list[Request]:
    path = params["path"].lstrip("/")
    method = f"{params['apiId']}/{params['stage']}/{params['method']}/{path}"
    return [Request("execute-api:Invoke", place.arn("execute-api", method))]


def _invoke_function(params: Params, place: Place) -> list[Request]:
    return [Request("lambda:InvokeFunction", place.or_arn("lambda", "function:", params["FunctionName"]))]


def _send_message(params: Params, place: Place) -> list[Request]:
    return [Request("sqs:SendMessage", place.arn("sqs", params["QueueUrl"].rpartition("/")[2]))]


def _create_log_stream(params: Params, place: Place) -> list[Request]:
    return [Request("logs:CreateLogStream", place.arn("logs", f"log-group:{params['logGroupName']}:log-stream:"))]


def _put_log_events(params: Params, place: Place) -> list[Request]:
    stream = f"log-group:{params['logGroupName']}:log-stream:{params['logStreamName']}"
    return [Request("logs:PutLogEvents", place.arn("logs", stream))]


_RULES: Mapping[tuple[str, str], _Rule] = {
    ("events", "PutEvents"): _put_events,
    ("sns", "ListSubscriptionsByTopic"): _on("sns:ListSubscriptionsByTopic", "TopicArn"),
    ("sns", "Publish"): _on("sns:Publish", "TopicArn"),
    ("stepfunctions", "StartExecution"): _on("states:StartExecution", "stateMachineArn"),
    ("stepfunctions", "StopExecution"): _on("states:StopExecution", "executionArn"),
    ("stepfunctions", "DescribeExecution"): _on("states:DescribeExecution", "executionArn"),
    ("cloudformation", "DescribeStacks"): _on("cloudformation:DescribeStacks", "StackName", "cloudformation", "stack/"),
    ("secretsmanager", "GetSecretValue"): _on("secretsmanager:GetSecretValue", "SecretId"),
    ("cloudwatch", "GetMetricData"): _anywhere("cloudwatch:GetMetricData"),
    ("cloudwatch", "PutMetricData"): _put_metric_data,
    ("ssm", "GetParameter"): _get_parameter,
    ("execute-api", "Invoke"): _invoke_api,
    ("lambda", "Invoke"): _invoke_function,
    ("sqs", "SendMessage"): _send_message,
    ("logs", "CreateLogStream"): _create_log_stream,
    ("logs", "PutLogEvents"): _put_log_events,
    ("xray", "PutTraceSegments"): _anywhere("xray:PutTraceSegments"),
    ("pricing", "GetProducts"): _anywhere("pricing:GetProducts"),
    ("service-quotas", "GetServiceQuota"): _anywhere("servicequotas:GetServiceQuota"),
    ("service-quotas", "GetAWSDefaultServiceQuota"): _anywhere("servicequotas:GetAWSDefaultServiceQuota"),
    ("service-quotas", "ListServiceQuotas"): _anywhere("servicequotas:ListServiceQuotas"),
    ("service-quotas", "ListAWSDefaultServiceQuotas"): _anywhere("servicequotas:ListAWSDefaultServiceQuotas"),
    **actions_compute.RULES,
    **actions_inference.RULES,
}

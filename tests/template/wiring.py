"""What can be wrong with how the transformed template's parts are wired; functions return sentences, none if sound."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.sandbox.iam.static_stack import StaticStack


def target_problems(stack: StaticStack) -> Iterator[str]:
    """Every rule and schedule leads to a function or topic that exists, may use it, and has a dead-letter queue."""
    functions = {stack.resolve({"Fn::GetAtt": [name, "Arn"]}) for name in stack.of_type("AWS::Lambda::Function")}
    topics = {stack.resolve({"Ref": name}) for name in stack.of_type("AWS::SNS::Topic")}
    open_topics, queue_users = _topics_open_to_rules(stack), _rules_let_into_queues(stack)
    invoked = {
        (each["Principal"], each.get("SourceArn"))
        for each in map(stack.properties, stack.of_type("AWS::Lambda::Permission"))
    }
    for name in stack.of_type("AWS::Events::Rule"):
        rule = stack.resolve({"Fn::GetAtt": [name, "Arn"]})
        for target in stack.properties(name)["Targets"]:
            arn = target["Arn"]
            if arn not in functions | topics:
                yield f"{name}: its target {arn} is no function or topic"
            if arn in functions and ("events.amazonaws.com", rule) not in invoked:
                yield f"{name}: may not invoke its target"
            if arn in topics - open_topics:
                yield f"{name}: may not publish on its target"
            yield from (f"{name}: {each}" for each in _form_problems(target))
        if rule not in queue_users:
            yield f"{name}: may not use its dead-letter queue"
    for name in stack.of_type("AWS::Scheduler::Schedule"):
        target = stack.properties(name)["Target"]
        if target["Arn"] not in functions:
            yield f"{name}: its target {target['Arn']} is no function"
        if "DeadLetterConfig" not in target:
            yield f"{name}: no dead-letter queue"


def _form_problems(target: Mapping[str, Any]) -> Iterator[str]:
    if "DeadLetterConfig" not in target or "RetryPolicy" not in target:
        yield "no dead-letter queue or retry policy"
    if "InputTransformer" in target and not _is_json(target["InputTransformer"]["InputTemplate"]):
        yield "what it would send is no JSON"


def _topics_open_to_rules(stack: StaticStack) -> set[str]:
    """Topics that EventBridge may publish on; what a condition says of it holds nobody in, as it gives no context."""
    return {
        each["Resource"]
        for name in stack.of_type("AWS::SNS::TopicPolicy")
        for each in stack.properties(name)["PolicyDocument"]["Statement"]
        if each["Effect"] == "Allow"
        and each["Principal"] == {"Service": "events.amazonaws.com"}
        and "Condition" not in each
    }


def _rules_let_into_queues(stack: StaticStack) -> set[str]:
    return {
        source
        for name in stack.of_type("AWS::SQS::QueuePolicy")
        for each in stack.properties(name)["PolicyDocument"]["Statement"]
        if each["Principal"] == {"Service": "events.amazonaws.com"}
        for source in _listed(each["Condition"]["ArnEquals"]["aws:SourceArn"])
    }


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def asynchronous_problems(stack: StaticStack) -> Iterator[str]:
    """Whatever is invoked asynchronously has somewhere for its failures to go."""
    configured = {
        each["FunctionName"]
        for each in map(stack.properties, stack.of_type("AWS::Lambda::EventInvokeConfig"))
        if each.get("DestinationConfig", {}).get("OnFailure")
    }
    for name, arn in _asynchronous_calls(stack):
        if arn.rpartition(":")[2] not in configured:
            yield f"{name}: failures of {arn} go nowhere"


def log_problems(stack: StaticStack) -> Iterator[str]:
    """Every function writes to a log group of its own, and every log group forgets."""
    groups = {stack.resolve({"Ref": name}): stack.properties(name) for name in stack.of_type("AWS::Logs::LogGroup")}
    used: set[str] = set()
    for name in stack.of_type("AWS::Lambda::Function"):
        group = stack.properties(name).get("LoggingConfig", {}).get("LogGroup")
        if group not in groups:
            yield f"{name}: no log group"
        elif group in used:
            yield f"{name}: shares its log group"
        used.add(group)
    for group, properties in groups.items():
        if not properties.get("RetentionInDays"):
            yield f"{group}: no retention"


def policy_problems(stack: StaticStack, reasons: Mapping[str, str]) -> Iterator[str]:
    """No wildcard actions; a resource of ``*`` only for actions with a reason for it."""
    for name, statement in _statements(stack):
        actions = _listed(statement.get("Action", []))
        if "NotAction" in statement or "NotResource" in statement:
            yield f"{name}: says what is not meant rather than what is"
        for action in actions:
            if "*" in action:
                yield f"{name}: the action {action}"
            if "*" in _listed(statement["Resource"]) and action not in reasons:
                yield f"{name}: {action} on every resource"


def _statements(stack: StaticStack) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name in stack.of_type("AWS::IAM::Role"):
        for policy in stack.properties(name).get("Policies", []):
            yield from ((name, each) for each in _listed(policy["PolicyDocument"]["Statement"]))
    for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
        for name in stack.of_type(kind):
            yield from ((name, each) for each in _listed(stack.properties(name)["PolicyDocument"]["Statement"]))


def _asynchronous_calls(stack: StaticStack) -> Iterator[tuple[str, str]]:
    for name in stack.of_type("AWS::Events::Rule"):
        arns = (target["Arn"] for target in stack.properties(name)["Targets"])
        yield from ((name, arn) for arn in arns if ":lambda:" in arn)
    for name in stack.of_type("AWS::Scheduler::Schedule"):
        yield name, stack.properties(name)["Target"]["Arn"]
    for name, each in stack.template["Resources"].items():
        if each["Type"].startswith("Custom::"):
            yield name, stack.properties(name)["ServiceToken"]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]

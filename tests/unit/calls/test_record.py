"""What of an AWS call is kept, and when a run has made one that is not recorded."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ParamValidationError

from tests.calls import plugin, record
from tests.calls.record import CallRecord, CallShape, Use, call_shape
from tests.calls.shapes import is_part


def a_client(service: str) -> Any:
    return boto3.client(service, "us-east-1", aws_access_key_id="t", aws_secret_access_key="t")  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("service", "operation", "params", "expected"),
    [
        ("sns", "Publish", {"TopicArn": "arn", "Message": "m"}, '{"Message": "string", "TopicArn": "string"}'),
        (
            "sns",
            "Publish",
            {"Message": "m", "MessageAttributes": {"a": {"DataType": "String"}, "b": {"DataType": "Number"}}},
            '{"Message": "string", "MessageAttributes": {"*": [{"DataType": "string"}]}}',
        ),
        (
            "autoscaling",
            "CreateOrUpdateTags",
            {"Tags": [{"Key": "a"}, {"Key": "b"}, {"Key": "c", "Value": "d"}]},
            '{"Tags": [{"Key": "string", "Value": "string"}, {"Key": "string"}]}',
        ),
        (
            "autoscaling",
            "UpdateAutoScalingGroup",
            {"AutoScalingGroupName": "a", "MinSize": 0, "MaxSize": 2},
            '{"AutoScalingGroupName": "string", "MaxSize": "integer", "MinSize": "no integer"}',
        ),
        (
            "dynamodb",
            "GetItem",
            {"TableName": "t", "Key": {"name": {"S": "a"}}, "ConsistentRead": True},
            '{"ConsistentRead": "boolean", "Key": {"*": ["AttributeValue"]}, "TableName": "string"}',
        ),
    ],
)
def test_a_shape_has_types_for_values(service: str, operation: str, params: dict[str, Any], expected: str) -> None:
    assert call_shape(a_client(service), operation, params) == CallShape(service, operation, expected)


def test_a_parameter_that_there_is_not_is_left_to_the_sdk() -> None:
    assert call_shape(a_client("sns"), "Publish", {"Topic": "arn"}) is None


@pytest.mark.parametrize(
    ("shape", "whole", "expected"),
    [
        ({"a": "string"}, {"a": "string"}, True),
        ({"a": "string"}, {"a": "integer"}, False),
        ({"a": "string"}, {"a": "string", "b": "string"}, False),  # what is required may be missing
        ({"a": ["string"]}, {"a": [{"b": "string"}, "string"]}, True),
        ({"a": [{"b": "string"}]}, {"a": [{"b": "string", "c": "string"}]}, False),
        ({"a": []}, {"a": ["string"]}, True),
        ({"a": "integer"}, {"a": "no integer"}, True),
        ({"a": "no integer"}, {"a": "integer"}, False),
    ],
)
def test_a_shape_with_fewer_kinds_of_entries_and_no_lower_values_is_a_part(
    shape: Any, whole: Any, expected: bool
) -> None:
    assert is_part(shape, whole) is expected


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    calls = {
        CallShape("sns", "Publish", '{"Message": "string"}'),
        CallShape("sns", "Publish", '{"TopicArn": "string"}'),
    }
    uses = {Use("Role", "sns:Publish", "Topic"), Use("Role", "sns:Publish", "Other"), Use("Another", "a:B", "*")}
    CallRecord(calls, uses).write(tmp_path / "calls.json")
    assert CallRecord.read(tmp_path / "calls.json") == CallRecord(calls, uses)


def test_a_part_of_a_shape_is_not_written(tmp_path: Path) -> None:
    whole = CallShape("sns", "PublishBatch", '{"Entries": [{"Id": "string"}, {"Message": "string"}]}')
    part = CallShape("sns", "PublishBatch", '{"Entries": [{"Id": "string"}]}')
    CallRecord({whole, part}).write(tmp_path / "calls.json")
    assert CallRecord.read(tmp_path / "calls.json").calls == {whole}


@pytest.mark.parametrize(("caller", "seen"), [("spillway.adapters.x", True), ("tests.unit.x", False)])
def test_calls_of_the_product_are_seen_and_no_others(monkeypatch: pytest.MonkeyPatch, caller: str, seen: bool) -> None:
    monkeypatch.setattr(record, "SEEN", CallRecord())
    place: dict[str, Any] = {"__name__": caller, "sns": a_client("sns")}
    exec("def call(): sns.publish(Message='m', TopicArn='arn', Subject=7)", place)
    with pytest.raises(ParamValidationError):
        place["call"]()
    assert bool(record.SEEN.calls) is seen


@pytest.mark.parametrize(("known", "status"), [(True, 0), (False, pytest.ExitCode.TESTS_FAILED)])
def test_a_run_with_a_call_that_is_not_recorded_fails(
    monkeypatch: pytest.MonkeyPatch, known: bool, status: int
) -> None:
    seen = CallRecord({CallShape("sns", "Publish", '{"Message": "string"}')})
    monkeypatch.setattr(plugin, "SEEN", seen)
    monkeypatch.setattr(CallRecord, "read", lambda: seen if known else CallRecord())
    session: Any = SimpleNamespace(config=SimpleNamespace(getoption=lambda _: None), exitstatus=0)
    check, said = plugin.CallCheck(), list[str]()
    check.pytest_sessionfinish(session)
    check.pytest_terminal_summary(SimpleNamespace(write_line=lambda line, red: said.append(line)))
    assert session.exitstatus == status
    assert [line.split(" was")[0] for line in said] == ([] if known else ["FAILED sns Publish"])


def test_what_another_process_saw_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = CallRecord({CallShape("sns", "Publish", '{"Message": "string"}')}, {Use("Role", "sns:Publish", "Topic")})
    theirs: Any = SimpleNamespace(config=SimpleNamespace(workeroutput={}))
    monkeypatch.setattr(plugin, "SEEN", seen)
    plugin.CallCheck().pytest_sessionfinish(theirs)
    monkeypatch.setattr(plugin, "SEEN", ours := CallRecord())
    plugin.CallCheck().pytest_testnodedown(theirs.config)
    assert ours == seen


@pytest.mark.parametrize(("asked", "kept"), [(plugin.ADD, {"before", "now"}), (plugin.ANEW, {"now"})])
def test_a_run_adds_to_the_record_or_begins_it_anew(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, asked: str, kept: set[str]
) -> None:
    file = tmp_path / "calls.json"
    write = CallRecord.write
    CallRecord({CallShape("sns", "before", "{}")}).write(file)
    monkeypatch.setattr(plugin, "SEEN", CallRecord({CallShape("sns", "now", "{}")}))
    monkeypatch.setattr(CallRecord, "read", classmethod(lambda cls: cls.from_json(json.loads(file.read_text()))))
    monkeypatch.setattr(CallRecord, "write", lambda self: write(self, file))
    session: Any = SimpleNamespace(config=SimpleNamespace(getoption=lambda _: asked), exitstatus=0)
    plugin.CallCheck().pytest_sessionfinish(session)
    assert {call.operation for call in CallRecord.read().calls} == kept

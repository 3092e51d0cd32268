"""Custom resources are asked in CloudFormation's order, and a refusal stops what CloudFormation would stop."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.sandbox.cloud.calls import AwsError
from tests.sandbox.runtime.creation import Made
from tests.sandbox.runtime.custom_resources import CustomResourceError, Question, texts
from tests.sandbox.runtime.stack_life import StackLife
from tests.sandbox.runtime.template_stack import Target, TemplateStack

PLAIN = "AWS::Lambda::Permission"  # one that the sandbox does not really make


@dataclass
class Functions:
    """``refused`` are the kind and the resource of requests that fail, ``ids`` the physical ids that are answered."""

    refused: set[tuple[str, str]] = field(default_factory=set)
    ids: dict[str, str] = field(default_factory=dict)
    asked: list[Question] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)
    life: StackLife | None = None

    def ask(self, stack: TemplateStack, question: Question) -> Made:
        self.asked.append(question)
        self.statuses.append(self.life.status if self.life else "")
        if (question.kind, question.logical_id) in self.refused:
            raise CustomResourceError(f"{question.logical_id}: no")
        return Made(self.ids.get(question.logical_id, question.logical_id))

    def log(self) -> list[tuple[str, str]]:
        return [(one.kind, one.logical_id) for one in self.asked]


def a_life(functions: Functions, resources: Mapping[str, Any]) -> StackLife:
    template = {"Resources": resources, "Parameters": {"Size": {"Type": "String", "Default": "1"}}}
    stack = TemplateStack(template, {}, Target("http://127.0.0.1:1", "us-east-1", "123456789012"))
    stack.create()
    life = functions.life = StackLife(stack, functions)  # type: ignore[arg-type]
    life.create()
    functions.asked.clear()
    functions.statuses.clear()
    return life


def custom(*needed: str, **properties: Any) -> dict[str, Any]:
    return {"Type": "Custom::Thing", "DependsOn": list(needed), "Properties": {"ServiceToken": "arn", **properties}}


def plain(*needed: str) -> dict[str, Any]:
    return {"Type": PLAIN, "DependsOn": list(needed)}


def test_a_refused_deletion_keeps_what_the_refuser_needs_and_nothing_else() -> None:
    functions = Functions(refused={("Delete", "Guard")})
    life = a_life(functions, {"Guard": custom("Kept"), "Kept": plain("Base"), "Base": plain(), "Aside": plain("Base")})
    outcome = life.delete()
    assert (outcome.status, outcome.reasons) == ("DELETE_FAILED", ("Guard: no",))
    assert outcome.standing == {"Guard", "Kept", "Base"}
    functions.refused.clear()
    assert life.delete().standing == set()
    assert life.status == "DELETE_COMPLETE"


def test_who_needs_another_is_made_after_and_deleted_before_it() -> None:
    functions = Functions()
    life = a_life(functions, {"First": custom("Last"), "Last": custom()})
    life.delete()
    assert functions.log() == [("Delete", "First"), ("Delete", "Last")]
    assert set(functions.statuses) == {"DELETE_IN_PROGRESS"}


def test_an_update_asks_only_what_changes_and_goes_back_as_a_whole() -> None:
    size = {"Ref": "Size"}
    functions = Functions(refused={("Update", "Second")})
    resources = {"Second": custom("First", Size=size), "First": custom(Size=size), "Third": custom("Second", Size=size)}
    life = a_life(functions, {**resources, "Other": custom()})
    outcome = life.update({"Size": "2"})
    # Going back is refused here too, which CloudFormation can't help.
    assert outcome.status == "UPDATE_ROLLBACK_FAILED"
    assert functions.log() == [("Update", name) for name in ("First", "Second", "First", "Second")]
    there, back = functions.asked[1], functions.asked[3]
    assert (there.properties, there.before) == (back.before, back.properties)
    assert functions.statuses == ["UPDATE_IN_PROGRESS"] * 2 + ["UPDATE_ROLLBACK_IN_PROGRESS"] * 2
    assert life.stack.properties("First")["Size"] == "1"


def test_what_an_update_replaces_is_deleted_after_it() -> None:
    functions = Functions()
    life = a_life(functions, {"Key": custom(Size={"Ref": "Size"})})
    functions.ids["Key"] = "another"
    assert life.update({"Size": "2"}).status == "UPDATE_COMPLETE"
    assert [(one.kind, one.physical_id) for one in functions.asked] == [("Update", "Key"), ("Delete", "Key")]
    assert functions.statuses[-1] == "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
    assert life.stack.ref("Key") == "another"


def test_the_stack_is_described_by_its_id_alone_or_name() -> None:
    life = a_life(Functions(), {})
    for name in ("spillway", life.stack.target.stack_id):
        assert life.describe({"StackName": name})["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"
    with pytest.raises(AwsError, match="does not exist"):
        life.describe({"StackName": "another"})


def test_functions_get_texts_for_numbers_and_truth_values() -> None:
    assert texts({"a": [True, 1.5, "x"], "b": {"c": 60}}) == {"a": ["true", "1.5", "x"], "b": {"c": "60"}}

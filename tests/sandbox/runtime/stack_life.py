"""The life of a stack after its resources were made: its custom resources' create, its updates, its deletion."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.sandbox.cloud.calls import AwsError
from tests.sandbox.runtime.custom_resources import CustomResourceError, CustomResources, Question
from tests.sandbox.runtime.dependencies import all_needs, needs
from tests.sandbox.runtime.template_stack import TemplateStack


@dataclass(frozen=True)
class Outcome:
    """How an operation on the stack ended: CloudFormation's status, the reasons of failures, what still stands."""

    status: str
    reasons: tuple[str, ...] = ()
    standing: frozenset[str] = frozenset()


@dataclass
class StackLife:
    """Custom resources are really asked, in CloudFormation's order; of all other resources only the order is played."""

    stack: TemplateStack
    custom: CustomResources
    status: str = "CREATE_IN_PROGRESS"
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def create(self) -> None:
        """Make the custom resources in order of need; blocks. Raises CustomResourceError."""
        for name in _custom(self.stack):
            made = self.custom.ask(self.stack, Question("Create", name, self.stack.properties(name)))
            self.stack.set_custom(name, made)
        self.status = "CREATE_COMPLETE"

    def update(self, parameters: Mapping[str, str]) -> Outcome:
        """Ask each custom resource whose properties change; at the first refusal all go back. Blocks."""
        changed = self.stack.with_parameters(parameters)
        self.status = "UPDATE_IN_PROGRESS"
        asked: list[Question] = []
        for question in self._updates(changed):
            asked.append(question)
            try:
                changed.set_custom(question.logical_id, self.custom.ask(self.stack, question))
            except CustomResourceError as refused:
                return self._roll_back(asked, str(refused))
        self.status = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
        for question in asked:
            if changed.ref(question.logical_id) != question.physical_id:
                self.custom.ask(self.stack, _deletion(self.stack, question.logical_id))
        self.stack = changed
        self.status = "UPDATE_COMPLETE"
        return Outcome(self.status)

    def delete(self) -> Outcome:
        """Delete what nothing that stands needs, again and again; what failed keeps what it needs. Blocks."""
        self.status = "DELETE_IN_PROGRESS"
        direct = needs(self.stack)
        standing, failed = set(direct), dict[str, str]()
        while free := [name for name in standing - failed.keys() if not any(name in direct[one] for one in standing)]:
            for name in free:
                try:
                    if self.stack.is_custom(name):
                        self.custom.ask(self.stack, _deletion(self.stack, name))
                    standing.remove(name)
                except CustomResourceError as refused:
                    failed[name] = str(refused)
        self.status = "DELETE_FAILED" if failed else "DELETE_COMPLETE"
        return Outcome(self.status, tuple(failed.values()), frozenset(standing))

    def describe(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Answer DescribeStacks."""
        target = self.stack.target
        if params["StackName"] not in (target.stack, target.stack_id):
            raise AwsError("ValidationError", f"Stack with id {params['StackName']} does not exist")
        stack = {"StackName": target.stack, "StackId": target.stack_id, "CreationTime": self.created_at}
        return {"Stacks": [{**stack, "StackStatus": self.status}]}

    def _updates(self, changed: TemplateStack) -> Iterator[Question]:
        for name in _custom(changed):
            before, after = self.stack.properties(name), changed.properties(name)
            if before != after:
                yield Question("Update", name, after, before, self.stack.ref(name))

    def _roll_back(self, asked: list[Question], reason: str) -> Outcome:
        """The one that failed is asked again too, and by the same request with both properties exchanged."""
        self.status = "UPDATE_ROLLBACK_IN_PROGRESS"
        for one in asked:
            assert one.before is not None
            back = Question("Update", one.logical_id, one.before, one.properties, one.physical_id)
            try:
                self.custom.ask(self.stack, back)
            except CustomResourceError as refused:
                self.status = "UPDATE_ROLLBACK_FAILED"
                return Outcome(self.status, (reason, str(refused)))
        self.status = "UPDATE_ROLLBACK_COMPLETE"
        return Outcome(self.status, (reason,))


def _custom(stack: TemplateStack) -> list[str]:
    direct = needs(stack)
    # Who needs another needs all that this needs, and this.
    return sorted(filter(stack.is_custom, direct), key=lambda name: len(all_needs(direct, name)))


def _deletion(stack: TemplateStack, name: str) -> Question:
    return Question("Delete", name, stack.properties(name), physical_id=stack.ref(name))

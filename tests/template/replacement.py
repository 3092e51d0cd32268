"""What an update of the stack replaces, by CloudFormation's own schemas: cfn-lint ships them."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from tests.sandbox.iam.static_stack import StaticStack


def replaced(before: StaticStack, after: StaticStack) -> set[str]:
    """Return the logical ids of what another value of a create-only property replaces, and of what hangs on that."""
    resources = after.template["Resources"]
    kept = [name for name in resources if name in before.template["Resources"] and both_exist(name, before, after)]
    found = {name for name in kept if _fixed(before, name) != _fixed(after, name)}
    while more := {name for name in kept if named(_written(after, name)) & found} - found:
        found |= more
    return found


def both_exist(name: str, before: StaticStack, after: StaticStack) -> bool:
    """Whether a resource's condition holds before and after."""
    return before.exists(name) and after.exists(name)


def named(value: Any) -> set[str]:
    """Return the logical ids that a value refers to."""
    return set(_names(value))


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _names(each)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key == "Ref":
                yield inner
            elif key == "Fn::GetAtt":
                yield inner[0]
            else:
                yield from _names(inner)


def _fixed(stack: StaticStack, name: str) -> Any:
    return stack.resolve(_written(stack, name))


def _written(stack: StaticStack, name: str) -> dict[str, Any]:
    """Return a resource's create-only properties as they are written."""
    resource = stack.template["Resources"][name]
    fixed = create_only(resource["Type"])
    return {key: value for key, value in resource.get("Properties", {}).items() if key in fixed}


@cache
def create_only(kind: str) -> frozenset[str]:
    """Return the top-level properties of a type that cannot change; none of a type that is no AWS resource."""
    if not kind.startswith("AWS::"):
        return frozenset()
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    return frozenset(path.split("/")[2] for path in schema.get("createOnlyProperties", []))

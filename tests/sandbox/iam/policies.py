"""The policies of a transformed template's roles, resolved, and whether they let a call through."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any, Protocol

from tests.calls.record import Use
from tests.sandbox.iam.actions import requests_of
from tests.sandbox.iam.conditions import PolicyError
from tests.sandbox.iam.evaluate import Decision, Statement, evaluate
from tests.sandbox.iam.managed import STATEMENTS
from tests.sandbox.iam.request import Place, Request
from tests.sandbox.iam.wildcards import glob
from tests.sandbox.runtime.intrinsics import TemplateError


class Stack(Protocol):
    """A template whose references can be resolved: ``StaticStack`` here, ``TemplateStack`` in the sandbox."""

    @property
    def template(self) -> Mapping[str, Any]: ...

    def exists(self, logical_id: str) -> bool:
        """Whether a resource's condition holds."""
        ...

    def resolve(self, value: Any) -> Any:
        """Return a value with its intrinsic functions evaluated."""
        ...


class RolePolicies:
    """Statements of the roles of one stack, by logical id or by ARN."""

    def __init__(self, stack: Stack, place: Place) -> None:
        self._stack = stack
        self._place = place
        self._statements: dict[str, list[Statement]] = {}
        self.used: set[Use] = set()  # what let a call through

    @cached_property
    def roles(self) -> Mapping[str, str]:
        """Return the logical ids of all roles by their ARNs."""
        return {self._stack.resolve({"Fn::GetAtt": [name, "Arn"]}): name for name in self._of_type("AWS::IAM::Role")}

    def statements(self, role: str) -> Sequence[Statement]:
        """Return all statements of a role, given by logical id: inline, attached beside it, and managed."""
        if role not in self._statements:
            self._statements[role] = [*self._inline(role), *self._beside(role), *self._managed(role)]
        return self._statements[role]

    def refusal(self, role_arn: str, service: str, operation: str, params: Mapping[str, Any]) -> str | None:
        """Return why a call of boto3's is denied, or None; raise UnknownOperation for one that isn't taught."""
        role = self.roles[role_arn]
        used: set[Use] = set()
        for request in requests_of(service, operation, params, self._place):
            decision = evaluate(self.statements(role), request.action, request.resource, request.context)
            if decision.statement is None or not decision.allowed:
                return _sentence(role, request, decision)
            patterns = _listed(decision.statement["Resource"])
            used |= {
                Use(role, request.action, self._names[pattern])
                for pattern in patterns
                if glob(pattern).fullmatch(request.resource)
            }
        self.used |= used
        return None

    def grants(self, role: str) -> frozenset[Use]:
        """Return each action that a role may do with each resource, as the template names it; AWS's policies aside."""
        return frozenset(
            Use(role, action, self._names[pattern])
            for statement in [*self._inline(role), *self._beside(role), *self._managed(role, of_aws=False)]
            if statement["Effect"] == "Allow"
            for action in _listed(statement["Action"])
            for pattern in _listed(statement["Resource"])
        )

    @cached_property
    def _names(self) -> Mapping[str, str]:
        """How the template writes each resource that a policy names, by what it resolves to."""
        names: dict[str, str] = {}
        for written in _resources_in(self._stack.template["Resources"]):
            with suppress(TemplateError):  # a branch that does not hold names what is not there
                names.setdefault(str(self._stack.resolve(written)), _as_written(written))
        return names

    def _inline(self, role: str) -> list[Statement]:
        policies = self._properties(role).get("Policies", [])
        return [each for policy in policies for each in _listed(policy["PolicyDocument"]["Statement"])]

    def _beside(self, role: str) -> list[Statement]:
        """Return what policies that stand as resources of their own give a role."""
        ref = self._stack.resolve({"Ref": role})
        found: list[Statement] = []
        for kind in ("AWS::IAM::Policy", "AWS::IAM::RolePolicy", "AWS::IAM::ManagedPolicy"):
            for name in self._of_type(kind):
                policy = self._properties(name)
                if ref in (policy.get("RoleName"), *policy.get("Roles", [])):
                    found += _listed(policy["PolicyDocument"]["Statement"])
        return found

    def _managed(self, role: str, *, of_aws: bool = True) -> list[Statement]:
        ours = {self._stack.resolve({"Ref": name}): name for name in self._of_type("AWS::IAM::ManagedPolicy")}
        found: list[Statement] = []
        for arn in self._properties(role).get("ManagedPolicyArns", []):
            if arn in ours:
                found += _listed(self._properties(ours[arn])["PolicyDocument"]["Statement"])
            elif (name := arn.rpartition("/")[2]) in STATEMENTS:
                found += STATEMENTS[name] if of_aws else ()
            else:
                raise PolicyError(f"the policy {arn} of {role} is not in tests/sandbox/iam/managed.py")
        return found

    def _properties(self, logical_id: str) -> Mapping[str, Any]:
        resolved: Mapping[str, Any] = self._stack.resolve(self._stack.template["Resources"][logical_id]["Properties"])
        return resolved

    def _of_type(self, kind: str) -> list[str]:
        resources = self._stack.template["Resources"]
        return [name for name, each in resources.items() if each["Type"] == kind and self._stack.exists(name)]


def _resources_in(value: Any) -> Iterator[Any]:
    """Yield what stands under ``Resource`` in policies, each branch of a condition by itself."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _branches(part) if key == "Resource" else _resources_in(part)
    elif isinstance(value, list):
        for part in value:
            yield from _resources_in(part)


def _branches(value: Any) -> Iterator[Any]:
    match value:
        case list():
            for part in value:
                yield from _branches(part)
        case {"Fn::If": [_, *branches]}:
            yield from _branches(branches)
        case _:
            yield value


def _as_written(resource: Any) -> str:
    match resource:
        case str(text) | {"Fn::Sub": str(text)} | {"Fn::Sub": [str(text), _]}:
            return text.removeprefix("arn:${AWS::Partition}:")
        case {"Ref": name} | {"Fn::GetAtt": [name, "Arn"]}:
            return str(name)
        case _:
            return json.dumps(resource)


def _sentence(role: str, request: Request, decision: Decision) -> str:
    context = f" with {dict(request.context)}" if request.context else ""
    return f"{role} may not do {request.action} on {request.resource}{context}: {decision.effect}"


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]

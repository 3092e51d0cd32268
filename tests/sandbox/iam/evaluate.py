"""IAM's own evaluation of policy statements: an explicit deny wins, an allow lets through, silence denies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tests.sandbox.iam.conditions import Context, PolicyError, conditions_hold
from tests.sandbox.iam.wildcards import glob

Statement = Mapping[str, Any]


class Effect(StrEnum):
    """How a request fares."""

    ALLOW = "allow"
    IMPLICIT_DENY = "implicit deny"
    EXPLICIT_DENY = "explicit deny"


@dataclass(frozen=True)
class Decision:
    """The outcome, and the statement that decided it (None for silence)."""

    effect: Effect
    statement: Statement | None = None

    @property
    def allowed(self) -> bool:
        """Whether the request goes through."""
        return self.effect is Effect.ALLOW


def evaluate(statements: Sequence[Statement], action: str, resource: str, context: Context) -> Decision:
    """Evaluate one action on one resource; raise PolicyError for a statement that can't be understood."""
    matching = [each for each in statements if _applies(each, action, resource, context)]
    for statement in matching:
        if statement["Effect"] == "Deny":
            return Decision(Effect.EXPLICIT_DENY, statement)
    if matching:
        return Decision(Effect.ALLOW, matching[0])
    return Decision(Effect.IMPLICIT_DENY)


def _applies(statement: Statement, action: str, resource: str, context: Context) -> bool:
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise PolicyError(f"a statement without an effect: {statement}")
    return (
        _named(statement, "Principal", lambda each: _is_principal(each, context), optional=True)
        and _named(statement, "Action", lambda each: glob(each.lower()).fullmatch(action.lower()) is not None)
        and _named(statement, "Resource", lambda each: glob(_checked(each)).fullmatch(resource) is not None)
        and conditions_hold(statement.get("Condition", {}), context)
    )


def _named(statement: Statement, element: str, matches: Any, *, optional: bool = False) -> bool:
    if element in statement:
        return any(matches(each) for each in _listed(statement[element]))
    if f"Not{element}" in statement:
        return not any(matches(each) for each in _listed(statement[f"Not{element}"]))
    if optional:
        return True
    raise PolicyError(f"a statement with neither {element} nor Not{element}: {statement}")


def _is_principal(principal: Any, context: Context) -> bool:
    if principal == "*":
        return True
    named = principal if isinstance(principal, Mapping) else {}
    roles, services = (_listed(named.get(kind, [])) for kind in ("AWS", "Service"))
    return (
        "*" in roles or context.get("aws:PrincipalArn") in roles or context.get("aws:PrincipalServiceName") in services
    )


def _checked(pattern: str) -> str:
    if "${" in pattern:
        raise PolicyError(f"policy variables are not understood here: {pattern}")
    return pattern


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]

"""Every permission of a role lets some call of the suite through, or says why it is there all the same."""

from collections.abc import Iterator, Sequence

import pytest

from tests.calls.plugin import RECORD
from tests.calls.record import CallRecord, Use
from tests.sandbox.iam.policies import RolePolicies
from tests.sandbox.iam.request import Place
from tests.sandbox.iam.static_stack import StaticStack
from tests.template.everything import EVERYTHING
from tests.template.transform import transformed
from tests.template.unused_permissions import REASONS, Reason


@pytest.fixture(scope="module")
def grants() -> frozenset[Use]:
    """What all roles may do when every option is on."""
    policies = RolePolicies(StaticStack(transformed(EVERYTHING), EVERYTHING), Place())
    return frozenset[Use]().union(*(policies.grants(role) for role in policies.roles.values()))


def problems(grants: frozenset[Use], used: frozenset[Use], reasons: Sequence[Reason]) -> Iterator[str]:
    """Name permissions without use or reason, uses that nothing permits, and reasons for what there is not."""
    for grant in sorted(grants - used):
        if not any(reason.covers(grant) for reason in reasons):
            yield f"no call of the suite needs {' '.join(grant)}: take it away, or say in unused_permissions.py why not"
    for use in sorted(used - grants):
        yield f"{' '.join(use)} is recorded and no longer permitted: run `make calls`"
    for reason in reasons:
        if not any(reason.covers(grant) for grant in grants):
            yield f"there is no permission that is meant by {reason}"


def test_every_permission_is_used_or_has_a_reason(grants: frozenset[Use], request: pytest.FixtureRequest) -> None:
    if request.config.getoption(RECORD):
        pytest.skip("what is used is being recorded")
    assert list(problems(grants, frozenset(CallRecord.read().uses), REASONS)) == []


READ, WRITE = Use("Role", "things:Read", "*"), Use("Role", "things:Write", "Thing")


@pytest.mark.parametrize(
    ("grants", "used", "reasons", "expected"),
    [
        ({READ, WRITE}, {READ, WRITE}, [], []),
        ({READ, WRITE}, {READ}, [Reason("Role", "things:W*", "*", "at times")], []),
        ({READ, WRITE}, {READ}, [], ["no call of the suite needs Role things:Write Thing"]),
        ({READ, WRITE}, {READ}, [Reason("Role", "things:W*", "Other", "")], ["no call", "there is no permission"]),
        ({READ}, {READ, WRITE}, [], ["Role things:Write Thing is recorded and no longer permitted"]),
    ],
)
def test_what_is_idle_or_gone_is_named(
    grants: set[Use], used: set[Use], reasons: list[Reason], expected: list[str]
) -> None:
    found = list(problems(frozenset(grants), frozenset(used), reasons))
    assert [said.startswith(start) for said, start in zip(found, expected, strict=True)] == [True] * len(expected)

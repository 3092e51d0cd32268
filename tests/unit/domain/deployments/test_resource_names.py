"""Names are within every service's limit and begin with what the roles' permissions name."""

import pytest

from spillway.domain.deployments.resource_names import STACK_NAME_LIMIT, Names, stack_name_problem

DEPLOYMENTS = ["d" * length for length in range(2, 41)]


def is_permitted(stack: str, deployment: str) -> bool:
    """Whether the roles' permissions for "<stack>-*" fit what SageMaker and the load balancer make of the names."""
    names = Names(stack, deployment)
    return names.base.lower().startswith(f"{stack}-") and names.target_group.startswith(f"{stack}-")


@pytest.mark.parametrize("length", range(1, STACK_NAME_LIMIT + 1))
def test_whatever_a_stack_of_a_good_name_makes_is_permitted_to_it(length: int) -> None:
    for stack in {"s" * length, ("s-" * length)[:length].rstrip("-") or "s"}:
        assert stack_name_problem(stack) is None
        assert all(is_permitted(stack, deployment) for deployment in DEPLOYMENTS)
        assert all(len(Names(stack, deployment).target_group) <= 32 for deployment in DEPLOYMENTS)


@pytest.mark.parametrize("stack", ["s" * (STACK_NAME_LIMIT + 1), "Spillway", "s" * (STACK_NAME_LIMIT - 2) + "-"])
def test_a_bad_name_is_one_whose_deployments_would_not_be_permitted(stack: str) -> None:
    assert not all(is_permitted(stack, deployment) for deployment in DEPLOYMENTS)
    problem = stack_name_problem(stack)
    assert problem is not None
    assert f"'{stack}'" in problem
    assert f"1 to {STACK_NAME_LIMIT} lower-case letters" in problem


@pytest.mark.parametrize(
    ("stack", "better"),
    [("Spillway-Prod", "spillway-prod"), ("a-very-long-name-of-a-stack", "a-very-long-name-of-a-s"), ("s-", "s")],
)
def test_the_name_that_is_offered_instead_is_a_good_one(stack: str, better: str) -> None:
    assert f"sam deploy --stack-name {better}" in (stack_name_problem(stack) or "")
    assert stack_name_problem(better) is None

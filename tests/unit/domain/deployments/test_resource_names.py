"""Names are within every service's limit and begin with what the roles' permissions name."""

import re

import pytest
from botocore.session import Session

from spillway.domain.deployments.resource_names import STACK_NAME_LIMIT, Names, stack_name_problem

LENGTHS = ["d" * length for length in range(2, 41)]


def is_permitted(stack: str, deployment: str) -> bool:
    """Whether the roles' permissions for "<stack>-*" fit what SageMaker and the load balancer make of the names."""
    names = Names(stack, deployment)
    return names.base.lower().startswith(f"{stack}-") and names.target_group.startswith(f"{stack}-")


@pytest.mark.parametrize("length", range(1, STACK_NAME_LIMIT + 1))
def test_whatever_a_stack_of_a_good_name_makes_is_permitted_to_it(length: int) -> None:
    for stack in {"s" * length, ("s-" * length)[:length].rstrip("-") or "s"}:
        assert stack_name_problem(stack) is None
        assert all(is_permitted(stack, deployment) for deployment in LENGTHS)
        assert all(len(Names(stack, deployment).target_group) <= 32 for deployment in LENGTHS)


@pytest.mark.parametrize(
    "stack", ["s" * (STACK_NAME_LIMIT + 1), "Spillway", "s" * (STACK_NAME_LIMIT - 2) + "-", "two--dashes"]
)
def test_a_bad_name_is_one_whose_deployments_would_not_be_permitted(stack: str) -> None:
    assert not all(is_permitted(stack, deployment) for deployment in LENGTHS)
    problem = stack_name_problem(stack)
    assert problem is not None
    assert f"'{stack}'" in problem
    assert f"1 to {STACK_NAME_LIMIT} lower-case letters" in problem


@pytest.mark.parametrize(
    ("stack", "better"),
    [
        ("Spillway-Prod", "spillway-prod"),
        ("a-very-long-name-of-a-stack", "a-very-long-name-of-a-s"),
        ("s-", "s"),
        ("a--b", "a-b"),
    ],
)
def test_the_name_that_is_offered_instead_is_a_good_one(stack: str, better: str) -> None:
    assert f"sam deploy --stack-name {better}" in (stack_name_problem(stack) or "")
    assert stack_name_problem(better) is None


STACKS = ("s", "spillway", "My-Stack", "s--", "x" * 128)
DEPLOYMENTS = ("ab", "support-llama", "a--b", "a---------b", f"a{'-' * 38}b", f"a{'b-' * 19}z", "z" * 40)
EVERY = [(stack, deployment) for stack in STACKS for deployment in DEPLOYMENTS]
# What ELB answers to another name says it so; its API's page lacks the first part.
TARGET_GROUP = r"(?!.*--)(?!-)(?!.*-$)[A-Za-z0-9-]{1,32}"
# The services whose models say what a name may be, by the property.
SHAPES = [
    ("base", "sagemaker", "ModelName"),
    ("base", "sagemaker", "EndpointConfigName"),
    ("base", "sagemaker", "EndpointName"),
    ("base", "sagemaker", "InferenceComponentName"),
    ("base", "ec2", "LaunchTemplateName"),
    ("base", "autoscaling", "XmlStringMaxLen255"),
    ("imported_model", "bedrock", "ImportedModelName"),
]


@pytest.mark.parametrize(("part", "service", "shape"), SHAPES)
def test_a_services_model_takes_every_name(part: str, service: str, shape: str) -> None:
    rules = Session().get_service_model(service).shape_for(shape).metadata
    for stack, deployment in EVERY:
        name = getattr(Names(stack, deployment), part)
        assert rules.get("min", 1) <= len(name) <= rules["max"], name
        if pattern := rules.get("pattern", "").replace(r"\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF", " -~"):
            assert re.fullmatch(pattern, name), name


def test_a_target_groups_name_is_one() -> None:
    for stack, deployment in EVERY:
        name = Names(stack, deployment).target_group
        assert re.fullmatch(TARGET_GROUP, name), name


@pytest.mark.parametrize("part", ["base", "target_group", "imported_model"])
def test_no_two_deployments_of_a_stack_share_a_name(part: str) -> None:
    for stack in STACKS:
        names = [getattr(Names(stack, deployment), part) for deployment in (*DEPLOYMENTS, "a-b", "a---b")]
        assert len(set(names)) == len(names)

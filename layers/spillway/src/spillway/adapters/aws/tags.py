"""Tags in the form that most AWS services take them, and what they say about whose a resource is."""

from collections.abc import Iterable, Mapping
from typing import Any

from spillway.domain.deployments.resource_names import DEPLOYMENT_TAG, STACK_TAG, Names
from spillway.domain.errors import Conflict


def tag_list(names: Names) -> list[Any]:
    """Return the tags of everything that belongs to a deployment; every service's stubs type them differently."""
    return [{"Key": key, "Value": value} for key, value in names.tags.items()]


def tags_of(listed: Iterable[Any] | None) -> dict[str, str]:
    """Read back such a list; services that show a resource without tags leave it out."""
    return {tag["Key"]: tag.get("Value", "") for tag in listed or ()}


def is_owned(names: Names, tags: Mapping[str, str]) -> bool:
    """Whether something of these tags was made for this deployment of this stack: its name alone does not say so."""
    return names.tags.items() <= tags.items()


def expect_owned(names: Names, what: str, tags: Mapping[str, str]) -> None:
    """Raise Conflict for something under a name of the deployment's that is not its own."""
    if is_owned(names, tags):
        return
    owner = "something else than Spillway"
    if STACK_TAG in tags:
        owner = f"deployment '{tags.get(DEPLOYMENT_TAG, '')}' of the stack '{tags[STACK_TAG]}'"
    raise Conflict(
        f"{what} is there already and belongs to {owner}: give deployment '{names.deployment}' of the stack "
        f"'{names.stack}' another name",
        param="name",
        code="name_in_use",
    )

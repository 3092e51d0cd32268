"""Tags in the form that most AWS services take them."""

from typing import Any

from spillway.domain.deployments.resource_names import Names


def tag_list(names: Names) -> list[Any]:
    """Return the tags of everything that belongs to a deployment; every service's stubs type them differently."""
    return [{"Key": key, "Value": value} for key, value in names.tags.items()]

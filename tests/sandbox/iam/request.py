"""One question to IAM: may this action be done to this resource, in this context?"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.sandbox.iam.conditions import Context


class UnknownOperation(LookupError):
    """An AWS call whose permissions nobody has taught this module yet."""


@dataclass(frozen=True)
class Request:
    """``resource`` is ``*`` for an action that AWS can't limit to one."""

    action: str
    resource: str = "*"
    context: Context = field(default_factory=dict)


@dataclass(frozen=True)
class LaunchTemplate:
    """What AWS looks up when a call names a launch template."""

    id: str
    tags: Mapping[str, str]
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Place:
    """Where calls are made, and what AWS knows there that a call's parameters don't say.

    ``launch_template`` finds one by name or id, None if there is none; ``imported_tags`` are those of one of Bedrock's
    imported models, by name or ARN, none of one that is not there; ``profile_roles`` are the roles of instance
    profiles, by the profile's ARN; ``vpc_id`` is the VPC of every subnet and security group.
    """

    region: str = "us-east-1"
    account: str = "123456789012"
    launch_template: Callable[[str], LaunchTemplate | None] = lambda _name: None
    imported_tags: Callable[[str], Mapping[str, str]] = lambda _name: {}
    profile_roles: Mapping[str, str] = field(default_factory=dict)
    vpc_id: str | None = None

    def arn(self, service: str, resource: str, *, account: str | None = None, region: str | None = None) -> str:
        """Return an ARN, by default in this account and region."""
        owner = self.account if account is None else account
        where = self.region if region is None else region
        return f"arn:aws:{service}:{where}:{owner}:{resource}"

    def or_arn(self, service: str, prefix: str, name: str) -> str:
        """Return a name's ARN; a name that is an ARN already stays."""
        return name if name.startswith("arn:") else self.arn(service, prefix + name)


def tag_context(tags: Mapping[str, str], prefix: str = "aws:RequestTag") -> dict[str, str | list[str]]:
    """Return the context keys of tags that a request gives (or, by prefix, that a resource has)."""
    keys: dict[str, str | list[str]] = {f"{prefix}/{key}": value for key, value in tags.items()}
    if prefix == "aws:RequestTag" and tags:
        keys["aws:TagKeys"] = sorted(tags)
    return keys


def tags_of(listed: Any) -> dict[str, str]:
    """Return a list of Key and Value as a mapping."""
    return {tag["Key"]: tag.get("Value", "") for tag in listed or []}

"""What the creators of resources share."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import boto3
from botocore.config import Config


@dataclass(frozen=True)
class Made:
    """A resource that stands: what ``Ref`` and ``Fn::GetAtt`` give."""

    id: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


@cache
def _session(region: str) -> boto3.Session:
    """Return the one session of a region: it keeps the models of the services, which take long to read."""
    return boto3.Session("sandbox", "sandbox", region_name=region)


class Clients:
    """boto3 clients for the emulated AWS, one a service."""

    def __init__(self, endpoint_url: str, region: str) -> None:
        self._session = _session(region)
        self._endpoint_url = endpoint_url
        self._made: dict[str, Any] = {}

    def __call__(self, service: str) -> Any:
        if service not in self._made:
            config = Config(retries={"max_attempts": 0}, connect_timeout=5, read_timeout=60)
            self._made[service] = self._session.client(
                service,
                endpoint_url=self._endpoint_url,
                config=config,  # type: ignore[call-overload]
            )
        return self._made[service]


@dataclass(frozen=True)
class Order:
    """One resource to make."""

    client: Clients
    stack: str
    region: str
    account: str
    logical_id: str
    properties: Mapping[str, Any]

    def name(self, given: str | None = None, limit: int = 64) -> str:
        """Return the given name, or one as CloudFormation makes it: stack, logical id and a suffix."""
        if given:
            return given
        suffix = hashlib.sha256(f"{self.stack}/{self.logical_id}".encode()).hexdigest()[:12].upper()
        return f"{self.stack}-{self.logical_id}"[: limit - 13] + "-" + suffix

    def arn(self, service: str, resource: str) -> str:
        """Return an ARN in the stack's account and region."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"

    def get(self, name: str, default: Any = None) -> Any:
        """Return a property."""
        return self.properties.get(name, default)

    def only(self, *names: str) -> dict[str, Any]:
        """Return those of the named properties that the template sets, as the API takes them too."""
        return {name: self.properties[name] for name in names if name in self.properties}

    def tags(self) -> list[dict[str, str]]:
        """Return the resource's tags as a list of Key and Value."""
        tags = self.properties.get("Tags", [])
        pairs = tags.items() if isinstance(tags, Mapping) else [(tag["Key"], tag["Value"]) for tag in tags]
        return [{"Key": key, "Value": str(value)} for key, value in pairs]


Creator = Callable[[Order], Made]

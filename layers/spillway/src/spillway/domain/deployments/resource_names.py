"""The names of everything that Spillway makes, derived from the stack and the deployment.

A repeated call makes nothing twice and a release finds everything, because a name is never chosen, only derived.
"""

import hashlib
import re
from dataclasses import dataclass

STACK_TAG = "spillway:stack"
DEPLOYMENT_TAG = "spillway:deployment"


@dataclass(frozen=True)
class Names:
    """Names of one deployment's resources in one stack."""

    stack: str
    deployment: str

    @property
    def base(self) -> str:
        """Name of the launch template, Auto Scaling group, SageMaker model, endpoint config, endpoint, component.

        SageMaker allows 63 characters: a longer pair is cut and closed with a digest.
        """
        return _fit(f"{self.stack}-{self.deployment}", 63)

    @property
    def imported_model(self) -> str:
        """Name of an imported model, in which no two dashes may follow each other."""
        single = re.sub("-{2,}", "-", self.base)
        return (
            single
            if single == self.base
            else _fit(f"{single}-{hashlib.sha256(self.base.encode()).hexdigest()[:8]}", 63)
        )

    @property
    def target_group(self) -> str:
        """Name of the load balancer's target group, which may have 32 characters at most."""
        return _fit(f"{self.stack}-{self.deployment}", 32)

    @property
    def tags(self) -> dict[str, str]:
        """Tags of everything that belongs to the deployment."""
        return {STACK_TAG: self.stack, DEPLOYMENT_TAG: self.deployment}

    def token(self, purpose: str) -> str:
        """Return a client token of 32 characters that is the same for every repeat of one purpose."""
        return hashlib.sha256(f"{self.stack}/{self.deployment}/{purpose}".encode()).hexdigest()[:32]


def _fit(name: str, limit: int) -> str:
    if len(name) <= limit:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: limit - 9].rstrip('-')}-{digest}"

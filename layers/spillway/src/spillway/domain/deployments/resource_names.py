"""The names of everything that Spillway makes, derived from the stack and the deployment.

A repeated call makes nothing twice and a release finds everything, because a name is never chosen, only derived.
"""

import hashlib
import re
from dataclasses import dataclass

STACK_TAG = "spillway:stack"
DEPLOYMENT_TAG = "spillway:deployment"

_TARGET_GROUP_LIMIT = 32
_DIGEST_LENGTH = 8
# Permissions name what begins with the stack's name and a dash: of a target group's name that is cut, so much is left.
STACK_NAME_LIMIT = _TARGET_GROUP_LIMIT - 1 - _DIGEST_LENGTH
_STACK_NAME = re.compile(r"[a-z](-?[a-z0-9])*")


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
        return _fit(_with_single_dashes(self.base), 63)

    @property
    def target_group(self) -> str:
        """Name of the load balancer's target group: 32 characters at most, and no two dashes after each other."""
        whole = f"{self.stack}-{self.deployment}"
        fitting = _fit(whole, _TARGET_GROUP_LIMIT)
        return fitting if "--" not in fitting else _fit(_with_single_dashes(whole), _TARGET_GROUP_LIMIT)

    @property
    def tags(self) -> dict[str, str]:
        """Tags of everything that belongs to the deployment."""
        return {STACK_TAG: self.stack, DEPLOYMENT_TAG: self.deployment}

    def token(self, purpose: str) -> str:
        """Return a client token of 32 characters that is the same for every repeat of one purpose."""
        return hashlib.sha256(f"{self.stack}/{self.deployment}/{purpose}".encode()).hexdigest()[:32]


def stack_name_problem(stack: str) -> str | None:
    """Return why what a stack of this name makes would not be permitted to it, and what to do; None for a good name.

    SageMaker writes names in lower case into the ARNs that IAM compares, and target groups cut theirs and take no two
    dashes in a row.
    """
    if _STACK_NAME.fullmatch(stack) and len(stack) <= STACK_NAME_LIMIT:
        return None
    return (
        f"The stack's name '{stack}' cannot work: permissions name what it makes by that prefix, which SageMaker "
        f"writes in lower case and target groups cut. Allowed are 1 to {STACK_NAME_LIMIT} lower-case letters, digits "
        "and single dashes, a letter first and no dash last. Delete this stack, and deploy under another name: "
        f"sam deploy --stack-name {_better(stack)}"
    )


def _better(stack: str) -> str:
    return re.sub("-{2,}", "-", stack.lower())[:STACK_NAME_LIMIT].rstrip("-")


def _fit(name: str, limit: int) -> str:
    if len(name) <= limit:
        return name
    return f"{name[: limit - 1 - _DIGEST_LENGTH].rstrip('-')}-{_digest(name)}"


def _with_single_dashes(name: str) -> str:
    single = re.sub("-{2,}", "-", name)
    return single if single == name else f"{single}-{_digest(name)}"


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:_DIGEST_LENGTH]

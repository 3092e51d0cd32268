"""What IAM and the fleets' API say to a call of one of the stack's roles."""

from collections.abc import Mapping
from typing import Any

from moto.ec2.models import ec2_backends

from tests.calls.record import Use
from tests.sandbox.bedrock_catalog import Catalog
from tests.sandbox.iam.conditions import PolicyError
from tests.sandbox.iam.evaluate import Effect, evaluate
from tests.sandbox.iam.policies import RolePolicies
from tests.sandbox.iam.request import LaunchTemplate, Place, UnknownOperation
from tests.sandbox.runtime.deployed import Deployed
from tests.sandbox.runtime.permissions import Refusal


class StackPermissions:
    """Evaluates calls by the policies in the transformed template."""

    def __init__(self, deployed: Deployed, catalog: Catalog) -> None:
        stack = deployed.stack
        self._account, self._region = stack.target.account, stack.target.region
        networks = stack.of_type("AWS::EC2::VPC")
        place = Place(
            self._region,
            self._account,
            launch_template=self._launch_template,
            imported_tags=lambda name: found.tags if (found := catalog.find_imported(name)) else {},
            profile_roles=_profile_roles(deployed),
            vpc_id=stack.ref(networks[0]) if networks else None,
        )
        self._policies = RolePolicies(stack, place)
        self._fleets_policy = deployed.fleets.policy if deployed.fleets else []

    @property
    def used(self) -> frozenset[Use]:
        """The permissions that let a call through so far."""
        return frozenset(self._policies.used)

    def evaluate(self, role: str, service: str, operation: str, params: Mapping[str, Any]) -> Refusal | None:
        """Return why a call is denied, or None; a call that nobody taught the sandbox is denied too."""
        try:
            message = self._policies.refusal(role, service, operation, params)
        except (UnknownOperation, PolicyError, KeyError) as unknown:
            return Refusal(f"{service} {operation} cannot be evaluated: {unknown!r}")
        if message is None and service == "execute-api":
            message = self._refused_by_api(role, params)
        return Refusal(message) if message else None

    def _refused_by_api(self, role: str, params: Mapping[str, Any]) -> str | None:
        """A policy on an API says no by an explicit deny; the role's own policy has already said yes."""
        path = f"{params['stage']}/{params['method']}/{params['path'].lstrip('/')}"
        resource = f"arn:aws:execute-api:{self._region}:{self._account}:{params['apiId']}/{path}"
        found = evaluate(self._fleets_policy, "execute-api:Invoke", resource, {"aws:PrincipalArn": role})
        return f"the fleets' API denies {role}" if found.effect is Effect.EXPLICIT_DENY else None

    def _launch_template(self, name: str) -> LaunchTemplate | None:
        """Find one by name or id."""
        backend = ec2_backends[self._account][self._region]
        found = backend.launch_templates.get(backend.launch_template_name_to_ids.get(name, name))
        if found is None:
            return None
        tags = {tag["key"]: tag["value"] for tag in found.get_tags()}
        return LaunchTemplate(found.id, tags, found.latest_version().data)


def _profile_roles(deployed: Deployed) -> dict[str, str]:
    stack = deployed.stack
    arns = {stack.ref(name): stack.attribute(name, "Arn") for name in stack.of_type("AWS::IAM::Role")}
    return {
        stack.attribute(name, "Arn"): arns[stack.properties(name)["Roles"][0]]
        for name in stack.of_type("AWS::IAM::InstanceProfile")
    }

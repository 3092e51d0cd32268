"""What is known of one deployment's own instances: stated by the user, or measured by a benchmark."""

from spillway.domain.deployments.deployment import Deployment
from spillway.domain.paths.fleet import ec2_instance_type
from spillway.domain.pricing.price_book import Source
from spillway.domain.pricing.throughput import Throughput, given

_SECONDS_PER_MINUTE = 60


def own_throughput(deployment: Deployment, instance_type: str) -> Throughput | None:
    """Return an instance type's throughput, as :attr:`Deployment.tokens_per_minute_per_instance` chooses it.

    What the user states holds for every type, what was measured for the type that it was measured on.
    """
    bare, stated = ec2_instance_type(instance_type), deployment.spec.capacity.tokens_per_minute_per_instance
    if stated is not None:
        as_of = f"{deployment.created_at:%Y-%m-%d}"
        return given(bare, stated / _SECONDS_PER_MINUTE, as_of, f"stated with the deployment {deployment.name}")
    measured = deployment.measured
    if measured is None or ec2_instance_type(measured.instance_type or "") != bare:
        return None
    return Throughput(
        instance_type=bare,
        prompt_tokens=measured.prompt_tokens,
        completion_tokens=measured.completion_tokens,
        tokens_per_second=measured.tokens_per_minute / _SECONDS_PER_MINUTE,
        kind="measured on the deployment",
        engine=measured.engine,
        source=Source(f"benchmark {measured.benchmark} of {deployment.name}", f"{measured.at:%Y-%m-%d}"),
        said=measured.conditions(),
    )


def own_throughputs(deployment: Deployment) -> dict[str, Throughput]:
    """Return the throughputs of the types that a deployment may run on, by type as EC2 writes it."""
    measured = deployment.measured.instance_type if deployment.measured else None
    types = (*deployment.spec.capacity.instance_types, *([measured] if measured else ()))
    found = {ec2_instance_type(name): own_throughput(deployment, name) for name in types}
    return {name: throughput for name, throughput in found.items() if throughput is not None}

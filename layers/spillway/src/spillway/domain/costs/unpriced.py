"""What a deployment may be billed for that has no price in force: it is shown, and refuses nothing."""

from spillway.domain.costs.month import token_price
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.paths.path import Billing
from spillway.domain.paths.profile import InstancePrices
from spillway.domain.pricing.price_book import MODEL_UNIT, PriceBook


def unpriced(deployment: Deployment, prices: PriceBook, region: str) -> tuple[str, ...]:
    """Return its instance types and models without a price in this region, as costs name what is unknown."""
    spec = deployment.spec
    types = [name for name in _types(deployment) if prices.instance_of(spec, region, name) is None]
    roles = (["primary"] if spec.path.billing is Billing.TOKEN else []) + (["spill"] if spec.spill else [])
    models = [
        name for name, price in (token_price(deployment, role, prices, region) for role in roles) if price is None
    ]
    return (*(f"instance {name}" for name in types), *dict.fromkeys(models))


def _types(deployment: Deployment) -> list[str]:
    """Return what it may run on, as the path's service writes it; nothing where that is the service's choice."""
    spec, running = deployment.spec, deployment.resources.get("instance_type")
    match spec.profile.instance_prices:
        case InstancePrices.EC2 | InstancePrices.SAGEMAKER:
            named = (*spec.capacity.instance_types, *([running] if running else []))
            return list(dict.fromkeys(map(spec.profile.instance_type, named)))
        case InstancePrices.MODEL_UNITS:
            return [MODEL_UNIT]
        case None:
            return []

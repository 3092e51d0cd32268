"""What a request names that nothing is known about: refused, with what is known."""

from spillway.domain.errors import InvalidRequest
from spillway.domain.paths.model_catalog import MODELS, is_hugging_face_id
from spillway.domain.planner.request import PlanRequest
from spillway.domain.pricing.price_book import PriceBook
from spillway.domain.pricing.throughput import Benchmarks


def check_types(request: PlanRequest, prices: PriceBook) -> None:
    """Raise InvalidRequest for an instance type that has no price on any path."""
    for field in ("instance_types", "tokens_per_second"):
        for name in getattr(request, field):
            offers = (prices.ec2.get(name), prices.sagemaker.get(f"ml.{name}"), prices.spot.get(name))
            if not any(offers) and name not in request.spot_usd_per_hour:
                raise InvalidRequest(
                    f"no price of the instance type {name} is known", param=field, allowed=sorted(prices.ec2)
                )


def unknown_model(request: PlanRequest, prices: PriceBook, benchmarks: Benchmarks) -> InvalidRequest:
    """Return the error that names the models of which something is known."""
    known = sorted(
        {
            *(one.id for one in MODELS),
            *benchmarks.models,
            *(name for name in prices.bedrock if not name.startswith("us.")),
        }
    )
    hint = " or give its tokens_per_second by instance type" if is_hugging_face_id(request.model) else ""
    return InvalidRequest(
        f"nothing is known about the model {request.model!r}: name one of these{hint}", param="model", allowed=known
    )

"""What a request names that nothing is known about: refused, with what is known."""

from spillway.domain.errors import InvalidRequest
from spillway.domain.paths.model_catalog import MODELS, is_hugging_face_id
from spillway.domain.planner.request import PlanRequest
from spillway.domain.pricing.price_book import price_book
from spillway.domain.pricing.throughput import Benchmarks


def unknown_model(request: PlanRequest, benchmarks: Benchmarks) -> InvalidRequest:
    """Return the error that names the models of which something is known."""
    known = sorted(
        {
            *(one.id for one in MODELS),
            *benchmarks.models,
            *(name for name in price_book().bedrock if not name.startswith("us.")),
        }
    )
    hint = " or give its tokens_per_second by instance type" if is_hugging_face_id(request.model) else ""
    return InvalidRequest(
        f"nothing is known about the model {request.model!r}: name one of these{hint}", param="model", allowed=known
    )

"""The list of models that a key may use, in OpenAI's form."""

from collections.abc import Iterable
from typing import Any

from spillway.domain.routing.route import Route
from spillway.gateway.request.caller import Caller


def model_of(route: Route) -> dict[str, Any]:
    """Return one deployment as an OpenAI model object, its state beside it."""
    return {
        "id": route.name,
        "object": "model",
        "created": route.created,
        "owned_by": "spillway",
        "spillway": {"state": route.state, "context_length": route.context_length},
    }


def model_list(routes: Iterable[Route], caller: Caller) -> dict[str, Any]:
    """Return the models that the caller's key covers, by name."""
    seen = sorted((route for route in routes if caller.sees(route.name)), key=lambda route: route.name)
    return {"object": "list", "data": [model_of(route) for route in seen]}

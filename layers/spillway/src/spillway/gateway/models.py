"""The list of models that a key may use, in OpenAI's form."""

from collections.abc import Iterable
from typing import Any

from spillway.domain.capabilities.card import capabilities_view
from spillway.domain.routing.route import Route
from spillway.gateway.request.caller import Caller


def model_of(route: Route) -> dict[str, Any]:
    """Return one deployment as an OpenAI model object, with its state and what its targets can do beside it."""
    capabilities = capabilities_view(
        route.primary_card if route.primary else None, route.spill_card if route.spill else None
    )
    return {
        "id": route.name,
        "object": "model",
        "created": route.created,
        "owned_by": "spillway",
        "spillway": {"state": route.state, "context_length": route.context_length, "capabilities": capabilities},
    }


def model_list(routes: Iterable[Route], caller: Caller) -> dict[str, Any]:
    """Return the models that the caller's key covers, by name."""
    seen = sorted((route for route in routes if caller.sees(route.name)), key=lambda route: route.name)
    return {"object": "list", "data": [model_of(route) for route in seen]}

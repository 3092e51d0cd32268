"""What the check keeps of a deployment's traffic in dollars, whichever way it is weighed, and its stored form."""

from collections.abc import Mapping
from typing import Any, TypeAlias, assert_never

from spillway.domain.decision import Reason
from spillway.domain.economics.import_windows.in_check import ImportEconomy
from spillway.domain.economics.in_check import Advice, FleetEconomy

Economy: TypeAlias = FleetEconomy | ImportEconomy


def advice_of(economy: Economy | None) -> Advice | None:
    """Return how many instances the traffic pays for; None where none are weighed."""
    return economy.advice if isinstance(economy, FleetEconomy) else None


def larger_news_of(economy: Economy | None) -> Reason | None:
    """Return what the last look has to say of larger instances."""
    ladder = economy.ladder if isinstance(economy, FleetEconomy) else None
    return ladder.news if ladder else None


def why_unused(economy: Economy | None) -> Reason | None:
    """Return why an imported model's requests go to the spill target; None while they do not."""
    return economy.why if isinstance(economy, ImportEconomy) and not economy.is_used else None


def economy_to_json(economy: Economy) -> dict[str, Any]:
    """Return an economy as a JSON object, tagged with its ``kind``."""
    match economy:
        case FleetEconomy():
            return {"kind": "fleet", **economy.to_json()}
        case ImportEconomy():
            return {"kind": "import", **economy.to_json()}
        case _:
            assert_never(economy)


def economy_from_json(data: Mapping[str, Any]) -> Economy:
    """Read back what :func:`economy_to_json` wrote; raises ``ValueError`` for a kind that is none."""
    # What was stored before there were kinds tells them by its fields.
    match data.get("kind", "import" if "copy" in data else "fleet"):
        case "fleet":
            return FleetEconomy.from_json(data)
        case "import":
            return ImportEconomy.from_json(data)
        case other:
            raise ValueError(f"unknown kind of economy: {other}")

"""The rule for imported models in the check: minute by minute, with the deployment's own prices and metrics."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from spillway.domain.decision import Code, Reason, reason_to_json
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.economics.in_check import minutes_due, tokens_by_kind
from spillway.domain.economics.windows.copies import Copy, Imported
from spillway.domain.economics.windows.rule import State, step
from spillway.domain.observations.traffic import Load, Minute
from spillway.domain.paths.targets import ImportedTarget
from spillway.domain.pricing.price_book import PriceBook


def imported_of(deployment: Deployment, prices: PriceBook, region: str) -> Imported | None:
    """Return the prices between which a deployment's requests have a choice; None where one is unknown, or none."""
    target, spill = deployment.target, deployment.spec.spill
    if not isinstance(target, ImportedTarget) or spill is None:
        return None
    tokens = prices.tokens(spill.model_id, region)
    if tokens is None or prices.imports is None or target.units_per_copy is None or region != prices.region:
        return None
    return Imported(
        usd_per_unit_minute=prices.imports.unit_minute.usd,
        units_per_copy=target.units_per_copy,
        prompt_usd_per_million=tokens.prompt_usd,
        completion_usd_per_million=tokens.completion_usd,
    )


def advance(memory: Mapping[str, Any] | None, load: Load, imported: Imported, now: datetime) -> Mapping[str, Any]:
    """Return the memory (JSON) with the minutes that are final by ``now``; all traffic counts as one copy's."""
    state = _state_of(memory["copy"], imported) if memory else State(Copy(imported))
    minutes = {int(minute.at.timestamp()) // 60: minute for minute in load.minutes}
    reason = memory["reason"] if memory else None
    last = memory["minute"] if memory else None
    for at in minutes_due(last, now):
        minute = minutes.get(at, Minute(datetime.fromtimestamp(at * 60, UTC)))
        prompt, completion = tokens_by_kind(minute)
        state, _, found = step(state, imported.spill_usd(prompt, completion))
        reason, last = reason_to_json(found) if found else reason, at
    return {"minute": last, "copy": _to_json(state), "reason": reason}


def advice(memory: Mapping[str, Any] | None) -> tuple[bool, Reason] | None:
    """Return whether the imported model is to be used, and why; None where nothing was weighed."""
    if memory is None or "copy" not in memory:
        return None
    is_used, reason = bool(memory["copy"]["is_used"]), memory["reason"]
    if reason is None:
        sentence = "No traffic so far would have paid for a window of the imported model."
        return is_used, Reason(Code.TRAFFIC_FELL, sentence, 0, 0, "USD")
    return is_used, Reason(**{**reason, "code": Code(reason["code"])})


def why_unused(memory: Mapping[str, Any] | None) -> Reason | None:
    """Return why an imported model's requests go to the spill target; None while they do not."""
    weighed = advice(memory)
    return None if weighed is None or weighed[0] else weighed[1]


def _to_json(state: State) -> dict[str, Any]:
    copy = {name: value for name, value in asdict(state.copy).items() if name != "imported"}
    return {**asdict(state), "copy": copy}


def _state_of(data: Mapping[str, Any], imported: Imported) -> State:
    return State(**{**data, "copy": Copy(imported, **data["copy"])})

"""The rule for imported models in the check: minute by minute, with the deployment's own prices and counts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from spillway.domain.decision import Code, Reason, reason_from_json, reason_to_json
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.economics.import_windows.copies import Copy, Imported
from spillway.domain.economics.import_windows.rule import State, step
from spillway.domain.economics.in_check import minutes_due, tokens_by_kind
from spillway.domain.observations.traffic import Load, Minute
from spillway.domain.paths.targets import ImportedTarget
from spillway.domain.pricing.price_book import PriceBook


@dataclass(frozen=True)
class KeptCopy:
    """A copy as it is kept: without its prices, which every look reads anew."""

    starting: int
    paid: int
    idle: int
    is_warm: bool
    windows: int
    starts: int


@dataclass(frozen=True)
class ImportEconomy:
    """What the weighing of an imported model's traffic keeps from one minute to the next, as the rule's state has it.

    ``minute`` is the last one seen, in minutes since the epoch; ``reason`` is that of the last change.
    """

    minute: int | None
    copy: KeptCopy
    is_used: bool
    recent: tuple[float, ...]
    saved: float
    quiet: int
    reason: Reason | None

    @classmethod
    def of(cls, state: State, minute: int | None, reason: Reason | None) -> "ImportEconomy":
        """Return what is kept of the rule's state after a minute."""
        copy = state.copy
        kept = KeptCopy(copy.starting, copy.paid, copy.idle, copy.is_warm, copy.windows, copy.starts)
        return cls(minute, kept, state.is_used, tuple(state.recent), state.saved, state.quiet, reason)

    def state(self, imported: Imported) -> State:
        """Return the rule's state at these prices."""
        copy = Copy(imported, **vars(self.copy))
        return State(copy, self.is_used, list(self.recent), self.saved, self.quiet)

    @property
    def why(self) -> Reason:
        """Why the model is used, or is not."""
        sentence = "No traffic so far would have paid for a window of the imported model."
        return self.reason or Reason(Code.TRAFFIC_FELL, sentence, 0, 0, "USD")

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        copy = {
            "copy": vars(self.copy),
            "is_used": self.is_used,
            "recent": self.recent,
            "saved": self.saved,
            "quiet": self.quiet,
        }
        return {"minute": self.minute, "copy": copy, "reason": reason_to_json(self.reason) if self.reason else None}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "ImportEconomy":
        """Read back what :meth:`to_json` wrote."""
        minute, reason, kept = data["minute"], data["reason"], data["copy"]
        fields = {**kept, "copy": KeptCopy(**kept["copy"]), "recent": tuple(kept["recent"])}
        return cls(minute=minute, reason=reason_from_json(reason) if reason else None, **fields)


def imported_of(deployment: Deployment, prices: PriceBook, region: str) -> Imported | None:
    """Return the prices between which a deployment's requests have a choice; None where one is unknown, or none."""
    target, spill_model = deployment.target, deployment.spill_model
    if not isinstance(target, ImportedTarget) or spill_model is None:
        return None
    tokens = prices.tokens(spill_model, region)
    if tokens is None or prices.imports is None or target.units_per_copy is None or region != prices.region:
        return None
    return Imported(
        usd_per_unit_minute=prices.imports.unit_minute.usd,
        units_per_copy=target.units_per_copy,
        prompt_usd_per_million=tokens.prompt_usd,
        completion_usd_per_million=tokens.completion_usd,
    )


def advance(known: ImportEconomy | None, load: Load, imported: Imported, now: datetime) -> ImportEconomy:
    """Return what is known with the minutes that are final by ``now``; all traffic counts as one copy's."""
    state = known.state(imported) if known else State(Copy(imported))
    minutes = {int(minute.at.timestamp()) // 60: minute for minute in load.minutes}
    last, reason = (known.minute, known.reason) if known else (None, None)
    for at in minutes_due(last, now):
        minute = minutes.get(at, Minute(datetime.fromtimestamp(at * 60, UTC)))
        prompt, completion = tokens_by_kind(minute)
        state, _, found = step(state, imported.spill_usd(prompt, completion))
        reason, last = found or reason, at
    return ImportEconomy.of(state, last, reason)

"""The rule for one copy of an imported model: when to send it its layer's requests. Why: docs/policy-proof.md."""

from dataclasses import dataclass, field

from spillway.domain.decision import Code, Reason
from spillway.domain.economics.import_windows.copies import Copy


@dataclass(slots=True)
class State:
    """What the rule keeps of a copy: the copy itself, whether it is used, and what speaks for and against it.

    ``recent`` is what each of the last minutes cost elsewhere while it was not used, a window's length at most;
    ``saved`` what the requests it answered in the present window would have cost; ``quiet`` counts minutes of use
    since the last request.
    """

    copy: Copy
    is_used: bool = False
    recent: list[float] = field(default_factory=list)
    saved: float = 0.0
    quiet: int = 0


def step(state: State, spill_usd: float) -> tuple[State, bool, Reason | None]:
    """Account for the minute that just ended and return whether the copy is sent its requests from now on.

    ``spill_usd`` is what the requests of the copy's layer cost elsewhere in that minute. The state is changed in place.
    The reason is None where nothing changes. Nothing but this minute is looked at.
    """
    copy, was_paid = state.copy, state.copy.paid > 0
    answered = copy.serve(spill_usd > 0.0, used=state.is_used)
    if not state.is_used:
        return _unused(state, spill_usd)
    state.quiet = 0 if spill_usd > 0.0 else state.quiet + 1
    if answered:
        state.saved += spill_usd
    if (was_paid or answered) and not copy.paid:
        return _window_ended(state)
    if state.quiet >= copy.imported.window_minutes:
        return _stop(state, 0.0, "Nothing came for as long as a window lasts")
    return state, True, None


def _unused(state: State, spill_usd: float) -> tuple[State, bool, Reason | None]:
    imported = state.copy.imported
    state.recent.append(spill_usd)
    del state.recent[: -imported.window_minutes]
    spent, price = sum(state.recent), imported.window_usd
    if spent < price:
        return state, False, None
    what = f"The last {len(state.recent)} minutes' {imported.elsewhere} cost ${spent:.4f}"
    state.is_used, state.recent, state.quiet = True, [], 0
    return state, True, _reason(Code.TRAFFIC_PAYS, what, spent, price)


def _window_ended(state: State) -> tuple[State, bool, Reason | None]:
    saved, imported = state.saved, state.copy.imported
    if saved < imported.window_usd:
        return _stop(state, saved, f"The requests of the last window would have cost ${saved:.4f} elsewhere")
    state.saved = 0.0
    return state, True, None


def _stop(state: State, saved: float, what: str) -> tuple[State, bool, Reason | None]:
    state.is_used, state.saved = False, 0.0
    return state, False, _reason(Code.TRAFFIC_FELL, what, saved, state.copy.imported.window_usd)


def _reason(code: Code, what: str, observed: float, price: float) -> Reason:
    sentence = f"{what}; a window of the imported model costs ${price:.4f}."
    return Reason(code, sentence, round(observed, 6), round(price, 6), "USD")

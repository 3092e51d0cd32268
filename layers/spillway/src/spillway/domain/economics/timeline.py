"""A picture of a replay: the load, and under it each policy's instances over time."""

from collections.abc import Iterator, Sequence
from html import escape

from spillway.domain.economics.replay import Outcome
from spillway.domain.economics.trace import Trace

_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP, _BOTTOM = 1000, 60, 240, 14, 26, 44
_LOAD, _SIZE = "#4878a8", "#c06030"
_HOUR, _DAY = 60, 24 * 60
_MOST_TICKS = 12
# Minutes between two ticks, and how many of them make the unit that the ticks are said in.
_STEPS = (
    *((minutes, 1, "min") for minutes in (1, 2, 5, 10, 15, 30)),
    *((hours * _HOUR, _HOUR, "h") for hours in (1, 2, 3, 6, 12)),
    *((days * _DAY, _DAY, "d") for days in (1, 2, 7, 14, 30, 90, 365)),
)


def timeline(trace: Trace, tokens_per_minute_per_instance: float, outcomes: Sequence[Outcome]) -> str:
    """Return an SVG; the strips share one scale, in instances, and a column shows the largest value of its minutes."""
    needed = [load / tokens_per_minute_per_instance for load in trace.tokens()]
    peak = max(needed)
    top = max([1.0, peak, *(max(outcome.sizes, default=0) for outcome in outcomes)])
    strips = [_strip(0, "load, in instances", f"peak {peak:.3g}", needed, top, _LOAD)]
    for number, outcome in enumerate(outcomes, start=1):
        over = "" if outcome.over_optimum is None else f", {outcome.over_optimum:.4g} x optimum"
        strips.append(_strip(number, outcome.policy, f"${outcome.usd:,.2f}{over}", outcome.sizes, top, _SIZE))
    base = _TOP + len(strips) * (_HEIGHT + _GAP) - _GAP
    parts = [*_axis(len(trace), base), *strips]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDTH + 30} {base + _BOTTOM}" '
        f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
        f"{''.join(parts)}</svg>\n"
    )


def _axis(minutes: int, base: float) -> Iterator[str]:
    step, unit, name = next((one for one in _STEPS if minutes / one[0] <= _MOST_TICKS), _STEPS[-1])
    for minute in range(0, minutes + 1, step):
        x = _LEFT + minute * _WIDTH / minutes
        yield f'<path d="M{x:.1f} {_TOP}V{base + 5}" stroke="#ddd"/>'
        yield _text(x, base + 19, f"{minute // unit} {name}", "middle")
    yield _text(_LEFT + _WIDTH / 2, base + 37, "since the log's first minute", "middle")


def _strip(number: int, name: str, said: str, values: Sequence[float], top: float, colour: str) -> str:
    base = _TOP + number * (_HEIGHT + _GAP) + _HEIGHT
    columns = min(_WIDTH, len(values))
    points = []
    for column in range(columns):
        part = values[column * len(values) // columns : (column + 1) * len(values) // columns]
        y = base - max(part) / top * _HEIGHT
        left, right = (_LEFT + edge * _WIDTH / columns for edge in (column, column + 1))
        points.append(f"{left:.1f},{y:.1f} {right:.1f},{y:.1f}")
    area = f"{_LEFT},{base} {' '.join(points)} {_LEFT + _WIDTH},{base}"
    return (
        _text(4, base - 32, name)
        + _text(4, base - 16, said)
        + _text(_LEFT - 6, base - _HEIGHT + 9, f"{top:.3g}", "end")
        + _text(_LEFT - 6, base, "0", "end")
        + f'<polygon points="{area}" fill="{colour}"/><path d="M{_LEFT} {base}h{_WIDTH}" stroke="#888"/>'
    )


def _text(x: float, y: float, said: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}">{escape(said)}</text>'

"""A picture of a replay: the load, and under it each policy's instances over time."""

from collections.abc import Sequence
from html import escape

from spillway.domain.economics.replay import Outcome
from spillway.domain.economics.trace import Trace

_WIDTH, _HEIGHT, _LEFT, _GAP = 1000, 60, 170, 26
_LOAD, _SIZE = "#4878a8", "#c06030"


def timeline(trace: Trace, tokens_per_minute_per_instance: float, outcomes: Sequence[Outcome]) -> str:
    """Return an SVG; the strips share one scale, in instances, and a column shows the largest value of its minutes."""
    needed = [load / tokens_per_minute_per_instance for load in trace.tokens()]
    top = max([1.0, *needed, *(max(outcome.sizes, default=0) for outcome in outcomes)])
    strips = [_strip(0, "load, in instances", needed, top, _LOAD)]
    for number, outcome in enumerate(outcomes, start=1):
        over = "" if outcome.over_optimum is None else f" {outcome.over_optimum:.2f}x"
        strips.append(_strip(number, f"{outcome.policy}{over}", outcome.sizes, top, _SIZE))
    height = len(strips) * (_HEIGHT + _GAP)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDTH + 10} {height}" '
        f'font-family="sans-serif" font-size="12">{"".join(strips)}</svg>\n'
    )


def _strip(number: int, label: str, values: Sequence[float], top: float, colour: str) -> str:
    base = number * (_HEIGHT + _GAP) + _HEIGHT
    columns = min(_WIDTH, len(values))
    points = []
    for column in range(columns):
        part = values[column * len(values) // columns : (column + 1) * len(values) // columns]
        y = base - max(part) / top * _HEIGHT
        left, right = (_LEFT + edge * _WIDTH / columns for edge in (column, column + 1))
        points.append(f"{left:.1f},{y:.1f} {right:.1f},{y:.1f}")
    area = f"{_LEFT},{base} {' '.join(points)} {_LEFT + _WIDTH},{base}"
    return f'<text x="4" y="{base - 4}">{escape(label)}</text><polygon points="{area}" fill="{colour}"/>'

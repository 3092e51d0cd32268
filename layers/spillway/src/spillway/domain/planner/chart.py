"""The plan's chart: monthly cost against monthly requests, both on logarithmic scales, as SVG."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from spillway.domain.planner.inputs import Family
from spillway.domain.planner.plan import Plan
from spillway.domain.planner.volumes import Crossover, Point

_WIDTH, _HEIGHT = 1000, 540
_LEFT, _RIGHT, _TOP, _BOTTOM = 90, 300, 66, 60
_PANEL = _WIDTH - _RIGHT + 20
_LONGEST_TITLE, _CROSSOVERS_LISTED = 70, 12
_COLOURS = {
    Family.BEDROCK: "#d95f02",
    Family.IMPORT: "#a6761d",
    Family.JUMPSTART: "#7570b3",
    Family.GPU_FLEET: "#1b9e77",
    Family.INF2_FLEET: "#66a61e",
    Family.SPOT_FLEET: "#e6ab02",
    Family.MIX: "#e7298a",
}


@dataclass(frozen=True)
class _Scale:
    """A logarithmic axis from ``low`` to ``high`` on pixels from ``start`` to ``end``."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        share = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self) -> Iterator[tuple[float, bool]]:
        """Yield round values, and whether each is labelled: decades are, and 2 and 5 where there are few of those."""
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        labelled = (1,) if math.log10(self.high / self.low) > 2 else (1, 2, 5)
        for value, digit in ((digit * 10.0**power, digit) for power in decades for digit in range(1, 10)):
            if self.low <= value <= self.high:
                yield value, digit in labelled


def chart(plan: Plan) -> str:
    """Return an SVG document; one that says so for a traffic without requests."""
    points = plan.volumes.points
    costs = [usd for point in points for usd in point.usd_per_month.values() if usd > 0]
    if not costs:
        return _document([_text(20, 40, "No requests, no costs to draw.")])
    x = _Scale(points[0].requests_per_month, points[-1].requests_per_month, _LEFT, _WIDTH - _RIGHT)
    y = _Scale(min(costs) / 1.2, max(costs) * 1.2, _HEIGHT - _BOTTOM, _TOP)
    model = plan.request.model
    title = model if len(model) <= _LONGEST_TITLE else f"{model[:_LONGEST_TITLE]}…"
    now, requests = x.at(plan.shape.requests_per_month), plan.shape.requests_per_month
    families = [family for family in Family if any(family in point.usd_per_month for point in points)]
    at_least = {option.family for option in plan.best if option.is_lower_bound}
    return _document(
        [
            _text(_LEFT, 28, f"{title}: cost against volume", 'font-size="17"'),
            *_grid(x, y),
            _line(f"M{now} {_TOP}V{_HEIGHT - _BOTTOM}", "#555", 'stroke-dasharray="4 4"'),
            _text(now, _TOP - 8, f"this traffic, {_short(requests)}", 'fill="#555" text-anchor="middle"'),
            *(_curve(family, points, x, y) for family in families),
            *_legend(families, at_least),
            *_crossovers(plan.volumes.crossovers, x, y, _TOP + 22 * len(families) + 30),
        ]
    )


def _grid(x: _Scale, y: _Scale) -> Iterator[str]:
    for value, is_labelled in x.ticks():
        yield _line(f"M{x.at(value)} {y.end}V{y.start}", "#d4d4d4" if is_labelled else "#f0f0f0")
        if is_labelled:
            yield _text(x.at(value), y.start + 18, _short(value), 'text-anchor="middle"')
    for value, is_labelled in y.ticks():
        yield _line(f"M{x.start} {y.at(value)}H{x.end}", "#d4d4d4" if is_labelled else "#f0f0f0")
        if is_labelled:
            yield _text(x.start - 6, y.at(value) + 4, f"${_short(value)}", 'text-anchor="end"')
    across, along = (x.start + x.end) / 2, (y.start + y.end) / 2
    yield _text(across, _HEIGHT - 16, "requests a month", 'text-anchor="middle"')
    yield _text(22, along, "USD a month", f'text-anchor="middle" transform="rotate(-90 22 {along})"')


def _curve(family: Family, points: Sequence[Point], x: _Scale, y: _Scale) -> str:
    line = " ".join(
        f"{x.at(point.requests_per_month)},{y.at(point.usd_per_month[family])}"
        for point in points
        if family in point.usd_per_month
    )
    return f'<polyline points="{line}" fill="none" stroke-width="2" {_stroke(family)}/>'


def _legend(families: Sequence[Family], at_least: set[Family]) -> Iterator[str]:
    for number, family in enumerate(families):
        line = _TOP + 8 + 22 * number
        said = f"{family} (at least; throughput unknown)" if family in at_least else family
        yield f'<path d="M{_PANEL} {line}h24" stroke-width="3" {_stroke(family)}/>'
        yield _text(_PANEL + 32, line + 4, said)


def _crossovers(crossovers: Sequence[Crossover], x: _Scale, y: _Scale, top: float) -> Iterator[str]:
    """Number the crossovers on the curves, and say in the panel what each is."""
    if crossovers:
        yield _text(_PANEL, top, "cheapest from so many requests on:", 'fill="#555"')
    for number, one in enumerate(crossovers, start=1):
        across, up = x.at(one.requests_per_month), y.at(one.usd_per_month)
        said = f"{number}.  {_short(one.requests_per_month)}: {one.cheaper}, before it {one.dearer}"
        yield f'<circle cx="{across}" cy="{up}" r="8" fill="white" stroke="black"><title>{said}</title></circle>'
        yield _text(across, up + 3.5, f"{number}", 'font-size="10" text-anchor="middle"')
        if number <= _CROSSOVERS_LISTED:
            yield _text(_PANEL, top + 20 * number, said)
    if len(crossovers) > _CROSSOVERS_LISTED:
        yield _text(_PANEL, top + 20 * (_CROSSOVERS_LISTED + 1), f"and {len(crossovers) - _CROSSOVERS_LISTED} more")


def _stroke(family: Family) -> str:
    return f'stroke="{_COLOURS[family]}"' + (' stroke-dasharray="7 4"' if family is Family.MIX else "")


def _line(path: str, colour: str, more: str = "") -> str:
    return f'<path d="{path}" stroke="{colour}" {more}/>'


def _text(x: float, y: float, said: str, more: str = "") -> str:
    return f'<text x="{x}" y="{y}" {more}>{escape(said)}</text>'


def _short(value: float) -> str:
    for size, name in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= size * 0.9995:
            return f"{value / size:.3g}{name}"
    return f"{value:.3g}"


def _document(parts: Sequence[str]) -> str:
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        f'font-size="12">\n<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n'
    )

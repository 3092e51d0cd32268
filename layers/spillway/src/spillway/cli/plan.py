"""``spillway plan``: what a traffic costs on every path, computed here from the packaged prices; calls nothing."""

import argparse
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from spillway.api.plan_views import plan_of
from spillway.api.price_models import PriceOverrides
from spillway.api.validation import invalid_request, parsed_body
from spillway.cli.files import lines_of, usable
from spillway.domain.errors import InvalidRequest
from spillway.domain.planner.chart import chart
from spillway.domain.planner.costs import Option
from spillway.domain.planner.plan import Plan, make_plan
from spillway.domain.planner.request import PlanRequest
from spillway.domain.planner.traffic_profile import examples, profile_of_log
from spillway.domain.pricing.overrides import check_overrides
from spillway.domain.pricing.price_book import PriceBook, price_book
from spillway.domain.pricing.price_layers import StoredPrices
from spillway.domain.pricing.throughput import benchmarks
from spillway.domain.pricing.updates import current

_BREAK_EVENS_SHOWN = 6

_Body = TypeVar("_Body", bound=BaseModel)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("request", nargs="?", type=Path, help="a JSON file as POST /plans takes it")
    parser.add_argument("--model", help="a Hugging Face, Bedrock or JumpStart id")
    traffic = parser.add_mutually_exclusive_group()
    traffic.add_argument("--example", choices=sorted(examples()), help="a traffic that is shipped with Spillway")
    traffic.add_argument("--log", type=Path, help="CSV with t_seconds,requests,prompt_tokens,completion_tokens")
    parser.add_argument("--prices", type=Path, help="a JSON file of your own prices, as PUT /prices/overrides takes it")
    parser.add_argument("--scale", type=float, help="multiply the traffic's requests")
    parser.add_argument("--json", action="store_true", help="print the whole plan as JSON")
    parser.add_argument("--svg", type=Path, help="write the chart of cost against volume")


def run(arguments: argparse.Namespace, today: date) -> str:
    """Return what to print; InvalidRequest says which field or row is wrong, BadInput which file."""
    request = _checked(PlanRequest, _body(arguments))
    if request.deployment is not None:
        raise InvalidRequest(
            "deployment is known to the API alone: give tokens_per_second by instance type", param="deployment"
        )
    shape = None
    if arguments.log:
        # Read line by line: a log may be longer than memory.
        with lines_of(arguments.log) as lines:
            shape = profile_of_log(lines, "--log").scaled(request.traffic.scale)
    prices = _prices(arguments.prices, today)
    plan = make_plan(request, prices, benchmarks(), prices.region, today, shape)
    if arguments.svg:
        with usable(arguments.svg):
            arguments.svg.write_text(chart(plan), encoding="utf-8")
    if arguments.json:
        return plan_of(plan).model_dump_json(indent=2)
    return table(plan)


def _prices(path: Path | None, today: date) -> PriceBook:
    if path is None:
        return price_book()
    with usable(path):
        text = path.read_text(encoding="utf-8")
    overrides = _checked(PriceOverrides, parsed_body(text)).as_overrides()
    check_overrides(price_book(), overrides)
    noon = datetime(today.year, today.month, today.day, 12, tzinfo=UTC)
    return current(price_book(), StoredPrices(overrides=overrides, overridden_at=noon))


def _checked(model: type[_Body], body: Any) -> _Body:
    try:
        return model.model_validate(body)
    except ValidationError as err:
        errors = [{**one, "loc": ("body", *one["loc"])} for one in err.errors()]
        raise invalid_request(errors, model) from err


def table(plan: Plan) -> str:
    """Return a plan as text."""
    shape = plan.shape
    lines = [
        f"{plan.request.model}: {shape.requests_per_month:,.0f} requests a month, "
        f"{shape.prompt_tokens:.0f} prompt and {shape.completion_tokens:.0f} completion tokens each",
        "",
        f"{'path':<11} {'$/month':>12} {'$/M tokens':>11} {'busy':>6}  how",
        *(_line(option) for option in plan.best),
    ]
    if plan.platform_usd is not None:
        lines.append(f"{'Spillway':<11} {plan.platform_usd:>12,.2f} {'':>11} {'':>6}  its own services, on every path")
    lines += ["", "break-even against Bedrock on demand, at full measured throughput:"]
    lines += [
        f"  {even.family:<10} {even.instance_type:<16} {even.utilisation:>6.0%} busy, "
        f"{even.requests_per_minute:,.1f} requests a minute"
        f"{'' if even.is_reachable else ': never'} ({even.throughput})"
        for even in plan.break_evens[:_BREAK_EVENS_SHOWN]
    ]
    lines += [
        f"from {crossover.requests_per_month:,.0f} requests a month on {crossover.cheaper} is cheaper than "
        f"{crossover.dearer}"
        for crossover in plan.volumes.crossovers
    ]
    lines += ["", "the cheapest, if one of these were so many times what it is:", *_sensitivities(plan)]
    if plan.credits is not None:
        end = plan.credits.runs_out_on
        pays = f"{plan.credits.days_covered} days whole, and run out on {end}" if end else "five years and more"
        lines += ["", f"credits: ${plan.credits.balance_usd:,.2f} pay {pays}"]
    lines += ["", *(f"{fact.kind}: {fact.what}" + (f" [{fact.as_of}]" if fact.as_of else "") for fact in plan.facts)]
    lines += [f"unknown: {gap.family}: {gap.what}" for gap in plan.gaps]
    return "\n".join(lines)


def _sensitivities(plan: Plan) -> Iterator[str]:
    by_input: dict[str, list[str]] = {}
    for one in plan.sensitivities:
        best = f"{one.cheapest.family} ${one.cheapest.usd_per_month:,.2f}" if one.cheapest else "unknown"
        by_input.setdefault(one.of.replace("_", " "), []).append(f"x{one.factor:g} {best}")
    for name, found in by_input.items():
        yield f"  {name + ':':<16} {', '.join(found)}"


def _line(option: Option) -> str:
    per_million = "" if option.usd_per_million_tokens is None else f"{option.usd_per_million_tokens:,.3f}"
    busy = "" if option.utilisation is None else f"{option.utilisation:.0%}"
    how = " ".join(
        part
        for part in (
            f"{option.instances} x {option.instance_type}" if option.instance_type else "",
            f"of {option.on}" if option.on else "",
            option.mode or "",
            f"({option.spilled_share:.0%} spilled)" if option.spilled_share is not None else "",
            "at least: throughput unknown" if option.is_lower_bound else "",
            f"[{option.throughput}]" if option.throughput else "",
        )
        if part
    )
    return f"{option.family:<11} {option.usd_per_month:>12,.2f} {per_million:>11} {busy:>6}  {how}".rstrip()


def _body(arguments: argparse.Namespace) -> dict[str, Any]:
    body: Any = {}
    if arguments.request:
        with usable(arguments.request):
            body = parsed_body(arguments.request.read_text(encoding="utf-8"))
    if not isinstance(body, dict):
        raise InvalidRequest("the request must be a JSON object", param="request")
    traffic = body.get("traffic", {})
    if not isinstance(traffic, dict):
        raise InvalidRequest("traffic must be an object", param="traffic")
    traffic = dict(traffic)
    if arguments.example:
        traffic = {"example": arguments.example}
    elif arguments.log:
        # The log itself is read later, row by row.
        traffic = {"log": ""}
    if arguments.scale is not None:
        traffic["scale"] = arguments.scale
    return {**body, "traffic": traffic, **({"model": arguments.model} if arguments.model else {})}

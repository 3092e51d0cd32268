"""Realised cost over a span of time, in groups that add up to the whole."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias, assert_never

from spillway.domain.costs.aws_bill import BillCheck, compared, whole_days
from spillway.domain.costs.ledger import Amounts, Capacities, Part, parts_of, total
from spillway.domain.costs.other_paths import hours_used, other_paths
from spillway.domain.costs.shared_services import shared_parts
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.errors import InvalidRequest, Retryable
from spillway.domain.observations.hours import hour_at, hour_of
from spillway.domain.observations.usage import CHECKS, Hours
from spillway.domain.pricing.measured_throughput import own_throughput
from spillway.domain.pricing.price_book import PriceBook, Source
from spillway.domain.pricing.throughput import Benchmarks, Throughput
from spillway.ports import Bills, Deployments, UsageLog

GroupBy: TypeAlias = Literal["deployment", "path", "key", "day", "hour"]

# Usage is kept this long; an hourly report of more would not fit into an answer.
_LONGEST = timedelta(days=400)
_PARALLEL = 8
_LONGEST_BY_HOUR = timedelta(days=62)
# Instance time that answered nobody stands under this instead of a key.
NO_KEY = "(no request)"


@dataclass(frozen=True)
class Group:
    """One row: its name, its amounts, and micro-dollars by path that the same hours would have cost there.

    ``elsewhere`` is None where a group is less than a deployment's whole hours; in it, None is an unknown price.
    """

    name: str
    amounts: Amounts
    elsewhere: dict[str, int | None] | None


@dataclass(frozen=True)
class CostReport:
    """Whole hours (UTC) from ``since`` to ``until``; the groups' amounts add up to ``total``.

    ``unknown`` names what has no price, ``not_shared`` what the estimated share of common services leaves out.
    """

    since: datetime
    until: datetime
    group_by: GroupBy
    groups: Sequence[Group]
    total: Group
    unknown: Sequence[str]
    not_shared: Sequence[str]
    sources: Sequence[Source]
    bill: BillCheck | None = None


@dataclass(frozen=True)
class ShowCosts:
    """Reads the usage table and prices it."""

    deployments: Deployments
    usage: UsageLog
    prices: Callable[[], PriceBook]
    benchmarks: Benchmarks
    region: str
    now: Callable[[], datetime]
    bills: Bills | None = None

    def report(
        self,
        since: datetime | None,
        until: datetime | None,
        group_by: GroupBy,
        deployment: str | None,
        *,
        with_bill: bool = False,
    ) -> CostReport:
        """Return the cost of a span; without bounds that of this month. NotFound for an unknown deployment.

        ``with_bill`` asks AWS, at its price, what it billed for the days of it; InvalidRequest where that is not
        switched on.
        """
        if with_bill and self.bills is None:
            raise InvalidRequest(
                "bill=true needs the stack's parameter CompareWithBill=true", param="bill", allowed=["false"]
            )
        since, until = self._span(since, until, group_by)
        inventory = self.deployments.all()
        wanted = [self.deployments.get(deployment)] if deployment else inventory.deployments
        prices, parts = self.prices(), []  # type: PriceBook, list[Part]
        others: dict[str, list[dict[str, int | None]]] = defaultdict(list)
        hours = self._hours([one.name for one in wanted], since, until)
        for one in wanted:
            capacities = self._capacities(one, hours[one.name])
            parts += parts_of(one, hours[one.name], prices, self.region, capacities)
            for hour, used in hours_used(hours[one.name]).items():
                would = other_paths(one, used, prices, self.region, capacities)
                others[""].append(would)
                if group_by not in ("path", "key"):
                    others[_name(group_by, one.name, hour, "", "")].append(would)
        checks = self.usage.hours(CHECKS, since, until)
        common, not_shared = shared_parts(inventory.deployments, hours, checks, prices)
        unreadable = () if deployment else inventory.unreadable
        return CostReport(
            since=since,
            until=until,
            group_by=group_by,
            groups=_groups(group_by, parts + common, others),
            total=Group("total", total([part.amounts for part in parts + common]), _added(others[""])),
            unknown=sorted(
                {name for part in parts for name in part.unknown}
                | {f"deployment {name}: its record cannot be read" for name in unreadable}
            ),
            not_shared=sorted(not_shared),
            sources=list(dict.fromkeys(source for part in parts + common for source in part.sources)),
            bill=self._bill(parts, since, until, deployment) if with_bill else None,
        )

    def _hours(self, names: Sequence[str], since: datetime, until: datetime) -> dict[str, Hours]:
        """Read several deployments at once: a long span takes many pages of each, and API Gateway waits 29 s."""
        with ThreadPoolExecutor(_PARALLEL) as pool:
            return dict(zip(names, pool.map(lambda name: self.usage.hours(name, since, until), names), strict=True))

    def _bill(self, parts: Sequence[Part], since: datetime, until: datetime, deployment: str | None) -> BillCheck:
        days = whole_days(since, until, self.now().astimezone(UTC))
        if self.bills is None or days is None:
            return BillCheck(problem="No whole day of the span has passed.")
        try:
            return compared(parts, self.bills.days(*days, deployment), *days)
        except Retryable as err:
            return BillCheck(problem=str(err))

    def _span(self, since: datetime | None, until: datetime | None, group_by: GroupBy) -> tuple[datetime, datetime]:
        now = self.now().astimezone(UTC)
        until = _next_hour(until.astimezone(UTC) if until else now)
        since = since.astimezone(UTC) if since else (until - timedelta(hours=1)).replace(day=1, hour=0)
        since = hour_at(since)
        if since >= until:
            raise InvalidRequest(
                f"from ({since:%Y-%m-%dT%H:%MZ}) must be before to ({until:%Y-%m-%dT%H:%MZ})", param="from"
            )
        longest = _LONGEST_BY_HOUR if group_by == "hour" else _LONGEST
        if until - since > longest:
            raise InvalidRequest(f"from and to may be {longest.days} days apart with group_by={group_by}", param="from")
        return since, until

    def _capacities(self, deployment: Deployment, hours: Hours) -> Capacities:
        """Return each type's capacity: the deployment's own, or its benchmark at the lengths that requests had."""
        requests = max(1, sum(one.traffic.requests for one in hours.traffic))
        prompt = sum(one.traffic.prompt_tokens for one in hours.traffic) / requests
        completion = sum(one.traffic.completion_tokens for one in hours.traffic) / requests

        def capacity(instance_type: str) -> Throughput | None:
            own = own_throughput(deployment, instance_type)
            return own or self.benchmarks.of(deployment.spec.model.id, instance_type, prompt, completion)

        return capacity


def _groups(group_by: GroupBy, parts: Iterable[Part], others: dict[str, list[dict[str, int | None]]]) -> list[Group]:
    amounts: dict[str, list[Amounts]] = defaultdict(list)
    for part in parts:
        amounts[_name(group_by, part.deployment, part.hour, part.path, part.key)].append(part.amounts)
    return [
        Group(name, total(amounts[name]), _added(others[name]) if name in others else None) for name in sorted(amounts)
    ]


def _name(group_by: GroupBy, deployment: str, hour: datetime, path: str, key: str) -> str:
    match group_by:
        case "deployment":
            return deployment
        case "path":
            return path
        case "key":
            return key or NO_KEY
        case "day":
            return f"{hour:%Y-%m-%d}"
        case "hour":
            return hour_of(hour)
        case _:
            assert_never(group_by)


def _added(would: Sequence[dict[str, int | None]]) -> dict[str, int | None]:
    """Add up by path; a path with an unknown hour, or that an hour ran on itself, has no sum."""
    paths = sorted({path for one in would for path in one})
    sums: dict[str, int | None] = {}
    for path in paths:
        known = [usd for one in would if (usd := one.get(path)) is not None]
        sums[path] = sum(known) if len(known) == len(would) else None
    return sums


def _next_hour(at: datetime) -> datetime:
    whole = hour_at(at)
    return whole if whole == at else whole + timedelta(hours=1)

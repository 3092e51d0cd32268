"""The daily look at AWS's prices, kept only if it looks complete."""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from spillway.domain.alerts.alert import Alert, AlertState, Severity, Topic
from spillway.domain.decision import Code, Reason
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.paths.fleet import ec2_instance_type
from spillway.domain.paths.jumpstart import sagemaker_instance_type
from spillway.domain.paths.model_catalog import MODELS, find
from spillway.domain.paths.profile import InstancePrices
from spillway.domain.paths.targets import billed_model
from spillway.domain.pricing.price_book import PriceBook, known_instance_types, price_book
from spillway.domain.pricing.price_layers import TOKEN_TABLES, PriceTable, Reading
from spillway.domain.pricing.throughput import Benchmarks
from spillway.domain.pricing.updates import (
    LEAST_SHARE,
    MOVED_SHARE,
    Comparison,
    compare,
    current,
    moved,
    names_in,
    numbers,
    plausible,
)
from spillway.ports import Alerts, Deployments, Prices, PriceSource

logger = logging.getLogger(__name__)

_TIERS = TOKEN_TABLES - {PriceTable.BEDROCK}


@dataclass(frozen=True)
class Refreshed:
    """How many prices of each table were stored, and the tables whose reading was refused."""

    stored: dict[str, int]
    refused: tuple[str, ...]


@dataclass(frozen=True)
class RefreshPrices:
    """Reads prices of the types in use, refuses what lost too much, and says so.

    ``snapshot`` is what is shipped of the prices of the region that ``source`` reads; it may have none.
    """

    stack: str
    deployments: Deployments
    prices: Prices
    source: PriceSource
    alerts: Alerts
    snapshot: PriceBook
    benchmarks: Benchmarks
    now: Callable[[], datetime]

    def run(self) -> Refreshed:
        """Refresh each table; one that is refused keeps what it had, and does not keep the others from theirs."""
        before, deployments = self.prices.load(), self.deployments.all().deployments
        book = current(self.snapshot, before)
        # A user's own price is no list price that could have moved.
        listed = current(self.snapshot, replace(before, overrides=()))
        stored: dict[str, int] = {}
        refused = []
        for table, names in self._wanted(deployments).items():
            reading = plausible(book, self.source.read(table, names, self.now()))
            comparison = compare(book, reading, names)
            if table in _TIERS and not reading.usd:
                # The list may have these tiers elsewhere: nothing at all is no misreading.
                continue
            if comparison.is_refused:
                refused.append(table.value)
                self.alerts.send(self._alert(table, comparison))
            elif reading.usd:
                # In this order, because a repeat can tell again by the same id, but not what it no longer sees.
                self._tell_of_moves(listed, reading, deployments)
                self.prices.put_reading(reading)
                stored[table.value] = len(reading.usd)
        return Refreshed(stored, tuple(refused))

    def _wanted(self, deployments: Sequence[Deployment]) -> dict[PriceTable, Sequence[str]]:
        """Return the names to ask for: those that are shipped with a price of some region, and those in use."""
        shipped = price_book()
        types = {*known_instance_types(), *(name for model in MODELS for name in model.instance_types)}
        types |= {name for name in self.benchmarks.accelerators if name in shipped.ec2}
        for deployment in deployments:
            types |= {ec2_instance_type(name) for name in _types_of(deployment)}
        ec2 = sorted(types)
        tables: dict[PriceTable, Sequence[str]] = {
            PriceTable.EC2: ec2,
            PriceTable.SAGEMAKER: [sagemaker_instance_type(name) for name in ec2],
            PriceTable.SPOT: ec2,
        }
        models = {name for one in deployments for name in _used_by(one, PriceTable.BEDROCK)}
        for tier in TOKEN_TABLES:
            tables[tier] = sorted({*names_in(shipped, tier), *models})
        return tables

    def _tell_of_moves(self, book: PriceBook, reading: Reading, deployments: Sequence[Deployment]) -> None:
        """Send an alert for each price in use that moved; the stored reading keeps tomorrow from repeating it."""
        users: dict[str, list[str]] = defaultdict(list)
        for deployment in deployments:
            for name in _used_by(deployment, reading.table):
                users[name].append(deployment.name)
        for name, share in moved(book, reading, users).items():
            self.alerts.send(self._moved_alert(book, reading, name, share, users[name]))

    def _moved_alert(self, book: PriceBook, reading: Reading, name: str, share: float, users: Sequence[str]) -> Alert:
        before, after = numbers(names_in(book, reading.table)[name]), reading.usd[name]
        unit = "per million prompt / completion tokens" if reading.table is PriceTable.BEDROCK else "an hour"
        sentence = (
            f"{name}: ${' / $'.join(f'{usd:g}' for usd in before)} became ${' / $'.join(f'{usd:g}' for usd in after)} "
            f"{unit}, by {reading.source} of {reading.at:%Y-%m-%d}. Used by {', '.join(sorted(users)[:5])}."
        )
        return Alert(
            id=f"prices/{reading.table}/{name}/{reading.at:%Y-%m-%d}/event",
            topic=Topic.COST,
            state=AlertState.EVENT,
            severity=Severity.INFO,
            deployment=self.stack,
            at=reading.at,
            what=f"{self.stack}: the price of {name} {'rose' if share > 0 else 'fell'} by {abs(share):.0%}.",
            why=Reason(Code.PRICE_CHANGED, sentence, round(share, 4), MOVED_SHARE, "of the price before"),
            advice="Compare the paths again: POST /plans. If you pay another price, PUT /prices/overrides.",
            usd_per_hour=None if reading.table is PriceTable.BEDROCK else after[0] - before[0],
        )

    def _alert(self, table: PriceTable, comparison: Comparison) -> Alert:
        found, now = comparison.known - len(comparison.lost), self.now()
        named = ", ".join(comparison.lost[:5]) + (", …" if len(comparison.lost) > 5 else "")
        sentence = (
            f"Of {comparison.known} {table} prices that were known, AWS's list has {found}; "
            f"less than {LEAST_SHARE:.0%} is taken for a misreading. Not found: {named}."
        )
        logger.warning("price refresh refused", extra={"table": table, "lost": len(comparison.lost)})
        return Alert(
            id=f"prices/{table}/{now:%Y-%m-%d}/event",
            topic=Topic.COST,
            state=AlertState.EVENT,
            severity=Severity.WARNING,
            deployment=self.stack,
            at=now,
            what=f"{self.stack}: today's {table} prices were refused; yesterday's stay in force.",
            why=Reason(Code.PRICES_REFUSED, sentence, float(found), comparison.known * LEAST_SHARE, "prices"),
            advice="Nothing for a day or two. If it lasts, compare a price with AWS's page and set it by "
            "PUT /prices/overrides.",
        )


def _used_by(deployment: Deployment, table: PriceTable) -> Iterable[str]:
    """Return the names of a table that this deployment's bill depends on."""
    path = deployment.spec.profile
    match table:
        case PriceTable.EC2 if path.instance_prices is InstancePrices.EC2:
            return map(path.instance_type, _types_of(deployment))
        case PriceTable.SAGEMAKER if path.instance_prices is InstancePrices.SAGEMAKER:
            return map(path.instance_type, _types_of(deployment))
        case PriceTable.BEDROCK:
            models = (billed_model(deployment.target), deployment.spill_model)
            return [model for model in models if model is not None]
        case _:
            return ()


def _types_of(deployment: Deployment) -> Sequence[str]:
    """Return the types that a deployment runs on, may run on, or compares itself with."""
    capacity, running = deployment.spec.capacity, deployment.resources.get("instance_type")
    named = [*([running] if running else []), *capacity.instance_types]
    if not named and (model := find(deployment.spec.model.id)):
        # The hub's own choice is known once it runs; until then the catalog's first.
        named = list(model.instance_types[:1])
    return [*dict.fromkeys([*named, *([capacity.larger.instance_type] if capacity.larger else [])])]

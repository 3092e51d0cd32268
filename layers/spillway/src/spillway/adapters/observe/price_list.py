"""AWS's Price List API and EC2's spot price history, read for the names in use.

The Price List answers in few regions only, for all of them; its products come as JSON inside strings.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from spillway.adapters.aws.errors import translated
from spillway.domain.pricing.price_layers import PriceTable, Reading

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

ENDPOINT_REGION = "us-east-1"
_SOURCE = "AWS Price List API"
_TOKENS_PER_UNIT = {"1K tokens": 1_000, "1M tokens": 1_000_000, "Tokens": 1, "1000 tokens": 1_000}
_TIER = re.compile(r"flex|batch|priority", re.IGNORECASE)
# What Bedrock's usage types say of prices that are no tier's plain tokens.
_OTHER = re.compile(r"cache|custom|provisioned|global|latency|reserved", re.IGNORECASE)


class PriceList:
    """Implements the ``PriceSource`` port; ``pricing`` is a boto3 client of ``ENDPOINT_REGION``."""

    def __init__(self, pricing: Any, ec2: "EC2Client", region: str) -> None:
        self._pricing = pricing
        self._ec2 = ec2
        self._region = region

    def read(self, table: PriceTable, names: Sequence[str], now: datetime) -> Reading:
        """Return the prices of those names that AWS has; a name with two different prices is left out."""
        match table:
            case PriceTable.EC2:
                return Reading(table, dict(self._hourly(names, self._of_ec2)), _SOURCE, now)
            case PriceTable.SAGEMAKER:
                return Reading(table, dict(self._hourly(names, self._of_sagemaker)), _SOURCE, now)
            case PriceTable.SPOT:
                return Reading(table, self._spot(names, now), "EC2 spot price history, mean of the zones", now)
            case PriceTable.BEDROCK | PriceTable.FLEX | PriceTable.BATCH | PriceTable.PRIORITY:
                return Reading(table, self._bedrock(table, names), _SOURCE, now)
            case PriceTable.IMPORTS | PriceTable.PLATFORM:
                # How the list names these was never seen; a guess would be an invented price.
                return Reading(table, {}, _SOURCE, now)

    def _hourly(self, names: Sequence[str], read: Any) -> Iterator[tuple[str, tuple[float, ...]]]:
        for name in names:
            prices = {usd for product in read(name) for usd, unit in _on_demand(product) if unit == "Hrs"}
            if len(prices) == 1:
                yield name, (prices.pop(),)

    def _of_ec2(self, name: str) -> Iterator[Mapping[str, Any]]:
        return self._products(
            "AmazonEC2",
            instanceType=name,
            regionCode=self._region,
            operatingSystem="Linux",
            tenancy="Shared",
            preInstalledSw="NA",
            capacitystatus="Used",
            licenseModel="No License required",
        )

    def _of_sagemaker(self, name: str) -> Iterator[Mapping[str, Any]]:
        """Return the products for hosting: training and notebooks have the same instance name."""
        for product in self._products("AmazonSageMaker", regionCode=self._region, instanceName=name):
            attributes = product["product"]["attributes"]
            if (
                "host:" in attributes.get("usagetype", "").lower()
                or "hosting" in attributes.get("component", "").lower()
            ):
                yield product

    def _spot(self, names: Sequence[str], now: datetime) -> dict[str, tuple[float, ...]]:
        """Return the mean over the zones of each zone's price now."""
        zones: dict[str, dict[str, tuple[datetime, float]]] = defaultdict(dict)
        if not names:
            return {}
        pages = self._ec2.get_paginator("describe_spot_price_history").paginate(
            # As a filter, because a type that the region doesn't have is no error there.
            Filters=[{"Name": "instance-type", "Values": list(names)}],
            ProductDescriptions=["Linux/UNIX"],
            StartTime=now,
        )
        with translated():
            for page in pages:
                for one in page["SpotPriceHistory"]:
                    found = (one["Timestamp"], float(one["SpotPrice"]))
                    before = zones[one["InstanceType"]].get(one["AvailabilityZone"], found)
                    zones[one["InstanceType"]][one["AvailabilityZone"]] = max(before, found)
        return {
            name: (round(sum(usd for _, usd in latest.values()) / len(latest), 6),) for name, latest in zones.items()
        }

    def _bedrock(self, table: PriceTable, names: Sequence[str]) -> dict[str, tuple[float, ...]]:
        """Return a tier's models whose products can be told apart by name and direction; the others are left out."""
        ids = _by_plain_name(names)
        found: dict[str, dict[str, set[float]]] = defaultdict(lambda: defaultdict(set))
        for product in self._products("AmazonBedrock", regionCode=self._region):
            attributes = product["product"]["attributes"]
            usage = f"{attributes.get('usagetype', '')} {attributes.get('inferenceType', '')}"
            name = ids.get(_plain(attributes.get("model", "")))
            direction = next((one for one in ("input", "output") if one in usage.lower()), None)
            if name is None or direction is None or _OTHER.search(usage) or _tier_of(usage) is not table:
                continue
            for usd, unit in _on_demand(product):
                if unit in _TOKENS_PER_UNIT:
                    found[name][direction].add(round(usd * 1_000_000 / _TOKENS_PER_UNIT[unit], 6))
        return {
            name: (*sides["input"], *sides["output"])
            for name, sides in found.items()
            if len(sides["input"]) == len(sides["output"]) == 1
        }

    def _products(self, service: str, **attributes: str) -> Iterator[Mapping[str, Any]]:
        filters = [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in attributes.items()]
        pages = self._pricing.get_paginator("get_products").paginate(
            ServiceCode=service, Filters=filters, FormatVersion="aws_v1"
        )
        with translated():
            for page in pages:
                yield from map(json.loads, page["PriceList"])


def _tier_of(usage: str) -> PriceTable:
    found = _TIER.search(usage)
    return PriceTable(found[0].lower()) if found else PriceTable.BEDROCK


def _on_demand(product: Mapping[str, Any]) -> Iterator[tuple[float, str]]:
    """Return USD and unit of each price; the list also has dimensions for nothing, at zero."""
    for term in product.get("terms", {}).get("OnDemand", {}).values():
        for dimension in term["priceDimensions"].values():
            usd = float(dimension["pricePerUnit"].get("USD", 0))
            if usd > 0:
                yield usd, dimension["unit"]


def _by_plain_name(names: Iterable[str]) -> dict[str, str]:
    """Return Bedrock ids by what is left of them without provider, version and punctuation, where that is one's own."""
    plain: dict[str, list[str]] = defaultdict(list)
    for name in names:
        if name.count(".") == 1 or not name.startswith(("us.", "global.")):
            plain[_plain(re.sub(r"-v\d+(:\d+)?$", "", name.partition(".")[2]))].append(name)
    return {key: found[0] for key, found in plain.items() if len(found) == 1}


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]|instruct", "", name.lower())

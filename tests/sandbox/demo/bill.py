"""The day's bill by hand: what the simulated AWS metered, times the price list, by plain arithmetic.

Nothing here comes from Spillway's own code, so that its ledger is held against something that can disagree.
"""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.sandbox.demo.api import Api
from tests.sandbox.demo.cloud import Cloud
from tests.sandbox.demo.ledger import Ledger
from tests.sandbox.process import REPOSITORY

_PRICES = REPOSITORY / "layers/spillway/src/spillway/data/prices.json"


_CENT = 0.01
# Real seconds: a check a second, and the one after everything has gone counts the last instances.
_PATIENCE = 10.0


async def hold_costs_against_the_meter(api: Api, cloud: Cloud, ledger: Ledger) -> None:
    """Expect ``GET /costs`` to say what the meter says, once nothing runs any more."""
    meter = await cloud.meter()
    instances, tokens = instance_usd(meter), token_usd(meter)
    # Not this month's costs: the day may begin in one month and end in the next.
    since = _day_before(min(one["from"] for one in meter["instances"]))
    by_hand, deadline = sum(instances.values()) + tokens, time.monotonic() + _PATIENCE
    while True:
        report = (await api.call("GET", f"/costs?group_by=deployment&from={since}"))[2]
        total = report["total"]["usd"] or 0.0
        if abs(total - by_hand) < _CENT or time.monotonic() > deadline:
            break
        await asyncio.sleep(0.5)
    rows = {row["group"]: row["known_usd"] - row["spill_usd"] for row in report["rows"]}
    for name, usd in instances.items():
        told = rows.get(name, 0.0)
        ledger.expect(f"Instances of {name}", abs(told - usd) < _CENT, f"${told:.4f}, by hand ${usd:.4f}")
    detail = f"${total:.4f}, by hand ${by_hand:.4f}, of it ${tokens:.4f} for Bedrock's tokens"
    ledger.expect("GET /costs is within a cent of it", abs(total - by_hand) < _CENT, detail)


def _day_before(moment: float) -> str:
    return (datetime.fromtimestamp(moment, UTC) - timedelta(days=1)).date().isoformat()


def instance_usd(meter: dict[str, Any]) -> dict[str, float]:
    """Return what instances cost, by deployment; raise ValueError while one of them still runs."""
    prices = json.loads(_PRICES.read_text())
    usd: dict[str, float] = {}
    for one in meter["instances"]:
        if one["to"] is None and one["count"]:
            raise ValueError(f"an instance of {one['deployment']} still runs")
        if one["count"]:
            hourly = prices["ec2_usd_per_hour" if one["path"] == "fleet" else "sagemaker_usd_per_hour"][one["type"]][0]
            hours = (one["to"] - one["from"]) / 3600
            usd[one["deployment"]] = usd.get(one["deployment"], 0.0) + one["count"] * hours * hourly
    return usd


def token_usd(meter: dict[str, Any]) -> float:
    """Return what Bedrock's tokens cost."""
    prices = json.loads(_PRICES.read_text())["bedrock_usd_per_million_tokens"]
    return float(
        sum(
            (use["prompt_tokens"] * prices[model][0] + use["completion_tokens"] * prices[model][1]) / 1e6
            for model, use in meter["tokens"].items()
        )
    )

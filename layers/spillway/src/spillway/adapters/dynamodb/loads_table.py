"""The ``loads`` table in DynamoDB: what deployments were asked, and how full their engines are, 100 items a call."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from spillway.adapters.dynamodb.batch_get import batch_get
from spillway.adapters.dynamodb.load_keys import BLOCK_MINUTES, block_of, counter, engines_id, traffic_id
from spillway.domain.observations.signals import Signal
from spillway.domain.observations.traffic import Load, Minute

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# A gauge that is older says nothing about now: its engine has stopped telling.
GAUGE_HOLDS = timedelta(minutes=4)
_COUNTERS = tuple(field.name for field in fields(Minute) if field.name != "at")
_Items = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class _Gauges:
    """What one instance told last, ``at`` a moment since the epoch."""

    at: int
    running: float
    waiting: float
    cache: float


class LoadsTable:
    """Implements the ``LoadReader`` port; consistently, so that a look misses nothing that was written before it."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def read(self, wanted: Mapping[str, Set[Signal]], since: datetime, now: datetime) -> Mapping[str, Load]:
        """Read the minutes from ``since`` to the running one, and the engines' latest word."""
        blocks = {Signal.TRAFFIC: _blocks(since, now), Signal.ENGINES: _blocks(now - GAUGE_HOLDS, now)}
        ids = [
            name_of(name, block)
            for name, signals in wanted.items()
            for signal, name_of in ((Signal.TRAFFIC, traffic_id), (Signal.ENGINES, engines_id))
            if signal in signals
            for block in blocks[signal]
        ]
        items = {item["id"]["S"]: item for item in batch_get(self._client, self._table, "id", ids)}
        return {name: self._load(items, name, blocks, since, now) for name in wanted}

    def _load(
        self, items: _Items, name: str, blocks: Mapping[Signal, Sequence[int]], since: datetime, now: datetime
    ) -> Load:
        minutes = [
            minute
            for block in blocks[Signal.TRAFFIC]
            for minute in _minutes(items.get(traffic_id(name, block), {}), block)
            if since.replace(second=0, microsecond=0) <= minute.at <= now
        ]
        told: dict[str, _Gauges] = {}
        for block in blocks[Signal.ENGINES]:
            told |= _gauges(items.get(engines_id(name, block), {}))
        live = _live(list(told.values()), now)
        return Load(
            minutes=tuple(sorted(minutes, key=lambda minute: minute.at, reverse=True)),
            running=sum(one.running for one in live) if live else None,
            waiting=sum(one.waiting for one in live) if live else None,
            kv_cache_use=max((one.cache for one in live), default=None),
        )


def _blocks(since: datetime, now: datetime) -> range:
    return range(block_of(_minute_of(since)), block_of(_minute_of(now)) + 1)


def _minute_of(at: datetime) -> int:
    return int(at.timestamp()) // 60


def _minutes(item: Mapping[str, Any], block: int) -> Iterator[Minute]:
    """Return the minutes of a block in which anything was counted."""
    for minute in range(block * BLOCK_MINUTES, (block + 1) * BLOCK_MINUTES):
        found = {name: int(item[at]["N"]) for name in _COUNTERS if (at := counter(name, minute)) in item}
        if found:
            yield Minute(datetime.fromtimestamp(minute * 60, UTC), **found)


def _gauges(item: Mapping[str, Any]) -> Iterator[tuple[str, _Gauges]]:
    for name, value in item.items():
        if "M" in value:
            told = {field: float(number["N"]) for field, number in value["M"].items()}
            yield name, _Gauges(int(told["at"]), told["running"], told["waiting"], told["cache"])


def _live(told: Sequence[_Gauges], now: datetime) -> Sequence[_Gauges]:
    """Return the words of the latest minute, each instance's own, and none of an instance that has gone silent.

    An instance tells once a minute, soon after it begins. In the running minute some have and others will: of those,
    what they said in the minute before counts.
    """
    recent = [one for one in told if one.at >= (now - GAUGE_HOLDS).timestamp()]
    newest = max((one.at // 60 for one in recent), default=0)
    since = newest - 1 if newest == _minute_of(now) else newest
    return [one for one in recent if one.at // 60 >= since]

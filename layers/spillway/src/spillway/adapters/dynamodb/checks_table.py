"""The ``checks`` table in DynamoDB: the check's lease, and what it remembers, many deployments to an item.

A deployment's memory lives in the shard that its name's checksum picks, so that the number of reads and writes of a
check is bounded by the number of shards, however many deployments there are.
"""

import json
import logging
import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from spillway.adapters.aws.errors import code_of, translated
from spillway.adapters.dynamodb.batch_get import batch_get
from spillway.domain.economics.economy import economy_from_json, economy_to_json
from spillway.domain.observations.instance_lifetimes import InstanceLifetime
from spillway.domain.scaling.check_state import Memory

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

logger = logging.getLogger(__name__)

# 10,000 deployments of one instance each make items of about 70 KB, a sixth of DynamoDB's limit.
SHARDS = 64
_LEASE = "lease"
_TIMES = ("last_request_at", "roomy_since", "checked_at", "counted_until", "instances_until")
_LIFE_TIMES = ("launched_at", "answered_at", "ended_at")
_PARALLEL = 8
_UNREADABLE = (AttributeError, LookupError, TypeError, ValueError)


class ChecksTable:
    """Implements the ``Memories`` port."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def acquire(self, owner: str, now: datetime, until: datetime) -> bool:
        """Take the lease by one conditional write."""
        try:
            with translated():
                self._client.put_item(
                    TableName=self._table,
                    Item={"id": {"S": _LEASE}, "owner": {"S": owner}, "until": {"N": str(until.timestamp())}},
                    ConditionExpression="attribute_not_exists(id) OR #until <= :now OR #owner = :owner",
                    ExpressionAttributeNames={"#until": "until", "#owner": "owner"},
                    ExpressionAttributeValues={":now": {"N": str(now.timestamp())}, ":owner": {"S": owner}},
                )
        except ClientError as err:
            if code_of(err) == "ConditionalCheckFailedException":
                return False
            raise
        return True

    def release(self, owner: str) -> None:
        """Give the lease back, unless somebody else has taken it since."""
        try:
            with translated():
                self._client.delete_item(
                    TableName=self._table,
                    Key={"id": {"S": _LEASE}},
                    ConditionExpression="#owner = :owner",
                    ExpressionAttributeNames={"#owner": "owner"},
                    ExpressionAttributeValues={":owner": {"S": owner}},
                )
        except ClientError as err:
            if code_of(err) != "ConditionalCheckFailedException":
                raise

    def load(self, names: Sequence[str]) -> Mapping[str, Memory]:
        """Read the shards of these names; a name that was never looked at is left out.

        What cannot be read is begun anew, so that it stops no other deployment's check.
        """
        wanted = set(names)
        found: dict[str, Memory] = {}
        for item in batch_get(self._client, self._table, "id", [_shard(name) for name in names]):
            memories: dict[str, Any] = json.loads(item["memories"]["S"])
            read = {name: _read(name, data) for name, data in memories.items() if name in wanted}
            found.update({name: memory for name, memory in read.items() if memory is not None})
        return found

    def save(self, memories: Mapping[str, Memory]) -> None:
        """Write the shards of these names whole; names left out of a shard are forgotten."""
        shards: dict[str, dict[str, Any]] = defaultdict(dict)
        for name, memory in memories.items():
            shards[_shard(name)][name] = _to_json(memory)
        with ThreadPoolExecutor(_PARALLEL) as pool:
            for done in [pool.submit(self._put, shard, content) for shard, content in shards.items()]:
                done.result()

    def _put(self, shard: str, memories: dict[str, Any]) -> None:
        with translated():
            self._client.put_item(
                TableName=self._table, Item={"id": {"S": shard}, "memories": {"S": json.dumps(memories)}}
            )


def _shard(name: str) -> str:
    return f"memory-{zlib.crc32(name.encode()) % SHARDS:02d}"


def _read(name: str, data: dict[str, Any]) -> Memory | None:
    """Return the memory; without its economy where only that cannot be read, None where more cannot."""
    try:
        return _from_json(data)
    except _UNREADABLE as err:
        kind = _kind_of(data)
        logger.error(
            "what is remembered cannot be read, and is begun anew",
            extra={"deployment": name, "economy": kind, "error": repr(err)},
        )
    try:
        return _from_json({**data, "economy": None})
    except _UNREADABLE:
        return None


def _kind_of(data: Any) -> Any:
    economy = data.get("economy") if isinstance(data, dict) else None
    return economy.get("kind") if isinstance(economy, dict) else None


def _to_json(memory: Memory) -> dict[str, Any]:
    return {
        **vars(memory),
        **_texts(memory, _TIMES),
        "open_alerts": sorted(memory.open_alerts),
        "economy": economy_to_json(memory.economy) if memory.economy else None,
        "lives": [{**vars(life), **_texts(life, _LIFE_TIMES)} for life in memory.lives],
    }


def _from_json(data: dict[str, Any]) -> Memory:
    """Read back a memory; what a newer version remembers beside it is left out."""
    lives = tuple(
        InstanceLifetime(**_known(InstanceLifetime, life | _moments(life, _LIFE_TIMES)))
        for life in data.get("lives", ())
    )
    economy = economy_from_json(data["economy"]) if data.get("economy") else None
    rest = {"open_alerts": frozenset(data["open_alerts"]), "economy": economy, "lives": lives}
    return Memory(**_known(Memory, data | _moments(data, _TIMES)) | rest)


def _known(kind: type[Memory] | type[InstanceLifetime], data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name in kind.__dataclass_fields__}


def _texts(found: object, names: Sequence[str]) -> dict[str, str | None]:
    return {name: at.isoformat() if (at := getattr(found, name)) else None for name in names}


def _moments(data: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: datetime.fromisoformat(data[name]) if data.get(name) else None for name in names}

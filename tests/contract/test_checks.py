"""The check's lease and memory, in memory and in DynamoDB alike."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from spillway.adapters.dynamodb.checks_table import SHARDS, ChecksTable
from spillway.domain.decision import Code, Reason
from spillway.domain.economics.import_windows.in_check import ImportEconomy, KeptCopy
from spillway.domain.economics.in_check import FleetEconomy
from spillway.domain.economics.ladders.in_check import LadderEconomy
from spillway.domain.economics.ladders.rule import State as PlaceState
from spillway.domain.economics.rule import State
from spillway.domain.observations.instance_lifetimes import InstanceLifetime
from spillway.domain.scaling.check_state import Memory
from spillway.ports import Memories
from tests.builders import NOW
from tests.fakes import FakeMemories

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from tests.contract.conftest import MakeTable

LEASE = timedelta(seconds=120)
PAYS = Reason(Code.TRAFFIC_PAYS, "Tokens cost $0.1602 more than an instance would have.", 0.1602, 0.15, "USD")
FLEET = FleetEconomy(
    state=replace(State.of(2), minute=29_925_363),
    reason=PAYS,
    tokens_per_request=812.123456789,
    ladder=LadderEconomy(PlaceState([0.0, 0.3, 0.000001], 2), (0.1, 0.2, 0.3), PAYS, PAYS, NOW.date()),
)
IMPORT = ImportEconomy(
    minute=29_925_363,
    copy=KeptCopy(starting=1, paid=2, idle=3, is_warm=True, windows=4, starts=5),
    is_used=True,
    recent=(0.1, 0.123456789),
    saved=0.4,
    quiet=6,
    reason=PAYS,
)
FULL = Memory(
    last_request_at=NOW - timedelta(minutes=7),
    roomy_since=NOW - timedelta(minutes=3),
    checked_at=NOW,
    counted_until=NOW - timedelta(minutes=2),
    month="2026-11",
    usd_this_month=12.345678901,
    has_unpriced=True,
    open_alerts=frozenset({"capacity_lost", "budget:2026-11:0.5"}),
    code="capacity_lost",
    economy=FLEET,
    instances_until=NOW,
    lives=(
        InstanceLifetime("i-0", "g6e.xlarge", NOW - timedelta(hours=2), NOW - timedelta(hours=1), NOW),
        InstanceLifetime("i-1", "g6e.xlarge", NOW - timedelta(minutes=1)),
    ),
)


@pytest.fixture(params=["memory", "dynamodb"])
def memories(request: pytest.FixtureRequest) -> Memories:
    if request.param == "memory":
        return FakeMemories()
    make: MakeTable = request.getfixturevalue("make_table")
    return ChecksTable(request.getfixturevalue("dynamodb"), make("id"))


@pytest.mark.parametrize(
    ("owner", "after", "taken"),
    [
        ("another", timedelta(0), False),
        ("another", LEASE - timedelta(milliseconds=1), False),
        ("another", LEASE, True),
        ("another", LEASE + timedelta(milliseconds=1), True),
        # The same run again: the SDK repeats a call whose answer was lost.
        ("first", timedelta(0), True),
    ],
)
def test_the_lease_has_one_owner_until_it_runs_out(
    memories: Memories, owner: str, after: timedelta, taken: bool
) -> None:
    assert memories.acquire("first", NOW, NOW + LEASE)
    now = NOW + after
    assert memories.acquire(owner, now, now + LEASE) is taken


def test_a_lease_that_is_given_back_is_free(memories: Memories) -> None:
    memories.acquire("first", NOW, NOW + LEASE)
    memories.release("first")
    assert memories.acquire("second", NOW, NOW + LEASE)


def test_nobody_gives_back_the_lease_of_another(memories: Memories) -> None:
    memories.release("nobody")
    memories.acquire("first", NOW, NOW + LEASE)
    memories.acquire("second", NOW + LEASE, NOW + 2 * LEASE)
    memories.release("first")
    assert not memories.acquire("third", NOW + LEASE, NOW + 2 * LEASE)


def test_a_memory_comes_back_as_it_was_saved(memories: Memories) -> None:
    saved = {"support-llama": FULL, "model-b": Memory(), "model-c": Memory(economy=IMPORT)}
    memories.save(saved)
    assert memories.load([*saved, "nobody"]) == saved
    assert memories.load(["model-b"]) == {"model-b": Memory()}
    assert memories.load([]) == {}


def test_the_next_look_replaces_the_last(memories: Memories) -> None:
    memories.save({"support-llama": FULL})
    memories.save({"support-llama": Memory(month="2026-12")})
    assert memories.load(["support-llama"]) == {"support-llama": Memory(month="2026-12")}


def test_saving_nothing_is_fine(memories: Memories) -> None:
    memories.save({})
    assert memories.load(["support-llama"]) == {}


class Counting:
    """A client that counts its calls."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self.client = client
        self.calls: list[str] = []

    def __getattr__(self, operation: str) -> Any:
        def call(**arguments: Any) -> Any:
            self.calls.append(operation)
            return getattr(self.client, operation)(**arguments)

        return call


def test_calls_are_bounded_by_the_number_of_shards(dynamodb: "DynamoDBClient", make_table: "MakeTable") -> None:
    client = Counting(dynamodb)
    table = ChecksTable(client, make_table("id"))  # type: ignore[arg-type]
    names = [f"model-{number}" for number in range(1000)]
    table.save(dict.fromkeys(names, FULL))
    assert client.calls == ["put_item"] * SHARDS
    client.calls.clear()
    assert table.load(names) == dict.fromkeys(names, FULL)
    assert client.calls == ["batch_get_item"]


def test_a_memory_of_an_earlier_version_is_still_read(dynamodb: "DynamoDBClient", make_table: "MakeTable") -> None:
    table = ChecksTable(dynamodb, make_table("id"))
    table.save({"support-llama": Memory(month="2026-11")})
    (item,) = dynamodb.scan(TableName="table")["Items"]
    older = item["memories"]["S"].replace('"has_unpriced": false, ', "")
    assert older != item["memories"]["S"]
    dynamodb.put_item(TableName="table", Item={**item, "memories": {"S": older}})
    assert table.load(["support-llama"]) == {"support-llama": Memory(month="2026-11")}


def test_what_a_newer_version_remembers_is_left_out(dynamodb: "DynamoDBClient", make_table: "MakeTable") -> None:
    table = make_table("id")
    store = ChecksTable(dynamodb, table)
    store.save({"one": FULL})
    (item,) = dynamodb.scan(TableName=table)["Items"]
    memories = json.loads(item["memories"]["S"])
    memories["one"]["invented_later"] = memories["one"]["lives"][0]["invented_later"] = [1]
    dynamodb.put_item(TableName=table, Item={**item, "memories": {"S": json.dumps(memories)}})
    assert store.load(["one"]) == {"one": FULL}

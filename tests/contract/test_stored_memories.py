"""What the check learned outlives its version: looks go on from every form in which it was ever stored."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from spillway.adapters.dynamodb.checks_table import ChecksTable
from spillway.domain.deployments.deployment import Deployment
from spillway.domain.deployments.status import Status
from spillway.domain.observations.traffic import Load, Minute
from spillway.domain.paths.targets import ImportedTarget
from spillway.domain.pricing.price_book import HourlyPrice, ImportPrices, PriceBook, Source, UnitPrice
from spillway.domain.routing.route import RouteState
from spillway.domain.scaling.check_state import Memory
from spillway.services.check import Check
from tests.builders import a_capacity, a_deployment, a_price_book, a_route, a_spec
from tests.fakes import (
    FakeAlerts,
    FakeCapacityReader,
    FakeDecisions,
    FakeDeployments,
    FakeEvents,
    FakeLoadReader,
    FakeRoutes,
    FakeUsageLog,
    FakeWorkflows,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from tests.contract.conftest import MakeTable

# As the table held them while no economy had a kind, all at the same minute.
UNTAGGED = json.loads((Path(__file__).parents[1] / "fixtures" / "checks_untagged.json").read_text())
STORED_AT = datetime(2026, 11, 24, 23, 55, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
# An instance costs six cents a minute, and the tokens of a full one at least ten.
CAPACITY = {"max": 3, "instance_types": ["g6e.xlarge"], "tokens_per_minute_per_instance": 100_000}
LARGER = {"larger": {"instance_type": "g6e.12xlarge", "tokens_per_minute_per_instance": 500_000}, "max": 1}
WAITING = {"waiting_usd_per_request": 0.05}


def a_fleet(status: Status, **changes: Any) -> Callable[[str], Deployment]:
    spec = {**changes, "capacity": {**CAPACITY, **changes.get("capacity", {})}}
    began, desired = STORED_AT - timedelta(days=9), 0 if status is Status.ASLEEP else 1
    return lambda name: a_deployment(
        name,
        spec=a_spec(name=name, **spec),
        status=status,
        desired=desired,
        created_at=began,
        updated_at=began,
        cold_start_seconds=300.0,
    )


def an_import(name: str) -> Deployment:
    model = {"id": "Qwen/Qwen3-8B", "weights": "s3://weights/qwen3"}
    target = ImportedTarget("arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdef123456", 2)
    spec = a_spec(name=name, path="import", model=model, capacity=None)
    return a_deployment(name, spec=spec, target=target, created_at=STORED_AT - timedelta(days=9))


def prices() -> PriceBook:
    book, source = a_price_book(), Source("a test", "2026-11-24")
    imports = ImportPrices(UnitPrice(0.06, source), UnitPrice(7.3, source))
    return replace(book, imports=imports, ec2={**book.ec2, "g6e.12xlarge": HourlyPrice(10.8, source)})


class World:
    """Looks a minute apart at deployments whose memories are in the table as another version left them."""

    def __init__(
        self, client: "DynamoDBClient", table: str, stored: Mapping[str, Any], *deployments: Deployment
    ) -> None:
        self.now = STORED_AT
        self.memories = ChecksTable(client, table)
        self.memories.save(dict.fromkeys(stored, Memory()))
        for item in client.scan(TableName=table)["Items"]:
            as_left = {name: stored[name] for name in json.loads(item["memories"]["S"])}
            client.put_item(TableName=table, Item={**item, "memories": {"S": json.dumps(as_left)}})
        self.routes = FakeRoutes(
            *(a_route(each.name, version=1, deployment_version=1, primary=each.target) for each in deployments)
        )
        self.decisions, self.loads, self.workflows = FakeDecisions(), FakeLoadReader(), FakeWorkflows()
        capacities = {each.name: a_capacity(each.desired, instances=None) for each in deployments}
        self.service = Check(
            deployments=FakeDeployments(*deployments),
            routes=self.routes,
            decisions=self.decisions,
            memories=self.memories,
            instance_times=FakeUsageLog(),
            loads=self.loads,
            capacities=FakeCapacityReader(capacities),
            workflows=self.workflows,
            alerts=FakeAlerts(),
            events=FakeEvents(),
            prices=prices,
            region="us-east-1",
            now=lambda: self.now,
        )

    def look(self, name: str, minutes: Sequence[Minute]) -> tuple[str, list[str]]:
        """Look once; return the decision with the instances asked for and the route, and what was said of money."""
        self.now += MINUTE
        recent = [minute for minute in minutes if self.now - 4 * MINUTE <= minute.at < self.now and minute.requests]
        self.loads.loads = {name: Load(tuple(reversed(recent)))}
        self.workflows.executions.clear()
        noted = len(self.decisions.items.get(name, []))
        assert self.service.run("me") is not None
        started = self.workflows.started("scale")
        reasons = [vars(decision.reason) for _, decision in self.decisions.items.get(name, [])[noted:]]
        reasons += [payload["reason"] for payload in started]
        shown = [self.memories.load([name])[name].code, *(str(payload["desired"]) for payload in started)]
        shown += [] if (state := self.routes.items[name].state) is RouteState.READY else [state]
        return " ".join(shown), [reason["sentence"] for reason in reasons if reason["unit"] == "USD"]


def since(ago: int, *parts: tuple[int, dict[str, int]]) -> list[Minute]:
    """Minutes with so many requests and tokens, the first that long before the memories were stored."""
    each = [counts for times, counts in parts for _ in range(times)]
    return [Minute(STORED_AT + (at - ago) * MINUTE, **{"requests": 1, **counts}) for at, counts in enumerate(each)]


def spilled(tokens: int) -> dict[str, int]:
    return {"bedrock_prompt_tokens": tokens}


def own(tokens: int, requests: int = 1) -> dict[str, int]:
    return {"primary_tokens": tokens, "primary_requests": requests, "requests": requests}


BUSY = since(27, (60, spilled(100_000)))
FALLING = since(8, (4, own(100_000)), (40, own(5_000)))
HEAVY = since(6, (40, own(450_000)))
# What the version that stored them decided in the next eight minutes, and why. Had it forgotten what it kept, it would
# have decided otherwise in each case of the first six.
DECIDED = {
    "asleep": (
        a_fleet(Status.ASLEEP),
        BUSY,
        ["asleep"] * 2 + ["traffic_pays 1"] * 6,
        ["Tokens cost $0.1602 more than an instance would have; the threshold is $0.1500."],
    ),
    "serving": (
        a_fleet(Status.SERVING),
        FALLING,
        ["traffic_fell 0"] * 8,
        ["An instance cost $0.1620 more than tokens would have; the threshold is $0.1500."],
    ),
    "refusing": (
        a_fleet(Status.ASLEEP, spill=None, thresholds=WAITING),
        since(5, (4, own(90_000, 9)), (40, {"requests": 25})),
        ["traffic_pays 1"] * 3 + ["traffic_pays 2"] * 4 + ["traffic_pays 3"],
        [
            "Waiting cost $1.5600 more than an instance would have; the threshold is $1.2000.",
            "Waiting cost $1.3200 more than an instance would have; the threshold is $1.2000.",
            "Waiting cost $1.3301 more than an instance would have; the threshold is $1.2000.",
        ],
    ),
    # Told of already that day: told of again after midnight.
    "larger": (
        a_fleet(Status.SERVING, capacity=LARGER),
        HEAVY,
        ["steady"] * 8,
        ["1 x g6e.12xlarge would now serve this traffic for $1.67 an hour, $2.42 less than 1 x g6e.xlarge"],
    ),
    "imported": (
        an_import,
        since(4, (40, spilled(200_000))),
        ["traffic_pays"] * 8,
        ["The last 4 minutes' tokens cost $0.6000; a window of the imported model costs $0.6000."],
    ),
    "window": (
        an_import,
        since(9, (6, spilled(200_000))),
        ["traffic_pays"] + ["traffic_fell cold"] * 7,
        ["The requests of the last window would have cost $0.4000 elsewhere; a window"],
    ),
    # Before the rule's state named its form: begun anew.
    "first-form": (
        a_fleet(Status.SERVING),
        FALLING,
        ["steady"] * 2 + ["traffic_fell 0"] * 6,
        ["An instance cost $0.1620 more than tokens would have; the threshold is $0.1500."],
    ),
    # Before sizes and ladders were kept.
    "first-fields": (
        a_fleet(Status.ASLEEP),
        BUSY,
        ["asleep"] * 2 + ["traffic_pays 1"] * 6,
        ["Tokens cost $0.1602 more than an instance would have; the threshold is $0.1500."],
    ),
    # Of a ladder that has other places now: begun anew, and told of that day and the next.
    "other-places": (
        a_fleet(Status.SERVING, capacity={**LARGER, "max": 2}),
        HEAVY,
        ["steady"] * 8,
        [
            "1 x g6e.12xlarge would now serve this traffic for $0.53 an hour, $0.89 less than 1 x g6e.xlarge",
            "1 x g6e.12xlarge would now serve this traffic for $0.87 an hour, $1.45 less than 1 x g6e.xlarge",
        ],
    ),
    "unweighed": (
        a_fleet(Status.SERVING),
        FALLING,
        ["steady"] * 2 + ["traffic_fell 0"] * 6,
        ["An instance cost $0.1620 more than tokens would have; the threshold is $0.1500."],
    ),
}


@pytest.mark.parametrize("name", DECIDED)
def test_what_was_stored_without_a_kind_is_decided_on_as_by_the_version_that_stored_it(
    name: str, dynamodb: "DynamoDBClient", make_table: "MakeTable"
) -> None:
    deployment, minutes, decided, said = DECIDED[name]
    world = World(dynamodb, make_table("id"), {name: UNTAGGED[name]}, deployment(name))
    looks = [world.look(name, minutes) for _ in decided]
    assert [shown for shown, _ in looks] == decided
    sentences = list(dict.fromkeys(sentence for _, told in looks for sentence in told))
    assert len(sentences) == len(said)
    assert all(sentence.startswith(start) for sentence, start in zip(sentences, said, strict=True))


def test_from_the_next_look_on_what_is_stored_has_a_kind(dynamodb: "DynamoDBClient", make_table: "MakeTable") -> None:
    table, kinds = make_table("id"), {"serving": "fleet", "window": "import", "unweighed": "fleet"}
    deployments = [DECIDED[name][0](name) for name in kinds]
    world = World(dynamodb, table, {name: UNTAGGED[name] for name in kinds}, *deployments)
    world.look("serving", FALLING)
    items = dynamodb.scan(TableName=table)["Items"]
    stored = {name: memory for item in items for name, memory in json.loads(item["memories"]["S"]).items()}
    assert {name: memory["economy"]["kind"] for name, memory in stored.items()} == kinds


FLEET, IMPORT = UNTAGGED["larger"]["economy"], UNTAGGED["window"]["economy"]


@pytest.mark.parametrize(
    ("broken", "kind", "usd_this_month"),
    [
        ({"economy": {"kind": "invented_later", "learned": [1]}}, "invented_later", 12.5),
        ({"economy": {**FLEET, "kind": "import"}}, "import", 12.5),
        ({"economy": {**FLEET, "kind": "fleet", "state": {**FLEET["state"], "layers": [[]]}}}, "fleet", 12.5),
        ({"economy": {**FLEET, "ladder": {**FLEET["ladder"], "told_on": "today"}}}, None, 12.5),
        ({"economy": {**IMPORT, "reason": {"code": "invented_later", "sentence": "So it is."}}}, None, 12.5),
        ({"economy": ["a list"]}, None, 12.5),
        # More than its economy: all of it is begun anew.
        ({"checked_at": "a minute ago"}, None, 0.0),
        ({"lives": [{"nobody": 1}], "economy": {**FLEET, "kind": "fleet"}}, "fleet", 0.0),
    ],
)
def test_what_cannot_be_read_is_begun_anew_and_told_of_and_stops_no_other(
    broken: dict[str, Any],
    kind: str | None,
    usd_this_month: float,
    dynamodb: "DynamoDBClient",
    make_table: "MakeTable",
    caplog: pytest.LogCaptureFixture,
) -> None:
    stored = {"serving": UNTAGGED["serving"], "broken": {**UNTAGGED["serving"], "usd_this_month": 12.5, **broken}}
    fleet = a_fleet(Status.SERVING)
    world = World(dynamodb, make_table("id"), stored, fleet("serving"), fleet("broken"))
    assert world.look("serving", FALLING)[0] == "traffic_fell 0"
    memory = world.memories.load(["broken"])["broken"]
    assert (memory.checked_at, memory.usd_this_month) == (world.now, usd_this_month)
    assert memory.economy is not None
    (record,) = caplog.records
    assert vars(record)["deployment"] == "broken"
    assert vars(record)["economy"] == kind

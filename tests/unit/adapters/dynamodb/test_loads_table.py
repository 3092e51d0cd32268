"""The check reads what others write: by the gateway's own calls, and by the agent of the boot script itself."""

import json
import re
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from spillway.adapters.aws.http import AwsHttp
from spillway.adapters.drivers.fleet.config import FleetConfig
from spillway.adapters.drivers.fleet.user_data import user_data
from spillway.adapters.dynamodb.gateway_tables import DynamoTrafficCounters
from spillway.adapters.dynamodb.loads_table import GAUGE_HOLDS, LoadsTable
from spillway.domain.deployments.resource_names import Names
from spillway.domain.observations.signals import Signal
from spillway.domain.observations.traffic import LONGEST_GAP, Load, Minute
from spillway.gateway.errors import StoreUnavailable
from spillway.gateway.request_record import TrafficMinute
from tests.builders import NOW, a_spec

NAME = "support-llama"
ALL = {NAME: set(Signal)}
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
SINCE = NOW - 4 * MINUTE
# Each is told from the beginning of a minute on.
FIRST, SECOND_ONE = "i-0aaaaaaaaaaaaaaaa", "i-0bbbbbbbbbbbbbbbb"


@pytest.fixture
def table(dynamo: Any) -> LoadsTable:
    return LoadsTable(dynamo, "loads")


async def count(aws: AwsHttp, at: Any, name: str = NAME, **counts: int) -> None:
    moment = int(at.timestamp())
    await DynamoTrafficCounters(aws, "loads").add(TrafficMinute(name, moment // 60), counts, moment)


async def test_counters_are_summed_by_the_minute_newest_first(aws: AwsHttp, table: LoadsTable) -> None:
    for requests in (2, 3):
        await count(aws, SINCE + 59 * SECOND, requests=requests)
    await count(aws, SINCE + 2 * MINUTE, requests=1, bedrock_prompt_tokens=120, bedrock_completion_tokens=7)
    await count(aws, SINCE, primary_tokens=40, primary_requests=4)
    # Neither the minute before nor another deployment's; the one that still runs as far as it has come.
    await count(aws, SINCE - SECOND, requests=50)
    await count(aws, SINCE, "another", requests=50)
    await count(aws, NOW + 10 * SECOND, requests=6)
    load = table.read(ALL, SINCE, NOW + 20 * SECOND)[NAME]
    assert load.minutes == (
        Minute(NOW, 6),
        Minute(SINCE + 2 * MINUTE, 1, 120, 7),
        Minute(SINCE, 5, 0, 0, 40, 4),
    )


async def test_every_minute_of_the_longest_gap_is_found_once(aws: AwsHttp, table: LoadsTable) -> None:
    minutes = int(LONGEST_GAP / MINUTE)
    for age in range(minutes + 2):
        await count(aws, NOW - age * MINUTE, requests=age + 1)
    found = table.read(ALL, NOW - LONGEST_GAP, NOW)[NAME].minutes
    assert [(minute.at, minute.requests) for minute in found] == [
        (NOW - age * MINUTE, age + 1) for age in range(minutes + 1)
    ]


async def test_a_request_is_seen_by_a_look_in_its_own_second(aws: AwsHttp, table: LoadsTable) -> None:
    """Metrics showed it from the minute's end on."""
    await count(aws, NOW + 30 * SECOND, requests=1)
    assert table.read(ALL, SINCE, NOW + 30 * SECOND)[NAME].requests_since(NOW) == 1


async def test_a_missing_table_is_unavailable(aws: AwsHttp) -> None:
    with pytest.raises(StoreUnavailable):
        await DynamoTrafficCounters(aws, "nope").add(TrafficMinute(NAME, 1), {"requests": 1}, 60)


def test_nothing_written_is_unknown_and_nothing_wanted_is_no_call(table: LoadsTable) -> None:
    assert table.read(ALL, SINCE, NOW) == {NAME: Load()}
    client: Any = None
    assert LoadsTable(client, "loads").read({NAME: set()}, SINCE, NOW) == {NAME: Load()}


class Agents:
    """Runs the agent of the boot script for one turn, with an ``aws`` that passes its arguments on to ``dynamo``."""

    def __init__(self, folder: Path, dynamo: Any) -> None:
        self._folder, self._dynamo = folder, dynamo
        config = FleetConfig("s", "eu-west-1", "vpc", ("s",), "sg", "listener", "profile", "loads", False, None)
        script = user_data(a_spec(name=NAME), Names("s", NAME), config)
        (self._agent,) = re.findall(r"<<'AGENT'\n(.*?\n)AGENT\n", script, re.DOTALL)
        (self._start,) = re.findall(r"ExecStart=\S+-agent (.*)", script)

    def tell(self, at: Any, instance: str, running: float, waiting: float, cache: float) -> None:
        metrics = f"""vllm:num_requests_running{{engine="0"}} {running}
vllm:num_requests_waiting{{engine="0"}} {waiting}
vllm:kv_cache_usage_perc{{engine="0"}} {cache}"""
        program = f"""sleep() {{ [ -z "${{slept:-}}" ] && slept=1; }}
date() {{ echo {int(at.timestamp())}; }}
curl() {{ echo '{metrics}'; }}
aws() {{ printf '%s\\0' "$@" > {self._folder}/told; }}
{self._agent}"""
        arguments = self._start.replace("$DEPLOYMENT", NAME).replace("$INSTANCE", instance).split()
        subprocess.run(["bash", "-c", program, "agent", *arguments], check=False, timeout=10)
        words = (self._folder / "told").read_text().rstrip("\0").split("\0")
        assert words[:2] == ["dynamodb", "update-item"]
        options = dict(zip(words[2::2], words[3::2], strict=True))
        self._dynamo.update_item(
            TableName=options["--table-name"],
            Key=json.loads(options["--key"]),
            UpdateExpression=options["--update-expression"],
            ExpressionAttributeNames=json.loads(options["--expression-attribute-names"]),
            ExpressionAttributeValues=json.loads(options["--expression-attribute-values"]),
        )


@pytest.fixture
def agent(tmp_path: Path, dynamo: Any) -> Agents:
    return Agents(tmp_path, dynamo)


def test_gauges_are_those_of_all_instances_together(agent: Agents, table: LoadsTable) -> None:
    agent.tell(NOW - MINUTE, FIRST, 9, 9, 0.9)
    agent.tell(NOW, FIRST, 3, 0, 0.25)
    agent.tell(NOW + 2 * SECOND, SECOND_ONE, 4, 2, 0.75)
    load = table.read(ALL, SINCE, NOW + 20 * SECOND)[NAME]
    assert (load.running, load.waiting, load.kv_cache_use) == (7.0, 2.0, 0.75)


@pytest.mark.parametrize("after", [0, 5, 59, 119])
def test_an_instance_that_tells_later_in_the_minute_is_not_missed(agent: Agents, table: LoadsTable, after: int) -> None:
    """Whenever the look comes, both are in it: also across the border of two items."""
    for minute in (-1, 0, 1):
        now = NOW + minute * MINUTE
        if now <= NOW + after * SECOND:
            agent.tell(now, FIRST, 1, 0, 0.1)
        if now + 3 * SECOND <= NOW + after * SECOND:
            agent.tell(now + 3 * SECOND, SECOND_ONE, 2, 0, 0.1)
    assert table.read(ALL, SINCE, NOW + after * SECOND)[NAME].running == 3.0


def test_an_instance_that_has_gone_counts_no_longer_than_its_next_word_was_due(
    agent: Agents, table: LoadsTable
) -> None:
    agent.tell(NOW, FIRST, 1, 0, 0.1)
    agent.tell(NOW, SECOND_ONE, 2, 20, 0.1)
    agent.tell(NOW + MINUTE, FIRST, 1, 0, 0.1)
    running = [table.read(ALL, SINCE, NOW + after * SECOND)[NAME].running for after in (90, 120)]
    assert running == [3.0, 1.0]


@pytest.mark.parametrize(("age", "running"), [(GAUGE_HOLDS, 5.0), (GAUGE_HOLDS + SECOND, None)])
def test_a_fleet_that_went_silent_is_unknown_and_not_its_last_value(
    agent: Agents, table: LoadsTable, age: timedelta, running: float | None
) -> None:
    agent.tell(NOW - age, FIRST, 5, 0, 0.1)
    assert table.read(ALL, SINCE, NOW)[NAME].running == running


async def test_only_what_is_wanted_is_read(aws: AwsHttp, agent: Agents, table: LoadsTable) -> None:
    await count(aws, NOW, requests=1)
    agent.tell(NOW, FIRST, 5, 0, 0.1)
    assert table.read({NAME: {Signal.TRAFFIC}}, SINCE, NOW)[NAME] == Load((Minute(NOW, 1),))
    engines = table.read({NAME: {Signal.ENGINES}}, SINCE, NOW)[NAME]
    assert (engines.minutes, engines.running) == ((), 5.0)


async def test_what_is_written_goes_away_by_itself(aws: AwsHttp, agent: Agents, dynamo: Any) -> None:
    await count(aws, NOW, requests=1)
    agent.tell(NOW, FIRST, 5, 0, 0.1)
    lived = [int(item["expires_at"]["N"]) - NOW.timestamp() for item in dynamo.scan(TableName="loads")["Items"]]
    assert lived == [86_400, 86_400]


async def test_five_busy_minutes_are_one_unit_of_writing(aws: AwsHttp, dynamo: Any) -> None:
    """Each write of an item is billed by the kilobyte of the whole item."""
    names = ("requests", "bedrock_prompt_tokens", "bedrock_completion_tokens", "primary_tokens", "primary_requests")
    begin = NOW.replace(minute=30)
    for minute in range(5):
        await count(aws, begin + minute * MINUTE, "n" * 40, **dict.fromkeys(names, 999_999_999))
    (item,) = dynamo.scan(TableName="loads")["Items"]
    # A number is a byte for every two digits, and one more.
    size = sum(
        len(name) + (len(value["S"]) if "S" in value else len(value["N"]) // 2 + 2) for name, value in item.items()
    )
    assert len(item) == 27
    assert size < 1024

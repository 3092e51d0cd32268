"""What every ``BenchmarkRecords`` store does."""

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from spillway.adapters.dynamodb.benchmarks_table import BenchmarksTable
from spillway.domain.benchmarks.record import Benchmark, End, State
from spillway.domain.benchmarks.steps import step_of
from spillway.domain.errors import Conflict, InvalidRequest, NotFound, Superseded
from spillway.ports import BenchmarkRecords
from tests.builders import NOW
from tests.fakes import FakeBenchmarks
from tests.measuring_builders import a_benchmark, a_tally

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from tests.contract.conftest import MakeTable

NAME, ID = "support-llama", "00000003-1"


@pytest.fixture(params=["memory", "dynamodb"])
def store(request: pytest.FixtureRequest) -> BenchmarkRecords:
    if request.param == "memory":
        return FakeBenchmarks()
    make: MakeTable = request.getfixturevalue("make_table")
    return BenchmarksTable(request.getfixturevalue("dynamodb"), make("deployment", "id"))


def requested(**changes: object) -> Benchmark:
    return a_benchmark(state=State.REQUESTED, **changes)


def test_it_comes_back_as_it_was_saved(store: BenchmarkRecords) -> None:
    store.create(requested())
    assert store.get(NAME, ID) == requested()
    step = step_of(1, 4, a_tally(failures={"x": 1}, details={"x": "y"}), a_benchmark().spec, 2000.0, 1, None)
    further = a_benchmark(steps=(step,), usd_used=None, seconds_used=74.5)
    store.save(further)
    store.save(further)
    assert store.get(NAME, ID) == further


def test_an_id_is_given_once_but_a_repeat_is_fine(store: BenchmarkRecords) -> None:
    store.create(requested())
    store.create(requested())
    with pytest.raises(Conflict):
        store.create(requested(created_at=NOW + timedelta(seconds=1)))


def test_what_has_ended_is_not_changed_any_more(store: BenchmarkRecords) -> None:
    store.create(requested())
    ended = a_benchmark(state=State.DONE, end=End.SATURATED)
    store.save(ended)
    store.save(ended)
    with pytest.raises(Superseded):
        store.save(a_benchmark())
    with pytest.raises(Conflict):
        store.ask_to_stop(NAME, ID, NOW)


def test_the_stop_button_stays_pressed_whatever_is_saved(store: BenchmarkRecords) -> None:
    store.create(requested())
    assert not store.is_to_stop(NAME, ID)
    store.ask_to_stop(NAME, ID, NOW)
    store.ask_to_stop(NAME, ID, NOW)
    store.save(a_benchmark())
    assert store.is_to_stop(NAME, ID)


def test_one_that_does_not_exist(store: BenchmarkRecords) -> None:
    with pytest.raises(NotFound):
        store.get(NAME, ID)
    with pytest.raises(NotFound):
        store.is_to_stop(NAME, ID)
    with pytest.raises(Superseded):
        store.save(a_benchmark())
    with pytest.raises(Conflict):
        store.ask_to_stop(NAME, ID, NOW)
    store.delete(NAME, ID)


def test_the_newest_comes_first_and_pages_cover_all(store: BenchmarkRecords) -> None:
    for version in range(1, 6):
        store.create(requested(id=f"{version:08d}-01"))
    store.create(requested(deployment="another"))
    first, cursor = store.page(NAME, 3, None)
    second, end = store.page(NAME, 3, cursor)
    assert [one.id for one in [*first, *second]] == [f"{version:08d}-01" for version in (5, 4, 3, 2, 1)]
    assert end is None
    store.delete(NAME, "00000005-01")
    assert [one.id for one in store.page(NAME, 1, None)[0]] == ["00000004-01"]
    with pytest.raises(InvalidRequest):
        store.page(NAME, 3, "bm9uc2Vuc2U")


def test_dynamodb_drops_it_after_400_days(dynamodb: "DynamoDBClient", make_table: "MakeTable") -> None:
    BenchmarksTable(dynamodb, make_table("deployment", "id")).create(requested())
    (item,) = dynamodb.scan(TableName="table")["Items"]
    assert int(item["expires_at"]["N"]) == int((NOW + timedelta(days=400)).timestamp())

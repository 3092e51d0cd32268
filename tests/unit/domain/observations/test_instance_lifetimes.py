"""How long instances live, from what AWS tells of them at looks that come when they come."""

from datetime import datetime, timedelta

from spillway.domain.observations.capacity import EndpointInstances, Instances
from spillway.domain.observations.instance_lifetimes import InstanceLifetime, hours_lived, lives_of
from tests.builders import NOW, an_instance

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
TYPE = "ml.g5.2xlarge"


def an_endpoint(count: int | None, changed_at: datetime, answering: int = 0) -> EndpointInstances:
    return EndpointInstances(count, TYPE, NOW - 24 * HOUR, changed_at, answering)


def looked(*looks: tuple[datetime, Instances], last: datetime = NOW - MINUTE) -> tuple[InstanceLifetime, ...]:
    lives: tuple[InstanceLifetime, ...] = ()
    for now, seen in looks:
        lives = lives_of(seen, lives, last, now)
        last = now
    return lives


def spans(lives: tuple[InstanceLifetime, ...]) -> list[tuple[datetime, datetime | None]]:
    return [(life.launched_at, life.ended_at) for life in lives]


def test_an_instance_lives_as_long_as_ec2_says() -> None:
    launched, ended = NOW - 40 * SECOND, NOW + 3 * MINUTE
    running = an_instance(launched_at=launched)
    dead = an_instance(launched_at=launched, runs=False, ended_at=ended)
    assert spans(looked((NOW, (running,)), (NOW + 4 * MINUTE, (dead,)))) == [(launched, ended)]


def test_where_ec2_does_not_say_when_it_ended_the_last_look_that_saw_it_run_counts() -> None:
    launched = NOW - HOUR
    running, dead = an_instance(launched_at=launched), an_instance(launched_at=launched, runs=False)
    looks = [(NOW, (running,)), *((NOW + minute * MINUTE, (dead,)) for minute in (1, 2, 3))]
    assert spans(looked(*looks)) == [(launched, NOW)]


def test_what_no_look_saw_run_and_ec2_gives_no_end_of_counts_for_the_minute_that_is_billed_at_least() -> None:
    launched = NOW - 50 * SECOND
    assert spans(looked((NOW, (an_instance(launched_at=launched, runs=False),)))) == [(launched, launched + MINUTE)]


def test_what_is_settled_is_not_told_of_again() -> None:
    dead = an_instance(runs=False, ended_at=NOW + MINUTE)
    looks = [(NOW + minute * MINUTE, (dead,)) for minute in range(14)]
    assert len(looked(*looks[:12])) == 1
    assert looked(*looks) == ()


def test_a_warm_up_ends_with_the_first_look_that_sees_an_answer_and_does_not_begin_again() -> None:
    launched = NOW - 30 * SECOND
    seen = [an_instance(launched_at=launched, answers=answers) for answers in (False, True, False)]
    (life,) = looked(*((NOW + number * MINUTE, (one,)) for number, one in enumerate(seen)))
    assert life.answered_at == NOW + MINUTE


def test_of_one_that_answered_before_anybody_looked_no_warm_up_is_known() -> None:
    (life,) = looked((NOW, (an_instance(launched_at=NOW - HOUR, answers=True),)))
    assert [warm_up for _, _, warm_up in hours_lived(life, NOW - HOUR, NOW)] == [0, 0]


def test_hours_are_split_where_they_end_and_are_told_of_whole() -> None:
    nine = NOW.replace(minute=0)
    life = InstanceLifetime("i-0", TYPE, nine - 20 * MINUTE, answered_at=nine + 5 * MINUTE, ended_at=nine + 90 * MINUTE)
    assert list(hours_lived(life, nine - 5 * MINUTE, nine + 5 * HOUR)) == [
        (nine - HOUR, 1200, 1200),
        (nine, 3600, 300),
        (nine + HOUR, 1800, 0),
    ]
    assert list(hours_lived(life, nine + 10 * MINUTE, nine + 40 * MINUTE)) == [(nine, 2400, 300)]
    assert list(hours_lived(life, nine + 3 * HOUR, nine + 4 * HOUR)) == []


def test_an_endpoint_made_since_the_last_look_lives_from_its_creation() -> None:
    made = NOW - 30 * SECOND
    seen = EndpointInstances(1, TYPE, made, NOW - 10 * SECOND)
    lives = looked((NOW, seen), (NOW + 5 * MINUTE, EndpointInstances(1, TYPE, made, NOW + 4 * MINUTE, 1)))
    assert [(life.launched_at, life.answered_at) for life in lives] == [(made, NOW + 5 * MINUTE)]


def test_instances_of_an_endpoint_come_and_go_when_it_changed_or_at_the_last_look() -> None:
    lives = looked(
        (NOW, an_endpoint(1, NOW - HOUR)),
        # Nobody looked for two hours, in which a second one came.
        (NOW + 2 * HOUR, an_endpoint(2, NOW + HOUR)),
        (NOW + 2 * HOUR + MINUTE, an_endpoint(None, NOW + HOUR)),
        # It went between two looks, without a change of the endpoint.
        (NOW + 2 * HOUR + 2 * MINUTE, an_endpoint(1, NOW + HOUR)),
    )
    assert spans(lives) == [(NOW + HOUR, NOW + 2 * HOUR + MINUTE), (NOW - MINUTE, None)]


def test_what_changes_while_a_look_is_under_way_does_so_when_aws_says() -> None:
    late = NOW + 40 * SECOND
    made = EndpointInstances(1, TYPE, late, late)
    assert spans(looked((NOW, made))) == [(late, None)]
    assert spans(looked((NOW - 30 * SECOND, an_endpoint(1, NOW - HOUR)), (NOW, an_endpoint(0, late)))) == [
        (NOW - MINUTE, late)
    ]


def test_an_endpoint_that_sleeps_and_wakes_within_an_hour_has_two_lives() -> None:
    lives = looked(
        (NOW, an_endpoint(1, NOW - HOUR)),
        (NOW + 5 * MINUTE, an_endpoint(0, NOW + MINUTE)),
        (NOW + 9 * MINUTE, an_endpoint(1, NOW + 8 * MINUTE)),
    )
    assert len({life.id for life in lives}) == 2
    assert spans(lives) == [(NOW - MINUTE, NOW + MINUTE), (NOW + 8 * MINUTE, None)]

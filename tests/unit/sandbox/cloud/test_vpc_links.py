"""A VPC link sleeps when nothing passes it for 60 days, and requests fail until it is awake again."""

from tests.sandbox.cloud.vpc_links import WAKING_SECONDS, VpcLinks

DAY = 86_400.0


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def time(self) -> float:
        return self.seconds

    def pass_days(self, days: float) -> None:
        self.seconds += days * DAY


def links(clock: Clock) -> VpcLinks:
    return VpcLinks(clock.time, lambda link_id: link_id == "link")


def test_a_link_that_is_not_there_carries_nothing() -> None:
    assert links(Clock()).carry("link")
    assert not links(Clock()).carry("deleted")
    assert not links(Clock()).carry("")


def test_after_sixty_quiet_days_the_first_requests_fail() -> None:
    clock = Clock()
    link = links(clock)
    clock.pass_days(59)
    assert link.carry("link")
    clock.pass_days(61)
    assert not link.carry("link")
    assert not link.carry("link")
    clock.seconds += WAKING_SECONDS
    assert link.carry("link")


def test_a_new_link_sleeps_too() -> None:
    clock = Clock()
    link = links(clock)
    clock.pass_days(61)
    assert not link.carry("link")


def test_one_request_a_day_keeps_it_awake() -> None:
    clock = Clock()
    link = links(clock)
    for _ in range(365):
        clock.pass_days(1)
        assert link.carry("link")

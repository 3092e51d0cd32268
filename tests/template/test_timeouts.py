"""The gateway's limits to waiting hold together, and with what the template gives to Lambda and to API Gateway."""

from typing import Any

import pytest

from spillway.domain.deployments.spec import Thresholds
from spillway.gateway import timeouts
from spillway.gateway.limits.lease import LONGEST_REQUEST


def _fields(template: dict[str, Any], resource: str) -> Any:
    return template["Resources"][resource]["Properties"]


def test_the_longest_stream_is_the_templates(template: dict[str, Any]) -> None:
    gateway = _fields(template, "ServeOpenaiFunction")
    assert gateway["Timeout"] == timeouts.STREAM_SECONDS
    assert gateway["Events"]["OpenAI"]["Properties"]["TimeoutInMillis"] == timeouts.STREAM_SECONDS * 1000
    assert LONGEST_REQUEST.total_seconds() == timeouts.STREAM_SECONDS


def test_the_smoke_test_ends_before_its_function(template: dict[str, Any]) -> None:
    seconds = timeouts.CONNECT_SECONDS + timeouts.SMOKE_TEST_SECONDS
    assert seconds < _fields(template, "SmokeTestFunction")["Timeout"]


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("LONGEST_WAIT_SECONDS", "STREAM_SECONDS"),
        ("PLATFORM_SILENCE_SECONDS", "STREAM_SECONDS"),
        # An unstreamed request is silent while it waits, and then while it is answered, all within the platform's.
        ("LONGEST_SILENCE_SECONDS", "ANSWER_SECONDS"),
        ("ANSWER_SECONDS", "PLATFORM_SILENCE_SECONDS"),
        ("COMMENT_EVERY_SECONDS", "COUNT_AT_ONCE_SECONDS"),
        ("COMMENT_EVERY_SECONDS", "UNREAD_SECONDS"),
        ("UNREAD_SECONDS", "PLATFORM_SILENCE_SECONDS"),
        ("COUNT_AT_ONCE_SECONDS", "LONGEST_SILENCE_SECONDS"),
        ("HEAD_SECONDS", "BODY_SECONDS"),
        ("CONNECT_SECONDS", "ANSWER_SECONDS"),
        ("PATIENCE_SECONDS", "TABLE_SECONDS"),
        ("PATIENCE_SECONDS", "ROUTE_AGE_SECONDS"),
        ("TABLE_SECONDS", "SCAN_SECONDS"),
        ("TEXTS_SECONDS", "SETTLE_SECONDS"),
        # What is written after an answer is given up by itself before the process stops waiting for it.
        ("TABLE_SECONDS", "LATE_SECONDS"),
        ("TEXTS_LATER_SECONDS", "LATE_SECONDS"),
    ],
)
def test_the_shorter_limit_ends_first(first: str, then: str) -> None:
    assert getattr(timeouts, first) < getattr(timeouts, then)


def test_a_wait_leaves_a_minute_for_the_answer() -> None:
    assert timeouts.STREAM_SECONDS - timeouts.LONGEST_WAIT_SECONDS >= 60
    # What a deployment may set as its threshold is no longer than a stream.
    most = Thresholds.model_json_schema()["properties"]["cold_start_after_seconds"]["maximum"]
    assert most <= timeouts.STREAM_SECONDS


def test_comments_come_in_time_behind_any_endpoint() -> None:
    # An edge-optimised endpoint ends a stream after 30 seconds of silence (API Gateway's quotas).
    assert 2 * timeouts.COMMENT_EVERY_SECONDS <= 30
    before_the_first = timeouts.BUDGET_WAIT_SECONDS + timeouts.BUDGET_LOOK_SECONDS + timeouts.COMMENT_EVERY_SECONDS
    assert before_the_first <= 30

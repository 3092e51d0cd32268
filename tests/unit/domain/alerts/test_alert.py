"""What an alert looks like to programs and to people."""

import json
from datetime import UTC, datetime

import pytest

from spillway.domain.alerts.alert import Alert, AlertState, Severity, alert_to_json, money_of, subject_of, text_of
from spillway.domain.alerts.kinds import AlertKind, alert_of, closed
from tests.builders import NOW, a_deployment, a_reason, a_spec, an_alert

LONGEST_NAME = "a" * 40


def test_the_json_form_has_every_documented_field() -> None:
    assert json.loads(json.dumps(alert_to_json(an_alert(usd=12.5)))) == {
        "schema": "spillway.alert/1",
        "id": "support-llama/sleep/7",
        "topic": "scale",
        "state": "event",
        "severity": "info",
        "deployment": "support-llama",
        "at": "2026-11-24T09:30:00+00:00",
        "what": "The fleet went to sleep.",
        "why": {
            "code": "idle",
            "sentence": "No request for 900 s; the threshold is 900 s.",
            "observed": 900.0,
            "threshold": 900.0,
            "unit": "seconds",
        },
        "usd_per_hour": -1.861,
        "usd": 12.5,
        "advice": "Nothing: the next request wakes it.",
    }


def test_the_text_says_what_why_what_it_saves_and_what_to_do() -> None:
    assert text_of(an_alert()).splitlines() == [
        "The fleet went to sleep.",
        "",
        "Why: No request for 900 s; the threshold is 900 s.",
        "     observed 900 seconds, threshold 900 seconds",
        "Money: saves $1.861 an hour",
        "What to do: Nothing: the next request wakes it.",
        "",
        "Deployment support-llama · event · info · 2026-11-24T09:30:00+00:00",
    ]


def test_a_reason_without_numbers_has_no_line_for_them() -> None:
    assert "observed" not in text_of(an_alert(why=a_reason(observed=None, threshold=None)))


@pytest.mark.parametrize(
    ("usd_per_hour", "usd", "words"),
    [
        (-1.861, None, "saves $1.861 an hour"),
        (3.722, None, "costs $3.722 an hour"),
        (0.0, None, "changes nothing an hour"),
        (None, 1412.5, "$1,412.50 so far"),
        (1.0, 2.0, "$2.00 so far, costs $1.000 an hour"),
        (None, None, "unknown"),
    ],
)
def test_money_is_said_in_words_and_an_unknown_price_is_unknown(
    usd_per_hour: float | None, usd: float | None, words: str
) -> None:
    assert money_of(an_alert(usd_per_hour=usd_per_hour, usd=usd)) == words


@pytest.mark.parametrize(
    ("what", "subject"),
    [
        ("The fleet went to sleep.", "[Spillway] support-llama: The fleet went to sleep."),
        ("support-llama is awake", "[Spillway] support-llama is awake"),
        ("cost €5\nBcc: x\r\t", "[Spillway] support-llama: cost ?5 Bcc: x  "),
    ],
)
def test_a_subject_names_the_deployment_once_in_plain_ascii(what: str, subject: str) -> None:
    assert subject_of(an_alert(what=what)) == subject


@pytest.mark.parametrize("news", AlertKind)
def test_every_piece_of_news_fits_the_limits_of_sns(news: AlertKind) -> None:
    spec = a_spec(name=LONGEST_NAME, budget={"usd_per_month": 10_000_000})
    alert = alert_of(news, a_deployment(LONGEST_NAME, spec=spec), a_reason(), NOW, "once")
    for each in (alert, closed(alert, NOW, a_reason())):
        subject = subject_of(each)
        assert len(subject) <= 100
        assert subject.isascii()
        assert subject.isprintable()
        assert LONGEST_NAME in each.what
        assert "{" not in each.what + each.advice
        assert each.advice


def news_of(occasion: str, state: AlertState = AlertState.EVENT, at: datetime = NOW) -> Alert:
    return alert_of(AlertKind.ASLEEP, a_deployment(), a_reason(), at, occasion, state=state)


def test_a_repeat_has_the_same_id_and_another_occasion_another() -> None:
    later = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
    assert news_of("execution-1").id == news_of("execution-1", at=later).id
    assert news_of("execution-1").id != news_of("execution-2").id


def test_the_end_of_a_state_has_its_own_id_and_needs_nobody() -> None:
    begun = news_of("execution-1", AlertState.OPEN)
    ended = closed(begun, NOW, a_reason(sentence="Over."))
    assert begun.id.removesuffix("/open") == ended.id.removesuffix("/closed")
    assert (ended.state, ended.severity, ended.advice) == (AlertState.CLOSED, Severity.INFO, "Nothing.")

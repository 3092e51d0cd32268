"""``make prove`` fails for whatever keeps a judge from saying that all is well."""

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.prove import __main__ as prove
from tests.prove.registry import JUDGES, Judge
from tests.prove.tools import Unavailable
from tests.prove.verdict import Verdict

ROWS = (("suite", "passed"), ("keys", "25"))


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        (Verdict(ROWS), 0),
        (Verdict(ROWS, ("keys: it broke",)), 1),
        (Verdict(ROWS[:1]), 1),
        (Verdict(()), 1),
        (Unavailable("npm has no packages today"), 1),
    ],
)
def test_what_a_judge_says_is_the_exit_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], verdict: Verdict | Unavailable, status: int
) -> None:
    def judge(work: Path, sample: bool) -> Verdict:
        if isinstance(verdict, Unavailable):
            raise verdict
        return verdict

    monkeypatch.setattr(importlib, "import_module", lambda name: SimpleNamespace(judge=judge))
    assert prove._judge_here("any", sample=False) == status
    assert ("FAILED" in capsys.readouterr().out) == bool(status)


def test_a_judge_is_ended_when_its_time_is_up() -> None:
    assert prove._judge_apart(Judge("dynamodb", "tables", 60), 0, sample=True) == "FAILED: not done within 0 seconds"


def test_a_judge_that_cannot_run_fails(capfd: pytest.CaptureFixture[str]) -> None:
    assert prove._judge_apart(Judge("nobody", "nothing", 60), 60, sample=True) == "FAILED"
    assert "no such judge: nobody" in capfd.readouterr().err


def test_each_of_them_is_there() -> None:
    assert all(callable(importlib.import_module(f"tests.prove.{judge.name}").judge) for judge in JUDGES)


def test_a_table_has_aligned_columns_and_ends_with_what_failed() -> None:
    lines: list[Any] = Verdict(ROWS, ("keys: it broke",)).text().splitlines()
    assert lines == ["suite  passed", "-----  ------", "keys   25", "FAILED: keys: it broke"]

"""``spillway plan``."""

import argparse
import json
from datetime import date
from pathlib import Path

import pytest

from spillway.cli import main
from spillway.cli import plan as command
from spillway.domain.errors import InvalidRequest

_MODEL = "meta-llama/Llama-3.3-70B-Instruct"


def _run(*arguments: str | Path) -> str:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([str(one) for one in arguments]), date(2026, 11, 24))


def test_an_example_is_planned_as_a_table_and_drawn(tmp_path: Path) -> None:
    drawn = tmp_path / "plan.svg"
    printed = _run("--model", _MODEL, "--example", "azure-2024-conversation", "--scale", "0.1", "--svg", drawn)
    lines = printed.splitlines()
    assert lines[0].startswith(_MODEL)
    assert any(line.startswith("bedrock ") for line in lines)
    assert any("gpu-fleet is cheaper than bedrock" in line for line in lines)
    assert any(line.startswith("  token price: ") and "x1.5 gpu-fleet $" in line for line in lines)
    assert drawn.read_text().startswith("<svg ")


def test_a_request_file_is_planned_as_json(tmp_path: Path) -> None:
    body = tmp_path / "plan.json"
    body.write_text(
        json.dumps({"model": _MODEL, "traffic": {"example": "steady"}, "credits": [{"name": "a", "usd": 9}]})
    )
    planned = json.loads(_run(body, "--json"))
    assert planned["cheapest"]["family"] == "bedrock"
    assert planned["credits"]["balance_usd"] == 9


def test_a_log_is_read_from_its_file(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("t_seconds,requests,prompt_tokens,completion_tokens\n0,10,1000,100\n3599,10,1000,100\n")
    planned = json.loads(_run("--model", _MODEL, "--log", log, "--scale", "2", "--json"))
    assert planned["traffic"]["requests_per_month"] == pytest.approx(40 * 730, rel=1e-3)


def test_what_is_wrong_is_said_with_its_field_or_row(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="model is required"):
        _run("--example", "steady")
    with pytest.raises(InvalidRequest, match="exactly one of"):
        _run("--model", _MODEL)
    log = tmp_path / "log.csv"
    log.write_text("t_seconds,requests,prompt_tokens,completion_tokens\n0,-1,1,1\n")
    with pytest.raises(InvalidRequest, match="row 2"):
        _run("--model", _MODEL, "--log", log)


def test_ones_own_prices_come_from_a_file(tmp_path: Path) -> None:
    prices = tmp_path / "prices.json"
    prices.write_text('{"overrides": [{"table": "ec2", "discount_percent": 50, "note": "Savings Plan"}]}')
    arguments = ("--model", "meta-llama/Llama-3.1-8B-Instruct", "--example", "steady", "--json")
    listed, mine = (json.loads(_run(*arguments, *more)) for more in ((), ("--prices", prices)))
    found = [next(one for one in plan["best"] if one["family"] == "gpu-fleet") for plan in (listed, mine)]
    assert found[1]["usd_per_month"] == pytest.approx(found[0]["usd_per_month"] / 2, abs=0.01)
    assert any(fact["source"].startswith("50.0% off") for fact in mine["facts"] if fact["source"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "should be a valid dictionary"),
        ('{"overrides": [{"table": "ec3"}]}', "overrides.0.table"),
        ('{"overrides": [{"table": "ec2", "name": "x9.huge", "discount_percent": 5}]}', "no ec2 price of x9.huge"),
    ],
)
def test_a_file_of_prices_is_refused_as_the_api_does_it(text: str, said: str, tmp_path: Path) -> None:
    prices = tmp_path / "prices.json"
    prices.write_text(text)
    with pytest.raises(InvalidRequest, match=said):
        _run("--model", _MODEL, "--example", "steady", "--prices", prices)


def test_what_would_be_allowed_is_said_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = tmp_path / "plan.json"
    body.write_text(f'{{"model": "{_MODEL}", "traffic": {{"example": "steady"}}, "path": "fleet"}}')
    assert main(["plan", str(body)]) == 2
    printed = capsys.readouterr().err
    assert "path is not a field of this request" in printed
    assert "instance_types" in printed


def test_a_log_without_line_ends_is_not_held(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("t_seconds,requests,prompt_tokens,completion_tokens\n" + "1," * 200_000)
    with pytest.raises(InvalidRequest, match="row 2 of the log: 32769 columns"):
        _run("--model", _MODEL, "--log", log)


@pytest.mark.parametrize("traffic", ["[1]", "5", "null"])
def test_a_traffic_that_is_no_object_is_refused_by_name(traffic: str, tmp_path: Path) -> None:
    body = tmp_path / "plan.json"
    body.write_text(f'{{"model": "{_MODEL}", "traffic": {traffic}}}')
    with pytest.raises(InvalidRequest, match="traffic must be an object"):
        _run(body)


def test_a_file_that_cannot_be_read_is_said_without_a_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "latin.csv").write_bytes("t_seconds,requests\n0,\u00fc".encode("latin-1"))
    for name, said in (("missing.csv", "No such file"), ("", "Is a directory"), ("latin.csv", "can't decode")):
        assert main(["plan", "--model", _MODEL, "--log", str(tmp_path / name)]) == 2
        printed = capsys.readouterr()
        assert said in printed.err
        assert not printed.out

"""``spillway replay``: what it prints, and what it says to bad input."""

import json
from pathlib import Path

import pytest

from spillway.cli import main

A_RUNG = '{"name": "small", "usd_per_instance_hour": 2.5, "tokens_per_minute_per_instance": 1000}'
HEADER = "t_seconds,requests,prompt_tokens,completion_tokens\n"


def a_log(folder: Path, rows: str, header: str = HEADER) -> Path:
    path = folder / "log.csv"
    path.write_text(header + rows)
    return path


def test_a_bad_row_is_named_and_leaves_no_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(a_log(tmp_path, "60,1,5,5\n0,1,5,5\n"))]) == 2
    printed = capsys.readouterr()
    assert "row 3 of the log: t_seconds 0 comes after 60" in printed.err
    assert not printed.out


def test_it_prints_every_policy_the_assumptions_and_a_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = a_log(tmp_path, "".join(f"{60 * minute},5,200000,50000\n" for minute in range(120)))
    picture = tmp_path / "picture.svg"
    assert main(["replay", str(log), "--svg", str(picture)]) == 0
    printed = capsys.readouterr().out
    assert "max_instances = 10 (default)" in printed
    assert "target-tracking" in printed
    assert picture.read_text().startswith("<svg")


def test_json_is_the_same_every_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = a_log(tmp_path, "".join(f"{60 * minute},5,200000,50000\n" for minute in range(120)))
    scenario = tmp_path / "scenario.json"
    scenario.write_text('{"cold_start_seconds": 540}')
    command = ["replay", str(log), "--scenario", str(scenario), "--policy", "spillway", "--json"]
    printed = [(main(command), capsys.readouterr().out) for _ in range(2)]
    assert printed[0] == printed[1]
    body = json.loads(printed[0][1])
    assert body["scenario"]["cold_start_seconds"] == 540
    assert "cold_start_seconds" not in body["defaults"]
    assert body["policies"][0]["over_optimum"] >= 1


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("{", "scenario.json"),
        ("[]", "is a JSON object"),
        ('{"colour": 1}', "unknown colour"),
        ('{"max_instances": 1.5}', "max_instances must be a whole number"),
        ('{"usd_per_instance_hour": -1}', "usd_per_instance_hour is -1"),
        ('{"usd_per_instance_hour": 1e308}', "usd_per_instance_hour is 1e+308: it must be a number from 0 to 1e+12"),
        ("[" * 100_000, "scenario.json: maximum recursion"),
        ('{"prompt_usd_per_million": NaN}', "prompt_usd_per_million is nan"),
        ('{"min_instances": 5, "max_instances": 2}', "min_instances <= max_instances"),
        ('{"waiting_usd_per_request": -1}', "waiting_usd_per_request is -1"),
        ('{"billing": "monthly"}', "billing is 'monthly'; it must be one of instances, windows"),
        (
            '{"billing": "windows", "max_instances": 2}',
            "unknown max_instances; a scenario of windows knows usd_per_unit",
        ),
        ('{"billing": "windows", "units_per_copy": 1.5}', "units_per_copy must be a whole number"),
        ('{"billing": "windows", "rungs": []}', "billing can't be windows"),
        ('{"rungs": []}', "rungs has 0 entries"),
        ('{"rungs": [1]}', "rungs must be a list of objects"),
        ('{"rungs": [{"name": "s"}]}', "rungs.0.usd_per_instance_hour, rungs.0.tokens_per_minute_per_instance must be"),
        ('{"rungs": [{"name": 1}]}', "rungs.0.usd_per_instance_hour"),
        (f'{{"rungs": [{A_RUNG}, {A_RUNG}]}}', "rungs.1.tokens_per_minute_per_instance is 1000"),
        (f'{{"rungs": [{A_RUNG}], "max_instances": 3}}', "unknown max_instances; a ladder knows rungs, prompt_usd"),
        (f'{{"rungs": [{A_RUNG.replace("2.5", "-2.5")}]}}', "rungs.0.usd_per_instance_hour is -2.5"),
        (f'{{"rungs": [{A_RUNG.replace("name", "title")}]}}', "unknown rungs.0.title; a rung knows name"),
        (f'{{"rungs": [{A_RUNG.replace("1000", "0")}]}}', "rungs.0.tokens_per_minute_per_instance must be above zero"),
    ],
)
def test_a_bad_scenario_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], body: str, says: str) -> None:
    scenario = tmp_path / "scenario.json"
    scenario.write_text(body)
    assert main(["replay", str(a_log(tmp_path, "0,1,5,5\n")), "--scenario", str(scenario)]) == 2
    assert says in capsys.readouterr().err


def test_a_ladder_is_replayed_with_a_policy_for_each_rung(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = a_log(tmp_path, "".join(f"{60 * minute},5,2000,0\n" for minute in range(240)))
    scenario, picture = tmp_path / "scenario.json", tmp_path / "picture.svg"
    large = A_RUNG.replace("small", "large").replace("1000", "5000")
    scenario.write_text(f'{{"rungs": [{A_RUNG}, {large}], "prompt_usd_per_million": 100}}')
    command = ["replay", str(log), "--scenario", str(scenario)]
    assert main([*command, "--svg", str(picture)]) == 0
    printed = capsys.readouterr().out
    assert "rungs.1.max_instances = 1 (default)" in printed
    assert picture.read_text().startswith("<svg")
    assert main([*command, "--json", "--policy", "only-large", "--policy", "bedrock-only"]) == 0
    large_only, bedrock = json.loads(capsys.readouterr().out)["policies"]
    assert (large_only["policy"], large_only["cold_starts"]) == ("only-large", 1)
    assert bedrock["usd"] == pytest.approx(240 * 0.2)
    assert main([*command, "--policy", "skyserve"]) == 2
    assert "--policy skyserve: this scenario's policies are spillway," in capsys.readouterr().err


def test_an_imported_model_is_replayed_by_its_windows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = a_log(tmp_path, "".join(f"{60 * minute},5,1000000,0\n" for minute in range(60)))
    scenario = tmp_path / "scenario.json"
    scenario.write_text('{"billing": "windows", "tokens_per_minute_per_copy": 1e6}')
    assert main(["replay", str(log), "--scenario", str(scenario), "--json", "--policy", "import-only"]) == 0
    body = json.loads(capsys.readouterr().out)
    assert body["scenario"]["usd_per_unit_minute"] == 0.05718
    assert {"units_per_copy", "window_minutes"} <= set(body["defaults"])
    # The first minute starts the copy, and twelve windows hold the other 59.
    assert body["policies"][0]["usd"] == pytest.approx(0.22 + 12 * 0.5718)
    assert body["policies"][0]["cold_starts"] == 1
    # What is printed is a scenario again.
    scenario.write_text(json.dumps(body["scenario"]))
    assert main(["replay", str(log), "--scenario", str(scenario), "--json", "--policy", "import-only"]) == 0
    assert json.loads(capsys.readouterr().out)["policies"] == body["policies"]


def test_without_a_spill_target_each_request_costs_what_waiting_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = a_log(tmp_path, "".join(f"{60 * minute},5,1000,10\n" for minute in range(60)))
    scenario = tmp_path / "scenario.json"
    scenario.write_text('{"waiting_usd_per_request": 0.25}')
    assert main(["replay", str(log), "--scenario", str(scenario), "--json", "--policy", "bedrock-only"]) == 0
    assert json.loads(capsys.readouterr().out)["policies"][0]["usd"] == pytest.approx(60 * 5 * 0.25)

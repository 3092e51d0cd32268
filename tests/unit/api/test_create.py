"""``POST /deployments``."""

import json
from dataclasses import replace
from typing import Any

import pytest

from spillway.domain.deployments.status import Status
from spillway.domain.engines import registry
from spillway.domain.engines.vllm import VLLM
from spillway.domain.engines.vllm_parsers import REASONING_PARSERS, TOOL_CALL_PARSERS
from spillway.domain.errors import Retryable
from spillway.domain.paths.targets import BedrockTarget
from spillway.domain.routing.route import RouteState
from tests.builders import SPILL_MODEL, a_deployment, spec_body
from tests.unit.api.conftest import World


def test_the_shortest_request_is_accepted_with_every_default_filled_in(world: World) -> None:
    body = {"name": "short", "model": {"id": "meta-llama/Llama-3.1-8B-Instruct"}, "path": "fleet"}
    answer = world.call("POST", "/deployments", body)
    assert answer.status == 202
    assert answer.headers["Location"] == "/live/deployments/short"
    record = answer.json
    assert record["status"] == "requested"
    assert record["spec"]["capacity"] == {
        "min": 0,
        "max": 1,
        "instance_types": ["g6e.xlarge", "g5.2xlarge", "g6.2xlarge"],
        "market": "on-demand",
        "warm_windows": [],
        "tokens_per_minute_per_instance": None,
        "larger": None,
    }
    assert record["spec"]["thresholds"]["idle_after_seconds"] == 900
    assert record["spec"]["engine"] == {
        "name": "vllm",
        "max_model_len": 8192,
        "media_domains": [],
        "tool_call_parser": "llama3_json",
        "reasoning_parser": None,
        "chat_template": None,
        "args": {},
    }
    assert record["notes"] == []
    assert record["spec"]["spill"] is None
    assert record["unpriced"] == []
    assert record["created_at"] == "2026-11-24T09:30:00Z"
    assert record["workflow"].endswith(":deploy:short-deploy-1")


def test_what_has_no_price_in_this_region_is_named_and_refuses_nothing(world: World) -> None:
    world.region = "eu-west-1"
    for path, capacity, unpriced in (
        ("fleet", {"instance_types": ["g5.xlarge", "g7.2xlarge"]}, ["instance g5.xlarge", "instance g7.2xlarge"]),
        ("jumpstart", {"instance_types": ["g5.xlarge"]}, ["instance ml.g5.xlarge"]),
        ("bedrock", {}, ["model meta.llama3-1-8b-instruct-v1:0"]),
    ):
        body = spec_body(name=f"on-{path}", path=path, capacity=capacity, spill=None)
        answer = world.call("POST", "/deployments", body)
        assert (answer.status, answer.json["unpriced"]) == (202, unpriced), path
    spilling = world.call("POST", "/deployments", spec_body(name="spilling", path="jumpstart"))
    assert spilling.json["unpriced"][-1] == f"model {SPILL_MODEL}"


def test_a_price_of_your_own_takes_a_name_off_the_unpriced(world: World) -> None:
    world.region = "eu-west-1"
    own = {"table": "ec2", "name": "g7.2xlarge", "usd": [3.5]}
    assert world.call("PUT", "/prices/overrides", {"overrides": [own]}).status == 200
    body = spec_body(capacity={"instance_types": ["g7.2xlarge", "g6e.xlarge"]}, spill=None)
    assert world.call("POST", "/deployments", body).json["unpriced"] == ["instance g6e.xlarge"]
    assert world.call("GET", "/deployments/support-llama").json["unpriced"] == ["instance g6e.xlarge"]
    (listed,) = world.call("GET", "/deployments").json["items"]
    assert listed["unpriced"] == ["instance g6e.xlarge"]


def test_the_deploy_workflow_starts_and_requests_spill_from_the_first_moment(world: World) -> None:
    world.call("POST", "/deployments", spec_body())
    assert world.workflows.executions == {
        ("deploy", "support-llama-deploy-1"): {"deployment": "support-llama", "path": "fleet"}
    }
    route = world.routes.items["support-llama"]
    assert (route.state, route.primary) == (RouteState.WARMING, None)
    assert route.spill == BedrockTarget(SPILL_MODEL, "converse")
    assert world.deployments.items["support-llama"].status is Status.REQUESTED


def test_warm_windows_come_back_as_they_were_sent(world: World) -> None:
    window = {"days": ["mon"], "from": "08:00", "to": "20:00", "time_zone": "Europe/Berlin", "min": 1}
    answer = world.call("POST", "/deployments", spec_body(capacity={"warm_windows": [window]}))
    assert answer.json["spec"]["capacity"]["warm_windows"] == [window]


@pytest.mark.parametrize("path", ["bedrock", "jumpstart", "fleet"])
def test_the_same_body_is_taken_by_every_path(world: World, path: str) -> None:
    answer = world.call("POST", "/deployments", spec_body(path=path))
    assert answer.status == 202
    assert answer.json["spec"]["path"] == path


def test_a_name_in_use_is_a_conflict(world: World) -> None:
    world.deployments.items["support-llama"] = a_deployment(status=Status.FAILED)
    answer = world.call("POST", "/deployments", spec_body())
    assert answer.status == 409
    assert answer.error["param"] == "name"
    assert answer.error["code"] == "name_in_use"
    assert world.deployments.items["support-llama"].status is Status.FAILED
    assert world.routes.items == {}
    assert world.workflows.executions == {}


def test_the_next_life_of_a_name_repeats_no_execution(world: World) -> None:
    world.deployments.items["support-llama"] = a_deployment(status=Status.RETIRED, version=9)
    answer = world.call("POST", "/deployments", spec_body())
    assert answer.json["workflow"].endswith("support-llama-deploy-10")


def test_a_workflow_that_cannot_be_started_leaves_nothing_behind(world: World) -> None:
    world.workflows.failure = Retryable("ThrottlingException: slow down")
    answer = world.call("POST", "/deployments", spec_body())
    assert answer.status == 503
    assert answer.error["type"] == "service_unavailable"
    assert "Retry-After" in answer.headers
    assert "Throttling" not in answer.text
    assert world.routes.items == {}
    assert world.call("GET", "/deployments").json["items"] == []
    world.workflows.failure = None
    assert world.call("POST", "/deployments", spec_body()).status == 202


def test_an_unexpected_failure_of_the_start_leaves_nothing_behind_and_says_little(world: World) -> None:
    world.workflows.failure = RuntimeError("arn:aws:iam::123456789012:role/secret is denied")
    answer = world.call("POST", "/deployments", spec_body())
    assert answer.status == 500
    assert answer.error == {
        "message": "Something went wrong on our side. The logs know it as request request-1.",
        "type": "api_error",
        "param": None,
        "code": "internal_error",
    }
    assert world.routes.items == {}
    assert world.deployments.items["support-llama"].status is Status.RETIRED


BAD_FLAGS: list[tuple[str, Any]] = [
    ("max-num-seqs", 0),
    ("max-num-seqs", "8; reboot"),
    ("max-num-seqs", True),
    ("gpu-memory-utilization", 1.5),
    ("trust-remote-code", "true"),
    ("dtype", "bf16"),
    ("limit-mm-per-prompt", '{"image": 0}'),
    ("limit-mm-per-prompt", {"image": "x" * 2000}),
    ("structured-outputs-config", "guidance"),
    ("structured-outputs-config", {"backend": "jsonformer"}),
    ("structured-outputs-config", {"backend": "guidance", "disable_fallback": False}),
]
BAD: list[tuple[dict[str, Any], str, list[str] | None]] = [
    ({"engine": {"media_domains": ["images.example.com", "--trust"]}}, "engine.media_domains.1", None),
    ({"engine": {"media_domains": ["https://example.com"]}}, "engine.media_domains.0", None),
    ({"engine": {"tool_call_parser": "qwen4"}}, "engine.tool_call_parser", ["none", *sorted(TOOL_CALL_PARSERS)]),
    ({"engine": {"reasoning_parser": "hermes"}}, "engine.reasoning_parser", ["none", *sorted(REASONING_PARSERS)]),
    ({"engine": {"tool_call_parser": 3}}, "engine.tool_call_parser", None),
    ({"engine": {"chat_template": "http://example.com/a.jinja"}}, "engine.chat_template", None),
    ({"engine": {"chat_template": "https://example.com/a b.jinja"}}, "engine.chat_template", None),
    ({"engine": {"chat_template": "{% for message in messages %}"}}, "engine.chat_template", None),
    ({"engine": {"args": {"port": 9000}}}, "engine.args.port", sorted(VLLM.flags)),
    ({"engine": {"args": {"--max-num-seqs": 8}}}, "engine.args.--max-num-seqs", sorted(VLLM.flags)),
    *[({"engine": {"args": {name: value}}}, f"engine.args.{name}", None) for name, value in BAD_FLAGS],
    (
        {"colour": "red"},
        "colour",
        ["name", "model", "path", "capacity", "engine", "thresholds", "spill", "budget", "request_log"],
    ),
    (
        {"capacity": {"maximum": 3}},
        "capacity.maximum",
        ["min", "max", "instance_types", "market", "warm_windows", "tokens_per_minute_per_instance", "larger"],
    ),
    ({"capacity": {"max": "many"}}, "capacity.max", None),
    ({"capacity": []}, "capacity", None),
    ({"model": None}, "model", None),
    ({"model": {"id": ""}}, "model.id", None),
    ({"model": {}}, "model.id", None),
    ({"name": "Not_A_Name"}, "name", None),
    ({"path": "balloon"}, "path", ["bedrock", "import", "jumpstart", "fleet"]),
    ({"engine": {"name": "tgi"}}, "engine.name", list(registry.ENGINES)),
    ({"capacity": {"market": "black"}}, "capacity.market", ["on-demand", "spot"]),
    ({"capacity": {"min": 3, "max": 2}}, "capacity.min", None),
    ({"capacity": {"max": 0}}, "capacity.max", None),
    ({"thresholds": {"idle_after_seconds": 1}}, "thresholds.idle_after_seconds", None),
    ({"budget": {"usd_per_month": -1}}, "budget.usd_per_month", None),
    (
        {
            "capacity": {
                "warm_windows": [{"days": ["mon"], "from": "08:00", "to": "20:00", "time_zone": "Mars/Olympus"}]
            }
        },
        "capacity.warm_windows.0.time_zone",
        None,
    ),
    (
        {"capacity": {"warm_windows": [{"days": ["lundi"], "from": "08:00", "to": "20:00", "time_zone": "UTC"}]}},
        "capacity.warm_windows.0.days.0",
        ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
    ),
    (
        {"capacity": {"warm_windows": [{"day": "mon"}]}},
        "capacity.warm_windows.0.days",
        None,
    ),
    (
        {
            "capacity": {
                "max": 1,
                "warm_windows": [{"days": ["mon"], "from": "08:00", "to": "20:00", "time_zone": "UTC", "min": 2}],
            }
        },
        "capacity.warm_windows.0.min",
        None,
    ),
]


@pytest.mark.parametrize(("change", "param", "allowed"), BAD, ids=[param for _, param, _ in BAD])
def test_bad_input_names_the_field_and_changes_nothing(
    world: World, change: dict[str, Any], param: str, allowed: list[str] | None
) -> None:
    answer = world.call("POST", "/deployments", spec_body(**change))
    assert answer.status == 400
    assert answer.error["type"] == "invalid_request_error"
    assert answer.error["param"] == param
    assert param in answer.error["message"]
    assert answer.error.get("allowed") == allowed
    assert world.nothing_changed()


TEMPLATE = "https://example.com/v0.27.0/gemma3.jinja"


@pytest.mark.parametrize(
    ("model", "asked", "tools", "thoughts"),
    [
        ("Qwen/Qwen3-8B", {}, "hermes", "qwen3"),
        ("Qwen/Qwen3-8B", {"tool_call_parser": None}, "hermes", "qwen3"),
        ("Qwen/Qwen3-8B", {"tool_call_parser": "none", "reasoning_parser": "none"}, "none", "none"),
        ("Qwen/Qwen3-8B", {"tool_call_parser": "qwen3_coder"}, "qwen3_coder", "qwen3"),
        ("openai.gpt-oss-20b-1:0", {}, "openai", "openai_gptoss"),
        ("google/gemma-3-4b-it", {}, None, None),
        ("google/gemma-3-4b-it", {"chat_template": TEMPLATE}, "pythonic", None),
        ("acme/unheard-of", {}, None, None),
    ],
)
def test_a_fleets_parsers_follow_from_its_model(
    world: World, model: str, asked: dict[str, Any], tools: str | None, thoughts: str | None
) -> None:
    answer = world.call("POST", "/deployments", spec_body(model={"id": model}, engine=asked))
    assert answer.status == 202
    engine = answer.json["spec"]["engine"]
    assert (engine["tool_call_parser"], engine["reasoning_parser"]) == (tools, thoughts)
    assert [note.split(":")[0] for note in answer.json["notes"]] == ([] if tools else ["Tools are off"])


def test_why_tools_are_off_is_said_with_what_would_help(world: World) -> None:
    (note,) = world.call("POST", "/deployments", spec_body(model={"id": "google/gemma-3-4b-it"})).json["notes"]
    assert "engine.chat_template" in note
    assert "'pythonic'" in note
    body = spec_body(name="other", model={"id": "acme/unheard-of"})
    (note,) = world.call("POST", "/deployments", body).json["notes"]
    assert "engine.tool_call_parser" in note


def test_flags_that_a_model_needs_come_under_the_users_own(world: World) -> None:
    model = {"id": "mistralai/Mistral-7B-Instruct-v0.3"}
    answer = world.call("POST", "/deployments", spec_body(model=model, engine={"args": {"config-format": "hf"}}))
    assert answer.json["spec"]["engine"]["args"] == {
        "tokenizer-mode": "mistral",
        "config-format": "hf",
        "load-format": "mistral",
    }
    own = {**model, "weights": "s3://weights/mistral/"}
    answer = world.call("POST", "/deployments", spec_body(name="own", model=own))
    assert (answer.json["spec"]["engine"]["tool_call_parser"], answer.json["spec"]["engine"]["args"]) == ("mistral", {})


def test_only_fleets_fetch_a_chat_template(world: World) -> None:
    body = spec_body(path="jumpstart", engine={"chat_template": TEMPLATE})
    answer = world.call("POST", "/deployments", body)
    assert (answer.status, answer.error["param"]) == (400, "engine.chat_template")
    assert world.nothing_changed()


def test_other_paths_are_left_to_their_containers(world: World) -> None:
    for path in ("jumpstart", "bedrock"):
        answer = world.call("POST", "/deployments", spec_body(name=f"on-{path}", path=path))
        assert answer.json["spec"]["engine"]["tool_call_parser"] is None
        assert answer.json["notes"] == []


def test_hosts_that_an_engine_cannot_be_held_to_are_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.ENGINES, "vllm", replace(registry.engine_of("vllm"), limits_media=False))
    answer = world.call("POST", "/deployments", spec_body(engine={"media_domains": ["images.example.com"]}))
    assert (answer.status, answer.error["param"]) == (400, "engine.media_domains")
    assert "vllm" in answer.error["message"]
    assert world.nothing_changed()
    assert world.call("POST", "/deployments", spec_body(engine={"name": "vllm"})).status == 202


@pytest.mark.parametrize("path", ["fleet", "jumpstart", "bedrock"])
def test_an_instance_type_that_is_none_is_answered_with_the_known_ones(world: World, path: str) -> None:
    capacity = {"instance_types": ["g6e.xlarge", "g9000.huge"]}
    answer = world.call("POST", "/deployments", spec_body(path=path, capacity=capacity))
    assert answer.status == 400
    assert answer.error["param"] == "capacity.instance_types.1"
    assert "g6e.xlarge" in answer.error["allowed"]
    assert world.nothing_changed()


@pytest.mark.parametrize(("path", "name"), [("fleet", "g7.2xlarge"), ("jumpstart", "ml.g7.2xlarge")])
def test_an_instance_type_that_the_package_does_not_know_is_left_to_aws(world: World, path: str, name: str) -> None:
    answer = world.call("POST", "/deployments", spec_body(path=path, capacity={"instance_types": [name]}))
    assert (answer.status, answer.json["spec"]["capacity"]["instance_types"]) == (202, [name])


def test_an_instance_type_that_the_engine_is_known_not_to_run_on_is_refused(world: World) -> None:
    answer = world.call("POST", "/deployments", spec_body(capacity={"instance_types": ["inf2.xlarge"]}))
    assert (answer.status, answer.error["param"]) == (400, "capacity.instance_types.0")


def test_a_model_that_the_path_does_not_have_is_answered_with_the_known_ones(world: World) -> None:
    answer = world.call("POST", "/deployments", spec_body(path="bedrock", model={"id": "acme/unheard-of"}))
    assert answer.status == 400
    assert answer.error["param"] == "model.id"
    assert "meta-llama/Llama-3.1-8B-Instruct" in answer.error["allowed"]


def test_several_findings_are_told_at_once(world: World) -> None:
    answer = world.call("POST", "/deployments", {"name": "X", "path": "balloon"})
    assert answer.status == 400
    for field in ("name", "model", "path"):
        assert field in answer.error["message"]


@pytest.mark.parametrize(
    "body",
    [
        *(None, "", "{", "[]", '"text"', "7", "null", '{"name": NaN}', '{"budget": {"usd_per_month": Infinity}}'),
        pytest.param("[" * 50_000, id="deep list"),
        pytest.param('{"model":' * 900 + "1" + "}" * 900, id="deep object"),
        pytest.param('{"capacity": {"max": ' + "9" * 5000 + "}}", id="long number"),
        '{"name": "\\ud800"}',
    ],
)
def test_a_body_that_is_no_object_is_rejected(world: World, body: str | None) -> None:
    answer = world.call("POST", "/deployments", body)
    assert answer.status == 400
    assert answer.error["type"] == "invalid_request_error"
    assert world.nothing_changed()


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "application/x-www-form-urlencoded", "text/plain", ""]
)
def test_a_body_is_json_whatever_it_is_called(world: World, content_type: str) -> None:
    answer = world.call("POST", "/deployments", spec_body(), headers={"Content-Type": content_type})
    assert answer.status == 202


def test_a_body_over_the_limit_is_too_large(world: World) -> None:
    answer = world.call("POST", "/deployments", json.dumps({**spec_body(), "padding": "x" * 262_144}))
    assert answer.status == 413
    assert answer.error["code"] == "request_too_large"
    assert world.nothing_changed()


def test_the_same_idempotency_key_gets_the_same_answer_once(world: World) -> None:
    headers = {"idempotency-key": "again-1"}
    first = world.call("POST", "/deployments", spec_body(), headers=headers)
    world.deployments.items["support-llama"] = a_deployment()
    second = world.call("POST", "/deployments", spec_body(), headers=headers)
    assert (first.status, first.json) == (second.status, second.json)
    assert first.headers["Location"] == second.headers["Location"]
    assert len(world.workflows.executions) == 1


def test_an_idempotency_key_of_another_request_is_a_conflict(world: World) -> None:
    headers = {"Idempotency-Key": "again-1"}
    world.call("POST", "/deployments", spec_body(), headers=headers)
    answer = world.call("POST", "/deployments", spec_body(name="another"), headers=headers)
    assert answer.status == 409
    assert answer.error["code"] == "idempotency_key_reused"


def test_idempotency_keys_of_two_callers_are_two(world: World) -> None:
    headers = {"Idempotency-Key": "again-1"}
    world.call("POST", "/deployments", spec_body(), headers=headers)
    answer = world.call("POST", "/deployments", spec_body(name="another"), headers=headers, caller="key_other")
    assert answer.status == 202


@pytest.mark.parametrize("key", ["", "x" * 256, "line\nbreak"])
def test_an_idempotency_key_that_is_none_is_rejected(world: World, key: str) -> None:
    answer = world.call("POST", "/deployments", spec_body(), headers={"Idempotency-Key": key})
    assert answer.status == 400
    assert answer.error["param"] == "Idempotency-Key"


def test_an_import_needs_weights(world: World) -> None:
    model = {"id": "Qwen/Qwen3-8B"}
    refused = world.call("POST", "/deployments", {"name": "mine", "path": "import", "model": model})
    assert (refused.status, refused.error["param"]) == (400, "model.weights"), refused.text
    assert world.nothing_changed()
    model["weights"] = "s3://weights/qwen3/"
    accepted = world.call("POST", "/deployments", {"name": "mine", "path": "import", "model": model})
    assert accepted.status == 202, accepted.text

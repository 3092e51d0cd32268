import base64
import gzip
import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from spillway.adapters.drivers.fleet.config import FleetConfig
from spillway.adapters.drivers.fleet.user_data import PROXY_IMAGE, packed, user_data
from spillway.domain.admission import admitted
from spillway.domain.deployments.resource_names import Names
from spillway.domain.deployments.spec import DeploymentSpec
from spillway.domain.engines.engine import Flag
from spillway.domain.engines.registry import ENGINES
from spillway.domain.engines.vllm import VLLM
from tests.builders import a_spec
from tests.sandbox.cloud.boot_scripts import command_in
from tests.sandbox.engine_command import Command, read_command

SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:hf-AbCdEf"
CONFIG = FleetConfig(
    "spillway", "us-east-1", "vpc-1", ("subnet-1",), "sg-1", "listener", "profile", "loads", False, SECRET
)
NAMES = Names("spillway", "support-llama")
NEW = """# HELP vllm:num_requests_running Number of requests.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 3.0
vllm:num_requests_running{engine="1",model_name="m"} 2.0
vllm:num_requests_waiting{engine="0",model_name="m"} 7.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="m",reason="capacity"} 99.0
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25
vllm:kv_cache_usage_perc{engine="1",model_name="m"} 0.75
"""
OLD = """vllm:num_requests_running{model_name="m"} 1.0
vllm:num_requests_waiting{model_name="m"} 0.0
vllm:gpu_cache_usage_perc{model_name="m"} 0.5
"""


_RANDOM = Random(16_384)


def _randomly(letters: str) -> Callable[[int], str]:
    allowed = [letter for code in range(128) if re.fullmatch(f"[{letters}]", letter := chr(code))]
    return lambda length: "".join(["x", *_RANDOM.choices(allowed, k=length - 2), "x"])


def _longest(flag: Flag) -> object:
    """Return the longest value of many that a flag takes."""
    text = _randomly("a-zA-Z0-9")
    values = [True, False, 0.123456789012345, *(10**digits for digits in range(8)), *flag.takes.split(" ")[2:]]
    words = [value.rstrip(",") if isinstance(value, str) else value for value in values]
    objects = [{text(8): text(1024 - 16)}, *({"backend": word} for word in words)]
    return max((value for value in [*words, *objects] if flag.accepts(value)), key=lambda value: len(str(value)))


def a_script_for(most: int) -> str:
    return user_data(a_spec(capacity={"max": most, "instance_types": ["g6e.xlarge"]}), NAMES, CONFIG)


def a_script(**model: object) -> str:
    spec = a_spec(model={"id": "meta-llama/Llama-3.1-8B-Instruct", **model})
    return user_data(spec, NAMES, CONFIG)


@pytest.mark.parametrize("most", [1, 4])
def test_the_script_is_bash(most: int) -> None:
    script = a_script_for(most)
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    assert not re.search(r"@@\w", script)


@pytest.mark.parametrize("most", [1, 4])
@pytest.mark.parametrize("own", [False, True], ids=["hub", "own weights"])
@pytest.mark.parametrize("engine", ENGINES)
def test_ec2_takes_the_longest_script_that_can_be_asked_for(engine: str, own: bool, most: int) -> None:
    # Random, so that nothing of it can be packed closer than its letters allow.
    name, model, host = (_randomly(letters) for letters in ("a-z0-9", "A-Za-z0-9._:/-", "a-z0-9-"))
    key = "".join(_RANDOM.choices([chr(code) for code in range(0x1F000, 0x20000)], k=1024 - len("s3://models/")))
    spec = a_spec(
        name=f"n{name(39)}",
        model={"id": model(256), "weights": f"s3://models/{key}" if own else None},
        engine={
            "name": engine,
            "max_model_len": 1_000_000,
            "media_domains": [f"a{host(250)}.z" for _ in range(20)] if ENGINES[engine].limits_media else [],
            "tool_call_parser": max(ENGINES[engine].tool_call_parsers, key=len),
            "reasoning_parser": max(ENGINES[engine].reasoning_parsers, key=len),
            "chat_template": f"https://a{_randomly('!-~')(1009)}.jinja",
            "args": {name: _longest(flag) for name, flag in ENGINES[engine].flags.items()},
        },
        capacity={"max": most, "instance_types": ["g6e.xlarge"]},
    )
    # A secret's name has 512 characters at most.
    config = replace(CONFIG, hugging_face_secret_arn=f"{SECRET}{model(512)}")
    script = user_data(spec, Names(f"s{name(127)}", spec.name), config)
    assert len(packed(script)) <= 16_384
    assert gzip.decompress(packed(script)).decode() == script


@pytest.mark.parametrize(("most", "ports"), [(1, ["8001:8000", "8000:8000"]), (4, ["8001:8000"])])
def test_the_balancers_port_is_the_engines_own_only_where_it_is_alone(most: int, ports: list[str]) -> None:
    options, _ = _docker_run(a_script_for(most))
    assert [options[at + 1] for at, word in enumerate(options) if word == "--publish"] == ports


def test_a_lone_engine_has_no_proxy() -> None:
    assert "haproxy" not in a_script_for(1)
    assert f"PROXY_IMAGE={PROXY_IMAGE}\n" in a_script_for(2)
    assert re.search(r":\d+\.\d+\.\d+-alpine$", PROXY_IMAGE), "the image is pinned"


def test_the_agent_inside_it_is_bash_too() -> None:
    agent = a_script().split("<<'AGENT'\n")[1].split("\nAGENT\n")[0]
    subprocess.run(["bash", "-n"], input=agent, text=True, check=True)


def test_a_model_of_the_hub_is_loaded_with_the_token_of_the_secret() -> None:
    script = a_script()
    _, arguments = _docker_run(script)
    assert arguments[:2] == ["serve", "meta-llama/Llama-3.1-8B-Instruct"]
    assert "--load-format" not in arguments
    assert f"TOKEN_SECRET={SECRET}\n" in script
    assert re.search(r":server-cuda-v\d", VLLM.image), "the image is pinned"


def test_own_weights_are_streamed_from_s3_without_a_token() -> None:
    script = a_script(weights="s3://models-bucket/llama/")
    _, arguments = _docker_run(script)
    assert arguments[:2] == ["serve", "s3://models-bucket/llama/"]
    assert arguments[arguments.index("--load-format") + 1] == "runai_streamer"
    assert "TOKEN_SECRET=''\n" in script


def test_an_engine_follows_no_redirect_and_fetches_from_the_named_hosts_alone() -> None:
    spec = a_spec(engine={"media_domains": ["images.example.com", "cdn.example.org"]})
    options, arguments = _docker_run(user_data(spec, NAMES, CONFIG))
    assert "VLLM_MEDIA_URL_ALLOW_REDIRECTS=0" in options
    at = arguments.index("--allowed-media-domains")
    assert arguments[at + 1 : at + 3] == ["images.example.com", "cdn.example.org"]
    assert "--allowed-media-domains" not in _docker_run(a_script())[1]


def test_the_engine_reads_its_models_output_as_it_was_asked_to() -> None:
    spec = a_spec(
        engine={
            "tool_call_parser": "hermes",
            "reasoning_parser": "qwen3",
            "args": {"max-num-seqs": 8, "enforce-eager": True, "enable-prefix-caching": False},
        }
    )
    _, arguments = _docker_run(user_data(spec, NAMES, CONFIG))
    tools = arguments.index("--enable-auto-tool-choice")
    assert arguments[tools:] == [
        *("--enable-auto-tool-choice", "--tool-call-parser", "hermes", "--reasoning-parser", "qwen3"),
        *("--max-num-seqs", "8", "--enforce-eager", "--no-enable-prefix-caching"),
    ]


@pytest.mark.parametrize("engine", [{}, {"tool_call_parser": "none", "reasoning_parser": "none"}])
def test_without_parsers_there_are_no_flags_for_them(engine: dict[str, str]) -> None:
    _, arguments = _docker_run(user_data(a_spec(engine=engine), NAMES, CONFIG))
    assert [word for word in arguments if "tool" in word or "parser" in word] == []


@pytest.mark.parametrize(
    ("address", "call"),
    [
        ("https://example.com/a$(reboot).jinja", "curl -sSfL --proto =https"),
        ("s3://models-bucket/it's.jinja", "aws s3 cp"),
    ],
)
def test_a_chat_template_is_fetched_before_the_engine_is_told_of_it(address: str, call: str) -> None:
    script = user_data(a_spec(engine={"chat_template": address}), NAMES, CONFIG)
    fetched = script[script.index("CHAT_TEMPLATE=") : script.index("TOKEN_SECRET=")]
    fetch = script[script.index('case "$CHAT_TEMPLATE"') : script.index("ARGS=(")]
    stubs = 'retry() { "$@"; }; curl() { echo curl "$@"; }; aws() { echo aws "$@"; }\n'
    done = subprocess.run(["bash", "-euc", stubs + fetched + fetch], text=True, capture_output=True, check=True)
    assert done.stdout.startswith(call)
    assert address in done.stdout
    _, arguments = _docker_run(script)
    file = arguments[arguments.index("--chat-template") + 1]
    assert file in done.stdout
    assert "--volume /run/spillway:/run/spillway:ro" in script
    assert file.startswith("/run/spillway/")


def test_a_models_own_template_is_fetched_by_nobody() -> None:
    script = a_script()
    fetch = script[script.index("CHAT_TEMPLATE=") : script.index("TOKEN_SECRET=")]
    fetch += script[script.index('case "$CHAT_TEMPLATE"') : script.index("ARGS=(")]
    done = subprocess.run(["bash", "-euc", f"retry() {{ false; }}\n{fetch}"], text=True, check=False)
    assert done.returncode == 0
    assert "--chat-template" not in _docker_run(script)[1]


def test_a_flags_object_is_one_word() -> None:
    spec = a_spec(engine={"args": {"default-chat-template-kwargs": {"a b": "it's $(reboot)"}}})
    _, arguments = _docker_run(user_data(spec, NAMES, CONFIG))
    at = arguments.index("--default-chat-template-kwargs")
    assert json.loads(arguments[at + 1]) == {"a b": "it's $(reboot)"}


def test_the_sandbox_reads_the_same_command_from_the_script() -> None:
    spec = a_spec(
        model={"id": "Qwen/Qwen3-8B"}, engine={"tool_call_parser": "hermes", "chat_template": "https://a/t.jinja"}
    )
    script = base64.b64encode(packed(user_data(spec, NAMES, CONFIG))).decode()
    command = command_in(script)
    assert (command.model, command.served_name, command.tool_call_parser) == (
        "Qwen/Qwen3-8B",
        "support-llama",
        "hermes",
    )


@pytest.mark.parametrize("key", ["a b/$(reboot)", "it's/`reboot`;", "@@REGION@@/@@IS_RUNNING@@", "\\1\\"])
def test_what_a_user_writes_is_one_word_to_the_shell(key: str) -> None:
    _, arguments = _docker_run(a_script(weights=f"s3://models-bucket/{key}"))
    assert arguments[1] == f"s3://models-bucket/{key}"


def test_the_engine_is_the_containers_first_process_so_that_a_stop_reaches_it() -> None:
    options, arguments = _docker_run(a_script(weights="s3://models-bucket/a b/"))
    assert options[options.index("--entrypoint") + 1] == "vllm"
    # It gives up what it answers a little before Docker would kill it.
    assert arguments[arguments.index("--shutdown-timeout") + 1] == "60"
    assert options[options.index("--stop-timeout") + 1] == "70"
    assert arguments[:4] == ["serve", "s3://models-bucket/a b/", "--served-model-name", "support-llama"]
    assert arguments[arguments.index("--tensor-parallel-size") + 1] == "2"
    assert arguments[arguments.index("--load-format") + 1] == "runai_streamer"


def test_the_agent_reports_once_in_every_minute_of_the_clock() -> None:
    (wait,) = re.findall(r"while sleep (\$\(\(.*?\)\)); do", a_script())
    seconds = "date() { echo 1800000049; }; echo " + wait
    assert subprocess.run(["bash", "-c", seconds], text=True, capture_output=True, check=True).stdout == "11\n"


@pytest.mark.parametrize(("metrics", "line"), [(NEW, "5 7 0.75\n"), (OLD, "1 0 0.5\n")])
def test_the_agent_reads_old_and_new_names(metrics: str, line: str) -> None:
    assert _read(metrics).stdout == line


def test_the_agent_reports_nothing_when_the_engine_does_not() -> None:
    assert _read("").returncode == 1


def test_the_agent_reads_a_real_engines_metrics() -> None:
    recorded = Path("tests/fixtures/vllm_metrics.prom").read_text(encoding="utf-8")
    running, waiting, cache = _read(recorded).stdout.split()
    assert float(running) >= 0
    assert float(waiting) >= 0
    assert 0 <= float(cache) <= 1


def _read(metrics: str) -> "subprocess.CompletedProcess[str]":
    program = re.search(r"awk '(.*?)'\n\}", a_script(), re.DOTALL)
    assert program is not None
    return subprocess.run(["awk", program[1]], input=metrics, text=True, capture_output=True, check=False)


def _docker_run(script: str) -> tuple[list[str], list[str]]:
    """Run the part that starts the engine, and return Docker's options and the engine's arguments."""
    values = script[script.index("export AWS") : script.index("retry()")]
    arguments = script[script.index("ARGS=(") : script.index("systemctl enable")]
    start = re.split(r"\n\n", script[script.index("PORTS=(") :], maxsplit=1)[0]
    stubs = "nvidia-smi() { printf 'GPU 0\\nGPU 1\\n'; }; docker() { printf '%s\\n' \"$@\"; }\n"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", stubs + values + arguments + start],
        text=True,
        capture_output=True,
        check=True,
    )
    words = done.stdout.splitlines()
    at = words.index(VLLM.image)
    return words[:at], words[at + 1 :]


@pytest.mark.parametrize(
    ("model", "task"),
    [
        ({"id": "Qwen/Qwen3-Embedding-8B"}, "embed"),
        ({"id": "acme/unheard-of-7b", "task": "embed"}, "embed"),
        ({"id": "BAAI/bge-m3"}, "embed"),
        ({"id": "BAAI/bge-reranker-v2-m3"}, "score"),
        ({"id": "acme/unheard-of-7b"}, "generate"),
    ],
)
def test_the_engine_is_started_for_what_its_model_is_for(model: dict[str, str], task: str) -> None:
    spec = admitted(a_spec(model=model))
    assert _command(spec).task == task


def test_a_reranker_that_was_published_to_chat_is_told_what_it_is() -> None:
    engine = {"chat_template": "https://example.com/qwen3_reranker.jinja"}
    assert _command(admitted(a_spec(model={"id": "Qwen/Qwen3-Reranker-4B"}, engine=engine))).task == "score"


def _command(spec: DeploymentSpec) -> Command:
    """Return what the sandbox reads of the script: of a model that is not on the hub too, whose weights lie in S3."""
    words = [*_docker_run(user_data(spec, NAMES, CONFIG))[1]]
    return read_command([word.replace("$(nvidia-smi -L | wc -l)", "1") for word in words])

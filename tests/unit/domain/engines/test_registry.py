"""Every engine of the registry holds what the package counts on, and its words are in no module but the engines'."""

import re
from dataclasses import replace

import pytest

from spillway.domain.engines.engine import Engine, Launch, OnInstance, Options
from spillway.domain.engines.registry import DEFAULT_ENGINE, ENGINES, engine_of, named_in
from spillway.domain.errors import InvalidRequest
from spillway.domain.pricing.price_book import known_instance_types, price_book
from tests.sandbox.hugging_face import hub_models
from tests.template.transform import REPOSITORY

PACKAGE = REPOSITORY / "layers/spillway/src/spillway"
HUB = Launch(
    model="Qwen/Qwen3-8B",
    is_own_weights=False,
    served_name="chat",
    max_model_len=4096,
    media_domains=(),
    shutdown_seconds=61,
)
OWN = replace(HUB, model="s3://models/qwen/", is_own_weights=True)
# What Docker, Prometheus and every server call so.
COMMON = {"--host", "--port"}
every_engine = pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)


def test_an_engine_is_found_by_its_name() -> None:
    assert {name: engine_of(name).name for name in ENGINES} == {name: name for name in ENGINES}
    assert DEFAULT_ENGINE.name in ENGINES


def test_a_name_that_is_none_is_answered_with_those_that_are() -> None:
    with pytest.raises(InvalidRequest, match=r"'tgi'.*vllm") as caught:
        engine_of("tgi")
    assert (caught.value.param, caught.value.allowed) == ("engine.name", tuple(ENGINES))


@every_engine
@pytest.mark.parametrize("launch", [HUB, OWN], ids=["hub", "own weights"])
def test_an_engine_is_told_what_to_serve_and_where(engine: Engine, launch: Launch) -> None:
    words = engine.arguments(launch)
    told = {launch.model, launch.served_name, str(launch.max_model_len), str(engine.port), "0.0.0.0"}
    assert told <= set(words)
    assert OnInstance.GPU_COUNT in words, "one engine over all GPUs"


@every_engine
def test_an_engine_fetches_media_from_the_named_hosts_alone(engine: Engine) -> None:
    hosts = ("images.example.com", "cdn.example.org")
    assert set(hosts) <= set(engine.arguments(replace(HUB, media_domains=hosts))) or not engine.limits_media


@every_engine
def test_an_engine_knows_the_parsers_and_flags_that_it_gives_by_itself(engine: Engine) -> None:
    known = [engine.parsers_of(model) for model in hub_models()]
    assert len({parsers.tool_call for parsers in known}) > 3
    for parsers in known:
        assert {parsers.tool_call} <= {None, *engine.tool_call_parsers}
        assert {parsers.reasoning} <= {None, *engine.reasoning_parsers}
        assert all(engine.flags[name].accepts(value) for name, value in parsers.args.items())


@every_engine
def test_an_engine_reads_calls_and_thoughts_only_when_told_to(engine: Engine) -> None:
    parsers = {min(engine.tool_call_parsers), min(engine.reasoning_parsers)}
    told = Options(min(engine.tool_call_parsers), min(engine.reasoning_parsers))
    assert parsers <= set(engine.arguments(replace(HUB, options=told)))
    assert parsers.isdisjoint(engine.arguments(HUB))
    assert engine.settings(Options()) == {}


@every_engine
def test_a_flag_of_the_users_is_none_that_the_boot_script_counts_on(engine: Engine) -> None:
    own = {word.removeprefix("--") for word in engine.arguments(HUB) if isinstance(word, str) and word.startswith("--")}
    assert own.isdisjoint(engine.flags)


@every_engine
def test_an_engines_gauges_are_names_that_prometheus_allows(engine: Engine) -> None:
    for names in vars(engine.gauges).values():
        assert names
        assert all(re.fullmatch(r"[a-zA-Z_:][a-zA-Z0-9_:]*", name) for name in names)


@every_engine
def test_an_engine_is_a_pinned_image_that_some_instances_run(engine: Engine) -> None:
    assert re.search(r":[^:/]*\d+(\.\d+)+$", engine.image)
    assert all(family.endswith(".") for family in engine.instance_families)
    assert known_instance_types(engine.name)


def test_a_fleets_instance_types_are_those_of_its_engine() -> None:
    assert "g6e.xlarge" in known_instance_types("vllm")
    assert {"g5g.xlarge", "inf2.xlarge", "m7i.large", "g4dn.metal"}.isdisjoint(known_instance_types("vllm"))
    assert set(known_instance_types()) == {name for engine in ENGINES for name in known_instance_types(engine)}
    assert set(known_instance_types()) < set(price_book().ec2)


@pytest.mark.parametrize(
    ("block", "name"),
    [
        (b'data: {"system_fingerprint":"vllm-0.32.0-675585e5","usage":{}}\n\n', "vllm-0.32.0"),
        (b'data: {"usage":{},"system_fingerprint": "vllm-0.33.0rc1+cu130"}\n\n', "vllm-0.33.0rc1+cu130"),
        (b'data: {"system_fingerprint":"fp_44709d6fcb"}\n\n', None),
        (b'data: {"choices":[{"delta":{"content":"I am vllm-0.32.0"}}]}\n\n', None),
        (b"", None),
    ],
)
def test_an_engine_is_known_by_what_its_answers_say(block: bytes, name: str | None) -> None:
    assert named_in(block) == name


@every_engine
def test_only_engines_modules_know_their_words(engine: Engine) -> None:
    most = replace(OWN, media_domains=("a.example",), options=Options("p", "p"), chat_template="/t")
    flags = {word for word in engine.arguments(most) if isinstance(word, str)}
    words = {word for word in flags if word.startswith("--")} - COMMON
    words |= {engine.image, *engine.environment, *engine.exact_length}
    words |= {name for names in vars(engine.gauges).values() for name in names}
    engines = {PACKAGE / "domain/engines" / f"{name}.py" for name in ENGINES}
    others = [path for path in PACKAGE.rglob("*") if path.suffix in {".py", ".sh", ".cfg"} and path not in engines]
    assert len(others) > 200
    for path in others:
        text = path.read_text(encoding="utf-8")
        assert [word for word in words if word in text] == [], path

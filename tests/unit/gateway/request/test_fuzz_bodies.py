"""Bodies of every wrong kind, on every kind of target: an answer or a 4xx in the one shape, never an accident."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spillway.gateway.upstream import Endpoint, can_answer
from tests.unit.gateway.doubles import BODY
from tests.unit.gateway.fuzzing import FULL, JUNK, TARGETS, a_world_on, damaged, expect_refusal, fuzz

PAIRS = [(endpoint, name) for endpoint in FULL for name, target in TARGETS.items() if can_answer(target, endpoint)]
SOME = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(("endpoint", "target"), PAIRS)
async def test_a_whole_request_with_every_field_is_answered(endpoint: Endpoint, target: str) -> None:
    assert (await fuzz(a_world_on(TARGETS[target]), endpoint, FULL[endpoint])).status == 200


@pytest.mark.parametrize(("endpoint", "target"), PAIRS)
async def test_every_value_anywhere_in_a_request_may_be_wrong(endpoint: Endpoint, target: str) -> None:
    world = a_world_on(TARGETS[target])
    for body in damaged(FULL[endpoint]):
        await fuzz(world, endpoint, body)


@pytest.mark.parametrize("endpoint", FULL)
async def test_a_body_cut_off_anywhere_is_refused(endpoint: Endpoint) -> None:
    world, raw = a_world_on(TARGETS["converse"]), json.dumps(FULL[endpoint]).encode()
    for length in range(len(raw)):
        answer = await fuzz(world, endpoint, raw[:length])
        assert (answer.status, answer.error["code"]) == (400, "invalid_json")


@pytest.mark.parametrize("byte", [b"\x00", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80"])
async def test_bytes_that_are_no_utf8_or_no_text_are_refused_wherever_they_are(byte: bytes) -> None:
    world, raw = a_world_on(TARGETS["fleet"]), json.dumps(BODY).encode()
    for at in range(len(raw) + 1):
        answer = await fuzz(world, "chat/completions", raw[:at] + byte + raw[at:])
        assert (answer.status, answer.error["code"]) == (400, "invalid_json")


@SOME
@given(raw=st.binary(max_size=300))
async def test_any_bytes(raw: bytes) -> None:
    for endpoint in FULL:
        expect_refusal(await fuzz(a_world_on(TARGETS["fleet"]), endpoint, raw))


@SOME
@given(at=st.integers(0, 10_000), bits=st.integers(1, 255))
async def test_a_damaged_byte(at: int, bits: int) -> None:
    for endpoint, body in FULL.items():
        raw = bytearray(json.dumps(body).encode())
        raw[at % len(raw)] ^= bits
        await fuzz(a_world_on(TARGETS["sagemaker"]), endpoint, bytes(raw))


@SOME
@given(value=JSON_VALUES, junk=st.sampled_from(JUNK))
@pytest.mark.parametrize("target", TARGETS)
async def test_any_json(target: str, value: Any, junk: Any) -> None:
    world = a_world_on(TARGETS[target])
    for endpoint in ("chat/completions", "completions", "responses"):
        await fuzz(world, endpoint, value)
        await fuzz(world, endpoint, {"model": "support-llama", "messages": value, "prompt": value, "input": value})
        message = {"role": "user", "content": value, "tool_calls": junk, "tool_call_id": value}
        await fuzz(world, endpoint, {"model": "support-llama", "messages": [message], "input": [message]})


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("depth", [100, 190, 199, 200, 201, 230, 250, 254, 255, 400, 1100])
async def test_nesting(target: str, depth: int) -> None:
    world = a_world_on(TARGETS[target])
    deep = b"[" * depth + b"]" * depth
    objects = b'{"a":' * depth + b"0" + b"}" * depth
    text = json.dumps(deep.decode()).encode()
    call = b'{"id":"t","function":{"name":"f","arguments":%b}}' % text
    for raw in (
        b'{"model":"support-llama","messages":[{"role":"user","content":%b}]}' % deep,
        b'{"model":"support-llama","messages":[{"role":"user","content":"hi"}],"unknown":%b}' % objects,
        b'{"model":"support-llama","messages":[{"role":"user","content":"hi"}],"tools":'
        b'[{"type":"function","function":{"name":"f","parameters":%b}}]}' % objects,
        b'{"model":"support-llama","messages":[{"role":"user","content":"hi"}],"response_format":'
        b'{"type":"json_schema","json_schema":{"name":"f","schema":%b}}}' % objects,
        b'{"model":"support-llama","messages":[{"role":"assistant","tool_calls":[%b]}]}' % call,
    ):
        answer = await fuzz(world, "chat/completions", raw)
        assert answer.status == 400 or depth < 255 or raw.endswith(b'"}}]}]}')
    tool = b'{"type":"function","name":"f","parameters":%b}' % objects
    await fuzz(world, "responses", b'{"model":"support-llama","input":"hi","tools":[%b]}' % tool)


@pytest.mark.parametrize("target", TARGETS)
async def test_thousands_of_messages(target: str) -> None:
    world = a_world_on(TARGETS[target])
    messages = [{"role": "assistant" if index % 2 else "user", "content": f"m{index}"} for index in range(20_000)]
    assert (await fuzz(world, "chat/completions", {**BODY, "messages": messages})).status == 200
    messages[-1] = {"role": []}  # type: ignore[dict-item]
    answer = await fuzz(world, "chat/completions", {**BODY, "messages": messages})
    assert (answer.status, answer.error["param"]) == (400, "messages.19999.role")


@pytest.mark.parametrize(
    "number", ["-1", "0", "1e400", "-1e400", "9" * 400, "0." + "9" * 400, "1e-400", "-0", "4294967296", "1.5", '"4"']
)
@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens", "max_output_tokens", "n", "temperature"])
async def test_absurd_numbers(field: str, number: str) -> None:
    for target in TARGETS.values():
        for endpoint in ("chat/completions", "completions", "responses"):
            body = {"model": "support-llama", "messages": BODY["messages"], "prompt": "a", "input": "a"}
            if endpoint == "responses":
                del body["prompt"]
            raw = json.dumps(body)[:-1] + f', "{field}": {number}}}'
            await fuzz(a_world_on(target), endpoint, raw.encode())


async def test_a_huge_body_is_refused_whole_or_in_parts() -> None:
    world, part = a_world_on(TARGETS["fleet"]), b"[" * 1_000_000
    for parts in ([part * 10 + part], [part] * 11, [b"[" * 10_485_761]):
        answer = await fuzz(world, "chat/completions", b"", parts=parts)
        assert answer.status == 413
    assert (await fuzz(world, "chat/completions", part * 10)).status == 400
    text = {**BODY, "messages": [{"role": "user", "content": "x" * 10_000_000}]}
    assert (await fuzz(world, "chat/completions", text)).status == 200


async def test_keys_that_come_twice_and_names_like_the_languages_own() -> None:
    world = a_world_on(TARGETS["converse"])
    raw = b'{"model":"nobody","model":"support-llama","messages":[],"messages":[{"role":"user","content":"hi"}]}'
    assert (await fuzz(world, "chat/completions", raw)).status == 200
    odd: dict[str, Any] = {"__class__": "x", "__proto__": {}, "constructor": [], "": 0, "\x00": 1}
    assert (await fuzz(world, "chat/completions", {**BODY, **odd})).status == 200

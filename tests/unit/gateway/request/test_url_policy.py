"""Addresses that a user gives and an engine would fetch from inside its network."""

import json
from typing import Any

import pytest

from spillway.domain.errors import InvalidRequest
from spillway.gateway.request.url_policy import check_address
from tests.unit.gateway.doubles import BODY, a_world, call, completion

METADATA = "http://169.254.169.254/latest/meta-data/iam/"

PRIVATE = [
    METADATA,
    "http://127.0.0.1:8000/metrics",
    "https://10.0.0.7/",
    "http://172.16.3.4/x.png",
    "http://192.168.1.1",
    "http://100.64.0.1/",
    "http://0.0.0.0/",
    "http://0/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    # one number, hexadecimal, octal, short
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://0251.0376.0251.0376/",
    "http://127.1/",
    "http://0x7f.1/",
    "http://169.254.43518/",
    "http://127.0.0.1./",
    "http://999.1.1.1/",
    # IPv6, and what stands for IPv4 in it
    "http://[::1]/",
    "http://[::]/",
    "http://[fe80::1]/",
    "http://[fd00:ec2::254]/latest/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:a9fe:a9fe]:80/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[2002:a9fe:a9fe::1]/",
    "http://[fe80::1%25eth0]/",
    # names
    "http://localhost/",
    "http://LOCALHOST:8000/",
    "http://localhost./",
    "http://a.localhost/",
    "http://instance-data/latest/",
    "http://ip-10-0-0-7.ec2.internal/",
    "http://printer.local/",
    # two readings
    "http://example.com@127.0.0.1/",
    "http://127.0.0.1@example.com/",
    "http://example.com\\@127.0.0.1/",
    "http://127.0.0.1\\.example.com/",
    "http://exa mple.com/",
    "http://127.0.0.1\t.example.com/",
    "http://%31%32%37.0.0.1/",
    "http://①②⑦.0.0.1/",
    "http://127。0。0。1/",
    "http://ⓛocalhost/",
    "http://a.localho\u017ft/",
    "http\u017f://example.com/",
    "http:///etc/passwd",
    "http://",
    # other schemes, and none
    "file:///etc/passwd",
    "FILE:/etc/passwd",
    "ftp://example.com/",
    "gopher://127.0.0.1:6379/_x",
    "s3://bucket/key",
    "//169.254.169.254/",
    "169.254.169.254",
    " http://example.com/",
    "http:169.254.169.254/",
    "",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_inside_or_may_be_read_as_inside_is_refused(address: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_address(address, "x")
    assert (refused.value.code, refused.value.param) == ("address_not_allowed", "x")


@pytest.mark.parametrize(
    "address",
    [
        "https://example.com/cat.png",
        "HTTP://Example.com:8443/cat.png?size=1#x",
        "https://8.8.8.8/cat.png",
        "https://[2606:4700:4700::1111]/cat.png",
        "https://bucket.s3.us-east-1.amazonaws.com/cat.png?X-Amz-Signature=0",
        "https://xn--bcher-kva.example.org/",
        "https://1.example.org/",
        "https://localhost.example.org/",
        "data:image/png;base64,iVBORw0KGgo=",
        "DATA:,x",
    ],
)
def test_public_hosts_and_data_pass(address: str) -> None:
    check_address(address, "x")


def chat(part: Any) -> dict[str, Any]:
    text = {"type": "text", "text": "what is this?"}
    return {**BODY, "messages": [{"role": "user", "content": "hi"}, {"role": "user", "content": [text, part]}]}


def response(item: Any, **more: Any) -> dict[str, Any]:
    return {"model": "support-llama", "input": [item], **more}


CASES: list[tuple[str, dict[str, Any], str]] = [
    ("chat", chat({"type": "image_url", "image_url": {"url": METADATA}}), "messages.1.content.1.image_url.url"),
    ("chat", chat({"type": "image_url", "image_url": METADATA}), "messages.1.content.1.image_url"),
    ("chat", chat({"type": "video_url", "video_url": {"url": METADATA}}), "messages.1.content.1.video_url.url"),
    ("chat", chat({"audio_url": METADATA}), "messages.1.content.1.audio_url"),
    ("chat", chat({"type": "image", "image": METADATA}), "messages.1.content.1.image"),
    ("chat", chat({"type": "image", "image": "FILE:etc"}), "messages.1.content.1.image"),
    (
        "responses",
        response({"role": "user", "content": [{"type": "input_image", "image_url": METADATA}]}),
        "input.0.content.0.image_url",
    ),
    ("responses", response({"type": "input_file", "file_url": METADATA}), "input.0.file_url"),
    (
        "responses",
        response({"type": "function_call_output", "output": [{"type": "input_image", "image_url": METADATA}]}),
        "input.0.output.0.image_url",
    ),
    (
        "responses",
        response({"role": "user", "content": "hi"}, tools=[{"type": "mcp", "server_url": METADATA}]),
        "tools.0.server_url",
    ),
]
ESCAPED = [
    str,
    lambda text: text.replace("/", "\\/"),
    lambda text: text.replace("url", "\\u0075rl").replace("/", "\\u002f"),
]


@pytest.mark.parametrize("escaped", ESCAPED)
@pytest.mark.parametrize(("endpoint", "body", "param"), CASES)
async def test_a_request_that_names_one_is_a_400_with_the_field_and_goes_nowhere(
    endpoint: str, body: dict[str, Any], param: str, escaped: Any
) -> None:
    world = a_world(fleet=[completion()])
    path = "/v1/chat/completions" if endpoint == "chat" else "/v1/responses"
    answer = await call(world, escaped(json.dumps(body)).encode(), path=path)
    assert (answer.status, answer.error["code"], answer.error["param"]) == (400, "address_not_allowed", param)
    assert world.upstreams.requests == []


@pytest.mark.parametrize(
    "body",
    [
        chat({"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}),
        chat({"type": "text", "text": f"what is at {METADATA}?"}),
        {**BODY, "messages": [{"role": "user", "content": METADATA}]},
        {
            **BODY,
            "tools": [{"type": "function", "function": {"name": "f", "parameters": {"url": {"default": METADATA}}}}],
        },
        {
            **BODY,
            "messages": [
                {"role": "assistant", "content": "x", "annotations": [{"url_citation": {"url": "http://wiki/"}}]},
                {"role": "user", "content": "and?"},
            ],
        },
        {**BODY, "messages": [{"role": "tool", "tool_call_id": "1", "content": '{"url": "http://localhost/"}'}]},
    ],
)
async def test_text_may_speak_of_any_address(body: dict[str, Any]) -> None:
    world = a_world(fleet=[completion()])
    assert (await call(world, body)).status == 200
    assert world.upstreams.requests[0][1].body["messages"] == body["messages"]

"""The bodies of Bedrock's four ways to ask a model: what a request means, and how its answer is written."""

import base64
import json
from dataclasses import dataclass, replace
from typing import Any, Protocol

from tests.sandbox import eventstream
from tests.sandbox.aws_errors import AwsError
from tests.sandbox.bedrock_schemas import wrong_schema
from tests.sandbox.converse_families import family_of
from tests.sandbox.converse_model import Said, Thinking, ToolCall, calls_for, instance_of, openai_calls_for
from tests.sandbox.converse_rules import check_converse
from tests.sandbox.wording import OneObject, Wording, count_chat_tokens, message_text, wording_for

_DONE = b"data: [DONE]\n\n"
_OPENAI_ERROR_TYPES = {
    400: "invalid_request_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    503: "service_unavailable",
}


@dataclass(frozen=True)
class Asked:
    """A checked request: how many tokens to answer with, its own ``limit`` of them, and whether that cut it.

    Where ``probable`` is a number, each token tells of so many beside it.
    ``ending`` is the stopReason in place of the usual one; with ``broken``, the last call's arguments stop halfway.
    """

    model_id: str
    wording: Wording | Said | Thinking
    prompt_tokens: int
    tokens: int
    cut: bool
    created: int
    include_usage: bool = False
    limit: int | None = None
    calls: tuple[ToolCall, ...] = ()
    probable: int | None = None
    ending: str | None = None
    broken: bool = False

    @property
    def text(self) -> str:
        return self.wording.text(0, self.tokens)


class WholeWire(Protocol):
    """One way to write an answer in one piece."""

    def whole(self, asked: Asked, latency_ms: int) -> dict[str, Any]:
        """Return the body of an answer that is not streamed."""


class Wire(WholeWire, Protocol):
    """One way to write an answer. The stream's parts are bytes as they go over the connection."""

    content_type: str

    def opening(self, asked: Asked) -> bytes:
        """Return what comes before the first token."""

    def piece(self, asked: Asked, start: int, stop: int) -> bytes:
        """Return the tokens from ``start`` up to ``stop``."""

    def closing(self, asked: Asked, latency_ms: int) -> bytes:
        """Return what comes after the last token."""

    def failure(self, error: AwsError) -> bytes:
        """Return what comes instead when the model fails on the way."""


class ConverseWire:
    """Converse and ConverseStream."""

    content_type = eventstream.CONTENT_TYPE

    def whole(self, asked: Asked, latency_ms: int) -> dict[str, Any]:
        uses = [{"toolUse": {"toolUseId": call.id, "name": call.name, "input": call.arguments}} for call in asked.calls]
        text = [{"text": asked.text}] if asked.tokens else []
        return {
            "output": {"message": {"role": "assistant", "content": [*text, *uses]}},
            "stopReason": _stop_reason(asked),
            "usage": _converse_usage(asked),
            "metrics": {"latencyMs": latency_ms},
        }

    def opening(self, asked: Asked) -> bytes:
        return _padded("messageStart", {"role": "assistant"})

    def piece(self, asked: Asked, start: int, stop: int) -> bytes:
        delta = {"contentBlockIndex": 0, "delta": {"text": asked.wording.text(start, stop)}}
        return _padded("contentBlockDelta", delta)

    def closing(self, asked: Asked, latency_ms: int) -> bytes:
        metadata = {"usage": _converse_usage(asked), "metrics": {"latencyMs": latency_ms}}
        return (
            (_padded("contentBlockStop", {"contentBlockIndex": 0}) if asked.tokens else b"")
            + b"".join(_streamed_call(asked, index) for index in range(len(asked.calls)))
            + _padded("messageStop", {"stopReason": _stop_reason(asked)})
            + _padded("metadata", metadata)
        )

    def failure(self, error: AwsError) -> bytes:
        return _stream_exception(error)


class OpenAiWire:
    """The OpenAI-compatible endpoint: server-sent events."""

    content_type = "text/event-stream"

    def whole(self, asked: Asked, latency_ms: int) -> dict[str, Any]:
        called = {"tool_calls": [_openai_call(asked, each) for each in range(len(asked.calls))]} if asked.calls else {}
        message = {"role": "assistant", "content": None if asked.calls else asked.text, **called}
        choice = {"index": 0, "message": message, "finish_reason": _finish_reason(asked)}
        choice |= {"logprobs": _probabilities(asked, 0, asked.tokens)}
        return _head(asked, "chat.completion") | {"choices": [choice], "usage": _openai_usage(asked)}

    def opening(self, asked: Asked) -> bytes:
        return _sse(_chunk(asked, {"role": "assistant", "content": ""}))

    def piece(self, asked: Asked, start: int, stop: int) -> bytes:
        return _sse(_chunk(asked, {"content": asked.wording.text(start, stop)}))

    def closing(self, asked: Asked, latency_ms: int) -> bytes:
        usage = _head(asked, "chat.completion.chunk") | {"choices": [], "usage": _openai_usage(asked)}
        calls = [{"index": each, **_openai_call(asked, each)} for each in range(len(asked.calls))]
        end = b"".join(_sse(_chunk(asked, {"tool_calls": [call]})) for call in calls)
        end += _sse(_chunk(asked, {}, _finish_reason(asked)))
        return end + (_sse(usage) if asked.include_usage else b"") + _DONE

    def failure(self, error: AwsError) -> bytes:
        return _sse(openai_error(error))


class InvokeWire(OpenAiWire):
    """InvokeModel with OpenAI's chat body: the same chunks, each inside an event, with Bedrock's own counts at last."""

    content_type = eventstream.CONTENT_TYPE

    def opening(self, asked: Asked) -> bytes:
        return payload_part(_chunk(asked, {"role": "assistant", "content": ""}))

    def piece(self, asked: Asked, start: int, stop: int) -> bytes:
        chunk = self._chunk(asked, asked.wording.text(start, stop))
        chunk["choices"][0] |= {"logprobs": _probabilities(asked, start, stop)}
        return payload_part(chunk)

    def closing(self, asked: Asked, latency_ms: int) -> bytes:
        metrics = {
            "inputTokenCount": asked.prompt_tokens,
            "outputTokenCount": asked.tokens,
            "invocationLatency": latency_ms,
            "firstByteLatency": latency_ms,
        }
        end = self._chunk(asked, "", _finish_reason(asked))
        return payload_part(end | {"amazon-bedrock-invocationMetrics": metrics})

    def failure(self, error: AwsError) -> bytes:
        return _stream_exception(error)

    def _chunk(self, asked: Asked, text: str, finish_reason: str | None = None) -> dict[str, Any]:
        return _chunk(asked, {"content": text} if text else {}, finish_reason)


class InvokeTextWire(InvokeWire):
    """InvokeModel with OpenAI's body for text completions."""

    def whole(self, asked: Asked, latency_ms: int) -> dict[str, Any]:
        return self._chunk(asked, asked.text, _finish_reason(asked)) | {"usage": _openai_usage(asked)}

    def opening(self, asked: Asked) -> bytes:
        return b""

    def _chunk(self, asked: Asked, text: str, finish_reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish_reason}
        return _head(asked, "text_completion") | {"choices": [choice]}


def openai_error(error: AwsError) -> dict[str, Any]:
    """Return a refusal in OpenAI's shape."""
    kind = _OPENAI_ERROR_TYPES.get(error.status, "api_error")
    return {"error": {"message": error.message, "type": kind, "param": None, "code": error.code}}


def read_converse(model_id: str, body: dict[str, Any], created: int, usual_tokens: int) -> Asked:
    """Return what a Converse body asks for. Raises :class:`AwsError`."""
    return _read_converse(model_id, body, created, usual_tokens, streams=False)


def read_converse_stream(model_id: str, body: dict[str, Any], created: int, usual_tokens: int) -> Asked:
    """Return what a ConverseStream body asks for. Raises :class:`AwsError`."""
    return _read_converse(model_id, body, created, usual_tokens, streams=True)


def _read_converse(model_id: str, body: dict[str, Any], created: int, usual_tokens: int, *, streams: bool) -> Asked:
    check_converse(model_id, body, streams=streams)
    messages = body["messages"]
    spoken = [{"content": body.get("system", [])}, *messages] if body.get("system") else messages
    limit = body.get("inferenceConfig", {}).get("maxTokens")
    asked = _asked(model_id, spoken, limit, created, usual_tokens)
    if calls := calls_for(body):
        return replace(asked, calls=calls, tokens=0, cut=False)
    if form := body.get("outputConfig", {}).get("textFormat"):
        schema = _taken(json.loads(form["structure"]["jsonSchema"]["schema"]))
        return replace(asked, wording=Said(json.dumps(instance_of(schema))), tokens=1, cut=False)
    return asked


def read_openai(model_id: str, body: dict[str, Any], created: int, usual_tokens: int) -> Asked:
    """Return what an OpenAI chat body asks for. Raises :class:`AwsError`."""
    limit = body.get("max_completion_tokens", body.get("max_tokens"))
    if (wanted := body.get("response_format")) and wanted["type"] == "json_schema":
        _taken(wanted["json_schema"]["schema"])
    include_usage = bool((body.get("stream_options") or {}).get("include_usage"))
    asked = replace(_asked(model_id, _messages(body), limit, created, usual_tokens), include_usage=include_usage)
    if ":imported-model/" in model_id:
        # Tools are heeded of gpt-oss alone there.
        return replace(
            _held_to_format(asked, body), probable=(body.get("top_logprobs") or 0) if body.get("logprobs") else None
        )
    family = family_of(model_id)
    if body.get("tools") and not family.tools:
        raise _invalid("This model doesn't support tool use.")
    if calls := openai_calls_for(body):
        return replace(asked, calls=calls, tokens=0, cut=False)
    if ".gpt-oss" in model_id and type(asked.wording) is Wording:
        return replace(asked, wording=Thinking(asked.wording))
    is_schema = (body.get("response_format") or {}).get("type") == "json_schema"
    return _held_to_format(asked, body) if family.schema and is_schema else asked


def _held_to_format(asked: Asked, body: dict[str, Any]) -> Asked:
    wanted = body.get("response_format") or {}
    match wanted.get("type"):
        case "json_schema":
            value = instance_of(wanted["json_schema"]["schema"])
        case "json_object":
            value = {"answer": asked.wording.text(0, 1)}
        case _:
            return asked
    return replace(asked, wording=Said(json.dumps(value)), tokens=1, cut=False)


def read_prompt(model_id: str, body: dict[str, Any], created: int, usual_tokens: int) -> Asked:
    """Return what an OpenAI body for a text completion asks for. Raises :class:`AwsError`."""
    if not isinstance(body["prompt"], str):
        raise _invalid("The prompt field must be a string.")
    return _asked(model_id, [{"content": body["prompt"]}], body.get("max_tokens"), created, usual_tokens)


def read_json(raw: bytes) -> dict[str, Any]:
    """Return the body's JSON object. Raises :class:`AwsError`."""
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise _invalid("The request body is not valid JSON.") from error
    if not isinstance(body, dict):
        raise _invalid("The request body is not a JSON object.")
    return body


def _asked(model_id: str, messages: list[dict[str, Any]], limit: object, created: int, usual_tokens: int) -> Asked:
    if limit is not None and (not isinstance(limit, int) or limit < 1):
        raise _invalid(f"The maximum tokens you requested, {limit}, is not a number of at least 1.")
    cut = isinstance(limit, int) and limit <= usual_tokens
    tokens = limit if isinstance(limit, int) and cut else usual_tokens
    prompt = "\n".join(map(message_text, messages))
    wording = wording_for(prompt)
    if isinstance(wording, OneObject):
        tokens, cut = 1, False
    return Asked(model_id, wording, count_chat_tokens(messages), tokens, cut, created, limit=limit)


def _taken(schema: Any) -> Any:
    if (wrong := wrong_schema(schema)) is not None:
        raise _invalid(wrong)
    return schema


def _messages(body: dict[str, Any]) -> list[dict[str, Any]]:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(message, dict) for message in messages):
        raise _invalid("The messages field must be a list of at least one message.")
    return messages


def _invalid(message: str) -> AwsError:
    return AwsError(400, "ValidationException", message)


def _stop_reason(asked: Asked) -> str:
    usual = "tool_use" if asked.calls else "max_tokens" if asked.cut else "end_turn"
    return asked.ending or usual


def _streamed_call(asked: Asked, index: int) -> bytes:
    """Return a call's events; one without arguments has no delta, and arguments come in two pieces."""
    call, block = asked.calls[index], index + bool(asked.tokens)
    start = {"toolUse": {"toolUseId": call.id, "name": call.name}}
    written = json.dumps(call.arguments) if call.arguments else ""
    pieces = [written[: len(written) // 2], written[len(written) // 2 :]]
    if asked.broken and index == len(asked.calls) - 1:
        pieces.pop()
    deltas = [{"contentBlockIndex": block, "delta": {"toolUse": {"input": piece}}} for piece in pieces if piece]
    return (
        _padded("contentBlockStart", {"contentBlockIndex": block, "start": start})
        + b"".join(_padded("contentBlockDelta", delta) for delta in deltas)
        + _padded("contentBlockStop", {"contentBlockIndex": block})
    )


def _finish_reason(asked: Asked) -> str:
    return "tool_calls" if asked.calls else "length" if asked.cut else "stop"


def _converse_usage(asked: Asked) -> dict[str, int]:
    total = asked.prompt_tokens + asked.tokens
    return {"inputTokens": asked.prompt_tokens, "outputTokens": asked.tokens, "totalTokens": total}


def _openai_usage(asked: Asked) -> dict[str, int]:
    total = asked.prompt_tokens + asked.tokens
    return {"prompt_tokens": asked.prompt_tokens, "completion_tokens": asked.tokens, "total_tokens": total}


def _padded(kind: str, body: dict[str, Any]) -> bytes:
    """Return one event with the padding that Bedrock adds, against guessing texts by their length."""
    return eventstream.event(kind, json.dumps(body | {"p": "abcdefghij"}).encode())


def payload_part(chunk: dict[str, Any]) -> bytes:
    """Return the event of InvokeModelWithResponseStream that carries one chunk of the model's."""
    part = {"bytes": base64.b64encode(json.dumps(chunk).encode()).decode(), "p": "abcdefghij"}
    return eventstream.event("chunk", json.dumps(part).encode())


def _stream_exception(error: AwsError) -> bytes:
    # A model's own failure has another name inside a stream.
    code = "ModelStreamErrorException" if error.code == "ModelErrorException" else error.code
    return eventstream.exception(code[0].lower() + code[1:], {"message": error.message})


def _sse(chunk: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"


def _head(asked: Asked, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{asked.created}", "object": kind, "created": asked.created, "model": asked.model_id}


def _probabilities(asked: Asked, start: int, stop: int) -> dict[str, Any] | None:
    if asked.probable is None:
        return None
    told = [{"token": asked.wording.text(at, at + 1), "logprob": -0.5, "bytes": None} for at in range(start, stop)]
    return {"content": [each | {"top_logprobs": [each] * asked.probable} for each in told]}


def _openai_call(asked: Asked, index: int) -> dict[str, Any]:
    call = asked.calls[index]
    function = {"name": call.name, "arguments": json.dumps(call.arguments)}
    return {"id": f"chatcmpl-{call.id}", "type": "function", "function": function}


def _chunk(asked: Asked, delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return _head(asked, "chat.completion.chunk") | {"choices": [choice]}

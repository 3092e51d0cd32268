"""vLLM's requests and refusals: what a body means, and which error it earns, word for word as recorded."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tests.sandbox.wording import count_chat_tokens, count_tokens, message_text


class ApiError(Exception):
    """An answer in vLLM's error shape."""

    def __init__(self, status: int, message: str, *, kind: str = "BadRequestError", param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": status}}


class StreamOptions(BaseModel):
    """What a stream carries beside its text."""

    include_usage: bool = False
    continuous_usage_stats: bool = False


class _Body(BaseModel):
    model: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    n: int = 1
    stream: bool = False
    stream_options: StreamOptions | None = None
    ignore_eos: bool = False


class ChatBody(_Body):
    """The fields of a chat completion request that change the answer; the others are ignored, as vLLM does."""

    messages: list[dict[str, Any]]
    max_completion_tokens: int | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, Any] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    chat_template_kwargs: dict[str, Any] | None = None


class CompletionBody(_Body):
    """The same for a text completion request."""

    prompt: str | list[str] | list[int]


BodyT = TypeVar("BodyT", bound=BaseModel)


@dataclass(frozen=True, kw_only=True)
class Call:
    """A checked request. ``max_tokens`` None leaves the length to the model.

    ``asked`` is the text of the last turn, which with ``after_tools`` is a tool's result. ``schema`` is what the answer
    is held to, an empty one for any object. Where ``probable`` is a number, each token tells of so many beside it.
    """

    chat: bool
    model: str | None
    prompt: str
    prompt_tokens: int
    max_tokens: int | None
    choices: int
    stream: bool
    options: StreamOptions
    ignore_eos: bool
    tools: tuple[dict[str, Any], ...] = ()
    tool_choice: str | dict[str, Any] | None = None
    parallel: bool = True
    thinks: bool = True
    asked: str = ""
    after_tools: bool = False
    has_images: bool = False
    schema: Mapping[str, Any] | None = None
    probable: int | None = None


def read_chat(content_type: str, raw: bytes) -> Call:
    """Return the call of a chat completion body. Raises :class:`ApiError`."""
    return _chat_call(read_json(content_type, raw))


def read_completion(content_type: str, raw: bytes) -> Call:
    """Return the call of a text completion body. Raises :class:`ApiError`."""
    return _completion_call(read_json(content_type, raw))


def read_invocation(content_type: str, raw: bytes) -> Call:
    """Return the call of a SageMaker body, which is one or the other. Raises :class:`ApiError`."""
    data = read_json(content_type, raw)
    is_completion = isinstance(data, dict) and "prompt" in data and "messages" not in data
    return _completion_call(data) if is_completion else _chat_call(data)


def check_room(call: Call, max_model_len: int) -> None:
    """Refuse a call that cannot fit into the context. Raises :class:`ApiError`."""
    limit = f"This model's maximum context length is {max_model_len} tokens. However, "
    if call.max_tokens is not None and call.max_tokens > max_model_len:
        message = (
            f"max_tokens={call.max_tokens} cannot be greater than max_model_len={max_model_len}. "
            "Please request fewer output tokens."
        )
        raise _bad_parameter(message, "max_tokens", call.max_tokens)
    if call.prompt_tokens > max_model_len:
        at_least = max_model_len + 1
        message = (
            f"{limit}your prompt contains at least {at_least} input tokens, which exceeds this limit even without "
            "any output tokens. Please reduce the length of the input prompt."
        )
        raise _bad_parameter(message, "input_tokens", at_least)
    if call.prompt_tokens + (call.max_tokens or 1) > max_model_len:
        message = (
            f"{limit}you requested {call.max_tokens or 1} output tokens and your prompt contains at least "
            f"{call.prompt_tokens} input tokens. Please reduce the length of the input prompt or the number of "
            "requested output tokens."
        )
        raise _bad_parameter(message, "input_tokens", call.prompt_tokens)


def _chat_call(data: object) -> Call:
    body = validated(ChatBody, data)
    _check_sampling(body)
    if not body.messages:
        raise ApiError(400, "Cannot apply chat template to an empty conversation. Provide at least one message.")
    _check_choice(body)
    if body.top_logprobs and not body.logprobs:
        message = "when using `top_logprobs`, `logprobs` must be set to true. (parameter=top_logprobs)"
        raise ApiError(400, message, param="top_logprobs")
    prompt = "\n".join(map(message_text, body.messages))
    asked = body.max_tokens if body.max_completion_tokens is None else body.max_completion_tokens
    prompt_tokens = count_chat_tokens(body.messages) + count_tokens(json.dumps(body.tools) if body.tools else "")
    call = _call(body, chat=True, prompt=prompt, prompt_tokens=prompt_tokens, max_tokens=asked)
    return replace(
        call,
        tools=tuple(body.tools or ()),
        tool_choice=body.tool_choice,
        parallel=body.parallel_tool_calls is not False,
        thinks=(body.chat_template_kwargs or {}).get("enable_thinking") is not False,
        asked=message_text(body.messages[-1]),
        after_tools=body.messages[-1].get("role") == "tool",
        has_images=any(part.get("type") == "image_url" for message in body.messages for part in _parts(message)),
        schema=_schema(body.response_format or {}),
        probable=(body.top_logprobs or 0) if body.logprobs else None,
    )


def _schema(response_format: Mapping[str, Any]) -> Mapping[str, Any] | None:
    match response_format.get("type"):
        case "json_object":
            return {}
        case "json_schema":
            schema: Mapping[str, Any] = response_format["json_schema"]["schema"]
            return schema
        case _:
            return None


def _completion_call(data: object) -> Call:
    body = validated(CompletionBody, data)
    _check_sampling(body)
    prompt = body.prompt if isinstance(body.prompt, str) else " ".join(map(str, body.prompt))
    # OpenAI's default for text completions, which vLLM keeps.
    asked = 16 if body.max_tokens is None else body.max_tokens
    call = _call(body, chat=False, prompt=prompt, prompt_tokens=count_tokens(prompt), max_tokens=asked)
    # A list of texts is answered text by text, a list of tokens is one prompt.
    prompts = len(body.prompt) if isinstance(body.prompt, list) and isinstance(body.prompt[0], str) else 1
    return replace(call, choices=call.choices * prompts)


def _call(body: _Body, *, chat: bool, prompt: str, prompt_tokens: int, max_tokens: int | None) -> Call:
    if max_tokens is not None and max_tokens < 1:
        raise _bad_parameter(f"max_tokens must be at least 1, got {max_tokens}.", "max_tokens", max_tokens)
    return Call(
        chat=chat,
        model=body.model,
        prompt=prompt,
        prompt_tokens=prompt_tokens,
        max_tokens=max_tokens,
        choices=body.n,
        stream=body.stream,
        options=body.stream_options or StreamOptions(),
        ignore_eos=body.ignore_eos,
    )


def _check_sampling(body: _Body) -> None:
    if body.stream_options is not None and not body.stream:
        message = "Stream options can only be defined when `stream=True`. (parameter=stream_options)"
        raise ApiError(400, message, param="stream_options")
    if body.temperature is not None and body.temperature < 0:
        message = f"temperature must be non-negative, got {body.temperature}."
        raise _bad_parameter(message, "temperature", body.temperature)
    if body.top_p is not None and not 0 < body.top_p <= 1:
        raise _bad_parameter(f"top_p must be in (0, 1], got {body.top_p}.", "top_p", body.top_p)
    if body.n < 1:
        raise _bad_parameter(f"n must be at least 1, got {body.n}.", "n", body.n)


def check_images(call: Call, *, sees: bool) -> None:
    """Refuse what a text model cannot do. Raises :class:`ApiError`."""
    if call.has_images and not sees:
        raise ApiError(400, f"{call.model} is not a multimodal model")


def _check_choice(body: ChatBody) -> None:
    """Refuse a choice among tools that there are not."""
    choice = body.tool_choice
    if choice in (None, "none"):
        return
    if body.tools is None:
        message = "When using `tool_choice`, `tools` must be set. (parameter=tool_choice)"
        raise ApiError(400, message, param="tool_choice")
    if isinstance(choice, dict) and _chosen(choice) not in [
        (tool.get("function") or {}).get("name") for tool in body.tools
    ]:
        message = (
            "The tool specified in `tool_choice` does not match any of the specified `tools` (parameter=tool_choice)"
        )
        raise ApiError(400, message, param="tool_choice")


def check_tools(call: Call, tool_call_parser: str | None) -> None:
    """Refuse tools that no parser reads. Raises :class:`ApiError`."""
    if not call.tools or call.tool_choice == "none" or tool_call_parser:
        return
    if call.tool_choice in (None, "auto"):
        message = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
        raise ApiError(400, message)
    named = isinstance(call.tool_choice, dict)
    wanted = f'function "{_chosen(call.tool_choice)}"' if named else f'"{call.tool_choice}"'
    raise ApiError(400, f"tool_choice={wanted} requires --tool-call-parser to be set")


def _parts(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def _chosen(tool_choice: object) -> object:
    """Return the name of the function that a choice forces."""
    function = tool_choice.get("function") if isinstance(tool_choice, dict) else None
    return function.get("name") if isinstance(function, dict) else None


def _bad_parameter(message: str, param: str, value: object) -> ApiError:
    return ApiError(400, f"{message} (parameter={param}, value={value})", param=param)


def read_json(content_type: str, raw: bytes) -> object:
    """Return a body's JSON. Raises :class:`ApiError`."""
    if content_type != "application/json":
        message = "1 validation error:\n  Unsupported Media Type: Only 'application/json' is allowed"
        raise ApiError(400, message, kind="Bad Request")
    if not raw:
        raise _invalid([{"type": "missing", "loc": ("body",), "msg": "Field required", "input": None}])
    try:
        return json.loads(raw)
    except json.JSONDecodeError as error:
        details: ErrorDetails = {
            "type": "json_invalid",
            "loc": ("body", error.pos),
            "msg": "JSON decode error",
            "input": {},
            "ctx": {"error": error.msg},
        }
        raise _invalid([details]) from error
    except UnicodeDecodeError as error:
        raise ApiError(400, "There was an error parsing the body", kind="Bad Request") from error


def validated(kind: type[BodyT], data: object) -> BodyT:
    """Return a body that is one of its kind. Raises :class:`ApiError`."""
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise _invalid([{**detail, "loc": ("body", *detail["loc"])} for detail in details]) from error


def _invalid(errors: list[ErrorDetails]) -> ApiError:
    """Return the refusal that lists validation errors; it points at the first."""
    rendered = [str(_rendered(error)) for error in errors]
    plural = "s" if len(errors) > 1 else ""
    message = f"{len(errors)} validation error{plural}:\n  " + "\n  ".join(rendered)
    return ApiError(400, message, kind="Bad Request", param=_rendered(errors[0])["loc"])


def _rendered(error: ErrorDetails) -> dict[str, Any]:
    value = error["input"]
    shown = f"<{type(value).__name__} of {len(value)} items>" if isinstance(value, dict | list) else str(value)
    ctx = {"ctx": error["ctx"]} if "ctx" in error else {}
    return {"type": error["type"], "loc": ".".join(map(str, error["loc"])), "msg": error["msg"], "input": shown, **ctx}

"""OpenAI's own client for Python."""

from typing import Any

import openai
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from tests.clients.drivers.protocol import (
    LONG,
    MATERIAL,
    MOST_TOKENS,
    a_text,
    an_object,
    by_the_schema,
    serve,
    the_calls,
)

# No retries of its own, so that every failure shows.
CLIENT = openai.OpenAI(max_retries=0, timeout=90)


def chat(model: str, content: Any = MATERIAL["question"], **more: Any) -> ChatCompletion:
    """Ask for a whole answer."""
    messages = more.pop("messages", [{"role": "user", "content": content}])
    answer: ChatCompletion = CLIENT.chat.completions.create(
        model=model, messages=messages, **{"max_tokens": MOST_TOKENS, **more}
    )
    return answer


def stream(model: str, content: Any = MATERIAL["question"], **more: Any) -> list[ChatCompletionChunk]:
    """Ask for a stream, and return all of it."""
    messages: Any = [{"role": "user", "content": content}]
    return list(CLIENT.chat.completions.create(model=model, messages=messages, stream=True, **more))


def tool(name: str) -> dict[str, Any]:
    return {"type": "function", "function": MATERIAL[name]}


def called(answer: ChatCompletion) -> str:
    return the_calls((call.function.name, call.function.arguments) for call in _calls(answer))


def _calls(answer: ChatCompletion) -> list[Any]:
    return list(answer.choices[0].message.tool_calls or [])


def listed(model: str) -> str:
    return "listed" if model in [each.id for each in CLIENT.models.list()] else "not listed"


def whole(model: str) -> str:
    answer = chat(model)
    usage = answer.usage and answer.usage.completion_tokens
    return f"{a_text(answer.choices[0].message.content)}, {'usage' if usage else 'no usage'}"


def streamed(model: str) -> str:
    parts = stream(model, stream_options={"include_usage": True}, max_tokens=MOST_TOKENS)
    text = "".join(part.choices[0].delta.content or "" for part in parts if part.choices)
    usage = parts[-1].usage and parts[-1].usage.completion_tokens
    return f"{a_text(text)}, {'usage' if usage else 'no usage'}"


def tools(model: str) -> str:
    """Let a tool be called, and answer with its result."""
    asked = {"role": "user", "content": MATERIAL["one_call"]}
    first = chat(model, messages=[asked], tools=[tool("look_up")])
    results = [{"role": "tool", "tool_call_id": call.id, "content": MATERIAL["result"]} for call in _calls(first)]
    turn = first.choices[0].message.model_dump(exclude_none=True)
    second = chat(model, messages=[asked, turn, *results], tools=[tool("look_up")])
    return f"{called(first)}, {a_text(second.choices[0].message.content)}"


def streamed_tools(model: str) -> str:
    calls: dict[int, list[str]] = {}
    for part in stream(model, MATERIAL["one_call"], tools=[tool("look_up")]):
        for call in (part.choices[0].delta.tool_calls or []) if part.choices else []:
            name, arguments = calls.setdefault(call.index, ["", ""])
            function: Any = call.function
            calls[call.index] = [name + (function.name or ""), arguments + (function.arguments or "")]
    return the_calls((name, arguments) for name, arguments in calls.values())


def parallel_tools(model: str) -> str:
    return called(chat(model, MATERIAL["two_calls"], tools=[tool("look_up"), tool("refund")]))


def one_tool_at_a_time(model: str) -> str:
    both = [tool("look_up"), tool("refund")]
    return called(chat(model, MATERIAL["two_calls"], tools=both, parallel_tool_calls=False))


def forced_tool(model: str) -> str:
    choice = {"type": "function", "function": {"name": "look_up"}}
    return called(chat(model, MATERIAL["one_call"], tools=[tool("look_up"), tool("refund")], tool_choice=choice))


def json_object(model: str) -> str:
    return an_object(chat(model, MATERIAL["json"], response_format={"type": "json_object"}).choices[0].message.content)


def json_schema(model: str) -> str:
    wanted = {"name": "weather", "schema": MATERIAL["schema"], "strict": True}
    answer = chat(model, MATERIAL["json"], response_format={"type": "json_schema", "json_schema": wanted})
    return by_the_schema(answer.choices[0].message.content)


def images(model: str) -> str:
    image = {"type": "image_url", "image_url": {"url": MATERIAL["image"]}}
    return a_text(chat(model, [{"type": "text", "text": MATERIAL["picture"]}, image]).choices[0].message.content)


def two_choices(model: str) -> str:
    return f"{len({choice.index for choice in chat(model, n=2).choices if choice.message.content})} texts"


def logprobs(model: str) -> str:
    found = chat(model, logprobs=True, top_logprobs=2).choices[0].logprobs
    return "probabilities" if found and found.content else "no probabilities"


def long_prompt(model: str) -> str:
    return a_text(chat(model, LONG).choices[0].message.content)


def reasoning(model: str) -> str:
    message = chat(model, reasoning_effort="low", max_tokens=400).choices[0].message
    thoughts = getattr(message, "reasoning", None)
    return f"{'thoughts' if thoughts else 'no thoughts'}, {a_text(message.content)}"


def embeddings(model: str) -> str:
    found = CLIENT.embeddings.create(model=model, input=MATERIAL["texts"]).data
    return f"{len(found)} vectors" if all(len(each.embedding) > 1 for each in found) else "no vectors"


def responses(model: str) -> str:
    return a_text(CLIENT.responses.create(model=model, input=MATERIAL["question"], max_output_tokens=400).output_text)


def hang_up(model: str) -> str:
    """Leave a stream after its first part, and ask again."""
    messages: Any = [{"role": "user", "content": MATERIAL["question"]}]
    with CLIENT.chat.completions.create(model=model, messages=messages, stream=True) as parts:
        next(iter(parts))
    return f"{a_text(chat(model).choices[0].message.content)} after it"


def unknown_model(_model: str) -> str:
    return a_text(chat(MATERIAL["nobody"]).choices[0].message.content)


def wrong_key(model: str) -> str:
    messages: Any = [{"role": "user", "content": MATERIAL["question"]}]
    client = CLIENT.with_options(api_key=MATERIAL["wrong_key"])
    return a_text(client.chat.completions.create(model=model, messages=messages).choices[0].message.content)


SCENARIOS = {
    "listed": listed,
    "whole": whole,
    "streamed": streamed,
    "tools": tools,
    "streamed tools": streamed_tools,
    "parallel tools": parallel_tools,
    "one tool at a time": one_tool_at_a_time,
    "a forced tool": forced_tool,
    "JSON object": json_object,
    "JSON schema": json_schema,
    "images": images,
    "n=2": two_choices,
    "logprobs": logprobs,
    "a long prompt": long_prompt,
    "reasoning": reasoning,
    "embeddings": embeddings,
    "responses": responses,
    "hang-up": hang_up,
    "unknown model": unknown_model,
    "wrong key": wrong_key,
}

if __name__ == "__main__":
    serve(SCENARIOS)

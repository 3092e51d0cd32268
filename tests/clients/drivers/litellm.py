"""litellm, as a library."""

import os
from typing import Any

# Else it fetches its list of prices.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import litellm  # type: ignore[import-not-found,unused-ignore]

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


def place(model: str) -> dict[str, Any]:
    return {"model": f"openai/{model}", "api_base": os.environ["OPENAI_BASE_URL"], "timeout": 90, "max_retries": 0}


def chat(model: str, content: Any = MATERIAL["question"], **more: Any) -> Any:
    messages = [{"role": "user", "content": content}]
    return litellm.completion(**{**place(model), "messages": messages, "max_tokens": MOST_TOKENS, **more})


def tool(name: str) -> dict[str, Any]:
    return {"type": "function", "function": MATERIAL[name]}


def message(answer: Any) -> Any:
    return answer.choices[0].message


def called(answer: Any) -> str:
    return the_calls((call.function.name, call.function.arguments) for call in message(answer).tool_calls or [])


def usage_of(answer: Any) -> str:
    return "usage" if answer.usage.completion_tokens else "no usage"


def whole(model: str) -> str:
    answer = chat(model)
    return f"{a_text(message(answer).content)}, {usage_of(answer)}"


def stream(model: str, content: str, **more: Any) -> Any:
    return litellm.stream_chunk_builder(list(chat(model, content, stream=True, **more)))


def streamed(model: str) -> str:
    answer = stream(model, MATERIAL["question"], stream_options={"include_usage": True})
    return f"{a_text(message(answer).content)}, {usage_of(answer)}"


def tools(model: str) -> str:
    asked = {"role": "user", "content": MATERIAL["one_call"]}
    first = chat(model, MATERIAL["one_call"], tools=[tool("look_up")])
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": MATERIAL["result"]}
        for call in message(first).tool_calls or []
    ]
    second = chat(model, messages=[asked, message(first), *results], tools=[tool("look_up")])
    return f"{called(first)}, {a_text(message(second).content)}"


def both(model: str, content: str, **more: Any) -> str:
    return called(chat(model, content, tools=[tool("look_up"), tool("refund")], **more))


def json_schema(model: str) -> str:
    wanted = {"name": "weather", "schema": MATERIAL["schema"], "strict": True}
    answer = chat(model, MATERIAL["json"], response_format={"type": "json_schema", "json_schema": wanted})
    return by_the_schema(message(answer).content)


def images(model: str) -> str:
    image = {"type": "image_url", "image_url": {"url": MATERIAL["image"]}}
    return a_text(message(chat(model, [{"type": "text", "text": MATERIAL["picture"]}, image])).content)


def logprobs(model: str) -> str:
    found = chat(model, logprobs=True, top_logprobs=2).choices[0].logprobs
    return "probabilities" if found and found.content else "no probabilities"


def reasoning(model: str) -> str:
    # It knows of no effort of a model whose name it does not know.
    answer = message(chat(model, reasoning_effort="low", allowed_openai_params=["reasoning_effort"], max_tokens=400))
    return f"{'thoughts' if getattr(answer, 'reasoning_content', None) else 'no thoughts'}, {a_text(answer.content)}"


def embeddings(model: str) -> str:
    return f"{len(litellm.embedding(input=MATERIAL['texts'], **place(model)).data)} vectors"


def responses(model: str) -> str:
    return a_text(litellm.responses(input=MATERIAL["question"], max_output_tokens=400, **place(model)).output_text)


def hang_up(model: str) -> str:
    parts = chat(model, stream=True)
    next(iter(parts))
    parts.completion_stream.close()
    return f"{a_text(message(chat(model)).content)} after it"


SCENARIOS = {
    "whole": whole,
    "streamed": streamed,
    "tools": tools,
    "streamed tools": lambda model: called(stream(model, MATERIAL["one_call"], tools=[tool("look_up")])),
    "parallel tools": lambda model: both(model, MATERIAL["two_calls"]),
    "one tool at a time": lambda model: both(model, MATERIAL["two_calls"], parallel_tool_calls=False),
    "a forced tool": lambda model: both(
        model, MATERIAL["one_call"], tool_choice={"type": "function", "function": {"name": "look_up"}}
    ),
    "JSON object": lambda model: an_object(
        message(chat(model, MATERIAL["json"], response_format={"type": "json_object"})).content
    ),
    "JSON schema": json_schema,
    "images": images,
    "n=2": lambda model: f"{len([each for each in chat(model, n=2).choices if each.message.content])} texts",
    "logprobs": logprobs,
    "a long prompt": lambda model: a_text(message(chat(model, LONG)).content),
    "reasoning": reasoning,
    "embeddings": embeddings,
    "responses": responses,
    "hang-up": hang_up,
    "unknown model": lambda _model: a_text(message(chat(MATERIAL["nobody"])).content),
    "wrong key": lambda model: a_text(message(chat(model, api_key=MATERIAL["wrong_key"])).content),
}

if __name__ == "__main__":
    serve(SCENARIOS)

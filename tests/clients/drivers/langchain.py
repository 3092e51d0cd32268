"""LangChain's ``ChatOpenAI``."""

from typing import Any

from langchain_core.messages import HumanMessage, ToolMessage  # type: ignore[import-not-found,unused-ignore]
from langchain_openai import ChatOpenAI, OpenAIEmbeddings  # type: ignore[import-not-found,unused-ignore]

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


def chat(model: str, **more: Any) -> Any:
    return ChatOpenAI(model=model, **{"max_tokens": MOST_TOKENS, "max_retries": 0, "timeout": 90, **more})


def tool(name: str) -> dict[str, Any]:
    return {"type": "function", "function": MATERIAL[name]}


def called(message: Any) -> str:
    return the_calls((call["name"], call["args"]) for call in message.tool_calls)


def usage_of(message: Any) -> str:
    return "usage" if (message.usage_metadata or {}).get("output_tokens") else "no usage"


def whole(model: str) -> str:
    answer = chat(model).invoke(MATERIAL["question"])
    return f"{a_text(answer.content)}, {usage_of(answer)}"


def stream(model: Any, content: str) -> Any:
    first, *parts = model.stream(content)
    for part in parts:
        first += part
    return first


def streamed(model: str) -> str:
    answer = stream(chat(model, stream_usage=True), MATERIAL["question"])
    return f"{a_text(answer.content)}, {usage_of(answer)}"


def tools(model: str) -> str:
    able, asked = chat(model).bind_tools([tool("look_up")]), HumanMessage(MATERIAL["one_call"])
    first = able.invoke([asked])
    results = [ToolMessage(MATERIAL["result"], tool_call_id=call["id"]) for call in first.tool_calls]
    return f"{called(first)}, {a_text(able.invoke([asked, first, *results]).content)}"


def streamed_tools(model: str) -> str:
    return called(stream(chat(model).bind_tools([tool("look_up")]), MATERIAL["one_call"]))


def both(model: str, content: str, **more: Any) -> str:
    return called(chat(model).bind_tools([tool("look_up"), tool("refund")], **more).invoke(content))


def json_object(model: str) -> str:
    return an_object(chat(model).bind(response_format={"type": "json_object"}).invoke(MATERIAL["json"]).content)


def json_schema(model: str) -> str:
    schema = {"title": "weather", **MATERIAL["schema"]}
    return by_the_schema(chat(model).with_structured_output(schema, method="json_schema").invoke(MATERIAL["json"]))


def images(model: str) -> str:
    image = {"type": "image_url", "image_url": {"url": MATERIAL["image"]}}
    message = HumanMessage([{"type": "text", "text": MATERIAL["picture"]}, image])
    return a_text(chat(model).invoke([message]).content)


def two_choices(model: str) -> str:
    (found,) = chat(model, n=2).generate([[HumanMessage(MATERIAL["question"])]]).generations
    return f"{len([each for each in found if each.text])} texts"


def logprobs(model: str) -> str:
    found = chat(model, logprobs=True, top_logprobs=2).invoke(MATERIAL["question"]).response_metadata.get("logprobs")
    return "probabilities" if found and found["content"] else "no probabilities"


def embeddings(model: str) -> str:
    # Its own count of tokens would be fetched, and would send numbers of another model's.
    found = OpenAIEmbeddings(model=model, max_retries=0, check_embedding_ctx_length=False)
    return f"{len(found.embed_documents(MATERIAL['texts']))} vectors"


def hang_up(model: str) -> str:
    parts = chat(model).stream(MATERIAL["question"])
    next(parts)
    parts.close()
    return f"{a_text(chat(model).invoke(MATERIAL['question']).content)} after it"


SCENARIOS = {
    "whole": whole,
    "streamed": streamed,
    "tools": tools,
    "streamed tools": streamed_tools,
    "parallel tools": lambda model: both(model, MATERIAL["two_calls"]),
    "one tool at a time": lambda model: both(model, MATERIAL["two_calls"], parallel_tool_calls=False),
    "a forced tool": lambda model: both(model, MATERIAL["one_call"], tool_choice="look_up"),
    "JSON object": json_object,
    "JSON schema": json_schema,
    "images": images,
    "n=2": two_choices,
    "logprobs": logprobs,
    "a long prompt": lambda model: a_text(chat(model).invoke(LONG).content),
    "embeddings": embeddings,
    "responses": lambda model: a_text(chat(model, use_responses_api=True).invoke(MATERIAL["question"]).text),
    "hang-up": hang_up,
    "unknown model": lambda _model: a_text(chat(MATERIAL["nobody"]).invoke(MATERIAL["question"]).content),
    "wrong key": lambda model: a_text(chat(model, api_key=MATERIAL["wrong_key"]).invoke(MATERIAL["question"]).content),
}

if __name__ == "__main__":
    serve(SCENARIOS)

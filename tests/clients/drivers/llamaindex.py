"""LlamaIndex's ``OpenAILike``."""

import base64
import os
from typing import Any

from llama_index.core.base.llms.types import (  # type: ignore[import-not-found,unused-ignore]
    ChatMessage,
    ImageBlock,
    TextBlock,
)
from llama_index.core.prompts import PromptTemplate  # type: ignore[import-not-found,unused-ignore]
from llama_index.core.tools import FunctionTool  # type: ignore[import-not-found,unused-ignore]
from llama_index.embeddings.openai_like import OpenAILikeEmbedding  # type: ignore[import-not-found,unused-ignore]
from llama_index.llms.openai import OpenAIResponses  # type: ignore[import-not-found,unused-ignore]
from llama_index.llms.openai_like import OpenAILike  # type: ignore[import-not-found,unused-ignore]
from pydantic import BaseModel

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

PLACE = {"api_base": os.environ["OPENAI_BASE_URL"], "api_key": os.environ["OPENAI_API_KEY"]}


class Weather(BaseModel):
    """What ``schema`` of the material is."""

    city: str
    degrees: int


def look_up(order: str) -> str:
    """Look an order up."""
    return str(MATERIAL["result"])


def refund(order: str) -> str:
    """Refund an order."""
    return str(MATERIAL["result"])


TOOLS = [FunctionTool.from_defaults(look_up), FunctionTool.from_defaults(refund)]


def llm(model: str, **more: Any) -> Any:
    kind = {"is_chat_model": True, "is_function_calling_model": True, "context_window": 100_000}
    return OpenAILike(
        model=model, **{"max_tokens": MOST_TOKENS, "max_retries": 0, "timeout": 90, **kind, **PLACE, **more}
    )


def chat(model: str, content: Any = MATERIAL["question"], **more: Any) -> Any:
    return llm(model).chat([ChatMessage(role="user", content=content)], **more)


def usage_of(answer: Any) -> str:
    return "usage" if answer.raw.usage and answer.raw.usage.completion_tokens else "no usage"


def whole(model: str) -> str:
    answer = chat(model)
    return f"{a_text(answer.message.content)}, {usage_of(answer)}"


def streamed(model: str) -> str:
    asked = [ChatMessage(role="user", content=MATERIAL["question"])]
    *_, last = llm(model).stream_chat(asked, stream_options={"include_usage": True})
    return f"{a_text(last.message.content)}, {usage_of(last)}"


def called(model: str, answer: Any) -> str:
    found = llm(model).get_tool_calls_from_response(answer, error_on_no_tool_call=False)
    return the_calls((call.tool_name, call.tool_kwargs) for call in found)


def tools(model: str) -> str:
    asked = ChatMessage(role="user", content=MATERIAL["one_call"])
    first = llm(model).chat_with_tools(TOOLS[:1], chat_history=[asked])
    results = [
        ChatMessage(role="tool", content=MATERIAL["result"], additional_kwargs={"tool_call_id": call.tool_id})
        for call in llm(model).get_tool_calls_from_response(first, error_on_no_tool_call=False)
    ]
    second = llm(model).chat_with_tools(TOOLS[:1], chat_history=[asked, first.message, *results])
    return f"{called(model, first)}, {a_text(second.message.content)}"


def streamed_tools(model: str) -> str:
    *_, last = llm(model).stream_chat_with_tools(TOOLS[:1], user_msg=MATERIAL["one_call"])
    return called(model, last)


def both(model: str, content: str, **more: Any) -> str:
    return called(model, llm(model).chat_with_tools(TOOLS, user_msg=content, **more))


def json_schema(model: str) -> str:
    able = llm(model, should_use_structured_outputs=True)
    return by_the_schema(able.structured_predict(Weather, PromptTemplate(MATERIAL["json"])).model_dump())


def images(model: str) -> str:
    image = base64.b64decode(MATERIAL["image"].partition(",")[2])
    blocks = [TextBlock(text=MATERIAL["picture"]), ImageBlock(image=image, image_mimetype="image/png")]
    return a_text(llm(model).chat([ChatMessage(role="user", blocks=blocks)]).message.content)


def logprobs(model: str) -> str:
    able = llm(model, logprobs=True, top_logprobs=2)
    found = able.chat([ChatMessage(role="user", content=MATERIAL["question"])]).logprobs
    return "probabilities" if found else "no probabilities"


def embeddings(model: str) -> str:
    found = OpenAILikeEmbedding(model_name=model, max_retries=0, **PLACE)
    return f"{len(found.get_text_embedding_batch(MATERIAL['texts']))} vectors"


def responses(model: str) -> str:
    able = OpenAIResponses(model=model, max_output_tokens=400, max_retries=0, context_window=100_000, **PLACE)
    return a_text(able.chat([ChatMessage(role="user", content=MATERIAL["question"])]).message.content)


def hang_up(model: str) -> str:
    parts = llm(model).stream_chat([ChatMessage(role="user", content=MATERIAL["question"])])
    next(parts)
    parts.close()
    return f"{a_text(chat(model).message.content)} after it"


def wrong_key(model: str) -> str:
    able = llm(model, api_key=MATERIAL["wrong_key"])
    return a_text(able.chat([ChatMessage(role="user", content=MATERIAL["question"])]).message.content)


SCENARIOS = {
    "whole": whole,
    "streamed": streamed,
    "tools": tools,
    "streamed tools": streamed_tools,
    "parallel tools": lambda model: both(model, MATERIAL["two_calls"], allow_parallel_tool_calls=True),
    "one tool at a time": lambda model: both(model, MATERIAL["two_calls"], allow_parallel_tool_calls=False),
    "a forced tool": lambda model: both(model, MATERIAL["one_call"], tool_choice="look_up"),
    "JSON object": lambda model: an_object(
        chat(model, MATERIAL["json"], response_format={"type": "json_object"}).message.content
    ),
    "JSON schema": json_schema,
    "images": images,
    "logprobs": logprobs,
    "a long prompt": lambda model: a_text(chat(model, LONG).message.content),
    "embeddings": embeddings,
    "responses": responses,
    "hang-up": hang_up,
    "unknown model": lambda _model: a_text(chat(MATERIAL["nobody"]).message.content),
    "wrong key": wrong_key,
}

if __name__ == "__main__":
    serve(SCENARIOS)

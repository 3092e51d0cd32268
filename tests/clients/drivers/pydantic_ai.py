"""pydantic-ai's agents."""

import asyncio
from typing import Any

import openai
from pydantic import BaseModel
from pydantic_ai import (  # type: ignore[import-not-found,unused-ignore]
    Agent,
    ImageUrl,
    NativeOutput,
    ThinkingPart,
    ToolCallPart,
    ToolOutput,
)
from pydantic_ai.embeddings import Embedder  # type: ignore[import-not-found,unused-ignore]
from pydantic_ai.embeddings.openai import OpenAIEmbeddingModel  # type: ignore[import-not-found,unused-ignore]
from pydantic_ai.models.openai import (  # type: ignore[import-not-found,unused-ignore]
    OpenAIChatModel,
    OpenAIResponsesModel,
)
from pydantic_ai.providers.openai import OpenAIProvider  # type: ignore[import-not-found,unused-ignore]

from tests.clients.drivers.protocol import LONG, MATERIAL, MOST_TOKENS, a_text, by_the_schema, serve, the_calls


class Weather(BaseModel):
    """What ``schema`` of the material is."""

    city: str
    degrees: int


class Order(BaseModel):
    """What ``look_up`` of the material takes."""

    order: str


def look_up(order: str) -> str:
    """Look an order up."""
    return str(MATERIAL["result"])


def refund(order: str) -> str:
    """Refund an order."""
    return str(MATERIAL["result"])


def provider(**more: Any) -> Any:
    return OpenAIProvider(openai_client=openai.AsyncOpenAI(max_retries=0, timeout=90, **more))


def agent(model: str, settings: dict[str, Any] | None = None, **more: Any) -> Any:
    able = OpenAIChatModel(model, provider=provider())
    return Agent(able, model_settings={"max_tokens": MOST_TOKENS, **(settings or {})}, retries=0, **more)


def ask(model: str, content: Any = MATERIAL["question"], settings: dict[str, Any] | None = None, **more: Any) -> Any:
    return agent(model, settings, **more).run_sync(content)


def called(result: Any) -> str:
    parts = [part for message in result.all_messages() for part in message.parts if isinstance(part, ToolCallPart)]
    return the_calls((part.tool_name, part.args_as_dict()) for part in parts)


def whole(model: str) -> str:
    result = ask(model)
    return f"{a_text(result.output)}, {'usage' if result.usage.output_tokens else 'no usage'}"


def streamed(model: str) -> str:
    async def stream() -> str:
        async with agent(model).run_stream(MATERIAL["question"]) as result:
            text = await result.get_output()
            return f"{a_text(text)}, {'usage' if result.usage.output_tokens else 'no usage'}"

    return asyncio.run(stream())


def tools(model: str) -> str:
    result = ask(model, MATERIAL["one_call"], tools=[look_up])
    return f"{called(result)}, {a_text(result.output)}"


def streamed_tools(model: str) -> str:
    async def stream() -> str:
        async with agent(model, tools=[look_up]).run_stream(MATERIAL["one_call"]) as result:
            await result.get_output()
            return called(result)

    return asyncio.run(stream())


def both(model: str, **settings: Any) -> str:
    return called(ask(model, MATERIAL["two_calls"], settings, tools=[look_up, refund]))


def forced_tool(model: str) -> str:
    found = ask(model, MATERIAL["one_call"], output_type=ToolOutput(Order, name="look_up"))
    return the_calls([("look_up", found.output.model_dump())])


def images(model: str) -> str:
    return a_text(ask(model, [MATERIAL["picture"], ImageUrl(MATERIAL["image"])]).output)


def logprobs(model: str) -> str:
    result = ask(model, settings={"openai_logprobs": True, "openai_top_logprobs": 2})
    return "probabilities" if (result.response.provider_details or {}).get("logprobs") else "no probabilities"


def reasoning(model: str) -> str:
    result = ask(model, settings={"openai_reasoning_effort": "low", "max_tokens": 400})
    thoughts = any(isinstance(part, ThinkingPart) and part.content for part in result.response.parts)
    return f"{'thoughts' if thoughts else 'no thoughts'}, {a_text(result.output)}"


def embeddings(model: str) -> str:
    found = Embedder(OpenAIEmbeddingModel(model, provider=provider())).embed_documents_sync(MATERIAL["texts"])
    return f"{len(found.embeddings)} vectors"


def responses(model: str) -> str:
    able = OpenAIResponsesModel(model, provider=provider())
    return a_text(Agent(able, model_settings={"max_tokens": 400}).run_sync(MATERIAL["question"]).output)


def hang_up(model: str) -> str:
    async def leave() -> None:
        async with agent(model).run_stream(MATERIAL["question"]) as result:
            async for _ in result.stream_text(delta=True, debounce_by=None):
                break

    asyncio.run(leave())
    return f"{a_text(ask(model).output)} after it"


def wrong_key(model: str) -> str:
    able = OpenAIChatModel(model, provider=provider(api_key=MATERIAL["wrong_key"]))
    return a_text(Agent(able).run_sync(MATERIAL["question"]).output)


SCENARIOS = {
    "whole": whole,
    "streamed": streamed,
    "tools": tools,
    "streamed tools": streamed_tools,
    "parallel tools": both,
    "one tool at a time": lambda model: both(model, parallel_tool_calls=False),
    "a forced tool": forced_tool,
    "JSON schema": lambda model: by_the_schema(
        ask(model, MATERIAL["json"], output_type=NativeOutput(Weather)).output.model_dump()
    ),
    "images": images,
    "logprobs": logprobs,
    "a long prompt": lambda model: a_text(ask(model, LONG).output),
    "reasoning": reasoning,
    "embeddings": embeddings,
    "responses": responses,
    "hang-up": hang_up,
    "unknown model": lambda _model: a_text(ask(MATERIAL["nobody"]).output),
    "wrong key": wrong_key,
}

if __name__ == "__main__":
    serve(SCENARIOS)

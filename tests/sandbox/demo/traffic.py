"""Requests through the official ``openai`` client, with only ``base_url`` and ``api_key`` set."""

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any

from openai import AsyncOpenAI, OpenAIError
from openai.types.chat import ChatCompletionMessage

from tests.sandbox.demo.ledger import Ledger

# A page of context, so that prompts are as long as a support bot's.
CONTEXT = "The customer's order arrived late and one item was missing from the box. " * 24

# More than the fleet's context has room for.
LONG = CONTEXT * 20
LOOK_UP = {
    "type": "function",
    "function": {
        "name": "look_up",
        "parameters": {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]},
    },
}


@dataclass(frozen=True)
class Answer:
    """Where a request was answered and how long its first part took, in real seconds."""

    target: str
    reason: str
    text: str
    seconds: float


class Traffic:
    """One team's client; no retries of its own, so that every failure would show."""

    def __init__(self, base_url: str, api_key: str, ledger: Ledger) -> None:
        self._client = AsyncOpenAI(base_url=base_url, api_key=api_key, max_retries=0, timeout=60)
        self._ledger = ledger

    async def ask(self, model: str, *, stream: bool = False, max_tokens: int = 24) -> Answer | None:
        """Send one chat request; None when it failed, which the ledger keeps."""
        started = time.perf_counter()
        try:
            answer = await (self._stream if stream else self._whole)(model, max_tokens, started)
        except OpenAIError as err:
            self._ledger.failed(f"{model}: {type(err).__name__}: {err}")
            return None
        self._ledger.served(model, answer.target, answer.reason)
        return answer

    async def burst(
        self, model: str, *, clients: int, seconds: float, max_tokens: int, stream: bool = True
    ) -> list[Answer]:
        """Let ``clients`` ask again and again for ``seconds`` (real); with ``stream`` every second one streams."""
        until = time.perf_counter() + seconds
        answers: list[Answer] = []

        async def one(number: int) -> None:
            while time.perf_counter() < until:
                answer = await self.ask(model, stream=stream and number % 2 == 0, max_tokens=max_tokens)
                if answer is not None:
                    answers.append(answer)

        await asyncio.gather(*(one(number) for number in range(clients)))
        return answers

    async def demand(self, model: str) -> dict[str, bool]:
        """Ask for what not every target can do by itself, at once; return what came of each."""
        called, told, read = await asyncio.gather(
            self._message(model, "Please look_up order 7.", tools=[LOOK_UP]),
            self._message(model, "Describe the order in JSON.", response_format={"type": "json_object"}),
            self._message(model, LONG),
        )
        return {
            "a tool call": bool(called and called.tool_calls),
            "a JSON answer": bool(told and _is_object(told.content)),
            "a long prompt": bool(read and read.content),
        }

    async def close(self) -> None:
        """Close the client's connections."""
        await self._client.close()

    async def _message(self, model: str, content: str, **more: Any) -> ChatCompletionMessage | None:
        messages: Any = [{"role": "user", "content": content}]
        try:
            answer = await self._client.chat.completions.create(model=model, messages=messages, max_tokens=64, **more)
        except OpenAIError as err:
            self._ledger.failed(f"{model}: {type(err).__name__}: {err}")
            return None
        message: ChatCompletionMessage = answer.choices[0].message
        return message

    async def _whole(self, model: str, max_tokens: int, started: float) -> Answer:
        raw = await self._client.chat.completions.with_raw_response.create(
            model=model, messages=[{"role": "user", "content": CONTEXT}], max_tokens=max_tokens
        )
        text = raw.parse().choices[0].message.content or ""
        return _answer(raw.headers, text, time.perf_counter() - started)

    async def _stream(self, model: str, max_tokens: int, started: float) -> Answer:
        raw = await self._client.chat.completions.with_raw_response.create(
            model=model, messages=[{"role": "user", "content": CONTEXT}], max_tokens=max_tokens, stream=True
        )
        text, first = "", None
        async for chunk in raw.parse():
            first = first or time.perf_counter()
            if chunk.choices:
                text += chunk.choices[0].delta.content or ""
        return _answer(raw.headers, text, (first or time.perf_counter()) - started)


def _answer(headers: object, text: str, seconds: float) -> Answer:
    found = dict(headers.items())  # type: ignore[attr-defined]
    return Answer(found.get("x-spillway-target", "?"), found.get("x-spillway-reason", "?"), text, seconds)


def _is_object(text: str | None) -> bool:
    try:
        return isinstance(json.loads(text or ""), dict)
    except ValueError:
        return False

"""A conversation in OpenAI's messages as the turns of Converse.

Turns alternate, a user has the first and the last. What the tools called in one turn returned stands in the next, each
result with its call; a call without one gets a result that says so, a result without a call is a mistake.
"""

import re
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any

from spillway.adapters.upstreams.converse.content import NOTHING, parts_of, result_content, result_of, text_of, tool_use
from spillway.domain.errors import InvalidRequest
from spillway.domain.paths.converse_families import Lack

_SYSTEM_ROLES = frozenset({"system", "developer"})
_ROLES = ("system", "developer", "user", "assistant", "tool")
# Of botocore's pattern what older and newer ones share.
_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_NO_RESULT = "(no result)"
# Between a tool's result and what a user says to it, for models that take only one of them in a turn.
_BETWEEN = "(noted)"

Block = dict[str, Any]


def system_of(messages: list[dict[str, Any]]) -> list[Block]:
    """Return the system and developer messages as Converse's system; blank ones are left out."""
    return [
        {"text": text}
        for index, message in enumerate(messages)
        if message["role"] in _SYSTEM_ROLES
        and (text := text_of(message.get("content"), f"messages.{index}.content")).strip()
    ]


def turns_of(messages: list[dict[str, Any]], lacks: frozenset[Lack]) -> list[Block]:
    """Return Converse's messages: neighbours of one role in one, because it wants the roles to alternate."""
    conversation = _Conversation(lacks)
    for index, message in enumerate(messages):
        role = message["role"]
        if role not in _ROLES:
            raise InvalidRequest(f"unknown role '{role[:32]}'", param=f"messages.{index}.role", allowed=_ROLES)
        if role not in _SYSTEM_ROLES:
            conversation.add(message, f"messages.{index}")
    return conversation.whole()


def used_tools(messages: list[dict[str, Any]]) -> list[str]:
    """Return the names of the tools that a conversation's calls name; it is one that turns were made of."""
    calls = [call for message in messages if message["role"] == "assistant" for call in message.get("tool_calls") or ()]
    return list(dict.fromkeys(call["function"]["name"] for call in calls))


class _Conversation:
    """``_calls`` are the calls of the assistant's last turn by the client's ids, the oldest first."""

    def __init__(self, lacks: frozenset[Lack]) -> None:
        self._lacks = lacks
        self._turns: list[Block] = []
        self._said: list[Block] = []
        self._uses: list[Block] = []
        self._calls: dict[str, list[str]] = {}
        self._results: dict[str, Block] = {}
        self._is_assistants = False

    def add(self, message: Mapping[str, Any], param: str) -> None:
        """Take the next message; raises InvalidRequest for what Converse has no form for."""
        is_assistants = message["role"] == "assistant"
        if message["role"] == "tool":
            self._begin(is_assistants=False)
            self._add_result(message, param)
            return
        said = parts_of(message, param, self._lacks)
        calls = _calls_of(message, param) if is_assistants else []
        if said or calls:
            self._begin(is_assistants=is_assistants)
            self._said += said
            for index, call in enumerate(calls):
                self._add_use(call, f"{param}.tool_calls.{index}")

    def whole(self) -> list[Block]:
        """Return all turns."""
        self._close()
        if self._calls:
            self._is_assistants = False
            self._close()
        if not self._turns or self._turns[-1]["role"] == "assistant":
            # The client's last word was blank, or there is none: an assistant's last turn would be one to go on with.
            self._turns.append(_turn("user", [{"text": NOTHING}]))
        return self._turns

    def _begin(self, *, is_assistants: bool) -> None:
        if is_assistants is not self._is_assistants:
            self._close()
            self._is_assistants = is_assistants

    def _close(self) -> None:
        said, self._said = self._said, []
        if not self._is_assistants:
            self._close_users(said)
        elif said or self._uses:
            if not self._turns:
                # A bot's greeting, for OpenAI; Converse wants a user to begin.
                self._turns.append(_turn("user", [{"text": NOTHING}]))
            uses, self._uses = self._uses, []
            self._turns.append(_turn("assistant", said + uses))

    def _close_users(self, said: list[Block]) -> None:
        results = [self._results.get(call) or self._no_result(call) for calls in self._calls.values() for call in calls]
        self._calls, self._results = {}, {}
        if results and said and Lack.TEXT_BESIDE_RESULTS in self._lacks:
            self._turns += [_turn("user", results), _turn("assistant", [{"text": _BETWEEN}]), _turn("user", said)]
        elif results or said:
            self._turns.append(_turn("user", results + said))

    def _add_use(self, call: Any, param: str) -> None:
        use = tool_use(call, param)
        client_id = str(call.get("id") or "")
        same = self._calls.setdefault(client_id, [])
        taken = {each for calls in self._calls.values() for each in calls}
        valid = _valid_id(client_id, len(same), taken)
        same.append(valid)
        self._uses.append({"toolUse": {"toolUseId": valid, **use}})

    def _add_result(self, message: Mapping[str, Any], param: str) -> None:
        client_id = message.get("tool_call_id")
        if not isinstance(client_id, str):
            raise InvalidRequest("a tool's message needs its tool_call_id", param=f"{param}.tool_call_id")
        calls = self._calls.get(client_id)
        if not calls:
            raise InvalidRequest(
                "a tool's message must answer a call of the assistant's message before it, and none has this id",
                param=f"{param}.tool_call_id",
            )
        content = result_content(message, param, self._lacks)
        call = next((each for each in calls if each not in self._results), None)
        if call is None:
            self._results[calls[-1]]["toolResult"]["content"] += content
        else:
            self._results[call] = _result(call, content)

    def _no_result(self, call: str) -> Block:
        return _result(call, result_of([{"text": _NO_RESULT}], self._lacks))


def _calls_of(message: Mapping[str, Any], param: str) -> list[Any]:
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise InvalidRequest("tool_calls must be a list", param=f"{param}.tool_calls", code="invalid_type")
    return calls


def _valid_id(client_id: str, nth: int, taken: set[str]) -> str:
    """Return an id that Converse takes and that no other call of the turn has: the client's own where it can be."""
    if _ID.fullmatch(client_id) and client_id not in taken:
        return client_id
    return next(each for each in _made_ids(client_id, nth) if each not in taken)


def _made_ids(client_id: str, nth: int) -> Iterator[str]:
    while True:
        yield "call_" + blake2b(f"{nth} {client_id}".encode(errors="replace"), digest_size=16).hexdigest()
        nth += 1


def _turn(role: str, content: list[Block]) -> Block:
    return {"role": role, "content": content}


def _result(call: str, content: list[Block]) -> Block:
    return {"toolResult": {"toolUseId": call, "content": content}}

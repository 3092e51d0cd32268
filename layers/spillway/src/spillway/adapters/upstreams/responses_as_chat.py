"""Responses on targets that have only chat: stateless, so each request carries its whole conversation."""

from typing import Any

from spillway.adapters.upstreams.fields import client_names
from spillway.adapters.upstreams.responses_answer import Envelope, response_of
from spillway.adapters.upstreams.responses_fields import FIELDS, NESTED
from spillway.adapters.upstreams.responses_input import messages_of
from spillway.adapters.upstreams.responses_request import chat_fields
from spillway.adapters.upstreams.responses_stream import ResponseEvents
from spillway.gateway.upstream import UpstreamRequest

_NAMES = client_names(FIELDS, NESTED)


class ResponsesAsChat:
    """One response by way of chat."""

    def __init__(self, request: UpstreamRequest) -> None:
        self._request = request
        self._envelope = Envelope(request)
        self._events = ResponseEvents(self._envelope)
        self.dropped: list[str] = []
        self._places: list[str] = []

    def chat_body(self) -> dict[str, Any]:
        """Return the chat request; raises InvalidRequest for what chat has no form for."""
        body = self._request.body
        fields, self.dropped = chat_fields(body)
        messages, self._places = messages_of(body)
        return fields | {"messages": messages}

    def client_name(self, field: str) -> str:
        """Return what the client called a field of chat, such as ``input.2.content.0`` for one of a message."""
        head, _, place = field.partition(".")
        index, _, inside = place.partition(".")
        if head == "messages" and index.isdigit():
            return ".".join(filter(None, (self._places[int(index)], inside)))
        return _NAMES.get(head, field)

    def whole(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Return a whole chat completion as a response."""
        return response_of(answer, self._envelope)

    def chunk(self, chunk: dict[str, Any]) -> bytes:
        """Return the events that a chat chunk amounts to."""
        return self._events.chunk(chunk)

    def end(self) -> bytes:
        """Return the events that close what is open, and the response."""
        return self._events.end()

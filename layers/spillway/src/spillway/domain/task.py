"""What a model is for: it decides which of OpenAI's endpoints a deployment has."""

from enum import StrEnum


class Task(StrEnum):
    """``CHAT`` models write text, ``EMBED`` models return vectors, ``RERANK`` models weigh documents by a query."""

    CHAT = "chat"
    EMBED = "embed"
    RERANK = "rerank"

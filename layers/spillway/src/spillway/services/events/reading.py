"""How an event becomes its class: a tag names the class of a union, and whatever is wrong is said in one sentence."""

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from spillway.domain.errors import InvalidRequest

Event = TypeVar("Event")
Value = TypeVar("Value")


class TaskEvent(BaseModel):
    """What a task of our own state machines passes: exactly its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Caught(BaseModel):
    """The error output that a state machine's Catch stores."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    error: str = Field("Unknown", alias="Error")
    cause: str = Field("", alias="Cause")

    @property
    def sentence(self) -> str:
        """Error and message, of at most 1,000 characters; a Lambda error's message is inside its JSON cause."""
        try:
            message = str(json.loads(self.cause)["errorMessage"])
        except (ValueError, KeyError, TypeError):
            message = self.cause
        return f"{self.error}: {message}"[:1000]


def read(event: Mapping[str, Any], kinds: TypeAdapter[Event]) -> Event:
    """Return the event as its class; InvalidRequest names each wrong field, or the tag and which there are."""
    try:
        return kinds.validate_python(event)
    except ValidationError as err:
        raise _invalid(err.errors(include_url=False)) from err


def by(read_value: Callable[[Any], Value]) -> PlainValidator:
    """Return a validator for a field that a reader of its own turns from JSON into a value of the domain."""

    def validate(data: Any) -> Value:
        try:
            return read_value(data)
        except (KeyError, TypeError) as err:
            raise ValueError(f"{type(err).__name__}: {err}") from err

    return PlainValidator(validate)


def _invalid(problems: list[ErrorDetails]) -> InvalidRequest:
    first = problems[0]
    match first["type"]:
        case "union_tag_invalid":
            tag, context = _tag_of(first), first["ctx"]
            sentence = f"{tag} is '{context['tag']}': allowed are {context['expected_tags']}"
            return InvalidRequest(sentence, param=tag, allowed=context["expected_tags"].strip("'").split("', '"))
        case "union_tag_not_found":
            return InvalidRequest(f"{_tag_of(first)} is missing", param=_tag_of(first))
        case _:
            places = [".".join(map(str, each["loc"])) for each in problems]
            said = [f"{place}: {each['msg']}" for place, each in zip(places, problems, strict=True)]
            return InvalidRequest("; ".join(said), param=places[0])


def _tag_of(problem: ErrorDetails) -> str:
    """Return the tag's name in JSON; pydantic gives the field's before it where they differ."""
    return str(problem["ctx"]["discriminator"]).rsplit(" | ", 1)[-1].strip("'")

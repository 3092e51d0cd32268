"""The base of Spillway's own payloads, which take JSON's values for what they are."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticKnownError
from pydantic_core.core_schema import no_info_before_validator_function

# The least of a number that must be above zero, where nothing else says it: dollars are shown in millionths, and what
# is divided by less leads nowhere. DynamoDB has no number below 1e-130.
LEAST = 1e-6
_NO_SCHEMAS = frozenset({"metadata", "default", "config", "expected", "members", "cls"})


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _date(value: Any) -> Any:
    if _is_number(value):
        raise PydanticKnownError("date_type")
    return value


def _datetime(value: Any) -> Any:
    if _is_number(value):
        raise PydanticKnownError("datetime_type")
    return value


def _is_number(value: Any) -> bool:
    """Whether pydantic would count from 1970 on; a day has two hyphens."""
    return isinstance(value, (int, float)) or (isinstance(value, str) and value.count("-") < 2)


def _held(schema: Any, owner: type[BaseModel]) -> Any:
    """Return a schema whose numbers, booleans and dates take nothing else; models inside of it see to their own."""
    match schema:
        case {"type": "model", "cls": model} if model is not owner and issubclass(model, Frozen):
            return schema
        case {"type": "int"}:
            return no_info_before_validator_function(_whole, {**schema, "strict": True})
        case {"type": "float" | "bool"}:
            return {**schema, "strict": True}
        case {"type": "date"}:
            return no_info_before_validator_function(_date, schema)
        case {"type": "datetime"}:
            return no_info_before_validator_function(_datetime, schema)
        case Mapping():
            return {name: part if name in _NO_SCHEMAS else _held(part, owner) for name, part in schema.items()}
        case list() | tuple():
            return type(schema)(_held(part, owner) for part in schema)
        case _:
            return schema


class Frozen(BaseModel):
    """A payload that nobody changes once it is read, and that has no field beside those that are known.

    Numbers are numbers and booleans are booleans: pydantic would take ``false`` and ``"0"`` for 0, and 0 for a date.
    An integer may be written as 3.0, which to JSON Schema is one. Nothing is infinite.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return pydantic's schema, held to types; its own strict mode takes no list for a tuple, which JSON lacks."""
        schema: CoreSchema = _held(handler(source), cls)
        return schema

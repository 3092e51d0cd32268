"""pydantic's findings, said as one rejected request: which field, what is wrong, what is allowed."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, get_args

from pydantic import BaseModel

from spillway.domain.errors import InvalidRequest

_PLACES = ("body", "query", "path", "header")
_QUOTED = re.compile(r"'([^']*)'")
# How pydantic names the choices of a field that may be one number or many: no part of what a client wrote.
_CHOICE = re.compile(r"constrained-\w+|tuple\[.*\]")
_MORE_AT_MOST = 5


def parsed_body(text: str | None) -> Any:
    """Return a JSON body; InvalidRequest for one that is none, is nested too deep, has NaN or says a thing twice."""
    try:
        return None if text is None else json.loads(text, parse_constant=_no_number, object_pairs_hook=_object)
    except RecursionError as err:
        raise InvalidRequest("The body is nested too deep.") from err
    except ValueError as err:
        raise InvalidRequest(f"The body is not valid JSON: {err}") from err


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number in JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; of a field that is there twice, nobody knows which value was meant."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        twice = next(name for number, (name, _) in enumerate(pairs) if name in dict(pairs[:number]))
        raise ValueError(f"'{twice}' is there twice in one object")
    return fields


def invalid_request(errors: Sequence[Mapping[str, Any]], model: type[BaseModel] | None = None) -> InvalidRequest:
    """Return the first finding as an error, with the others in its message.

    ``model`` is that of the body; with it, an unknown field is answered with the known ones.
    """
    first, *others = errors
    message = _sentence(first)
    if others:
        listed = "; ".join(_sentence(other) for other in others[:_MORE_AT_MOST])
        unlisted = len(others) - _MORE_AT_MOST
        message += f". Also: {listed}" + (f"; and {unlisted} more" if unlisted > 0 else "")
    return InvalidRequest(message, param=_param(first), allowed=_allowed(first, model))


def _location(error: Mapping[str, Any]) -> list[str]:
    location = [str(part) for part in error["loc"] if not _CHOICE.fullmatch(str(part))]
    if location and location[0] in _PLACES:
        location = location[1:]
    field = error.get("ctx", {}).get("field")
    return [*location, field] if field else location


def _param(error: Mapping[str, Any]) -> str | None:
    return ".".join(_location(error)) or None


def _sentence(error: Mapping[str, Any]) -> str:
    match error["type"]:
        case "extra_forbidden":
            problem = "is not a field of this request"
        case "missing":
            problem = "is required"
        case _:
            problem = error["msg"].removeprefix("Value error, ")
            problem = re.sub(r"^(Input|String|List|Tuple|Value) should", "should", problem)
    return f"{_param(error) or 'The body'} {problem}"


def _allowed(error: Mapping[str, Any], model: type[BaseModel] | None) -> Sequence[str] | None:
    match error["type"]:
        case "enum" | "literal_error":
            return _QUOTED.findall(error["ctx"]["expected"])
        case "extra_forbidden":
            return _fields_at(model, _location(error)[:-1])
        case _:
            # Of a finding of our own.
            allowed: Sequence[str] | None = error.get("ctx", {}).get("allowed")
            return allowed


def _fields_at(model: type[BaseModel] | None, location: Sequence[str]) -> Sequence[str] | None:
    """Return the field names, as a client writes them, of the model that a location leads to."""
    for part in location:
        if model is None or part.isdigit():
            continue
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        model = _model_in(fields[part].annotation) if part in fields else None
    if model is None:
        return None
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)

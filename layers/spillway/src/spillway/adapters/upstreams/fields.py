"""What becomes of a request's fields where it is translated: tables, for code, documentation and tests alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from spillway.domain.errors import InvalidRequest

Fate: TypeAlias = Literal["passed", "mapped", "refused", "dropped"]


@dataclass(frozen=True)
class Field:
    """``how`` says more; ``idle`` are the values, besides null, that ask for nothing.

    ``chat`` is the field of chat that another endpoint's is mapped onto, where it has another name there.
    """

    fate: Fate
    how: str = ""
    idle: tuple[Any, ...] = ()
    chat: str = ""


def refused(why: str, *idle: Any) -> Field:
    """Return a field without which the answer would be another one."""
    return Field("refused", why, idle)


def not_taken(*tables: Mapping[str, Field]) -> dict[str, Field]:
    """Return the fields of tables that are refused or dropped."""
    return {name: each for table in tables for name, each in table.items() if each.fate in ("refused", "dropped")}


def dropped_fields(asked: Mapping[str, Any], missing: Mapping[str, Field], prefix: str = "") -> list[str]:
    """Return the names of what is asked for and left out; raises InvalidRequest for the first field that is refused.

    ``missing`` is what :func:`not_taken` gave, whose names begin with ``prefix`` for what stands inside of a field.
    """
    dropped = []
    for key, value in asked.items():
        field = missing.get(name := prefix + key)
        if field is None or value is None or value in field.idle:
            continue
        if field.fate == "refused":
            raise InvalidRequest(f"the model that answers now takes no {name}: {field.how}", param=name)
        dropped.append(name)
    return dropped


def client_names(*tables: Mapping[str, Field]) -> dict[str, str]:
    """Return what the fields of chat are called where they come from, for those that have another name there."""
    return {each.chat: name for table in tables for name, each in table.items() if each.chat}

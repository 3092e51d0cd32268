"""The scenario file of a replay: one size of instances, a ladder of sizes, or an imported model."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any, TypeAlias

from spillway.cli.errors import BadInput
from spillway.domain.economics.import_windows.copies import Imported
from spillway.domain.economics.ladders.rungs import Ladder, Rung
from spillway.domain.economics.scenario import Scenario

AnyScenario: TypeAlias = Scenario | Ladder | Imported

_BILLING: dict[str, type[Scenario] | type[Imported]] = {"instances": Scenario, "windows": Imported}
_NULLABLE = "waiting_usd_per_request"


def read_scenario(path: Path | None) -> tuple[AnyScenario, list[str]]:
    """Return the scenario of a file and the names of what is left at its default; without a file, one of instances.

    Raises:
        BadInput: if the file can't be read or says what makes no scenario; the message names the field.
    """
    if path is None:
        return Scenario(), [field.name for field in fields(Scenario)]
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as err:
        raise BadInput(f"{path}: {err}") from err
    try:
        return _scenario(given)
    except ValueError as err:
        raise BadInput(f"{path}: {err}") from err


def to_json(scenario: AnyScenario) -> dict[str, Any]:
    """Return what a file with this scenario would hold."""
    billing = {"billing": "windows"} if isinstance(scenario, Imported) else {}
    return {**billing, **asdict(scenario)}


def settings_of(scenario: AnyScenario) -> dict[str, Any]:
    """Return all settings by name, those of a ladder's rungs as ``rungs.0.name`` and so on."""
    found: dict[str, Any] = {}
    for name, value in to_json(scenario).items():
        if name != "rungs":
            found[name] = value
            continue
        for at, rung in enumerate(value):
            found |= {f"rungs.{at}.{field}": one for field, one in rung.items()}
    return found


def _scenario(given: Any) -> tuple[AnyScenario, list[str]]:
    if not isinstance(given, dict):
        raise ValueError("a scenario is a JSON object")
    billing = given.pop("billing", "instances")
    if billing not in _BILLING:
        raise ValueError(f"billing is {billing!r}; it must be one of {', '.join(_BILLING)}")
    if "rungs" in given:
        if billing != "instances":
            raise ValueError("rungs are instances, so billing can't be windows")
        rungs, defaults = _rungs(given.pop("rungs"))
        return Ladder(rungs, **_checked(Ladder, given, "", without="rungs")), [*defaults, *_left(Ladder, given)]
    kind = _BILLING[billing]
    return kind(**_checked(kind, given)), _left(kind, given)


def _rungs(given: Any) -> tuple[tuple[Rung, ...], list[str]]:
    if not isinstance(given, list) or not all(isinstance(rung, dict) for rung in given):
        raise ValueError("rungs must be a list of objects")
    rungs, defaults = [], []
    for at, rung in enumerate(given):
        where = f"rungs.{at}."
        values = _checked(Rung, rung, where)
        try:
            rungs.append(Rung(**values))
        except ValueError as err:
            raise ValueError(f"{where}{err}") from err
        defaults += [f"{where}{name}" for name in _left(Rung, rung)]
    return tuple(rungs), defaults


def _checked(kind: Any, given: Mapping[str, Any], where: str = "", without: str = "") -> dict[str, Any]:
    """Return the given values, each of which is known and of its field's type, with none missing."""
    known = {field.name: field for field in fields(kind) if field.name != without}
    if unknown := [f"{where}{name}" for name in sorted(given.keys() - known.keys())]:
        also = f"{without}, " if without else ""
        raise ValueError(f"unknown {', '.join(unknown)}; {_what(kind)} knows {also}{', '.join(known)}")
    needed = [name for name, field in known.items() if field.default is field.default_factory is MISSING]
    if missing := [f"{where}{name}" for name in needed if name not in given]:
        raise ValueError(f"{', '.join(missing)} must be given")
    for name, value in given.items():
        _check_type(f"{where}{name}", value, known[name].type, may_be_null=name == _NULLABLE)
    return dict(given)


def _check_type(name: str, value: Any, kind: Any, *, may_be_null: bool) -> None:
    if kind is str:
        if not isinstance(value, str):
            raise ValueError(f"{name} must be a text")
        return
    is_number = isinstance(value, int if kind is int else int | float) and not isinstance(value, bool)
    if not is_number and not (value is None and may_be_null):
        raise ValueError(f"{name} must be {'a whole' if kind is int else 'a'} number")


def _left(kind: Any, given: Iterable[str]) -> list[str]:
    return [field.name for field in fields(kind) if field.name not in given and field.name != "rungs"]


def _what(kind: Any) -> str:
    return {Scenario: "a scenario", Imported: "a scenario of windows", Ladder: "a ladder", Rung: "a rung"}[kind]

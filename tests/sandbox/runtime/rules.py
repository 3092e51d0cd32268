"""What CloudFormation refuses before it makes anything: parameters, rules, and lookups in mappings."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.sandbox.runtime.intrinsics import TemplateError

Template = Mapping[str, Any]


def refusals(template: Template, given: Mapping[str, str], values: Mapping[str, Any]) -> Iterator[str]:
    """Say what is wrong; ``values`` are those of all parameters and pseudo parameters."""
    yield from parameter_problems(template, given)
    yield from broken_rules(template, values)
    yield from missing_keys(template, values)


def parameter_problems(template: Template, given: Mapping[str, str]) -> Iterator[str]:
    """Every parameter that is given is the template's, and its value one that the template allows."""
    parameters = template.get("Parameters", {})
    for name, value in given.items():
        if name not in parameters:
            yield f"parameter {name} does not exist in the template"
        elif (problem := _not_allowed(parameters[name], str(value))) is not None:
            yield f"parameter {name} {parameters[name].get('ConstraintDescription', problem)}"


def broken_rules(template: Template, values: Mapping[str, Any]) -> Iterator[str]:
    """Give the description of each assertion that does not hold though its rule's condition does."""
    for name, rule in template.get("Rules", {}).items():
        if "RuleCondition" not in rule or _evaluated(rule["RuleCondition"], values):
            for each in rule["Assertions"]:
                if not _evaluated(each["Assert"], values):
                    yield f"{name}: {each.get('AssertDescription', 'an assertion failed')}"


def missing_keys(template: Template, values: Mapping[str, Any]) -> Iterator[str]:
    """Name what ``Fn::FindInMap`` does not find, wherever it is written: conditions do not keep it from looking."""
    mappings = template.get("Mappings", {})
    for name, first, second in _lookups({key: each for key, each in template.items() if key != "Rules"}):
        top, inner = (str(_evaluated(key, values)) for key in (first, second))
        if inner not in mappings.get(name, {}).get(top, {}):
            yield f"Template error: Unable to get mapping for {name}::{top}::{inner}"


def _not_allowed(parameter: Mapping[str, Any], value: str) -> str | None:
    if "AllowedValues" in parameter and value not in map(str, parameter["AllowedValues"]):
        return f"is {value}: none of the values that are allowed"
    if "AllowedPattern" in parameter and not re.fullmatch(parameter["AllowedPattern"], value):
        return f"is {value}: must match {parameter['AllowedPattern']}"
    if parameter["Type"] == "Number":
        least, most = (float(parameter.get(key, value)) for key in ("MinValue", "MaxValue"))
        if not least <= float(value) <= most:
            return f"is {value}: out of its bounds"
    return None


def _lookups(value: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(value, Mapping):
        if "Fn::FindInMap" in value:
            name, first, second = value["Fn::FindInMap"]
            yield name, first, second
        for each in value.values():
            yield from _lookups(each)
    elif isinstance(value, list):
        for each in value:
            yield from _lookups(each)


def _evaluated(value: Any, values: Mapping[str, Any]) -> Any:
    """Evaluate a rule's function: they are fewer than elsewhere, and know parameters and pseudo parameters alone."""
    if isinstance(value, list):
        return [_evaluated(each, values) for each in value]
    if not isinstance(value, Mapping):
        return value
    ((name, argument),) = value.items()
    if name == "Ref":
        if argument not in values:
            raise TemplateError(f"a rule names {argument}, which is no parameter")
        return values[argument]
    return _applied(name, _evaluated(argument, values))


def _applied(name: str, argument: Any) -> bool:
    match name:
        case "Fn::And":
            return all(argument)
        case "Fn::Or":
            return any(argument)
        case "Fn::Not":
            return not argument[0]
        case "Fn::Equals":
            return str(argument[0]) == str(argument[1])
        case "Fn::Contains":
            return str(argument[1]) in map(str, argument[0])
        case "Fn::EachMemberEquals":
            return all(each == argument[1] for each in argument[0])
        case "Fn::EachMemberIn":
            return set(argument[0]) <= set(argument[1])
        case _:
            raise TemplateError(f"a rule cannot use {name}, or the sandbox does not know it there")

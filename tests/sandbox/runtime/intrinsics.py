"""CloudFormation's intrinsic functions and conditions, evaluated against what has been made so far."""

import base64
import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.sandbox.cloud.zones import ZONE_IDS

_DYNAMIC = re.compile(r"\{\{resolve:([a-z-]+):([^}]+)\}\}")


class TemplateError(Exception):
    """The template says something that cannot be stood up; the message names where."""


class _NoValue:
    """``AWS::NoValue``: the property is as if it had not been written."""


NO_VALUE = _NoValue()


class Intrinsics:
    """Resolve values; ``ref`` and ``attribute`` answer for resources, making them on demand."""

    def __init__(
        self,
        template: Mapping[str, Any],
        values: Mapping[str, Any],
        ref: Callable[[str], Any],
        attribute: Callable[[str, str], Any],
        dynamic: Callable[[str, str], str] | None = None,
    ) -> None:
        self._values = values
        self._conditions: Mapping[str, Any] = template.get("Conditions", {})
        self._mappings: Mapping[str, Any] = template.get("Mappings", {})
        self._ref = ref
        self._attribute = attribute
        self._dynamic = dynamic

    def resolve(self, value: Any) -> Any:
        """Return ``value`` with every intrinsic function in it evaluated."""
        if isinstance(value, Mapping):
            if len(value) == 1:
                ((name, argument),) = value.items()
                if name == "Ref" or (name == "Condition" and isinstance(argument, str)) or name.startswith("Fn::"):
                    return self._function(name, argument)
            resolved = {key: self.resolve(each) for key, each in value.items()}
            return {key: each for key, each in resolved.items() if each is not NO_VALUE}
        if isinstance(value, list):
            return [each for each in map(self.resolve, value) if each is not NO_VALUE]
        if isinstance(value, str) and self._dynamic:
            lookup = self._dynamic
            return _DYNAMIC.sub(lambda found: lookup(found[1], found[2]), value)
        return value

    def condition(self, name: str) -> bool:
        """Return whether a condition of the template holds."""
        if name not in self._conditions:
            raise TemplateError(f"condition {name} is not in the template")
        return bool(self.resolve(self._conditions[name]))

    def _function(self, name: str, argument: Any) -> Any:
        match name:
            case "Ref":
                return self._reference(argument)
            case "Condition":
                return self.condition(argument)
            case "Fn::GetAtt":
                logical, _, attribute = (argument if isinstance(argument, str) else ".".join(argument)).partition(".")
                return self._attribute(logical, self.resolve(attribute))
            case "Fn::Sub":
                return self._substituted(argument)
            case "Fn::If":
                condition, yes, no = argument
                return self.resolve(yes if self.condition(condition) else no)
            case "Fn::FindInMap":
                first, second, third = (self.resolve(part) for part in argument)
                return self._found(first, second, third)
            case _:
                return _plain(name, self.resolve(argument))

    def _found(self, name: str, first: str, second: str) -> Any:
        try:
            return self._mappings[name][first][second]
        except KeyError:
            raise TemplateError(f"Template error: Unable to get mapping for {name}::{first}::{second}") from None

    def _reference(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        return self._values[name] if name in self._values else self._ref(name)

    def _substituted(self, argument: Any) -> str:
        text, extra = (argument, {}) if isinstance(argument, str) else argument
        local = {key: self.resolve(each) for key, each in extra.items()}

        def one(found: re.Match[str]) -> str:
            name = found[1]
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in local:
                return str(local[name])
            if "." in name and name not in self._values:
                logical, _, attribute = name.partition(".")
                return str(self._attribute(logical, attribute))
            return str(self._reference(name))

        return re.sub(r"\$\{([^}]+)\}", one, text)


def _plain(name: str, argument: Any) -> Any:  # noqa: C901 - flat: one case for each intrinsic function
    match name:
        case "Fn::Join":
            separator, parts = argument
            return separator.join(str(part) for part in parts)
        case "Fn::Select":
            index, choices = argument
            return choices[int(index)]
        case "Fn::Split":
            separator, text = argument
            return text.split(separator)
        case "Fn::Equals":
            return str(argument[0]) == str(argument[1])
        case "Fn::And":
            return all(argument)
        case "Fn::Or":
            return any(argument)
        case "Fn::Not":
            return not argument[0]
        case "Fn::GetAZs":
            return list(ZONE_IDS)
        case "Fn::Base64":
            return base64.b64encode(argument.encode()).decode()
        case "Fn::Cidr":
            block, count, bits = argument
            subnets = ipaddress.ip_network(block).subnets(new_prefix=32 - int(bits))
            return [str(subnet) for subnet, _ in zip(subnets, range(int(count)), strict=False)]
        case "Fn::ToJsonString":
            return json.dumps(argument)
        case "Fn::Length":
            return len(argument)
        case _:
            raise TemplateError(f"the sandbox does not know the intrinsic function {name}")

"""Which resources of a template need which: CloudFormation makes them in that order, and deletes them against it."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

_PLACEHOLDER = re.compile(r"\$\{([^!}.]+)[^}]*\}")


class Stack(Protocol):
    """A template whose conditions are decided: ``StaticStack`` or ``TemplateStack``."""

    @property
    def template(self) -> Mapping[str, Any]: ...

    def exists(self, logical_id: str) -> bool:
        """Whether a resource's condition holds."""
        ...

    def holds(self, condition: str) -> bool:
        """Whether a condition holds."""
        ...


def needs(stack: Stack) -> dict[str, frozenset[str]]:
    """Return what each resource that exists names itself, in its properties and in its ``DependsOn``.

    Of an ``Fn::If`` only the outcome that is taken counts.
    """
    resources = stack.template["Resources"]
    existing = [name for name in resources if stack.exists(name)]
    return {name: frozenset(_named(resources[name], stack.holds)) & set(existing) - {name} for name in existing}


def all_needs(direct: Mapping[str, frozenset[str]], logical_id: str) -> frozenset[str]:
    """Return what a resource needs, with all that this needs in turn."""
    found: set[str] = set()
    waiting = list(direct[logical_id])
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += direct[name]
    return frozenset(found)


def _named(value: Any, holds: Callable[[str], bool]) -> Iterator[str]:
    match value:
        case {"Ref": str(name)}:
            yield name
        case {"Fn::GetAtt": [str(name), *_]}:
            yield name
        case {"Fn::GetAtt": str(path)}:
            yield path.partition(".")[0]
        case {"Fn::If": [str(condition), yes, no]}:
            yield from _named(yes if holds(condition) else no, holds)
        case {"Fn::Sub": sub}:
            text, values = sub if isinstance(sub, list) else (sub, {})
            yield from (name for name in _PLACEHOLDER.findall(text) if name not in values)
            yield from _named(values, holds)
        case Mapping():
            depends = value.get("DependsOn", [])
            yield from [depends] if isinstance(depends, str) else depends
            for each in value.values():
                yield from _named(each, holds)
        case list():
            for each in value:
                yield from _named(each, holds)

"""What a look at a spec found, before anything is made of it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from spillway.domain.errors import CapacityUnavailable, Rejected


@dataclass(frozen=True)
class Problem:
    """Why something would not come up: a sentence, and the field that it is about where there is one."""

    message: str
    code: str
    param: str | None = None
    allowed: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Findings:
    """What a path's own checks found, and the names of what it would make."""

    problems: tuple[Problem, ...]
    resources: tuple[str, ...]


def problem_of(err: Rejected | CapacityUnavailable) -> Problem:
    """Return what a driver's preflight raised as what it found."""
    if isinstance(err, Rejected):
        return Problem(err.message, err.code, err.param, err.allowed)
    return Problem(str(err), "capacity_unavailable")


def param_of_spill(param: str | None) -> str | None:
    """Return the field that a check of the spill target, as a model of its own, means in its deployment."""
    return "spill.model_id" if param == "model.id" else param


def findings_to_json(findings: Findings) -> dict[str, Any]:
    """Return findings as a driver's function answers them."""
    return asdict(findings)


def findings_from_json(data: Mapping[str, Any]) -> Findings:
    """Read back what :func:`findings_to_json` wrote."""
    problems = (
        Problem(each["message"], each["code"], each["param"], tuple(each["allowed"]) if each["allowed"] else None)
        for each in data["problems"]
    )
    return Findings(tuple(problems), tuple(data["resources"]))

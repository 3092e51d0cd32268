"""What an Application Load Balancer does with a request, by moto's rules, target groups and health."""

import itertools
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moto.elbv2.models import elbv2_backends

from tests.sandbox.cloud.fleet import Fleet
from tests.sandbox.cloud.moto_cloud import ACCOUNT, REGION
from tests.sandbox.cloud.proxies import AFFINITY_HEADER, lead, outstanding


@dataclass(frozen=True)
class Forward:
    """Send the request to ``engine_url`` with ``path``."""

    engine_url: str
    path: str
    instance_id: str


@dataclass(frozen=True)
class Refusal:
    """Answer with ``status`` (502: the target does not listen, 503: no target, or a rule's fixed response)."""

    status: int
    message: str


class LoadBalancer:
    """Resolves requests by all listeners' rules, round-robin over healthy targets, or by least load."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._turns: dict[str, itertools.count[int]] = defaultdict(itertools.count)

    def resolve(self, path: str, headers: Mapping[str, str], listener_arn: str | None = None) -> Forward | Refusal:
        """Return where a request goes; ``path`` may carry a query. Headers' names are matched in any case."""
        rules = sorted(_rules(listener_arn), key=_priority)
        lower = {name.lower(): value for name, value in headers.items()}
        rule = next((found for found in rules if _matches(found, path.partition("?")[0], lower)), None)
        if rule is None:
            return Refusal(404, "no listener")
        action = _terminal_action(rule)
        if action.get("Type") == "fixed-response":
            config = action["FixedResponseConfig"]
            return Refusal(int(config["StatusCode"]), str(config.get("MessageBody", "")))
        return self._forward(_target_group(action), _rewritten(rule, path), lower.get(AFFINITY_HEADER))

    def _forward(self, arn: str, path: str, affinity: str | None) -> Forward | Refusal:
        target_group = elbv2_backends[ACCOUNT][REGION].target_groups.get(arn)
        if target_group is None:
            return Refusal(503, "Service Temporarily Unavailable")
        now = self._fleet.clock.time()
        machines = [found for key in list(target_group.targets) if (found := self._fleet.machines.get(key))]
        states = [(machine, machine.health(target_group, now)[0]) for machine in machines]
        # With no healthy target at all, an ALB sends requests to every target that is registered ("fail open").
        healthy = [machine for machine, state in states if state == "healthy"]
        usable = healthy or [machine for machine, state in states if state in ("unhealthy", "initial")]
        if not usable:
            return Refusal(503, "Service Temporarily Unavailable")
        turn = next(self._turns[arn]) % len(usable)
        usable = usable[turn:] + usable[:turn]
        if target_group.attributes.get("load_balancing.algorithm.type") == "least_outstanding_requests":
            usable.sort(key=outstanding)
        machine = lead(usable[0], machines, affinity)
        if machine.engine is None:
            return Refusal(502, "Bad Gateway")
        return Forward(machine.engine.url, path, machine.id)


def _rules(listener_arn: str | None) -> list[Any]:
    balancers = elbv2_backends[ACCOUNT][REGION].load_balancers.values()
    listeners = [found for balancer in balancers for found in balancer.listeners.values()]
    return [rule for found in listeners if listener_arn in (None, found.arn) for rule in list(found.rules.values())]


def _priority(rule: Any) -> float:
    return float("inf") if rule.priority == "default" else float(rule.priority)


def _matches(rule: Any, path: str, headers: Mapping[str, str]) -> bool:
    return all(_condition_holds(condition, path, headers) for condition in rule.conditions or [])


def _condition_holds(condition: dict[str, Any], path: str, headers: Mapping[str, str]) -> bool:
    match condition["Field"]:
        case "path-pattern":
            config = condition.get("PathPatternConfig", {})
            patterns = condition.get("Values") or config.get("Values", [])
            by_regex = any(re.search(pattern, path) for pattern in config.get("RegexValues", []))
            return by_regex or any(_glob(pattern).fullmatch(path) for pattern in patterns)
        case "host-header":
            patterns = condition.get("Values") or condition.get("HostHeaderConfig", {}).get("Values", [])
            return any(_glob(pattern).fullmatch(headers.get("host", "")) for pattern in patterns)
        case "http-header":
            config = condition["HttpHeaderConfig"]
            value = headers.get(config["HttpHeaderName"].lower(), "")
            return any(_glob(pattern).fullmatch(value) for pattern in config["Values"])
        case _:
            return False


def _glob(pattern: str) -> re.Pattern[str]:
    """Return an ALB pattern as a regular expression: ``*`` is any text, ``?`` one character, all else itself."""
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)


def _terminal_action(rule: Any) -> dict[str, Any]:
    data: dict[str, Any] = getattr(rule.actions[-1], "data", rule.actions[-1])
    return data


def _target_group(action: dict[str, Any]) -> str:
    if arn := action.get("TargetGroupArn"):
        return str(arn)
    weighted = action.get("ForwardConfig", {}).get("TargetGroups", [])
    return next((str(found["TargetGroupArn"]) for found in weighted if int(found.get("Weight", 1)) > 0), "")


def _rewritten(rule: Any, path: str) -> str:
    for transform in getattr(rule, "transforms", None) or []:
        if transform["Type"] == "url-rewrite":
            for rewrite in transform["UrlRewriteConfig"]["Rewrites"]:
                replacement = re.sub(r"\$(\d)", r"\\g<\1>", rewrite["Replace"])
                path = re.sub(rewrite["Regex"], replacement, path, count=1)
    return path

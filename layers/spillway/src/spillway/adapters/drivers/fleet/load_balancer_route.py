"""The way from the stack's load balancer to a fleet: a target group, and a listener rule that leads to it."""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from spillway.adapters.aws.errors import code_of, going_is_retried, gone_is_fine, is_busy, is_gone, translated
from spillway.adapters.aws.tags import expect_owned, is_owned, tag_list, tags_of
from spillway.adapters.drivers.fleet.config import DRAIN_SECONDS, INSTANCE_PORT, FleetConfig
from spillway.domain.deployments.resource_names import Names
from spillway.domain.errors import CapacityUnavailable, Retryable

if TYPE_CHECKING:
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_elbv2.type_defs import RuleTypeDef

_PRIORITIES = 50_000
_ATTEMPTS = 20


@dataclass(frozen=True)
class LoadBalancerRoute:
    """Both are found again by the fleet's name."""

    config: FleetConfig
    elb: "ElasticLoadBalancingv2Client"

    def ensure(self, names: Names, health_path: str) -> tuple[str, str]:
        """Make target group and rule unless they are there; return both ARNs. The path is where engines are asked.

        Raises Conflict for a target group of another owner's; a rule is whose its target group is.
        """
        group_arn = self.group_arn(names) or self._create_group(names, health_path)
        with translated():
            self.elb.modify_target_group_attributes(
                TargetGroupArn=group_arn,
                Attributes=[
                    {"Key": "deregistration_delay.timeout_seconds", "Value": str(DRAIN_SECONDS)},
                    # Answers differ a hundredfold in length: taking turns would pile them up on one engine.
                    {"Key": "load_balancing.algorithm.type", "Value": "least_outstanding_requests"},
                ],
            )
        rules = self._rules()
        rule_arn = _rule_to(group_arn, rules) or self._create_rule(names, group_arn, rules)
        return group_arn, rule_arn

    def group_arn(self, names: Names) -> str | None:
        """Return the target group's ARN, None when there is none; Conflict for another owner's."""
        arn = self._named(names)
        if arn:
            expect_owned(names, f"target group {names.target_group}", self._tags(arn))
        return arn

    def healthy(self, names: Names) -> frozenset[str]:
        """Return the ids of the instances whose engine answers the load balancer."""
        arn = self._named(names)
        if arn is None:
            return frozenset()
        with translated():
            found = self.elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        return frozenset(one["Target"]["Id"] for one in found if one.get("TargetHealth", {}).get("State") == "healthy")

    def delete(self, names: Names) -> list[str]:
        """Delete rule and target group if they are the deployment's own; return what is still there."""
        arn = self._named(names)
        if arn is None or not is_owned(names, self._tags(arn)):
            return []
        with translated():
            if rule_arn := _rule_to(arn, self._rules()):
                with gone_is_fine():
                    self.elb.delete_rule(RuleArn=rule_arn)
            try:
                self.elb.delete_target_group(TargetGroupArn=arn)
            except ClientError as err:
                if is_busy(err):
                    return [f"target group {names.target_group}"]
                if not is_gone(err):
                    raise
        return []

    def _named(self, names: Names) -> str | None:
        with translated():
            try:
                groups = self.elb.describe_target_groups(Names=[names.target_group])["TargetGroups"]
            except ClientError as err:
                if is_gone(err):
                    return None
                raise
        return groups[0]["TargetGroupArn"] if groups else None

    def _tags(self, arn: str) -> dict[str, str]:
        with translated(), going_is_retried():
            found = self.elb.describe_tags(ResourceArns=[arn])["TagDescriptions"]
        return tags_of(found[0].get("Tags")) if found else {}

    def _create_group(self, names: Names, health_path: str) -> str:
        with translated():
            made = self.elb.create_target_group(
                Name=names.target_group,
                Protocol="HTTP",
                ProtocolVersion="HTTP1",
                Port=INSTANCE_PORT,
                VpcId=self.config.vpc_id,
                TargetType="instance",
                HealthCheckProtocol="HTTP",
                HealthCheckPort="traffic-port",
                HealthCheckPath=health_path,
                # A saturated engine may leave this unanswered for half a minute, and the group replaces what fails it:
                # losing an engine because it is busy costs more than noticing a dead one after 90 seconds, in which
                # the gateway goes elsewhere anyway.
                HealthCheckIntervalSeconds=15,
                HealthCheckTimeoutSeconds=10,
                HealthyThresholdCount=2,
                UnhealthyThresholdCount=6,
                Matcher={"HttpCode": "200"},
                Tags=tag_list(names),
            )
        return made["TargetGroups"][0]["TargetGroupArn"]

    def _rules(self) -> "list[RuleTypeDef]":
        with translated():
            pages = self.elb.get_paginator("describe_rules").paginate(ListenerArn=self.config.listener_arn)
            return [rule for page in pages for rule in page["Rules"]]

    def _create_rule(self, names: Names, group_arn: str, rules: "list[RuleTypeDef]") -> str:
        taken = {rule.get("Priority") for rule in rules}
        first = int.from_bytes(hashlib.sha256(names.base.encode()).digest()[:4])
        wanted = (1 + (first + step) % _PRIORITIES for step in range(_PRIORITIES))
        free = (priority for priority in wanted if str(priority) not in taken)
        for _ in range(_ATTEMPTS):
            priority = next(free, None)
            if priority is None:
                raise CapacityUnavailable("the load balancer's listener has no free rule priority")
            try:
                with translated():
                    made = self.elb.create_rule(Priority=priority, **self._rule(names, group_arn))
            except ClientError as err:
                # Somebody took it since the rules were read.
                if code_of(err) != "PriorityInUse":
                    raise
            else:
                return made["Rules"][0]["RuleArn"]
        raise Retryable("other fleets took every rule priority that was tried")

    def _rule(self, names: Names, group_arn: str) -> Any:
        name = names.deployment
        return {
            "ListenerArn": self.config.listener_arn,
            "Conditions": [{"Field": "path-pattern", "PathPatternConfig": {"Values": [f"*/fleets/{name}/*"]}}],
            # API Gateway sends its stage along: everything up to the engine's own path goes.
            "Transforms": [
                {
                    "Type": "url-rewrite",
                    "UrlRewriteConfig": {"Rewrites": [{"Regex": f"^(/[^/]+)?/fleets/{name}/(.*)$", "Replace": "/$2"}]},
                }
            ],
            "Actions": [{"Type": "forward", "TargetGroupArn": group_arn}],
            "Tags": tag_list(names),
        }


def _rule_to(group_arn: str, rules: "list[RuleTypeDef]") -> str | None:
    for rule in rules:
        if any(action.get("TargetGroupArn") == group_arn for action in rule.get("Actions", [])):
            return rule["RuleArn"]
    return None

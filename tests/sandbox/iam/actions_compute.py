"""What the calls of EC2, Auto Scaling and Elastic Load Balancing ask of IAM."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.sandbox.iam.conditions import Context
from tests.sandbox.iam.request import LaunchTemplate, Place, Request, tag_context, tags_of

_Params = Mapping[str, Any]
_Rule = Callable[[_Params, Place], list[Request]]

# AWS chooses these parts of an ARN.
_GROUP_ID = "autoScalingGroup:0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0:autoScalingGroupName/"
_NEW = "0123456789abcdef"


def _create_launch_template(params: _Params, place: Place) -> list[Request]:
    tags = tag_context(
        {
            key: value
            for spec in params.get("TagSpecifications", [])
            if spec["ResourceType"] == "launch-template"
            for key, value in tags_of(spec["Tags"]).items()
        }
    )
    template = place.arn("ec2", f"launch-template/lt-{_NEW}")
    requests = [Request("ec2:CreateLaunchTemplate", template, tags)]
    if tags:
        requests.append(Request("ec2:CreateTags", template, {**tags, "ec2:CreateAction": "CreateLaunchTemplate"}))
    return requests


def _on_launch_template(action: str) -> _Rule:
    def rule(params: _Params, place: Place) -> list[Request]:
        template = _template(params.get("LaunchTemplateId") or params["LaunchTemplateName"], place)
        context = tag_context(template.tags, "aws:ResourceTag")
        return [Request(f"ec2:{action}", place.arn("ec2", f"launch-template/{template.id}"), context)]

    return rule


def _create_group(params: _Params, place: Place) -> list[Request]:
    tags = tag_context(tags_of(params.get("Tags")))
    group = _group(params["AutoScalingGroupName"], place)
    return [Request("autoscaling:CreateAutoScalingGroup", group, tags), *_launch(params, place)]


def _update_group(params: _Params, place: Place) -> list[Request]:
    group = _group(params["AutoScalingGroupName"], place)
    return [Request("autoscaling:UpdateAutoScalingGroup", group), *_launch(params, place)]


def _launch(params: _Params, place: Place) -> list[Request]:
    """Who names a group's launch template must be able to run it, and to hand over its instances' role."""
    policy = params.get("MixedInstancesPolicy", {}).get("LaunchTemplate", {})
    named = params.get("LaunchTemplate") or policy.get("LaunchTemplateSpecification") or {}
    return _run(_template(named["LaunchTemplateName"], place), params, place) if named else []


def _template(name: str, place: Place) -> LaunchTemplate:
    """What is not there has no tags, so a permission that depends on one is none."""
    return place.launch_template(name) or LaunchTemplate(f"lt-{_NEW}", {}, {})


def _run(template: LaunchTemplate, params: _Params, place: Place) -> list[Request]:
    arn = place.arn("ec2", f"launch-template/{template.id}")
    from_template: Context = {"ec2:LaunchTemplate": arn}
    in_vpc: Context = {
        **from_template,
        **({"ec2:Vpc": place.arn("ec2", f"vpc/{place.vpc_id}")} if place.vpc_id else {}),
    }
    parts = [place.arn("ec2", f"{kind}/{_NEW}") for kind in ("instance", "volume", "network-interface")]
    parts.append(place.arn("ec2", f"image/{template.data.get('ImageId', _NEW)}", account=""))
    subnets = [each for each in params.get("VPCZoneIdentifier", "").split(",") if each]
    groups = [each for card in template.data.get("NetworkInterfaces", []) for each in card.get("Groups", [])]
    network = [f"subnet/{each}" for each in subnets] + [f"security-group/{each}" for each in groups]
    return [
        Request("ec2:RunInstances", arn, {**from_template, **tag_context(template.tags, "aws:ResourceTag")}),
        *(Request("ec2:RunInstances", part, from_template) for part in parts),
        *(Request("ec2:RunInstances", place.arn("ec2", part), in_vpc) for part in network),
        *_tagged_at_launch(template, place),
        *_passed_role(template, place),
    ]


def _tagged_at_launch(template: LaunchTemplate, place: Place) -> list[Request]:
    return [
        Request(
            "ec2:CreateTags",
            place.arn("ec2", f"{spec['ResourceType']}/{_NEW}"),
            {**tag_context(tags_of(spec["Tags"])), "ec2:CreateAction": "RunInstances"},
        )
        for spec in template.data.get("TagSpecifications", [])
    ]


def _passed_role(template: LaunchTemplate, place: Place) -> list[Request]:
    profile = template.data.get("IamInstanceProfile", {}).get("Arn")
    if profile is None:
        return []
    # A profile that the place does not know is a role that nobody may pass.
    role = place.profile_roles.get(profile, profile)
    return [Request("iam:PassRole", role, {"iam:PassedToService": "ec2.amazonaws.com"})]


def _group(name: str, place: Place) -> str:
    return place.arn("autoscaling", f"{_GROUP_ID}{name}")


def _on_group(action: str) -> _Rule:
    return lambda params, place: [Request(f"autoscaling:{action}", _group(params["AutoScalingGroupName"], place))]


def _tag_groups(params: _Params, place: Place) -> list[Request]:
    by_group: dict[str, dict[str, str]] = {}
    for tag in params["Tags"]:
        by_group.setdefault(tag["ResourceId"], {})[tag["Key"]] = tag.get("Value", "")
    return [
        Request("autoscaling:CreateOrUpdateTags", _group(name, place), tag_context(tags))
        for name, tags in by_group.items()
    ]


def _create_target_group(params: _Params, place: Place) -> list[Request]:
    arn = place.arn("elasticloadbalancing", f"targetgroup/{params['Name']}/{_NEW}")
    return _create_in_balancer("CreateTargetGroup", arn, arn, params)


def _create_rule(params: _Params, _place: Place) -> list[Request]:
    listener = params["ListenerArn"]
    return _create_in_balancer(
        "CreateRule", listener, f"{listener.replace(':listener/', ':listener-rule/')}/{_NEW}", params
    )


def _create_in_balancer(operation: str, resource: str, made: str, params: _Params) -> list[Request]:
    tags = tag_context(tags_of(params.get("Tags")))
    requests = [Request(f"elasticloadbalancing:{operation}", resource, tags)]
    if tags:
        context: Context = {**tags, "elasticloadbalancing:CreateAction": operation}
        requests.append(Request("elasticloadbalancing:AddTags", made, context))
    return requests


def _on_balancer(action: str, parameter: str) -> _Rule:
    return lambda params, _place: [Request(f"elasticloadbalancing:{action}", params[parameter])]


def _reads(service: str, prefix: str, *operations: str) -> dict[tuple[str, str], _Rule]:
    """Reads that AWS can't limit to a resource."""

    def rule(operation: str) -> _Rule:
        return lambda _params, _place: [Request(f"{prefix}:{operation}")]

    return {(service, operation): rule(operation) for operation in operations}


RULES: Mapping[tuple[str, str], _Rule] = {
    ("ec2", "CreateLaunchTemplate"): _create_launch_template,
    ("ec2", "CreateLaunchTemplateVersion"): _on_launch_template("CreateLaunchTemplateVersion"),
    ("ec2", "DeleteLaunchTemplate"): _on_launch_template("DeleteLaunchTemplate"),
    ("autoscaling", "CreateAutoScalingGroup"): _create_group,
    ("autoscaling", "CreateOrUpdateTags"): _tag_groups,
    ("autoscaling", "UpdateAutoScalingGroup"): _update_group,
    ("autoscaling", "DeleteAutoScalingGroup"): _on_group("DeleteAutoScalingGroup"),
    ("autoscaling", "CompleteLifecycleAction"): _on_group("CompleteLifecycleAction"),
    ("elbv2", "CreateTargetGroup"): _create_target_group,
    ("elbv2", "ModifyTargetGroupAttributes"): _on_balancer("ModifyTargetGroupAttributes", "TargetGroupArn"),
    ("elbv2", "DeleteTargetGroup"): _on_balancer("DeleteTargetGroup", "TargetGroupArn"),
    ("elbv2", "CreateRule"): _create_rule,
    ("elbv2", "DeleteRule"): _on_balancer("DeleteRule", "RuleArn"),
    **_reads(
        "ec2",
        "ec2",
        "DescribeImages",
        "DescribeInstances",
        "DescribeInstanceTypeOfferings",
        "DescribeInstanceTypes",
        "DescribeLaunchTemplates",
        "DescribeSpotPriceHistory",
        "DescribeSubnets",
    ),
    **_reads(
        "autoscaling",
        "autoscaling",
        "DescribeAutoScalingGroups",
        "DescribeAutoScalingInstances",
        "DescribeScalingActivities",
    ),
    **_reads(
        "elbv2", "elasticloadbalancing", "DescribeRules", "DescribeTags", "DescribeTargetGroups", "DescribeTargetHealth"
    ),
}

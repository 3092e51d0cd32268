"""What SageMaker's and Bedrock's calls ask of IAM."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.sandbox.iam.conditions import Context
from tests.sandbox.iam.request import Place, Request, tag_context, tags_of

_Params = Mapping[str, Any]
_Rule = Callable[[_Params, Place], list[Request]]
_GEOGRAPHIES = frozenset({"us", "us-gov", "eu", "apac", "jp", "au", "ca", "global"})


def _sagemaker(place: Place, kind: str, name: str) -> str:
    return place.arn("sagemaker", f"{kind}/{name.lower()}")  # SageMaker lower-cases names in ARNs


def _one(operation: str, kind: str, parameter: str) -> _Rule:
    return lambda params, place: [Request(f"sagemaker:{operation}", _sagemaker(place, kind, params[parameter]))]


def _create(operation: str, kind: str, parameter: str, *also: tuple[str, str]) -> _Rule:
    """Return the rule of a creation: the new resource, what it refers to, its tags and the role it is given."""

    def rule(params: _Params, place: Place) -> list[Request]:
        made = _sagemaker(place, kind, params[parameter])
        tags = tag_context(tags_of(params.get("Tags")))
        requests = [Request(f"sagemaker:{operation}", made, tags)]
        requests += [
            Request(f"sagemaker:{operation}", _sagemaker(place, other, params[name]), tags) for other, name in also
        ]
        if tags:
            requests.append(Request("sagemaker:AddTags", made, {**tags, "sagemaker:TaggingAction": operation}))
        if role := params.get("ExecutionRoleArn"):
            requests.append(Request("iam:PassRole", role, {"iam:PassedToService": "sagemaker.amazonaws.com"}))
        return requests

    return rule


def _describe_hub_content(params: _Params, place: Place) -> list[Request]:
    hub = params["HubName"]
    owner = "aws" if hub == "SageMakerPublicHub" else None
    version = params.get("HubContentVersion", "1.0.0")
    content = f"hub-content/{hub}/{params['HubContentType']}/{params['HubContentName']}/{version}"
    return [
        Request("sagemaker:DescribeHubContent", place.arn("sagemaker", resource, account=owner))
        for resource in (f"hub/{hub}", content)
    ]


def _invoke_endpoint(operation: str) -> _Rule:
    def rule(params: _Params, place: Place) -> list[Request]:
        resources = [_sagemaker(place, "endpoint", params["EndpointName"])]
        if component := params.get("InferenceComponentName"):
            resources.append(_sagemaker(place, "inference-component", component))
        return [Request(f"sagemaker:{operation}", resource) for resource in resources]

    return rule


def _invoke_model(action: str) -> _Rule:
    return lambda params, place: [Request(action, resource) for resource in _model_arns(params["modelId"], place)]


def _model_arns(model_id: str, place: Place) -> list[str]:
    """Return the model's ARN, and for a cross-region profile its own and its model's, here and elsewhere."""
    if model_id.startswith("arn:"):
        return [model_id]
    geography, _, bare = model_id.partition(".")
    if geography not in _GEOGRAPHIES:
        return [place.arn("bedrock", f"foundation-model/{model_id}", account="")]
    model = f"foundation-model/{bare}"
    elsewhere = "us-west-2" if place.region != "us-west-2" else "us-east-1"
    return [
        place.arn("bedrock", f"inference-profile/{model_id}"),
        place.arn("bedrock", model, account=""),
        place.arn("bedrock", model, account="", region=elsewhere),
    ]


def _get_foundation_model(params: _Params, place: Place) -> list[Request]:
    name = params["modelIdentifier"]
    arn = name if name.startswith("arn:") else place.arn("bedrock", f"foundation-model/{name}", account="")
    return [Request("bedrock:GetFoundationModel", arn)]


def _get_inference_profile(params: _Params, place: Place) -> list[Request]:
    arn = place.or_arn("bedrock", "inference-profile/", params["inferenceProfileIdentifier"])
    return [Request("bedrock:GetInferenceProfile", arn)]


def _anywhere(action: str) -> _Rule:
    return lambda _params, _place: [Request(action)]


def _subscribe(_params: _Params, _place: Place) -> list[Request]:
    """What Bedrock asks of Marketplace in the name of whoever calls a model that is sold there."""
    through: Context = {"aws:CalledVia": ["bedrock.amazonaws.com"], "aws:CalledViaLast": "bedrock.amazonaws.com"}
    actions = ("aws-marketplace:ViewSubscriptions", "aws-marketplace:Subscribe")
    return [Request(action, context=through) for action in actions]


def _create_import_job(params: _Params, place: Place) -> list[Request]:
    requests = [
        Request("bedrock:CreateModelImportJob", context=_lower_tags(params.get("jobTags"))),
        Request("iam:PassRole", params["roleArn"], {"iam:PassedToService": "bedrock.amazonaws.com"}),
    ]
    for kind, parameter in (("model-import-job", "jobTags"), ("imported-model", "importedModelTags")):
        if tags := _lower_tags(params.get(parameter)):
            requests.append(Request("bedrock:TagResource", place.arn("bedrock", f"{kind}/abcdef123456"), tags))
    return requests


def _lower_tags(tags: Any) -> Mapping[str, str | list[str]]:
    return tag_context({tag["key"]: tag["value"] for tag in tags or ()})


def _on_import(action: str, kind: str, parameter: str) -> _Rule:
    """Return the rule of a call on what Bedrock gave an id, by ARN or name; what is not there has no tags."""

    def rule(params: _Params, place: Place) -> list[Request]:
        name = str(params[parameter])
        arn = name if name.startswith("arn:") else place.arn("bedrock", f"{kind}/abcdef123456")
        return [Request(f"bedrock:{action}", arn, tag_context(place.imported_tags(name), "aws:ResourceTag"))]

    return rule


_COMPONENT = ("inference-component", "InferenceComponentName")
_INVOKE, _STREAM = "bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"

RULES: Mapping[tuple[str, str], _Rule] = {
    ("sagemaker", "DescribeHubContent"): _describe_hub_content,
    ("sagemaker", "CreateModel"): _create("CreateModel", "model", "ModelName"),
    ("sagemaker", "CreateEndpointConfig"): _create("CreateEndpointConfig", "endpoint-config", "EndpointConfigName"),
    ("sagemaker", "CreateEndpoint"): _create(
        "CreateEndpoint", "endpoint", "EndpointName", ("endpoint-config", "EndpointConfigName")
    ),
    ("sagemaker", "CreateInferenceComponent"): _create(
        "CreateInferenceComponent", *_COMPONENT, ("endpoint", "EndpointName")
    ),
    ("sagemaker", "DescribeEndpoint"): _one("DescribeEndpoint", "endpoint", "EndpointName"),
    ("sagemaker", "DescribeInferenceComponent"): _one("DescribeInferenceComponent", *_COMPONENT),
    ("sagemaker", "UpdateInferenceComponentRuntimeConfig"): _one("UpdateInferenceComponentRuntimeConfig", *_COMPONENT),
    ("sagemaker", "DeleteInferenceComponent"): _one("DeleteInferenceComponent", *_COMPONENT),
    ("sagemaker", "DeleteEndpoint"): _one("DeleteEndpoint", "endpoint", "EndpointName"),
    ("sagemaker", "DeleteEndpointConfig"): _one("DeleteEndpointConfig", "endpoint-config", "EndpointConfigName"),
    ("sagemaker", "DescribeModel"): _one("DescribeModel", "model", "ModelName"),
    ("sagemaker", "DeleteModel"): _one("DeleteModel", "model", "ModelName"),
    ("sagemaker", "DescribeEndpointConfig"): _one("DescribeEndpointConfig", "endpoint-config", "EndpointConfigName"),
    ("sagemaker", "ListInferenceComponents"): _anywhere("sagemaker:ListInferenceComponents"),
    ("sagemaker", "ListEndpoints"): _anywhere("sagemaker:ListEndpoints"),
    ("sagemaker", "ListTags"): lambda params, _place: [Request("sagemaker:ListTags", params["ResourceArn"])],
    ("sagemaker-runtime", "InvokeEndpoint"): _invoke_endpoint("InvokeEndpoint"),
    ("sagemaker-runtime", "InvokeEndpointWithResponseStream"): _invoke_endpoint("InvokeEndpointWithResponseStream"),
    ("aws-marketplace", "Subscribe"): _subscribe,
    ("bedrock", "CreateModelImportJob"): _create_import_job,
    ("bedrock", "GetModelImportJob"): _on_import("GetModelImportJob", "model-import-job", "jobIdentifier"),
    ("bedrock", "GetImportedModel"): _on_import("GetImportedModel", "imported-model", "modelIdentifier"),
    ("bedrock", "ListTagsForResource"): _on_import("ListTagsForResource", "imported-model", "resourceARN"),
    ("bedrock", "DeleteImportedModel"): _on_import("DeleteImportedModel", "imported-model", "modelIdentifier"),
    ("bedrock", "GetFoundationModel"): _get_foundation_model,
    ("bedrock", "GetFoundationModelAvailability"): _anywhere("bedrock:GetFoundationModelAvailability"),
    ("bedrock", "GetInferenceProfile"): _get_inference_profile,
    ("bedrock", "ListFoundationModels"): _anywhere("bedrock:ListFoundationModels"),
    ("bedrock", "ListInferenceProfiles"): _anywhere("bedrock:ListInferenceProfiles"),
    ("bedrock-runtime", "Converse"): _invoke_model(_INVOKE),
    ("bedrock-runtime", "InvokeModel"): _invoke_model(_INVOKE),
    ("bedrock-runtime", "ConverseStream"): _invoke_model(_STREAM),
    ("bedrock-runtime", "InvokeModelWithResponseStream"): _invoke_model(_STREAM),
}

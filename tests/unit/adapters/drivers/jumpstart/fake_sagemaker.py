# ruff: noqa: N803 - parameters bear the names that the API gives them
"""SageMaker as far as the JumpStart driver uses it, in memory; every call's parameters are checked by botocore."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

DOCUMENT = json.loads(Path("tests/fixtures/hub_content_document.json").read_text(encoding="utf-8"))


def arn_of(kind: str, name: str) -> str:
    return f"arn:aws:sagemaker:us-east-1:123456789012:{kind}/{name}"


def refused(message: str, code: str = "ValidationException", operation: str = "Call") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


@dataclass
class FakeSageMaker:
    """Endpoints come up, and copies start, when a test says so."""

    documents: dict[str, Any] = field(default_factory=dict)
    models: dict[str, Any] = field(default_factory=dict)
    configs: dict[str, Any] = field(default_factory=dict)
    endpoints: dict[str, Any] = field(default_factory=dict)
    components: dict[str, Any] = field(default_factory=dict)
    fails: dict[str, ClientError] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        client = boto3.client("sagemaker", "us-east-1", aws_access_key_id="t", aws_secret_access_key="t")
        self._model = client.meta.service_model

    def __getattr__(self, name: str) -> Any:
        operation = "".join(part.title() for part in name.split("_"))

        def call(**params: Any) -> Any:
            shape: Any = self._model.operation_model(operation).input_shape
            report = ParamValidator().validate(params, shape)
            assert not report.has_errors(), report.generate_report()
            self.calls.append(operation)
            if operation in self.fails:
                raise self.fails[operation]
            return object.__getattribute__(self, f"_{name}")(**params)

        return call

    def endpoint_is(self, status: str, **fields: Any) -> None:
        for endpoint in self.endpoints.values():
            endpoint.update(EndpointStatus=status, **fields)

    def component_is(self, status: str, current: int, **fields: Any) -> None:
        for component in self.components.values():
            component.update(InferenceComponentStatus=status, **fields)
            component["RuntimeConfig"]["CurrentCopyCount"] = current

    def _describe_hub_content(self, HubContentName: str, **_: Any) -> Any:
        if HubContentName not in self.documents:
            raise refused(f"HubContent {HubContentName} does not exist", "ResourceNotFound")
        return {"HubContentDocument": json.dumps(self.documents[HubContentName])}

    def _create_model(self, ModelName: str, **params: Any) -> None:
        _once(self.models, ModelName, "model", params)

    def _create_endpoint_config(self, EndpointConfigName: str, **params: Any) -> None:
        _once(self.configs, EndpointConfigName, "endpoint configuration", params)

    def _describe_model(self, ModelName: str) -> Any:
        if ModelName not in self.models:
            raise refused(f'Could not find model "{ModelName}".')
        return {"ModelArn": arn_of("model", ModelName)}

    def _describe_endpoint_config(self, EndpointConfigName: str) -> Any:
        if EndpointConfigName not in self.configs:
            raise refused(f'Could not find endpoint configuration "{EndpointConfigName}".')
        return {"EndpointConfigArn": arn_of("endpoint-config", EndpointConfigName)}

    def _list_tags(self, ResourceArn: str) -> Any:
        kind, name = ResourceArn.rsplit(":", 1)[1].split("/")
        things = {
            "model": self.models,
            "endpoint-config": self.configs,
            "endpoint": self.endpoints,
            "inference-component": self.components,
        }[kind]
        return {"Tags": things[name].get("Tags", [])}

    def get_paginator(self, operation: str) -> Any:
        """Return the one page that there is."""
        page = getattr(self, operation)
        return SimpleNamespace(paginate=lambda **params: [page(**params)])

    def _create_endpoint(self, EndpointName: str, **params: Any) -> None:
        _once(self.endpoints, EndpointName, "endpoint", {**params, "EndpointStatus": "Creating"})

    def _describe_endpoint(self, EndpointName: str) -> Any:
        if EndpointName not in self.endpoints:
            raise refused(f'Could not find endpoint "{EndpointName}".')
        return {**self.endpoints[EndpointName], "EndpointArn": arn_of("endpoint", EndpointName)}

    def _create_inference_component(self, InferenceComponentName: str, **params: Any) -> None:
        if self.endpoints[params["EndpointName"]]["EndpointStatus"] != "InService":
            raise refused("Endpoint is not InService")
        copies = params["RuntimeConfig"]["CopyCount"]
        runtime = {"DesiredCopyCount": copies, "CurrentCopyCount": 0}
        made = {**params, "InferenceComponentStatus": "Creating", "RuntimeConfig": runtime}
        _once(self.components, InferenceComponentName, "inference component", made)

    def _describe_inference_component(self, InferenceComponentName: str) -> Any:
        if InferenceComponentName not in self.components:
            raise refused(f'Could not find inference component "{InferenceComponentName}".')
        arn = arn_of("inference-component", InferenceComponentName)
        return {**self.components[InferenceComponentName], "InferenceComponentArn": arn}

    def _update_inference_component_runtime_config(
        self, InferenceComponentName: str, DesiredRuntimeConfig: Any
    ) -> None:
        component = self.components[InferenceComponentName]
        component["RuntimeConfig"]["DesiredCopyCount"] = DesiredRuntimeConfig["CopyCount"]
        component["InferenceComponentStatus"] = "Updating"

    def _delete_inference_component(self, InferenceComponentName: str) -> None:
        self._describe_inference_component(InferenceComponentName)
        self.components[InferenceComponentName]["InferenceComponentStatus"] = "Deleting"

    def _delete_endpoint(self, EndpointName: str) -> None:
        assert EndpointName not in [component["EndpointName"] for component in self.components.values()]
        self._describe_endpoint(EndpointName)
        self.endpoints[EndpointName]["EndpointStatus"] = "Deleting"

    def _delete_endpoint_config(self, EndpointConfigName: str) -> None:
        if not self.configs.pop(EndpointConfigName, None):
            raise refused(f'Could not find endpoint configuration "{EndpointConfigName}".')

    def _delete_model(self, ModelName: str) -> None:
        if not self.models.pop(ModelName, None):
            raise refused(f'Could not find model "{ModelName}".')


def _once(things: dict[str, Any], name: str, kind: str, params: Any) -> None:
    if name in things:
        raise refused(f'Cannot create already existing {kind} "{name}".')
    things[name] = params

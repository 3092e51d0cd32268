"""The part of Bedrock's control plane that moto lacks: the catalog, access and profiles; imports stand beside."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from aiohttp import web

from tests.sandbox.aws_errors import AwsError, Handler, answering_errors
from tests.sandbox.bedrock_catalog import Catalog, FoundationModel
from tests.sandbox.bedrock_imports import ModelImports


class BedrockControl:
    """Answers in the sandbox's time, which ``now`` tells; an import takes ``import_seconds`` of it.

    ``is_throttled`` is asked before each call of the catalog, by the operation's name; ``settle`` is called before an
    agreement is looked at.
    """

    def __init__(
        self,
        now: Callable[[], datetime],
        catalog: Catalog,
        *,
        region: str = "us-east-1",
        account: str = "123456789012",
        import_seconds: float = 600.0,
        is_throttled: Callable[[str], bool] = lambda operation: False,
        settle: Callable[[], None] = lambda: None,
    ) -> None:
        self.catalog = catalog
        self._settle = settle
        self._is_throttled = is_throttled
        self.imports = ModelImports(now, catalog, region=region, account=account, seconds=import_seconds)
        self._region = region
        self._account = account

    def routes(self) -> list[web.RouteDef]:
        """Return the routes, to be mounted in one application."""
        handlers = [
            ("/foundation-models", "ListFoundationModels", self._list_models),
            ("/foundation-models/{id}", "GetFoundationModel", self._get_model),
            ("/foundation-model-availability/{id}", "GetFoundationModelAvailability", self._get_availability),
            ("/inference-profiles", "ListInferenceProfiles", self._list_profiles),
            ("/inference-profiles/{id}", "GetInferenceProfile", self._get_profile),
        ]
        own = [
            web.route("GET", path, answering_errors(self._unless_throttled(operation, handler)))
            for path, operation, handler in handlers
        ]
        return own + self.imports.routes()

    def _unless_throttled(self, operation: str, handler: Handler) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            if self._is_throttled(operation):
                raise AwsError(429, "ThrottlingException", "Too many requests, please wait before trying again.")
            return await handler(request)

        return handle

    async def _list_models(self, request: web.Request) -> web.Response:
        provider = request.query.get("byProvider", "").lower()
        kind = request.query.get("byInferenceType")
        models = [
            model
            for model in self.catalog.models.values()
            if model.region_available
            and (not provider or model.provider.lower() == provider)
            and (kind is None or kind in model.inference_types)
        ]
        wanted = request.query.get("byOutputModality", "TEXT") == "TEXT"
        return web.json_response({"modelSummaries": [self._model(model) for model in models if wanted]})

    async def _get_model(self, request: web.Request) -> web.Response:
        return web.json_response({"modelDetails": self._model(self._found(request))})

    async def _get_availability(self, request: web.Request) -> web.Response:
        self._settle()
        model = self.catalog.models.get(request.match_info["id"])
        if model is None:
            raise AwsError(400, "ValidationException", "The provided model identifier is invalid.")
        body = {
            "modelId": model.id,
            "agreementAvailability": {"status": model.agreement},
            "authorizationStatus": "AUTHORIZED" if model.authorized else "NOT_AUTHORIZED",
            "entitlementAvailability": _available(model.entitled),
            "regionAvailability": _available(model.region_available),
        }
        return web.json_response(body)

    async def _list_profiles(self, request: web.Request) -> web.Response:
        wanted = request.query.get("type", "SYSTEM_DEFINED") == "SYSTEM_DEFINED"
        profiles = [self._profile(profile) for profile in self.catalog.profiles if wanted]
        return web.json_response({"inferenceProfileSummaries": profiles})

    async def _get_profile(self, request: web.Request) -> web.Response:
        profile = request.match_info["id"].rsplit("/", 1)[-1]
        if profile not in self.catalog.profiles:
            raise AwsError(404, "ResourceNotFoundException", "The provided inference profile identifier is invalid.")
        return web.json_response(self._profile(profile))

    def _found(self, request: web.Request) -> FoundationModel:
        identifier = request.match_info["id"].rsplit("/", 1)[-1]
        model = self.catalog.models.get(identifier)
        if model is None:
            raise AwsError(404, "ResourceNotFoundException", f"Could not resolve the foundation model {identifier}.")
        return model

    def _arn(self, model_id: str) -> str:
        return f"arn:aws:bedrock:{self._region}::foundation-model/{model_id}"

    def _model(self, model: FoundationModel) -> dict[str, Any]:
        return {
            "modelArn": self._arn(model.id),
            "modelId": model.id,
            "modelName": model.id.split(".", 1)[-1],
            "providerName": model.provider,
            "inputModalities": ["TEXT"],
            "outputModalities": ["TEXT"],
            "responseStreamingSupported": True,
            "customizationsSupported": [],
            "inferenceTypesSupported": list(model.inference_types),
            "modelLifecycle": {"status": model.lifecycle},
        }

    def _profile(self, profile: str) -> dict[str, Any]:
        geography = profile.split(".", 1)[0].upper()
        return {
            "inferenceProfileName": f"{geography} {self.catalog.profiles[profile]}",
            "inferenceProfileArn": f"arn:aws:bedrock:{self._region}:{self._account}:inference-profile/{profile}",
            "inferenceProfileId": profile,
            "models": [
                {"modelArn": f"arn:aws:bedrock:{region}::foundation-model/{self.catalog.profiles[profile]}"}
                for region in self.catalog.regions[profile.split(".", 1)[0]]
            ],
            "status": "ACTIVE",
            "type": "SYSTEM_DEFINED",
        }


def _available(value: bool) -> str:
    return "AVAILABLE" if value else "NOT_AVAILABLE"

"""The environment, read in this one place, each variable when it is first needed."""

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

# How long a stream's upstream may be silent, unless ``GATEWAY_IDLE_SECONDS`` says otherwise.
IDLE_SECONDS = 60.0
# Origins as browsers send them: a scheme and a host, and nothing after them.
_ORIGIN = r"[a-z][a-z0-9+.-]*://[^\s,/*]+"
_ORIGINS = re.compile(rf"|\*|{_ORIGIN}(,{_ORIGIN})*")


class BadSetting(RuntimeError):
    """A variable has a value that it cannot have."""


class MissingSetting(BadSetting):
    """The template did not give this function a variable that its code needs."""


def _variable(name: str) -> property:
    def read(self: "Settings") -> str:
        value = self.environ.get(name)
        if not value:
            raise MissingSetting(f"environment variable {name} is not set")
        return value

    return property(read, doc=f"``{name}``")


@dataclass(frozen=True)
class Settings:
    """Typed access to the function's environment; a function that lacks a variable fails on its first use only."""

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    region = _variable("AWS_REGION")
    stack = _variable("SPILLWAY_STACK")
    deployments_table = _variable("DEPLOYMENTS_TABLE")
    routes_table = _variable("ROUTES_TABLE")
    usage_table = _variable("USAGE_TABLE")
    decisions_table = _variable("DECISIONS_TABLE")
    keys_table = _variable("KEYS_TABLE")
    limits_table = _variable("LIMITS_TABLE")
    checks_table = _variable("CHECKS_TABLE")
    loads_table = _variable("LOADS_TABLE")
    idempotency_table = _variable("IDEMPOTENCY_TABLE")
    prices_table = _variable("PRICES_TABLE")
    reviews_table = _variable("REVIEWS_TABLE")
    benchmarks_table = _variable("BENCHMARKS_TABLE")
    text_log_group = _variable("TEXT_LOG_GROUP")
    event_bus = _variable("EVENT_BUS")
    scale_topic_arn = _variable("SCALE_TOPIC_ARN")
    cost_topic_arn = _variable("COST_TOPIC_ARN")
    operations_topic_arn = _variable("OPERATIONS_TOPIC_ARN")
    deploy_workflow_arn = _variable("DEPLOY_WORKFLOW_ARN")
    scale_workflow_arn = _variable("SCALE_WORKFLOW_ARN")
    retire_workflow_arn = _variable("RETIRE_WORKFLOW_ARN")
    benchmark_workflow_arn = _variable("BENCHMARK_WORKFLOW_ARN")
    drive_bedrock_function_arn = _variable("DRIVE_BEDROCK_FUNCTION_ARN")
    drive_import_function_arn = _variable("DRIVE_IMPORT_FUNCTION_ARN")
    drive_jumpstart_function_arn = _variable("DRIVE_JUMPSTART_FUNCTION_ARN")
    drive_fleet_function_arn = _variable("DRIVE_FLEET_FUNCTION_ARN")
    admin_secret_arn = _variable("ADMIN_SECRET_ARN")
    endpoint_role_arn = _variable("ENDPOINT_ROLE_ARN")
    import_role_arn = _variable("IMPORT_ROLE_ARN")
    fleets_url = _variable("FLEETS_URL")
    fleet_vpc_id = _variable("FLEET_VPC_ID")
    fleet_subnet_ids = _variable("FLEET_SUBNET_IDS")
    fleet_security_group_id = _variable("FLEET_SECURITY_GROUP_ID")
    fleet_listener_arn = _variable("FLEET_LISTENER_ARN")
    fleet_instance_profile_arn = _variable("FLEET_INSTANCE_PROFILE_ARN")
    fleet_public_ip = _variable("FLEET_PUBLIC_IP")
    hugging_face_secret_arn = _variable("HUGGING_FACE_SECRET_ARN")

    def has(self, variable: str) -> bool:
        """Whether an optional variable is set."""
        return bool(self.environ.get(variable))

    @property
    def workflow_arns(self) -> dict[str, str]:
        """Return the state machine of each workflow by the workflow's name."""
        return {
            "deploy": self.deploy_workflow_arn,
            "scale": self.scale_workflow_arn,
            "retire": self.retire_workflow_arn,
            "benchmark": self.benchmark_workflow_arn,
        }

    @property
    def driver_arns(self) -> dict[str, str]:
        """Return the driver's function of each path by the path's name."""
        return {
            "bedrock": self.drive_bedrock_function_arn,
            "import": self.drive_import_function_arn,
            "jumpstart": self.drive_jumpstart_function_arn,
            "fleet": self.drive_fleet_function_arn,
        }

    @property
    def compares_with_bill(self) -> bool:
        """``COMPARE_WITH_BILL``: whether Cost Explorer may be asked."""
        return self.environ.get("COMPARE_WITH_BILL") == "true"

    @property
    def allows_model_subscriptions(self) -> bool:
        """``ALLOW_MODEL_SUBSCRIPTIONS``: whether a smoke test may subscribe the account to a model."""
        return self.environ.get("ALLOW_MODEL_SUBSCRIPTIONS") == "true"

    @property
    def on_lambda(self) -> bool:
        """Whether Lambda runs this process, and freezes it between requests."""
        return self.has("AWS_LAMBDA_FUNCTION_NAME")

    @property
    def lambda_megabytes(self) -> int:
        """The memory that Lambda bills this process for; 0 outside of Lambda."""
        return int(self._number("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", 0, 0))

    @property
    def starts_from_snapshot(self) -> bool:
        """Whether this process is being made into a Lambda SnapStart snapshot, or was restored from one."""
        return self.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start"

    @property
    def gateway_idle_seconds(self) -> float:
        """``GATEWAY_IDLE_SECONDS``: how long a stream's upstream may be silent before it counts as broken."""
        return self._number("GATEWAY_IDLE_SECONDS", IDLE_SECONDS, 0.001)

    @property
    def key_cache_seconds(self) -> float:
        """``KEY_CACHE_SECONDS``: how long a server of its own remembers what a key may do."""
        return self._number("KEY_CACHE_SECONDS", 60.0, 0)

    @property
    def gateway_most_requests(self) -> int:
        """``GATEWAY_MOST_REQUESTS``: how many requests a server of its own answers at once."""
        return int(self._number("GATEWAY_MOST_REQUESTS", 1000, 1))

    @property
    def gateway_drain_seconds(self) -> int:
        """``GATEWAY_DRAIN_SECONDS``: how long a server that is told to stop lets requests in flight go on."""
        return int(self._number("GATEWAY_DRAIN_SECONDS", 900, 0))

    @property
    def cors_origins(self) -> frozenset[str]:
        """``CORS_ORIGINS``: the origins whose pages may read answers, separated by commas; ``*`` is all, empty none."""
        text = self.environ.get("CORS_ORIGINS") or ""
        if not _ORIGINS.fullmatch(text):
            allowed = "'*' or origins such as https://chat.example.com, separated by commas"
            raise BadSetting(f"environment variable CORS_ORIGINS must be {allowed}, not '{text}'")
        return frozenset(filter(None, text.split(",")))

    def _number(self, name: str, default: float, least: float) -> float:
        text = self.environ.get(name) or str(default)
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value < math.inf:
            raise BadSetting(f"environment variable {name} must be a number from {least:g} on, not '{text}'")
        return value

    def endpoint_url(self, service: str) -> str | None:
        """Return the endpoint that the SDKs' own variables name for a service id such as ``BEDROCK_RUNTIME``."""
        found = self.environ.get(f"AWS_ENDPOINT_URL_{service}") or self.environ.get("AWS_ENDPOINT_URL")
        return found.rstrip("/") if found else None

    def static_credentials(self) -> tuple[str, str, str | None] | None:
        """Return access key, secret key and session token as Lambda puts them into the environment."""
        access_key, secret_key = self.environ.get("AWS_ACCESS_KEY_ID"), self.environ.get("AWS_SECRET_ACCESS_KEY")
        if not access_key or not secret_key:
            return None
        return access_key, secret_key, self.environ.get("AWS_SESSION_TOKEN") or None

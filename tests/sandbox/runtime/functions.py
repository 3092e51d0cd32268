"""What the runtime knows of one function: its code, its environment and its limits."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
SOURCES = REPOSITORY / "layers" / "spillway" / "src"
# The variable that names a folder with another boto3 for the functions.
FUNCTIONS_SDK = "SPILLWAY_FUNCTIONS_SDK"


@dataclass(frozen=True)
class FunctionSpec:
    """One ``AWS::Lambda::Function`` of the stack, resolved."""

    logical_id: str
    name: str
    arn: str
    handler: str
    code: Path
    environment: Mapping[str, str]
    timeout_seconds: float
    memory_mb: int
    role_arn: str
    dead_letter_arn: str | None = None
    retries: int = 2


@dataclass(frozen=True)
class Surroundings:
    """What every worker gets beside its own variables."""

    region: str
    endpoint_url: str
    clock: str
    account: str
    extra: Mapping[str, str] = field(default_factory=dict)


def access_key_id(role_arn: str) -> str:
    """Return the access key id that stands for a role in the sandbox: deterministic, in the form of AWS's own."""
    digest = hashlib.sha256(role_arn.encode()).hexdigest().upper()
    return "ASIA" + digest[:16]


def secret_access_key(key_id: str) -> str:
    """Return the secret belonging to a sandbox access key id."""
    return hashlib.sha256(f"sandbox {key_id}".encode()).hexdigest()[:40]


def worker_environment(spec: FunctionSpec, around: Surroundings) -> dict[str, str]:
    """Return the whole environment of a worker: the template's variables and those that Lambda itself sets."""
    key_id = access_key_id(spec.role_arn)
    return {
        "AWS_ACCESS_KEY_ID": key_id,
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_DEFAULT_REGION": around.region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": around.endpoint_url,
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory_mb),
        "AWS_LAMBDA_FUNCTION_NAME": spec.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{spec.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "sandbox",
        "AWS_REGION": around.region,
        "AWS_SECRET_ACCESS_KEY": secret_access_key(key_id),
        "AWS_SESSION_TOKEN": "sandbox",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "LAMBDA_TASK_ROOT": str(spec.code),
        "LANG": "en_US.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": str(SOURCES),
        "SANDBOX_CLOCK": around.clock,
        "TZ": ":UTC",
        "_HANDLER": spec.handler,
        **around.extra,
        **spec.environment,
    }

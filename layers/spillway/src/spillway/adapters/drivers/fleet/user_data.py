"""The script that an instance of a fleet runs at its first boot."""

import shlex
from importlib.resources import files

from spillway.adapters.drivers.fleet.config import DRAIN_SECONDS, HOOK_NAME, READY_WITHIN_SECONDS, FleetConfig
from spillway.domain.deployments.resource_names import Names
from spillway.domain.deployments.spec import DeploymentSpec
from spillway.domain.paths.model_catalog import hugging_face_id

# A pinned release of AWS's own vLLM image for EC2 (vLLM 0.27, CUDA 13).
ENGINE_IMAGE = "public.ecr.aws/deep-learning-containers/vllm:server-cuda-v2.3"

# HAProxy's long-term release, from the mirror that AWS keeps of Docker's official images.
PROXY_IMAGE = "public.ecr.aws/docker/library/haproxy:3.0.8-alpine"


def user_data(spec: DeploymentSpec, names: Names, config: FleetConfig) -> str:
    """Return the script with the deployment's values in it, each quoted for the shell."""
    weights = spec.model.weights
    values = {
        "REGION": config.region,
        "DEPLOYMENT": spec.name,
        "GROUP": names.base,
        "HOOK": HOOK_NAME,
        "IMAGE": ENGINE_IMAGE,
        "PROXY_IMAGE": PROXY_IMAGE if has_proxy(spec.capacity.max) else "",
        "MODEL": weights or hugging_face_id(spec.model.id),
        # Straight from S3 into the GPU's memory, without the detour over the disk.
        "LOAD_FORMAT": "runai_streamer" if weights else "",
        "MAX_MODEL_LEN": str(spec.engine.max_model_len),
        "MEDIA_DOMAINS": " ".join(spec.engine.media_domains),
        "TOKEN_SECRET": "" if weights else config.hugging_face_secret_arn or "",
        "READY_WITHIN_SECONDS": str(READY_WITHIN_SECONDS),
        "SHUTDOWN_SECONDS": str(DRAIN_SECONDS // 2),
    }
    proxy = _data("proxy.sh").replace("@@CONFIG@@\n", _data("haproxy.cfg")) if has_proxy(spec.capacity.max) else ""
    script = _data("user_data.sh").replace("@@PROXY@@\n", proxy)
    for name, value in values.items():
        script = script.replace(f"@@{name}@@", shlex.quote(value))
    return script


def has_proxy(max_instances: int) -> bool:
    """Whether a fleet's instances have a proxy each, which leads a conversation to one engine: not for a single one."""
    return max_instances > 1


def _data(name: str) -> str:
    return files("spillway.adapters.drivers.fleet").joinpath("boot", name).read_text(encoding="utf-8")

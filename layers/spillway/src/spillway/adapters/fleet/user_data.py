"""The script that an instance of a fleet runs at its first boot."""

import shlex
from importlib.resources import files

from spillway.adapters.fleet.config import DRAIN_SECONDS, HOOK_NAME, READY_WITHIN_SECONDS, FleetConfig
from spillway.domain import catalog
from spillway.domain.names import Names
from spillway.domain.spec import DeploymentSpec

# A pinned release of AWS's own vLLM image for EC2 (vLLM 0.27, CUDA 13).
ENGINE_IMAGE = "public.ecr.aws/deep-learning-containers/vllm:server-cuda-v2.3"


def user_data(spec: DeploymentSpec, names: Names, config: FleetConfig) -> str:
    """Return the script with the deployment's values in it, each quoted for the shell."""
    weights = spec.model.weights
    values = {
        "REGION": config.region,
        "DEPLOYMENT": spec.name,
        "GROUP": names.base,
        "HOOK": HOOK_NAME,
        "IMAGE": ENGINE_IMAGE,
        "MODEL": weights or catalog.hugging_face_id(spec),
        # Straight from S3 into the GPU's memory, without the detour over the disk.
        "LOAD_FORMAT": "runai_streamer" if weights else "",
        "MAX_MODEL_LEN": str(spec.engine.max_model_len),
        "MEDIA_DOMAINS": " ".join(spec.engine.media_domains),
        "TOKEN_SECRET": "" if weights else config.hugging_face_secret_arn or "",
        "READY_WITHIN_SECONDS": str(READY_WITHIN_SECONDS),
        "SHUTDOWN_SECONDS": str(DRAIN_SECONDS // 2),
    }
    script = files("spillway.data").joinpath("user_data.sh").read_text(encoding="utf-8")
    for name, value in values.items():
        script = script.replace(f"@@{name}@@", shlex.quote(value))
    return script

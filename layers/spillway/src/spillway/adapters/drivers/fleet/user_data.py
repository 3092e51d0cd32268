"""The script that an instance of a fleet runs at its first boot."""

import gzip
import re
import shlex
from collections.abc import Iterable
from importlib.resources import files
from typing import assert_never

from spillway.adapters.drivers.fleet.config import DRAIN_SECONDS, HOOK_NAME, READY_WITHIN_SECONDS, FleetConfig
from spillway.domain.deployments.resource_names import Names
from spillway.domain.deployments.spec import DeploymentSpec
from spillway.domain.engines.engine import Engine, Launch, OnInstance, Word
from spillway.domain.engines.registry import engine_of
from spillway.domain.paths.model_catalog import hugging_face_id

# HAProxy's long-term release, from the mirror that AWS keeps of Docker's official images.
PROXY_IMAGE = "public.ecr.aws/docker/library/haproxy:3.0.8-alpine"

_SHUTDOWN_SECONDS = DRAIN_SECONDS // 2
# In a folder that the engine's container sees too.
_TEMPLATE_FILE = "/run/spillway/chat-template.jinja"


def user_data(spec: DeploymentSpec, names: Names, config: FleetConfig) -> str:
    """Return the script with the values of the deployment and its engine in it, each quoted for the shell."""
    engine = engine_of(spec.engine.name)
    values = {
        "REGION": config.region,
        "DEPLOYMENT": spec.name,
        "GROUP": names.base,
        "HOOK": HOOK_NAME,
        "LOADS_TABLE": config.loads_table,
        "IMAGE": engine.image,
        "PROXY_IMAGE": PROXY_IMAGE if has_proxy(spec.capacity.max) else "",
        "CHAT_TEMPLATE": spec.engine.chat_template or "",
        "TEMPLATE_FILE": _TEMPLATE_FILE,
        "TOKEN_SECRET": "" if spec.model.weights else config.hugging_face_secret_arn or "",
        "READY_WITHIN_SECONDS": str(READY_WITHIN_SECONDS),
        "SHUTDOWN_SECONDS": str(_SHUTDOWN_SECONDS),
        "ENTRYPOINT": engine.entrypoint,
        "ENGINE_PORT": str(engine.port),
        "HEALTH_PATH": engine.health_path,
        "METRICS_PATH": engine.metrics_path,
    }
    filled = {name: shlex.quote(value) for name, value in values.items()} | _engine_code(engine, spec)
    proxy = _text("proxy.sh").replace("@@CONFIG@@\n", _text("haproxy.cfg")) if has_proxy(spec.capacity.max) else ""
    script = _text("user_data.sh").replace("@@PROXY@@\n", proxy)
    return re.sub(r"@@(\w+)@@", lambda place: filled[place[1]], script)


def packed(script: str) -> bytes:
    """Return the script as an instance gets it: EC2 takes 16,384 bytes, and cloud-init unpacks what is compressed."""
    return gzip.compress(script.encode(), mtime=0)


def has_proxy(max_instances: int) -> bool:
    """Whether a fleet's instances have a proxy each, which leads a conversation to one engine: not for a single one."""
    return max_instances > 1


def _engine_code(engine: Engine, spec: DeploymentSpec) -> dict[str, str]:
    """Return the parts of the script that are more than one word, as the script has them."""
    weights = spec.model.weights
    launch = Launch(
        model=weights or hugging_face_id(spec.model.id),
        is_own_weights=weights is not None,
        served_name=spec.name,
        max_model_len=spec.engine.max_model_len,
        media_domains=spec.engine.media_domains,
        shutdown_seconds=_SHUTDOWN_SECONDS,
        options=spec.engine_options,
        chat_template=_TEMPLATE_FILE if spec.engine.chat_template else None,
    )
    return {
        "ARGUMENTS": " ".join(map(_shell, engine.arguments(launch))),
        "ENVIRONMENT": " ".join(f"--env {shlex.quote(f'{key}={value}')}" for key, value in engine.environment.items()),
        "IS_RUNNING": _awk(engine.gauges.running),
        "IS_WAITING": _awk(engine.gauges.waiting),
        "IS_CACHE_USE": _awk(engine.gauges.cache_use),
    }


def _shell(word: Word) -> str:
    match word:
        case str():
            return shlex.quote(word)
        case OnInstance.GPU_COUNT:
            return '"$(nvidia-smi -L | wc -l)"'
        case _:
            assert_never(word)


def _awk(names: Iterable[str]) -> str:
    """Return awk's condition for a line of one of these names: Prometheus's, so none has a quote."""
    return " || ".join(f'name == "{name}"' for name in names)


def _text(name: str) -> str:
    return files("spillway.adapters.drivers.fleet").joinpath("boot", name).read_text(encoding="utf-8")

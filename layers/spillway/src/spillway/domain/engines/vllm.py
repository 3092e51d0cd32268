"""vLLM, in AWS's own image for EC2."""

import json
from collections.abc import Iterator, Mapping

from spillway.domain.engines.engine import (
    Container,
    Engine,
    Flag,
    Gauges,
    Launch,
    OnInstance,
    Options,
    Setting,
    Word,
    json_object,
    share,
    switch,
    whole,
    word,
)
from spillway.domain.engines.vllm_parsers import REASONING_PARSERS, TOOL_CALL_PARSERS, parsers_of
from spillway.domain.task import Task

_PORT = 8000
_STRUCTURED = "structured-outputs-config"
_BACKENDS = ("auto", "xgrammar", "guidance", "outlines")


def _arguments(launch: Launch) -> list[Word]:
    """Return those of one engine over all GPUs, without flags that the image may not know: an unknown one ends it."""
    words: list[Word] = ["serve", launch.model, "--served-model-name", launch.served_name]
    words += ["--host", "0.0.0.0", "--port", str(_PORT)]  # noqa: S104 of its container, which publishes one port
    words += ["--max-model-len", str(launch.max_model_len), "--tensor-parallel-size", OnInstance.GPU_COUNT]
    words += ["--shutdown-timeout", str(launch.shutdown_seconds)]
    if launch.is_own_weights:
        # Straight from S3 into the GPU's memory, without the detour over the disk.
        words += ["--load-format", "runai_streamer"]
    if launch.media_domains:
        words += ["--allowed-media-domains", *launch.media_domains]
    if launch.chat_template:
        words += ["--chat-template", launch.chat_template]
    # Last, so that what the user gave counts where it is there already.
    return [*words, *(each for name, value in _settings(launch.options).items() for each in _flag(name, value))]


def _settings(options: Options) -> dict[str, Setting]:
    settings: dict[str, Setting] = {}
    if options.task is not Task.CHAT:
        # Some models pool by themselves; others would write text, also where they were trained to embed.
        settings["runner"] = "pooling"
    if options.tool_call_parser:
        # Each ends the engine, or does nothing, without the other.
        settings |= {"enable-auto-tool-choice": True, "tool-call-parser": options.tool_call_parser}
    if options.reasoning_parser:
        settings["reasoning-parser"] = options.reasoning_parser
    return {**settings, **options.args}


def _flag(name: str, value: Setting) -> Iterator[str]:
    match value:
        case bool():
            yield f"--{name}" if value else f"--no-{name}"
        case Mapping():
            yield from (f"--{name}", json.dumps(value, separators=(",", ":")))
        case _:
            yield from (f"--{name}", str(value))


def _grammar_of(options: Options) -> str | None:
    """Return what holds answers to a schema. Left to itself, vLLM has xgrammar do what it believes that to know."""
    config = options.args.get(_STRUCTURED)
    backend = config.get("backend", "auto") if isinstance(config, Mapping) else "auto"
    return {"auto": "xgrammar", "xgrammar": "xgrammar", "guidance": "guidance"}.get(str(backend))


def _is_structured(value: object) -> bool:
    return isinstance(value, dict) and value.keys() == {"backend"} and value["backend"] in _BACKENDS


# Of vLLM 0.27's some 220 flags those that models and instances need. What decides where the engine listens, what it
# serves under which name, how it ends, or where it reads files stays with the boot script.
_FLAGS = {
    "block-size": whole(1, 1024),
    "chat-template-content-format": word("auto", "string", "openai"),
    "config-format": word("auto", "hf", "mistral"),
    "default-chat-template-kwargs": json_object(),
    "dtype": word("auto", "half", "float16", "bfloat16", "float32"),
    "enable-chunked-prefill": switch(),
    "enable-expert-parallel": switch(),
    "enable-prefix-caching": switch(),
    "enforce-eager": switch(),
    "exclude-tools-when-tool-choice-none": switch(),
    "hf-overrides": json_object(),
    "gpu-memory-utilization": share(0.1, 0.98),
    "kv-cache-dtype": word("auto", "bfloat16", "fp8", "fp8_e4m3", "fp8_e5m2"),
    "limit-mm-per-prompt": json_object(),
    "load-format": word("auto", "safetensors", "mistral", "runai_streamer"),
    "max-num-batched-tokens": whole(256, 1_000_000),
    "max-num-seqs": whole(1, 4096),
    _STRUCTURED: Flag(f"a JSON object whose backend is one of {', '.join(_BACKENDS)}", _is_structured),
    "tokenizer-mode": word("auto", "hf", "slow", "mistral", "deepseek_v32", "deepseek_v4"),
    "trust-remote-code": switch(),
}

VLLM = Engine(
    name="vllm",
    # A pinned release (vLLM 0.27, CUDA 13).
    image="public.ecr.aws/deep-learning-containers/vllm:server-cuda-v2.3",
    # The image is CUDA on x86-64.
    instance_families=("g4dn.", "g5.", "g6.", "g6e.", "p4d.", "p4de.", "p5.", "p5e.", "p5en."),
    # The image's own entry point is a shell that waits for the engine and passes no signal on: under it, a stop would
    # kill requests in flight.
    entrypoint="vllm",
    arguments=_arguments,
    environment={
        "DO_NOT_TRACK": "1",
        "VLLM_NO_USAGE_STATS": "1",
        # A public host of media must not send the engine on to one inside the network.
        "VLLM_MEDIA_URL_ALLOW_REDIRECTS": "0",
    },
    port=_PORT,
    health_path="/health",
    metrics_path="/metrics",
    gauges=Gauges(
        running=("vllm:num_requests_running",),
        waiting=("vllm:num_requests_waiting",),
        cache_use=("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
    ),
    # In the event that carries the usage; what follows the version is the build's.
    fingerprint=rb"vllm-[0-9][0-9A-Za-z.+]*",
    exact_length={"ignore_eos": True},
    limits_media=True,
    parsers_of=parsers_of,
    tool_call_parsers=TOOL_CALL_PARSERS,
    reasoning_parsers=REASONING_PARSERS,
    flags=_FLAGS,
    settings=_settings,
    grammar_of=_grammar_of,
    containers=(
        Container("vllm", "SM_VLLM_", tasks=tuple(Task)),
        # The first whose documentation has tools.
        Container("djl-lmi", "OPTION_", since=(0, 32)),
    ),
)

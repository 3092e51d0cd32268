"""vLLM, in AWS's own image for EC2."""

from spillway.domain.engines.engine import Engine, Gauges, Launch, OnInstance, Word

_PORT = 8000


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
    return words


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
)

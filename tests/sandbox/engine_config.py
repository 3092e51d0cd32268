"""What one emulated engine is like."""

from dataclasses import dataclass

from tests.sandbox.engine_command import Command, EngineTask


@dataclass(frozen=True)
class EngineConfig:
    """Speeds are in tokens per real second, shared by all the engine's requests.

    ``max_num_queued_reqs`` limits the requests in flight, running and waiting, as in vLLM; None is no limit.
    ``completion_tokens`` is where an answer stops by itself. With ``upstream_url`` a real vLLM answers instead.
    ``model``, ``tool_call_parser`` and ``reasoning_parser`` are of its command line: which model speaks, and what is
    read of its calls and thoughts; ``task`` follows from it, and which endpoints there are from that.
    """

    model_names: tuple[str, ...]
    tokens_per_second: float = 1000.0
    prefill_tokens_per_second: float = 20_000.0
    max_num_seqs: int = 64
    max_num_queued_reqs: int | None = None
    max_model_len: int = 8192
    completion_tokens: int = 128
    api_key: str | None = None
    task: EngineTask = "generate"
    upstream_url: str | None = None
    model: str = "tiny-llama"
    tool_call_parser: str | None = None
    reasoning_parser: str | None = None

    @property
    def kv_cache_tokens(self) -> int:
        """The KV cache's room: a quarter of the context for every running request, as a usual instance has."""
        return max(self.max_model_len, self.max_model_len * self.max_num_seqs // 4)

    @property
    def command(self) -> Command:
        """What of its command line decides what it says."""
        return Command(self.model, self.model_names[0], None, self.tool_call_parser, self.reasoning_parser)

"""Which of vLLM's parsers read the output of which model.

A model's architecture does not tell: Qwen3 and Qwen3-Coder share one and write calls differently, and Kimi K2 calls
itself a DeepSeek. So the name decides, whole, without the organisation (quantised copies keep the name) and without a
quantisation's suffix: a derived model with a name of its own, which may write as it likes, gets nothing. Sources: the
documentation and recipes of vLLM up to 0.32, as of 2026-11; the names of parsers are those registered in 0.27.
"""

import re

from spillway.domain.engines.engine import Parsers


def _names(words: str) -> frozenset[str]:
    return frozenset(words.split())


TOOL_CALL_PARSERS = _names(
    """apertus cohere_command3 cohere_command4 deepseek_v3 deepseek_v31 deepseek_v32 deepseek_v4 ernie45 functiongemma
    gemma4 gigachat3 glm45 glm47 granite granite-20b-fc granite4 hermes hunyuan_a13b hy_v3 inkling internlm jamba
    kimi_k2 kimi_k3 lfm2 llama3_json llama4_json llama4_pythonic longcat mimo minicpm5 minimax_m2 minimax_m3 mistral
    olmo3 openai phi4_mini_json poolside_v1 pythonic qwen3_coder qwen3_xml seed_oss step3 step3p5 xlam"""
)
REASONING_PARSERS = _names(
    """cohere_command3 cohere_command4 deepseek_r1 deepseek_v3 deepseek_v4 ernie45 gemma4 glm45 glm47 granite holo2
    hunyuan_a13b hy_v3 inkling kimi_k2 kimi_k3 mimo minimax_m2 minimax_m2_append_think minimax_m3 mistral nemotron_v3
    olmo3 openai_gptoss poolside_v1 qwen3 seed_oss step3 step3p5"""
)

_MISTRALS = {"tokenizer-mode": "mistral", "config-format": "mistral", "load-format": "mistral"}
_SIZE = r"\d+(\.\d+)?b(-a\d+(\.\d+)?b)?"
_FAMILIES = (
    (rf"(meta-)?llama-3\.[123]-{_SIZE}-instruct", Parsers("llama3_json")),
    (r"llama-4-(scout|maverick)-.*-instruct", Parsers("llama4_pythonic", needs_template=True)),
    (
        r"mistral-7b-instruct-v0\.3|mistral-nemo-instruct-2407|mistral-small-24b-instruct-2501"
        r"|mistral-small-3\.[12]-24b-instruct-\d{4}|mistral-large-3-\d+b-instruct-2512"
        r"|ministral-3-\d+b-instruct-2512|devstral-(small-)?2-\d+b-instruct-2512",
        Parsers("mistral", args=_MISTRALS),
    ),
    (
        r"magistral-small-\d{4}|mistral-small-4-119b-2603|ministral-3-\d+b-reasoning-2512",
        Parsers("mistral", "mistral", args=_MISTRALS),
    ),
    (rf"qwen2\.5-{_SIZE}-instruct", Parsers("hermes")),
    (r"qwq-32b", Parsers("hermes", "deepseek_r1")),
    (rf"qwen3-{_SIZE}(-thinking-2507)?|qwen3-next-80b-a3b-thinking", Parsers("hermes", "qwen3")),
    (rf"qwen3-{_SIZE}-instruct-2507|qwen3-next-80b-a3b-instruct", Parsers("hermes")),
    (rf"qwen3-coder-({_SIZE}-instruct|next)", Parsers("qwen3_coder")),
    (rf"qwen3\.[56]-{_SIZE}", Parsers("qwen3_coder", "qwen3")),
    (rf"deepseek-r1-distill-(llama|qwen)-{_SIZE}", Parsers(reasoning="deepseek_r1")),
    (r"deepseek-v3(-0324)?", Parsers("deepseek_v3", needs_template=True)),
    (r"deepseek-r1", Parsers(reasoning="deepseek_r1")),
    (r"deepseek-r1-0528", Parsers("deepseek_v3", "deepseek_r1", needs_template=True)),
    (r"deepseek-v3\.1", Parsers("deepseek_v31", "deepseek_v3", needs_template=True)),
    (r"deepseek-v3\.2", Parsers("deepseek_v32", "deepseek_v3", args={"tokenizer-mode": "deepseek_v32"})),
    (
        r"deepseek-v4-(flash|pro)",
        Parsers(
            "deepseek_v4",
            "deepseek_v4",
            args={"tokenizer-mode": "deepseek_v4", "kv-cache-dtype": "fp8", "block-size": 256},
        ),
    ),
    (rf"gemma-3-{_SIZE}-it", Parsers("pythonic", needs_template=True)),
    (rf"gemma-4-(e\d+b|{_SIZE})-it", Parsers("gemma4", "gemma4", needs_template=True)),
    (r"gpt-oss-(20|120)b", Parsers("openai", "openai_gptoss")),
    (r"phi-4-mini-instruct", Parsers("phi4_mini_json", needs_template=True)),
    (rf"granite-3\.[23]-{_SIZE}-instruct", Parsers("granite", "granite")),
    (r"granite-4\.0-(h-)?(micro|tiny|small)", Parsers("granite4")),
    (r"glm-4\.(5(-air)?|6)", Parsers("glm45", "glm45")),
    (r"glm-4\.7(-flash)?", Parsers("glm47", "glm45")),
    (r"glm-5(\.[12])?", Parsers("glm47", "glm45", args={"chat-template-content-format": "string"})),
    (r"kimi-k2-instruct(-0905)?", Parsers("kimi_k2")),
    (r"kimi-k2-thinking|kimi-k2\.5", Parsers("kimi_k2", "kimi_k2")),
    (r"minimax-m2(\.[15])?", Parsers("minimax_m2", "minimax_m2")),
    (r"nvidia-nemotron-3-nano-30b-a3b", Parsers("qwen3_coder", "nemotron_v3")),
    (r"nvidia-nemotron-3-super-120b-a12b", Parsers("qwen3_xml", "nemotron_v3")),
    (rf"olmo-3(\.1)?-{_SIZE}-instruct", Parsers("olmo3")),
    (rf"olmo-3(\.1)?-{_SIZE}-think", Parsers("olmo3", "olmo3")),
    # Published as models that chat: the score is how much more likely "yes" is than "no".
    (
        rf"qwen3-reranker-{_SIZE}",
        Parsers(
            needs_template=True,
            args={
                "hf-overrides": {
                    "architectures": ["Qwen3ForSequenceClassification"],
                    "classifier_from_token": ["no", "yes"],
                    "is_original_qwen3_reranker": True,
                }
            },
        ),
    ),
)
_QUANTISED = re.compile(
    r"([-.](bf16|fp8(-dynamic|-block)?|nvfp4|mxfp4|awq(-int4)?|gptq(-int[48])?|int[48]|bnb-4bit|quantized\.w\d+a\d+))+$"
)


def parsers_of(model_id: str) -> Parsers:
    """Return what reads the output of a model, by its Hugging Face id: nothing where its name is not a known one."""
    name = _QUANTISED.sub("", model_id.rsplit("/", 1)[-1].lower())
    return next((parsers for pattern, parsers in _FAMILIES if re.fullmatch(pattern, name)), Parsers())

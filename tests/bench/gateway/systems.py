"""The rows of the table: what each system is, how it starts, and what a request to it looks like."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.gateway.answers import CONVERSE_MODEL, MODEL
from tests.bench.gateway.peers import BEFORE, FOLDER, Peers

REPOSITORY = Path(__file__).resolve().parents[3]
UPSTREAM_PORT, FIRST_PORT = 18_400, 18_401
UPSTREAM = f"http://127.0.0.1:{UPSTREAM_PORT}"
PROMPT = (
    "Summarise what the customer wrote, in one sentence, and say how urgent it is on a scale from one to five. " * 8
)
_FAST = ["--loop", "uvloop", "--http", "httptools"]
_BEFORE_ON_LAMBDA = ["--loop", "asyncio", "--http", "h11", "--h11-max-incomplete-event-size", "65536"]
_QUIET = ["--no-access-log", "--no-server-header", "--log-level", "warning"]
# It refuses to start without a strong one; with it alone it looks nothing up.
_LITELLM_KEY = "sk-" + "3f9a1c7e5b2d8064" * 3
# What Lambda Web Adapter passes on of API Gateway's request context.
CONTEXT = {
    "accountId": "123456789012",
    "apiId": "a1b2c3d4e5",
    "domainName": "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com",
    "extendedRequestId": "Tm9wZSwganVzdCBhIGJlbmNo=",
    "httpMethod": "POST",
    "identity": {"sourceIp": "203.0.113.7", "userAgent": "OpenAI/Python 3.54.0"},
    "path": "/live/v1/chat/completions",
    "protocol": "HTTP/1.1",
    "requestId": "0d5f7c1e-6f9b-4f7e-9b0a-2f1c3e5d7a90",
    "requestTimeEpoch": 1_796_000_000_000,
    "resourcePath": "/v1/{proxy+}",
    "stage": "live",
}
_LIMITS = {"requests_per_minute": "10000000", "tokens_per_minute": "10000000000", "usd_per_month": "1000000"}
_AWS = {
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "AKIABENCH",
    "AWS_SECRET_ACCESS_KEY": "bench",
    "AWS_SESSION_TOKEN": "b" * 400,
    "AWS_ENDPOINT_URL": UPSTREAM,
}


@dataclass(frozen=True)
class System:
    """One row; ``command`` is None for what is not installed, empty for the upstream itself."""

    name: str
    command: Sequence[str] | None
    port: int
    environment: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    model: str = MODEL

    def request(self, chunks: int | None) -> bytes:
        """Return a whole request; ``chunks`` is how many a stream shall have, None for an answer in one piece."""
        messages = [{"role": "system", "content": "You are a support agent."}, {"role": "user", "content": PROMPT}]
        body = {"model": self.model, "messages": messages, "temperature": 0.2, "max_tokens": chunks or 96}
        raw = json.dumps(body | {"stream": True} if chunks else body).encode()
        fields = {"content-type": "application/json", "authorization": "Bearer sk-bench", **self.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        front = f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\n{lines}"
        return f"{front}content-length: {len(raw)}\r\n\r\n".encode() + raw

    def start(self, core: set[int]) -> subprocess.Popen[bytes]:
        """Start it on its core; its output goes nowhere but for its errors."""
        if self.command is None:
            raise FileNotFoundError(self.name)
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        environment = {
            **inherited,
            "PYTHONPYCACHEPREFIX": str(FOLDER / "bytecode"),
            "BENCH_UPSTREAM": UPSTREAM,
            "NODE_ENV": "production",
            **self.environment,
        }
        with (FOLDER / f"{self.name.replace(' ', '-').replace(',', '')}.log").open("wb") as log:
            return subprocess.Popen(
                list(self.command),
                env=environment,
                cwd=FOLDER,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                preexec_fn=lambda: os.sched_setaffinity(0, core),
            )


def all_systems(peers: Peers) -> list[System]:
    """Return the rows in the table's order."""
    ports = iter(range(FIRST_PORT, FIRST_PORT + 20))
    here = str(Path(__file__).parent)
    spillway = {
        "PYTHONPATH": _source(REPOSITORY),
        "ROUTES_TABLE": "routes",
        "USAGE_TABLE": "usage",
        "LOADS_TABLE": "loads",
        "LIMITS_TABLE": "limits",
        "PRICES_TABLE": "prices",
        "KEYS_TABLE": "keys",
        "EVENT_BUS": "bus",
        "SPILLWAY_STACK": "bench",
        "FLEETS_URL": f"{UPSTREAM}/live/fleets",
        **_AWS,
    }

    earlier = spillway | {"PYTHONPATH": _source(peers.before) if peers.before else ""}
    on_lambda = {"AWS_LAMBDA_FUNCTION_NAME": "bench"}

    def python(
        name: str, app: str, how: list[str], environment: dict[str, str], model: str = MODEL, *, limited: bool = True
    ) -> System:
        port = next(ports)
        command = [str(peers.server), "-m", "uvicorn", app, "--host", "127.0.0.1", "--port", str(port), *how, *_QUIET]
        headers = _context(limited) if app == "app:app" else {}
        runs = peers.server and environment.get("PYTHONPATH")
        return System(name, command if runs else None, port, environment, headers, model)

    return [
        System("direct", [], UPSTREAM_PORT),
        python("bare pass-through", "bare:app", _FAST, {"PYTHONPATH": here}),
        python("Spillway", "app:app", _FAST, spillway),
        python("Spillway, key without limits", "app:app", _FAST, spillway, limited=False),
        python("Spillway, as on Lambda", "app:app", _FAST, spillway | on_lambda),
        python("Spillway, Converse", "app:app", _FAST, spillway, CONVERSE_MODEL),
        python(f"{BEFORE}", "app:app", _FAST, earlier),
        python(f"{BEFORE}, as on Lambda", "app:app", _BEFORE_ON_LAMBDA, earlier | on_lambda),
        python(f"{BEFORE}, Converse", "app:app", _FAST, earlier, CONVERSE_MODEL),
        python("FastAPI + boto3, Converse", "boto_translation:app", _FAST, {"PYTHONPATH": here, **_AWS}),
        _portkey(peers, next(ports)),
        _litellm(peers, next(ports)),
    ]


def _source(repository: Path) -> str:
    return f"{repository}/layers/spillway/src:{repository}/functions/serve_openai"


def _context(limited: bool) -> dict[str, str]:
    authorizer = {
        "key_id": "key_bench",
        "scopes": "invoke",
        "deployments": "",
        "principalId": "key_bench",
        **(_LIMITS if limited else {}),
    }
    return {"x-amzn-request-context": json.dumps(CONTEXT | {"authorizer": authorizer})}


def _litellm(peers: Peers, port: int) -> System:
    config = FOLDER / "litellm.json"
    parameters = {"model": f"openai/{MODEL}", "api_base": f"{UPSTREAM}/v1", "api_key": "sk-upstream"}
    keys = {"general_settings": {"master_key": _LITELLM_KEY}}
    config.write_text(json.dumps({"model_list": [{"model_name": MODEL, "litellm_params": parameters}], **keys}))
    environment = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "LITELLM_TELEMETRY": "False"}
    options = ["--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    command = [str(peers.litellm.parent / "litellm"), *options] if peers.litellm else None
    return System("LiteLLM proxy", command, port, environment, {"authorization": f"Bearer {_LITELLM_KEY}"})


def _portkey(peers: Peers, port: int) -> System:
    node = ["node", "--require", str(peers.portkey_patch), str(peers.portkey), f"--port={port}", "--headless"]
    headers = {"x-portkey-provider": "openai", "x-portkey-custom-host": f"{UPSTREAM}/v1"}
    return System("Portkey gateway", node if peers.portkey else None, port, {}, headers)

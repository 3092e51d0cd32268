"""The deployments that the clients ask, one or more on every path, and the states that they are brought into."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.clients.scenarios import UNSUPPORTED, Scenario
from tests.sandbox.engine import EngineConfig
from tests.sandbox.runtime.emulation import Times
from tests.sandbox.runtime.options import Options
from tests.sandbox.sandbox import Sandbox

# Starts take seconds, and a start's time limits are still longer than what is asked meanwhile.
_TIME_FACTOR = 30.0
_PATIENCE_SECONDS = 90
_LOOK_SECONDS = 0.2
# The gateway may know a route for two seconds.
_ROUTE_SECONDS = 2.1

STARTING, READY, ASLEEP, FAILING = "starting", "ready", "asleep", "failing"
# Who is asked for a plain answer says so by the reason.
_REASONS = {
    STARTING: ("requested", "starting"),
    READY: ("ready",),
    ASLEEP: ("asleep",),
    FAILING: ("primary_failed",),
}
_ROUTED = {"warming": "warming", "serving": "ready", "asleep": "cold"}
# What a deployment is in while the stage goes through its phases; None where it is left alone.
PHASES = range(4)
_SLEEPERS = (STARTING, READY, ASLEEP, FAILING)
# By traffic weighed in dollars a fleet is not woken by single requests: it stays asleep until all have asked.
_CAPACITY = {"min": 0, "max": 1, "tokens_per_minute_per_instance": 1e6}
_THRESHOLDS = {"idle_after_seconds": 604_800, "cold_start_after_seconds": 60}


@dataclass(frozen=True)
class Deployment:
    """One deployment that is asked the scenarios of its ``kind``, and what is its own of them, by their names.

    ``instead`` is the outcome of what its model can't do at all. What is ``on_primary`` its spill target can't do: a
    request for it waits for a primary with instances that starts, and is ``refused`` by state.
    """

    name: str
    path: str
    body: Mapping[str, Any]
    states: tuple[str | None, ...] = _SLEEPERS
    kind: str = "chat"
    instead: Mapping[str, str] = field(default_factory=dict)
    on_primary: frozenset[str] = frozenset()
    refused: Mapping[str, str] = field(default_factory=lambda: {FAILING: "503 primary_failed"})

    def expected(self, scenario: Scenario, state: str) -> str:
        """Return what a client has to see."""
        if scenario.name in self.instead:
            return self.instead[scenario.name]
        refused = self.refused.get(state) if scenario.name in self.on_primary else None
        return refused or scenario.expected


def _on(path: str, model_id: str, spill: Mapping[str, str], **more: Any) -> dict[str, Any]:
    model = {"id": model_id, "accept_eula": True, **more.pop("model", {})}
    return {"path": path, "model": model, "spill": spill, "thresholds": _THRESHOLDS, **more}


_LLAMA = "meta.llama3-1-8b-instruct-v1:0"
_GPT_OSS = "openai.gpt-oss-20b-1:0"
_MINISTRAL = "mistral.ministral-3-8b-instruct"
_MISTRAL_LARGE = "mistral.mistral-large-3-675b-instruct"

DEPLOYMENTS = (
    Deployment(
        "fleet",
        "fleet",
        _on(
            "fleet",
            "mistralai/Ministral-3-8B-Instruct-2512",
            {"model_id": _MINISTRAL, "api": "converse"},
            capacity={**_CAPACITY, "instance_types": ["g6e.xlarge"]},
        ),
        on_primary=frozenset({"logprobs"}),
    ),
    Deployment(
        "fleet-thinking",
        "fleet",
        _on(
            "fleet",
            "openai/gpt-oss-20b",
            {"model_id": _GPT_OSS},
            capacity={**_CAPACITY, "instance_types": ["g6e.xlarge"]},
        ),
        kind="reasoning",
    ),
    Deployment(
        "jumpstart",
        "jumpstart",
        _on("jumpstart", "meta-llama/Llama-3.1-8B-Instruct", {"model_id": _LLAMA}, capacity=_CAPACITY),
        # Neither its container's own code nor Llama on Bedrock tells probabilities or keeps to a schema.
        instead=dict.fromkeys(("images", "logprobs", "JSON schema"), UNSUPPORTED),
    ),
    Deployment(
        "bedrock",
        "bedrock",
        # Not what others spill to: it is to fail alone.
        _on("bedrock", _MISTRAL_LARGE, {"model_id": _MINISTRAL, "api": "converse"}, model={"api": "converse"}),
        states=(READY, None, None, FAILING),
        instead={"logprobs": UNSUPPORTED},
    ),
    Deployment(
        "import",
        "import",
        _on(
            "import",
            "Qwen/Qwen2.5-VL-7B-Instruct",
            {"model_id": _MINISTRAL, "api": "converse"},
            model={"weights": "s3://weights/qwen2.5-vl/"},
        ),
        on_primary=frozenset({"logprobs"}),
        refused={STARTING: "503 starting", FAILING: "503 primary_failed"},
        states=(READY, STARTING, None, FAILING),
    ),
    # No other model may answer for vectors, so that these have no spill target.
    Deployment(
        "vectors",
        "bedrock",
        {"path": "bedrock", "model": {"id": "amazon.titan-embed-text-v2:0"}},
        states=(READY, None, None, FAILING),
        kind="embeddings",
        on_primary=frozenset({"embeddings"}),
    ),
    Deployment(
        "fleet-vectors",
        "fleet",
        {
            "path": "fleet",
            "model": {"id": "BAAI/bge-m3"},
            "capacity": {**_CAPACITY, "instance_types": ["g6e.xlarge"]},
            "thresholds": {**_THRESHOLDS, "waiting_usd_per_request": 0.01},
        },
        # Without a spill target, and weighed in dollars, only the check wakes it; and that stands still.
        states=(STARTING, READY, None, FAILING),
        kind="embeddings",
        on_primary=frozenset({"embeddings"}),
    ),
)  # fmt: skip


_STARTING = [each for each in DEPLOYMENTS if each.states[0] == STARTING]
_SLEEPING = [each for each in DEPLOYMENTS if ASLEEP in each.states]


def options(folder: Path) -> Options:
    """Return how the sandbox is to be: nothing in it is too slow for several clients at once."""
    engine = EngineConfig(model_names=(), tokens_per_second=10_000)
    return Options(0, _TIME_FACTOR, engine=engine, times=Times(import_seconds=60, model_copy_seconds=0), folder=folder)


class Stage:
    """The control API as an operator uses it, and the hand that holds the sandbox in a state."""

    def __init__(self, sandbox: Sandbox, place: Mapping[str, str]) -> None:
        self._sandbox, self._key = sandbox, place["invoke_key"]

    def enter(self, phase: int) -> None:
        """Bring every deployment into its state of a phase, from that of the phase before."""
        (self._begin, self._serve, self._sleep, self._fail)[phase]()
        self.expect(phase)

    def expect(self, phase: int) -> None:
        """Raise SystemExit unless every deployment is answered for as its state has it."""
        time.sleep(_ROUTE_SECONDS)
        for each in DEPLOYMENTS:
            state = each.states[phase]
            if state and each.kind != "embeddings":
                target, reason = self._who_answers(each.name)
                wanted = each.path if state == READY else "bedrock"
                if target != wanted or reason not in _REASONS[state]:
                    found = self._call("GET", f"/deployments/{each.name}")
                    told = f"{found['status']}, {found['status_reason']}"
                    raise SystemExit(f"{each.name} is not {state} ({told}): {target} answers, {reason}")

    def ask_for(self, *deployments: Deployment) -> None:
        """Ask for deployments, and wait until they serve or are about to."""
        for each in deployments:
            self._call("POST", "/deployments", {"name": each.name, **each.body})
        for each in deployments:
            self._until(each, "warming" if each.states[0] == STARTING else "serving")

    def wake(self) -> None:
        """Let everything come up that starts."""
        self._sandbox.engines.may_load.set()

    def _begin(self) -> None:
        # Nothing changes by itself from here on.
        self._sandbox.emulation.scheduler.leave()
        self._sandbox.engines.may_load.clear()
        self.ask_for(*DEPLOYMENTS)

    def _serve(self) -> None:
        self.wake()
        self._until_all(_STARTING, "serving")
        self._fail_bedrock("import", "ModelNotReadyException")

    def _sleep(self) -> None:
        for each in _SLEEPING:
            self._call("POST", f"/deployments/{each.name}/sleep")
        self._until_all(_SLEEPING, "asleep")

    def _fail(self) -> None:
        for each in _SLEEPING:
            if self._call("GET", f"/deployments/{each.name}")["status"] == "asleep":
                self._call("POST", f"/deployments/{each.name}/wake")
        self._until_all(_SLEEPING, "serving")
        for engine in self._sandbox.engines.engines.values():
            engine.fail()
        self._sandbox.emulation.bedrock.faults.clear()
        for path in ("import", "bedrock"):
            self._fail_bedrock(path, "InternalServerException")

    def _fail_bedrock(self, path: str, code: str) -> None:
        for each in DEPLOYMENTS:
            if each.path == path:
                route = self._call("GET", f"/deployments/{each.name}")["route"]["primary"]
                self._sandbox.emulation.bedrock.fail_next(route.get("model_arn") or route["model_id"], code, 100_000)

    def _who_answers(self, name: str) -> tuple[str | None, str | None]:
        body = {"model": name, "messages": [{"role": "user", "content": "hello"}], "max_tokens": 4}
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        url = f"{self._sandbox.openai_base_url}/chat/completions"
        with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers)) as answer:
            return answer.headers["x-spillway-target"], answer.headers["x-spillway-reason"]

    def _until_all(self, deployments: Sequence[Deployment], status: str) -> None:
        for each in deployments:
            self._until(each, status)

    def _until(self, deployment: Deployment, status: str) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            found = self._call("GET", f"/deployments/{deployment.name}")
            # A step writes the record first and the route last.
            if found["status"] == status and found["route"]["state"] == _ROUTED[status]:
                return
            if found["status"] == "failed" or time.monotonic() > deadline:
                raise SystemExit(f"{deployment.name} is not {status}: {found['status']}, {found['status_reason']}")
            time.sleep(_LOOK_SECONDS)

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self._sandbox.admin_key}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._sandbox.base_url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as err:
            raise SystemExit(f"{method} {path}: {err.code} {err.read().decode()}") from err

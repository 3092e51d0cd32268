"""Deployments that cannot come up, each for its own reason."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.builders import spec_body
from tests.e2e.broken_engines import BrokenEngines, garbage, half_a_stream, server_error
from tests.e2e.operator import ask_at_once
from tests.sandbox.bedrock_catalog import MARKETPLACE_MODEL_ID
from tests.sandbox.sandbox import Sandbox

NOT_AUTHORISED = "qwen.qwen3-32b-v1:0"
FAILS = "qwen.qwen3-coder-30b-a3b-v1:0"
NO_ACCESS = f"this account may not use {NOT_AUTHORISED}: ask its administrator for access to it in Bedrock"


@dataclass(frozen=True)
class Doomed:
    """A deployment and the beginning, and a part, of what its status says in the end.

    ``spill_answers``: whether its spill target, if it has one, answers meanwhile.
    """

    name: str
    error: str
    says: str
    body: dict[str, Any] = field(default_factory=dict)
    spill_answers: bool = True


def on(*instance_types: str, path: str = "fleet", most: int = 1) -> dict[str, Any]:
    return {"path": path, "capacity": {"max": most, "instance_types": list(instance_types)}}


DOOMED = [
    # First, because it takes the better part of the hour that it has.
    Doomed(
        "no-ping", "CapacityUnavailable", "did not pass the ping health check", on("ml.g5.2xlarge", path="jumpstart")
    ),
    Doomed("no-capacity", "CapacityUnavailable", "sufficient p4d.24xlarge capacity", on("p5.48xlarge", "p4d.24xlarge")),
    Doomed("no-offer", "InvalidRequest", "EC2 offers no p5e.48xlarge in us-east-1", on("p5e.48xlarge")),
    Doomed("crasher", "NotReady", "at the deadline"),
    Doomed("garbage", "SmokeTestFailed", "gave no completion"),
    Doomed("server-error", "SmokeTestFailed", "gave no completion"),
    Doomed("half-a-stream", "SmokeTestFailed", "no end mark"),
    # Llama's calls in Qwen's parser, and flags for a model that the Hub does not have.
    Doomed(
        "wrong-parser",
        "SmokeTestFailed",
        "engine.tool_call_parser 'hermes' found none",
        {"engine": {"tool_call_parser": "hermes"}},
    ),
    Doomed("no-such-model", "NotReady", "at the deadline", {"model": {"id": "acme/none-7B"}}),
    Doomed(
        "no-endpoint",
        "CapacityUnavailable",
        "InsufficientInstanceCapacity",
        on("ml.g5.12xlarge", path="jumpstart"),
    ),
    Doomed(
        "over-quota",
        "CapacityUnavailable",
        "quota 'ml.g5.4xlarge for endpoint usage' is 1",
        on("ml.g5.4xlarge", path="jumpstart", most=2),
    ),
    Doomed(
        "no-licence",
        "InvalidRequest",
        "accept_eula",
        {"path": "jumpstart", "model": {"id": "meta-llama/Llama-3.1-8B-Instruct"}},
    ),
    Doomed(
        "no-access", "InvalidRequest", NO_ACCESS, {"path": "bedrock", "model": {"id": NOT_AUTHORISED}, "spill": None}
    ),
    Doomed(
        "no-agreement",
        "InvalidRequest",
        f"create-foundation-model-agreement --model-id {MARKETPLACE_MODEL_ID}",
        {"path": "bedrock", "model": {"id": MARKETPLACE_MODEL_ID, "accept_eula": True}, "spill": None},
    ),
    Doomed(
        "no-spill", "InvalidRequest", f"the spill target: {NO_ACCESS}", {"spill": {"model_id": NOT_AUTHORISED}}, False
    ),
    Doomed("silent-spill", "SmokeTestFailed", "spill: HTTP 424", {"spill": {"model_id": FAILS}}, False),
]


@contextmanager
def asked_for(sandbox: Sandbox) -> Iterator[None]:
    """Ask for all of them at once: the slowest waits for a deadline of an hour."""
    emulation = sandbox.emulation
    emulation.faults.insufficient_capacity |= {"p5.48xlarge", "p4d.24xlarge", "ml.g5.12xlarge"}
    emulation.faults.crash_while_loading |= {"crasher", "no-ping"}
    emulation.bedrock.fail_next(FAILS, "ModelErrorException", times=100)
    emulation.faults.resource_limit["ml.g5.4xlarge"] = 1
    emulation.catalog.models[NOT_AUTHORISED].authorized = False
    broken = {"garbage": garbage, "server-error": server_error, "half-a-stream": half_a_stream}
    engines = BrokenEngines(emulation.fleet.engines, broken)
    emulation.fleet.engines = engines
    ask_at_once(sandbox, *(spec_body(name=one.name, **one.body) for one in DOOMED))
    yield
    engines.close()

"""Targets as they are stored, and what they are for."""

import pytest

from spillway.domain.paths.targets import (
    BedrockTarget,
    FleetTarget,
    ImportedTarget,
    SageMakerTarget,
    Target,
    target_from_json,
    target_to_json,
)
from spillway.domain.task import Task

TITAN = "amazon.titan-embed-text-v2:0"
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcdefghijkl"


@pytest.mark.parametrize(
    ("target", "task"),
    [
        (FleetTarget("a"), Task.CHAT),
        (FleetTarget("a", Task.EMBED), Task.EMBED),
        (SageMakerTarget("a", "b", task=Task.RERANK), Task.RERANK),
        (BedrockTarget(f"us.{TITAN}", None), Task.EMBED),
        (BedrockTarget(PROFILE, None, TITAN), Task.EMBED),
        (BedrockTarget("acme.unheard-of-v1:0", None), Task.CHAT),
        (ImportedTarget("arn"), Task.CHAT),
    ],
)
def test_a_target_says_what_it_is_for_and_so_it_does_when_it_is_read_back(target: Target, task: Task) -> None:
    read = target_from_json(target_to_json(target))
    assert (read, read.task) == (target, task)
    assert isinstance(read.task, Task)


def test_what_chats_is_stored_as_it_always_was() -> None:
    assert target_to_json(FleetTarget("a")) == {"kind": "fleet", "deployment": "a"}

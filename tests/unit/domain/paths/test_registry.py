"""Every path has a profile of its own, a kind of target, and a JSON form that is read back."""

from typing import Any, get_args

import pytest

from spillway.domain.paths.path import Path, is_billed_by_token
from spillway.domain.paths.registry import profile_of
from spillway.domain.paths.targets import (
    BedrockTarget,
    FleetTarget,
    ImportedTarget,
    SageMakerTarget,
    Target,
    target_class,
    target_from_json,
    target_to_json,
)

MODEL = "meta.llama3-1-8b-instruct-v1:0"
ARN = "arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefghijkl"


@pytest.mark.parametrize("path", Path)
def test_a_profile_is_its_paths_own(path: Path) -> None:
    assert profile_of(path).path is path


def test_every_kind_of_target_belongs_to_one_path() -> None:
    assert {kind.path: kind for kind in get_args(Target)} == {path: target_class(path) for path in Path}


STORED: list[tuple[dict[str, Any], Target, Path]] = [
    ({"kind": "bedrock", "model_id": MODEL, "api": "converse"}, BedrockTarget(MODEL, "converse"), Path.BEDROCK),
    ({"kind": "import", "model_arn": ARN, "units_per_copy": 2}, ImportedTarget(ARN, 2), Path.IMPORT),
    # Written before units were counted.
    ({"kind": "import", "model_arn": ARN}, ImportedTarget(ARN), Path.IMPORT),
    (
        {"kind": "jumpstart", "endpoint": "e", "component": "c", "framework": "djl-lmi", "version": "0.29.0"},
        SageMakerTarget("e", "c", "djl-lmi", "0.29.0"),
        Path.JUMPSTART,
    ),
    # Written before containers were told apart.
    ({"kind": "jumpstart", "endpoint": "e", "component": "c"}, SageMakerTarget("e", "c"), Path.JUMPSTART),
    ({"kind": "fleet", "deployment": "llama"}, FleetTarget("llama"), Path.FLEET),
]


@pytest.mark.parametrize(("stored", "target", "path"), STORED)
def test_stored_targets_are_read_and_written_back(stored: dict[str, Any], target: Target, path: Path) -> None:
    assert target_from_json(stored) == target
    assert target.path is path
    assert stored.items() <= target_to_json(target).items()
    assert target_from_json(target_to_json(target)) == target


def test_an_unknown_kind_is_named_with_what_is_known() -> None:
    with pytest.raises(ValueError, match="unknown kind of target: moon; known are bedrock, import, jumpstart, fleet"):
        target_from_json({"kind": "moon"})


@pytest.mark.parametrize(("name", "billed"), [("bedrock", True), ("import", False), ("fleet", False), ("none", False)])
def test_tokens_are_billed_where_bedrock_answers(name: str, billed: bool) -> None:
    assert is_billed_by_token(name) is billed

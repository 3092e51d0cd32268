"""The layers are built for what the template's functions run on."""

import re
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.template.transform import REPOSITORY

LAYER = REPOSITORY / "layers/dependencies"
_LOAD = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("orjson", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
print(module.dumps({"a": 1}).decode(), end="")
"""
_PLATFORMS = {"arm64": "aarch64", "x86_64": "x86_64"}


@pytest.fixture(scope="module")
def recipe() -> str:
    return (LAYER / "Makefile").read_text(encoding="utf-8")


def test_the_makefile_builds_for_the_functions_runtime(template: dict[str, Any], recipe: str) -> None:
    functions = template["Globals"]["Function"]
    version = functions["Runtime"].removeprefix("python")
    (processor,) = functions["Architectures"]
    assert re.findall(r"--python-version (\S+)", recipe) == [version]
    assert re.findall(r"--python-platform (\S+)", recipe) == [f"{_PLATFORMS[processor]}-manylinux_2_28"]
    assert "build-DependenciesLayer:" in recipe


def test_everything_is_for_the_same_runtime(template: dict[str, Any]) -> None:
    functions = template["Globals"]["Function"]
    layers = [each for each in template["Resources"].values() if each["Type"] == "AWS::Serverless::LayerVersion"]
    for layer in layers:
        assert layer["Properties"]["CompatibleRuntimes"] == [functions["Runtime"]]
        assert [layer["Metadata"]["BuildArchitecture"]] == functions["Architectures"]
    adapter = template["Resources"]["ServeOpenaiFunction"]["Properties"]["Layers"][0]["Fn::If"][2]["Fn::Sub"]
    assert functions["Architectures"] == ["arm64"]
    assert "LambdaAdapterLayerArm64" in adapter


def test_the_lock_is_pinned_with_hashes_and_leaves_boto3_to_the_runtime(recipe: str) -> None:
    lock = (LAYER / "requirements.txt").read_text(encoding="utf-8")
    pinned = re.findall(r"^([a-z0-9-]+)==\S+ \\\n    --hash=", lock, re.MULTILINE)
    assert "--require-hashes" in recipe
    assert len(pinned) == len(re.findall(r"^[a-z0-9]", lock, re.MULTILINE))
    assert not {"boto3", "botocore"} & set(pinned)


def test_the_package_lands_beside_the_dependencies(template: dict[str, Any]) -> None:
    layer = template["Resources"]["SpillwayLayer"]["Properties"]["ContentUri"]
    assert (REPOSITORY / layer / "spillway" / "__init__.py").is_file()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ELF files are Linux's")
def test_a_stripped_module_still_loads_and_what_it_was_linked_to_stays(tmp_path: Path) -> None:
    (compiled,) = Path(orjson.__file__).parent.glob("*.so")
    installers_copy = tmp_path / "cached"
    installers_copy.write_bytes(original := compiled.read_bytes() + b"debug information")
    folder = tmp_path / "layer"
    folder.mkdir()
    module = folder / compiled.name
    module.hardlink_to(installers_copy)
    subprocess.run([sys.executable, str(LAYER / "strip_debug.py"), str(folder)], check=True)
    assert installers_copy.read_bytes() == original
    assert len(module.read_bytes()) < len(original)
    assert struct.unpack_from("<Q", module.read_bytes(), 0x28) == (0,)
    answer = subprocess.run([sys.executable, "-c", _LOAD, str(module)], capture_output=True, text=True, check=True)
    assert answer.stdout == '{"a":1}'


def test_what_is_no_elf_file_stays(tmp_path: Path) -> None:
    script = tmp_path / "script.so"
    script.write_bytes(b"#!/bin/sh\n")
    subprocess.run([sys.executable, str(LAYER / "strip_debug.py"), str(tmp_path)], check=True)
    assert script.read_bytes() == b"#!/bin/sh\n"


def test_the_installer_copies_what_is_changed_afterwards(recipe: str) -> None:
    assert "--link-mode copy" in recipe

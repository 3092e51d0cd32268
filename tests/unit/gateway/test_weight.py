"""The gateway's start stays light: nothing heavy comes in by an import that nobody thought about."""

import subprocess
import sys

import pytest

HEAVY = ("pydantic", "boto3", "botocore.auth", "botocore.session", "aws_lambda_powertools", "starlette", "urllib3")


@pytest.mark.parametrize("function", ["serve_openai", "drive_load"])
def test_no_heavy_library_is_imported(function: str) -> None:
    code = f"import sys, functions.{function}.app; print([name for name in {HEAVY!r} if name in sys.modules])"
    environment = {"PYTHONPATH": "layers/spillway/src:."}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
